// The record as a ref of the model repository, refs/pawl/record of its remote `origin` (of the repository
// itself when it has none): a tree of entries and of the predictions files that the gate reads.
//
// Entries are only ever added, so a writer that was overtaken puts its additions on top of what the other one
// left and pushes again; every push is a fast-forward and none is forced. Git's own configuration and
// credentials are those of the user (`actions/checkout` leaves its token in the clone, a helper may ask a
// keychain); nobody is prompted, and none of the repository's hooks runs.
#pragma once

#include "engine/record/record_store.h"

namespace pawl::record {

inline constexpr const char* kGitRef = "refs/pawl/record";
inline constexpr std::uint64_t kMaxGitFileBytes = 16u << 20;

class GitStore : public RecordStore {
 public:
  // A working tree or a bare repository.
  explicit GitStore(std::string repository) : repository_(std::move(repository)) {}

  std::string name() const override;
  Result<void> open() override;
  Result<std::vector<std::string>> list(const std::string& project) override;
  Result<std::string> get(const std::string& project, const std::string& name) override;
  Result<void> get_file(const std::string& digest, const std::string& to) const override;
  std::string refuses(const NewFile& file) const override;
  Result<void> add(const std::string& project, const std::vector<NewFile>& files,
                   const std::vector<NewEntry>& entries) override;

 private:
  Result<std::string> read_blob(const std::string& path, std::uint64_t max_bytes) const;
  Result<void> fetch();
  Result<std::string> remote_head() const;
  // On top of head_; empty when it has all of it.
  Result<std::string> commit(const std::string& project, const std::vector<NewFile>& files,
                             const std::vector<NewEntry>& entries) const;
  // Error conflict when somebody else has, or may have, been faster.
  Result<void> publish(const std::string& commit) const;

  std::string repository_;
  std::string remote_;  // its URL; empty: there is none
  std::string head_;    // the record's commit as it was last fetched; empty: there is no record yet
};

}  // namespace pawl::record
