// Versions of datasets that are kept (`keep: copy`): their files in the content-addressed store, their
// manifests in the record. Blocks (reads and writes whole datasets); runs on the worker pool.
#pragma once

#include <string>

#include "engine/base/sqlite.h"
#include "engine/store/cas.h"
#include "engine/store/data.h"
#include "engine/trigger/data.h"

namespace pawl::core {

// Copies what the store has not yet. `root` is the folder (or file) that was just scanned as `version`.
// Error unavailable when a file changed since.
Result<void> keep_version(const store::Cas& cas, const std::string& root,
                          const trigger::DataVersion& version);

// Whether all its files are in the store.
bool is_kept(const store::Cas& cas, const store::DataVersion& version);

// Lays the version out below `dir`, which must not exist yet, and returns the dataset's path: `dir`, or the
// file in it when the dataset was one file. Error not_found when a file is not in the store.
Result<std::string> lay_out(const store::Cas& cas, const store::DataVersion& version, const std::string& dir);

}  // namespace pawl::core
