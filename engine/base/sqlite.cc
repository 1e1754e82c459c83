#include "engine/base/sqlite.h"

#include <sqlite3.h>

#include <limits>
#include <map>
#include <utility>

namespace pawl {
namespace {

constexpr size_t kMaxCached =
    128;  // more than the statements of any of our modules; SQL of users is not cached

ErrorCode code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return ErrorCode::unavailable;
    case SQLITE_CONSTRAINT:
      return ErrorCode::conflict;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
      return ErrorCode::invalid;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return ErrorCode::denied;
    case SQLITE_CANTOPEN:
      return ErrorCode::not_found;
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return ErrorCode::io;
    case SQLITE_INTERRUPT:
      return ErrorCode::cancelled;
    default:
      return ErrorCode::internal;
  }
}

struct CloseDb {
  void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
};
struct Finalize {
  void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
};

}  // namespace

struct Db::Impl {
  std::string path;
  std::unique_ptr<sqlite3, CloseDb> handle;
  // Idle statements by SQL text; destroyed before the connection.
  std::multimap<std::string, std::unique_ptr<sqlite3_stmt, Finalize>, std::less<>> idle;

  Error error(int code, std::string_view what) const {
    const char* detail = handle ? sqlite3_errmsg(handle.get()) : sqlite3_errstr(code);
    return Error(code_of(code), std::string(what) + ": " + detail, path);
  }
};

Db::Db(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Db::Db(Db&&) noexcept = default;
Db& Db::operator=(Db&&) noexcept = default;
Db::~Db() = default;

Result<Db> Db::open(const std::string& path, Access access, int busy_timeout_ms) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (access == Access::read_only) flags |= SQLITE_OPEN_READONLY;
  if (access != Access::read_only) flags |= SQLITE_OPEN_READWRITE;
  if (access == Access::create) flags |= SQLITE_OPEN_CREATE;
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  sqlite3* handle = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  impl->handle.reset(handle);
  if (code != SQLITE_OK) return impl->error(code, "cannot open the database");
  sqlite3_busy_timeout(handle, busy_timeout_ms);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
  if (access == Access::read_only) sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  return Db(std::move(impl));
}

Result<void> Db::exec(const std::string& sql) {
  int code = sqlite3_exec(impl_->handle.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return impl_->error(code, "SQL failed");
  return {};
}

Result<Stmt> Db::prepare(std::string_view sql) {
  if (auto found = impl_->idle.find(sql); found != impl_->idle.end()) {
    Stmt statement(impl_.get(), found->second.release());
    impl_->idle.erase(found);
    return statement;
  }
  if (sql.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return Error(ErrorCode::internal, "SQL text is too long", impl_->path);
  }
  sqlite3_stmt* handle = nullptr;
  const char* tail = nullptr;
  int code = sqlite3_prepare_v3(impl_->handle.get(), sql.data(), static_cast<int>(sql.size()),
                                SQLITE_PREPARE_PERSISTENT, &handle, &tail);
  if (code != SQLITE_OK) return impl_->error(code, "cannot prepare SQL");
  Stmt statement(impl_.get(), handle);
  std::string_view rest = sql.substr(static_cast<size_t>(tail - sql.data()));
  if (handle == nullptr || rest.find_first_not_of(" \t\r\n;") != std::string_view::npos) {
    return Error(ErrorCode::internal, "expected exactly one SQL statement", impl_->path);
  }
  return statement;
}

int64_t Db::last_insert_rowid() const {
  return sqlite3_last_insert_rowid(impl_->handle.get());
}
int64_t Db::changes() const {
  return sqlite3_changes64(impl_->handle.get());
}
const std::string& Db::path() const {
  return impl_->path;
}

Stmt::Stmt(Stmt&& other) noexcept
    : db_(other.db_), handle_(std::exchange(other.handle_, nullptr)), bind_error_(other.bind_error_) {}

Stmt& Stmt::operator=(Stmt&& other) noexcept {
  std::swap(db_, other.db_);
  std::swap(handle_, other.handle_);
  std::swap(bind_error_, other.bind_error_);
  return *this;
}

Stmt::~Stmt() {
  if (handle_ == nullptr) return;
  std::unique_ptr<sqlite3_stmt, Finalize> handle(handle_);
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
  const char* sql = sqlite3_sql(handle_);
  if (sql != nullptr && db_->idle.size() < kMaxCached) db_->idle.emplace(sql, std::move(handle));
}

Stmt& Stmt::note(int code) {
  if (code != SQLITE_OK && bind_error_ == SQLITE_OK) bind_error_ = code;
  return *this;
}

Stmt& Stmt::bind(int index, std::nullptr_t) {
  return note(sqlite3_bind_null(handle_, index));
}
Stmt& Stmt::bind_int(int index, int64_t value) {
  return note(sqlite3_bind_int64(handle_, index, value));
}
Stmt& Stmt::bind(int index, double value) {
  return note(sqlite3_bind_double(handle_, index, value));
}

Stmt& Stmt::bind(int index, std::string_view text) {
  const char* data = text.data() == nullptr ? "" : text.data();  // a null pointer would bind NULL
  return note(sqlite3_bind_text64(handle_, index, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

Stmt& Stmt::bind(int index, BlobView blob) {
  const char* data = blob.bytes.data() == nullptr ? "" : blob.bytes.data();
  return note(sqlite3_bind_blob64(handle_, index, data, blob.bytes.size(), SQLITE_TRANSIENT));
}

Result<bool> Stmt::step() {
  if (bind_error_ != SQLITE_OK)
    return db_->error(std::exchange(bind_error_, SQLITE_OK), "cannot bind a value");
  int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(handle_);
    return false;
  }
  Error error = db_->error(code, "SQL failed");
  sqlite3_reset(handle_);
  return error;
}

Result<void> Stmt::run() {
  while (true) {
    PAWL_ASSIGN(bool row, step());
    if (!row) return {};
  }
}

void Stmt::reset() {
  sqlite3_reset(handle_);
}

bool Stmt::is_null(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}
int64_t Stmt::integer(int column) const {
  return sqlite3_column_int64(handle_, column);
}

double Stmt::real(int column) const {
  return is_null(column) ? std::numeric_limits<double>::quiet_NaN() : sqlite3_column_double(handle_, column);
}

std::string_view Stmt::text(int column) const {
  const unsigned char* data = sqlite3_column_text(handle_, column);
  if (data == nullptr) return {};
  return {reinterpret_cast<const char*>(data), static_cast<size_t>(sqlite3_column_bytes(handle_, column))};
}

std::string_view Stmt::blob(int column) const {
  const void* data = sqlite3_column_blob(handle_, column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<size_t>(sqlite3_column_bytes(handle_, column))};
}

Result<Transaction> Transaction::begin(Db& db) {
  PAWL_RETURN_IF_ERROR(db.run("BEGIN IMMEDIATE"));
  return Transaction(&db);
}

Result<void> Transaction::commit() {
  PAWL_RETURN_IF_ERROR(db_->run("COMMIT"));
  db_ = nullptr;
  return {};
}

Transaction::~Transaction() {
  // Fails harmlessly where SQLite has already rolled back (disk full, out of memory).
  if (db_ != nullptr) (void)db_->run("ROLLBACK");
}

}  // namespace pawl
