// Data versions that runs used, and branch heads that the reconciler saw.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/sqlite.h"

namespace pawl::store {

struct DataVersion {
  std::string project;
  std::string dataset;
  std::string digest;
  std::string path;
  int64_t files = 0;
  int64_t bytes = 0;
  int64_t seen_ms = 0;
  std::string manifest;
};

struct RunData {
  std::string run_id;
  std::string dataset;
  std::string digest;
  std::string path;
};

Result<void> put_data_version(Db& db, const DataVersion& version);
// Of a trial, which says nothing about what the data is now: a version that is known stays as it is.
Result<void> note_data_version(Db& db, const DataVersion& version);
Result<std::optional<DataVersion>> find_data_version(Db& db, std::string_view project,
                                                     std::string_view dataset, std::string_view digest);
// The digest seen most recently for the dataset; nullopt before the first.
Result<std::optional<std::string>> latest_digest(Db& db, std::string_view project, std::string_view dataset);
Result<void> put_run_data(Db& db, const RunData& data);
Result<std::vector<RunData>> data_of(Db& db, std::string_view run_id);

Result<void> put_branch_head(Db& db, std::string_view project, std::string_view branch, std::string_view sha,
                             int64_t now_ms);
Result<std::map<std::string, std::string>> branch_heads(Db& db, std::string_view project);
Result<void> forget_branch(Db& db, std::string_view project, std::string_view branch);

}  // namespace pawl::store
