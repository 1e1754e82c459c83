// SQLite without surprises: an owned connection, cached prepared statements, transactions that roll back
// unless committed, errors as values. Text is UTF-8; SQLite stores NaN as NULL, so a NULL in a REAL column
// that holds measurements means "not a number".
//
// Threads: a Db and everything made from it is confined to one thread at a time (connections are opened
// without SQLite's own mutex). Several connections to one file are fine; only one may write at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "engine/base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace pawl {

// Error codes: unavailable (busy or locked past the timeout), conflict (a constraint), invalid (no database,
// or a corrupt one), denied (read-only), not_found (cannot be opened), io (disk), internal (wrong SQL).
class Stmt;

class Db {
 public:
  enum class Access {
    read_only,   // the file must exist; never checkpoints
    read_write,  // the file must exist
    create       // read and write, made if missing
  };

  static Result<Db> open(const std::string& path, Access access, int busy_timeout_ms = 5000);
  Db(Db&&) noexcept;
  Db& operator=(Db&&) noexcept;
  ~Db();  // every Stmt and Transaction must be gone

  // Runs a script of any number of statements and ignores rows.
  Result<void> exec(const std::string& sql);

  // One statement, compiled once per connection and SQL text; trailing text after it is an error.
  Result<Stmt> prepare(std::string_view sql);

  // prepare, bind in order, step to the end; for statements that return nothing of interest.
  template <class... Args>
  Result<void> run(std::string_view sql, const Args&... args);

  // One row, one column of an integer; nothing when there is no row or it is NULL.
  template <class... Args>
  Result<std::optional<int64_t>> query_int(std::string_view sql, const Args&... args);

  int64_t last_insert_rowid() const;
  int64_t changes() const;  // rows changed by the last statement
  const std::string& path() const;

 private:
  friend class Stmt;
  struct Impl;
  explicit Db(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Bytes for a BLOB column, as opposed to text.
struct BlobView {
  std::string_view bytes;
};

// A prepared statement on loan from its Db's cache: given back, reset and without bindings, when destroyed.
class Stmt {
 public:
  Stmt(Stmt&& other) noexcept;
  Stmt& operator=(Stmt&& other) noexcept;
  ~Stmt();

  // Indexes count from 1. An error is kept and returned by the next step(). Text and bytes are copied.
  Stmt& bind(int index, std::nullptr_t);
  Stmt& bind(int index, double value);
  Stmt& bind(int index, std::string_view text);
  Stmt& bind(int index, const char* text) { return bind(index, std::string_view(text)); }
  Stmt& bind(int index, BlobView blob);
  template <class Integer>
    requires std::is_integral_v<Integer>
  Stmt& bind(int index, Integer value) {
    return bind_int(index, static_cast<int64_t>(value));
  }
  template <class T>
  Stmt& bind(int index, const std::optional<T>& value) {
    return value ? bind(index, *value) : bind(index, nullptr);
  }
  template <class... Args>
  Stmt& bind_all(const Args&... args) {
    int index = 0;
    (bind(++index, args), ...);
    return *this;
  }

  // True: a row is there. False: done (the statement is reset; bindings stay).
  Result<bool> step();
  // Steps to the end and resets, for statements without rows; ready to be bound and run again.
  Result<void> run();
  void reset();

  // Columns of the current row count from 0. Views live until the next step, reset or end of life.
  bool is_null(int column) const;
  int64_t integer(int column) const;
  double real(int column) const;  // NULL is NaN
  std::string_view text(int column) const;
  std::string_view blob(int column) const;
  std::string string(int column) const { return std::string(text(column)); }

 private:
  friend class Db;
  Stmt(Db::Impl* db, sqlite3_stmt* handle) : db_(db), handle_(handle) {}
  Stmt& bind_int(int index, int64_t value);
  Stmt& note(int code);
  Db::Impl* db_;
  sqlite3_stmt* handle_;
  int bind_error_ = 0;
};

// BEGIN IMMEDIATE: takes the write lock now, so that a later statement cannot fail for it. Rolls back at the
// end of life unless committed. The Db must outlive it and stay where it is.
class Transaction {
 public:
  static Result<Transaction> begin(Db& db);
  Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Result<void> commit();

 private:
  explicit Transaction(Db* db) : db_(db) {}
  Db* db_;
};

template <class... Args>
Result<void> Db::run(std::string_view sql, const Args&... args) {
  PAWL_ASSIGN(Stmt statement, prepare(sql));
  statement.bind_all(args...);
  return statement.run();
}

template <class... Args>
Result<std::optional<int64_t>> Db::query_int(std::string_view sql, const Args&... args) {
  PAWL_ASSIGN(Stmt statement, prepare(sql));
  statement.bind_all(args...);
  PAWL_ASSIGN(bool row, statement.step());
  if (!row || statement.is_null(0)) return std::optional<int64_t>();
  return std::optional<int64_t>(statement.integer(0));
}

}  // namespace pawl
