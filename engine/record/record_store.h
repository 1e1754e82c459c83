// Where a record is kept outside of any engine's home: a folder, a ref in the model repository, a daemon. All
// do the same: keep entries and files that are never changed once they are there, for any number of writers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/record/entry.h"

namespace pawl::record {

struct NewEntry {
  std::string name;
  std::string text;  // as write_entry() made it
};

// A file that belongs to a run.
struct NewFile {
  std::string digest;  // "sha256:<hex>"
  std::string path;    // where it lies here
  std::uint64_t bytes = 0;
  bool judged = false;  // the gate reads it when a later run is compared with this one
};

// One thread at a time, but for get_file(). Blocks. Errors of a place that cannot be reached, read or written
// have a code that is infrastructure's (unavailable, io, timeout) and say what to mend.
class RecordStore {
 public:
  virtual ~RecordStore() = default;

  // For people: "the record in /mnt/record".
  virtual std::string name() const = 0;

  // Before anything else, and before any training: whether it can be read and written.
  virtual Result<void> open() = 0;

  // Names of the project's entries, as of now. With an entry those it refers to are there too: the run of a
  // pin, the waiver of a revocation.
  virtual Result<std::vector<std::string>> list(const std::string& project) = 0;
  // Of the names that list() gave.
  virtual Result<std::string> get(const std::string& project, const std::string& name) = 0;
  // Writes the file of this digest to `to`. Error not_found. Any thread.
  virtual Result<void> get_file(const std::string& digest, const std::string& to) const = 0;

  // Empty, or why this place does not keep such a file.
  virtual std::string refuses(const NewFile& file) const = 0;
  // Adds what is not there yet; what is there stays. Nobody sees an entry before the files are there, nor
  // some of what one entry refers to. None of `files` is refused.
  virtual Result<void> add(const std::string& project, const std::vector<NewFile>& files,
                           const std::vector<NewEntry>& entries) = 0;
};

struct Place {
  std::string record;      // what the user wrote: a folder, "git", or an address
  std::string repository;  // a working tree or bare repository; for "git"
  std::string token;       // of the daemon
};
// Error unavailable when there is no such folder. Nothing is asked of the place yet.
Result<std::unique_ptr<RecordStore>> make_store(const Place& place);

// Where an entry and a file lie, below the root of a folder or of a tree of git: in folders of few names
// each.
std::string entry_folder(const std::string& project, Kind kind);
std::string entry_path(const std::string& project, const std::string& name);
std::string file_path(std::string_view digest);

// In this order what refers to something comes after it.
inline constexpr Kind kWritingOrder[] = {Kind::run, Kind::pin, Kind::waiver, Kind::revocation};

}  // namespace pawl::record
