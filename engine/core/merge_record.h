// The record of this home and one that is kept elsewhere: what one has and the other lacks goes over, as
// entries (engine/record/entry.h), and nothing is ever overwritten.
//
// Merging is a union, so whoever merges the same entries in any order has the same record, but for numbers:
// a run gets the next one here. Events keep the place they had among those that their author could know, test
// sets are charged for the uses of every machine.
#pragma once

#include <string>
#include <vector>

#include "engine/base/sqlite.h"
#include "engine/record/record_store.h"
#include "engine/store/cas.h"
#include "engine/trigger/git.h"

namespace pawl::core {

// Names of the entries that the record makes for the project, in the order in which they are to be written.
Result<std::vector<std::string>> entry_names(Db& db, const std::string& project);

// What runs that are made here are said to come from, elsewhere: the name of the host.
std::string machine_name();

// The entry of that name; `machine` is what runs that were made here are said to come from. Error not_found.
Result<record::Entry> make_entry(Db& db, const std::string& project, const std::string& name,
                                 const std::string& machine);

// Files of the run that are here.
std::vector<record::NewFile> files_of(const store::Cas& cas, const record::RunEntry& run);

// Records what is not known yet, in one transaction: all or, when one of them cannot be, nothing. Returns the
// ids of the runs that are new. Error invalid: an entry of another project, or one that refers to something
// that is neither here nor among them. `repository` tells which of two green runs is of the later commit;
// without one it is the later run. Needs the writing connection.
Result<std::vector<std::string>> import_entries(Db& db, const std::string& project,
                                                const std::vector<record::Entry>& entries,
                                                const trigger::Repository* repository);

struct Merged {
  std::size_t entries = 0;            // that went over
  std::vector<std::string> left_out;  // files that did not, each with the reason
};

// From there to here. The store is open. Files stay there until somebody asks for one. Needs the writing
// connection.
Result<Merged> pull_record(Db& db, record::RecordStore& from, const std::string& project,
                           const trigger::Repository* repository);
// From here to there.
Result<Merged> push_record(Db& db, const store::Cas& cas, record::RecordStore& to, const std::string& project,
                           const std::string& machine);

}  // namespace pawl::core
