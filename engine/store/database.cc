#include "engine/store/database.h"

#include <fmt/format.h>

#include <iterator>

namespace pawl::store {
namespace {

constexpr const char* kMigrations[] = {
#include "migrations.inc"
};

Result<int> version_of(Db& db) {
  PAWL_ASSIGN(auto version, db.query_int("PRAGMA user_version"));
  return static_cast<int>(version.value_or(0));
}

Result<void> check_not_newer(int version, const std::string& path) {
  if (version <= schema_version()) return {};
  return Error(ErrorCode::invalid,
               fmt::format("has schema version {}, this program knows {}: it was written by a newer Pawl",
                           version, schema_version()),
               path);
}

}  // namespace

int schema_version() {
  return static_cast<int>(std::size(kMigrations));
}

Result<Db> open_record(const std::string& path) {
  PAWL_ASSIGN(Db db, Db::open(path, Db::Access::create));
  PAWL_RETURN_IF_ERROR(
      db.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
              "PRAGMA journal_size_limit=67108864;"));
  PAWL_ASSIGN(int version, version_of(db));
  PAWL_RETURN_IF_ERROR(check_not_newer(version, path));
  for (; version < schema_version(); ++version) {
    PAWL_ASSIGN(Transaction transaction, Transaction::begin(db));
    PAWL_RETURN_IF_ERROR(db.exec(kMigrations[version]));
    PAWL_RETURN_IF_ERROR(db.exec(fmt::format("PRAGMA user_version={}", version + 1)));
    PAWL_RETURN_IF_ERROR(transaction.commit());
  }
  return db;
}

Result<Db> open_record_for_reading(const std::string& path) {
  PAWL_ASSIGN(Db db, Db::open(path, Db::Access::read_only));
  PAWL_ASSIGN(int version, version_of(db));
  PAWL_RETURN_IF_ERROR(check_not_newer(version, path));
  if (version < schema_version()) {
    return Error(
        ErrorCode::conflict,
        fmt::format("has schema version {}, this program reads {}: the next `pawl serve` or `pawl run`"
                    " brings it up to date",
                    version, schema_version()),
        path);
  }
  return db;
}

}  // namespace pawl::store
