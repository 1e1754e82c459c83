// The record's file: opened with the right pragmas, migrated forward, never backward.
#pragma once

#include <string>

#include "engine/base/error.h"
#include "engine/base/sqlite.h"

namespace pawl::store {

// The one writing connection of pawl.db: WAL, synchronous=FULL, foreign keys. Creates and migrates as needed,
// each migration in its own transaction; a file written by a newer Pawl is refused.
Result<Db> open_record(const std::string& path);

// A read-only connection for queries; never checkpoints, so that the writer alone moves the log into the
// file. Refuses a file of another schema, also an older one: reading migrates nothing.
Result<Db> open_record_for_reading(const std::string& path);

// The schema version this binary writes.
int schema_version();

}  // namespace pawl::store
