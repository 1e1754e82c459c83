// The record in a folder, perhaps of a network file system: DIR/pawl-record-1/{entries,files}/... Each file
// is written aside, synced and renamed, so a reader or a crash never meets half of one.
#pragma once

#include "engine/record/record_store.h"
#include "engine/store/cas.h"

namespace pawl::record {

class DirectoryStore : public RecordStore {
 public:
  explicit DirectoryStore(const std::string& folder)
      : root_(folder + "/pawl-record-1"), name_("the record in " + folder), files_(root_ + "/files") {}

  std::string name() const override { return name_; }
  Result<void> open() override;
  Result<std::vector<std::string>> list(const std::string& project) override;
  Result<std::string> get(const std::string& project, const std::string& name) override;
  Result<void> get_file(const std::string& digest, const std::string& to) const override;
  std::string refuses(const NewFile& file) const override;
  Result<void> add(const std::string& project, const std::vector<NewFile>& files,
                   const std::vector<NewEntry>& entries) override;

 private:
  Result<void> check_there() const;

  std::string root_;
  std::string name_;
  store::Cas files_;
};

}  // namespace pawl::record
