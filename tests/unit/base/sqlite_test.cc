#include "engine/base/sqlite.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/base/files.h"

namespace pawl {
namespace {

class SqliteTest : public ::testing::Test {
 protected:
  SqliteTest() : dir_(TempDir::create("pawl-sqlite").value()), path_(dir_.path() + "/test.db") {}
  Db open(Db::Access access = Db::Access::create, int timeout_ms = 0) {
    return Db::open(path_, access, timeout_ms).value();
  }
  TempDir dir_;
  std::string path_;
};

TEST_F(SqliteTest, RoundTripsEveryType) {
  Db db = open();
  ASSERT_TRUE(db.exec("CREATE TABLE t(i INTEGER, r REAL, s TEXT, b BLOB, n TEXT) STRICT").ok());
  std::string text("a\0b", 3);
  ASSERT_TRUE(db.run("INSERT INTO t VALUES(?,?,?,?,?)", std::numeric_limits<int64_t>::min(), 0.1, text,
                     BlobView{std::string_view("\xff\x00", 2)}, std::optional<std::string>())
                  .ok());
  auto row = db.prepare("SELECT * FROM t");
  ASSERT_TRUE(row.ok());
  ASSERT_TRUE(row->step().value());
  EXPECT_EQ(row->integer(0), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(row->real(1), 0.1);
  EXPECT_EQ(row->text(2), text);
  EXPECT_EQ(row->blob(3), std::string_view("\xff\x00", 2));
  EXPECT_TRUE(row->is_null(4));
  EXPECT_FALSE(row->step().value());
}

TEST_F(SqliteTest, NanComesBackAsNanAndEmptyTextIsNotNull) {
  Db db = open();
  ASSERT_TRUE(db.exec("CREATE TABLE t(r REAL, q REAL, s TEXT NOT NULL, b BLOB NOT NULL) STRICT").ok());
  ASSERT_TRUE(db.run("INSERT INTO t VALUES(?,?,?,?)", std::nan(""), -std::numeric_limits<double>::infinity(),
                     std::string_view(), BlobView{})
                  .ok());
  auto row = db.prepare("SELECT * FROM t");
  ASSERT_TRUE(row->step().value());
  EXPECT_TRUE(std::isnan(row->real(0)));
  EXPECT_EQ(row->real(1), -std::numeric_limits<double>::infinity());
}

TEST_F(SqliteTest, SaysWhatWentWrongByCode) {
  auto code = [](const auto& result) { return result.error().code(); };
  EXPECT_EQ(code(Db::open(path_, Db::Access::read_only)), ErrorCode::not_found);
  Db db = open();
  ASSERT_TRUE(db.exec("CREATE TABLE t(i INTEGER PRIMARY KEY) STRICT; INSERT INTO t VALUES(1)").ok());
  EXPECT_EQ(code(db.run("INSERT INTO t VALUES(1)")), ErrorCode::conflict);
  EXPECT_EQ(code(db.run("INSERT INTO t VALUES(?)", 1, 2)), ErrorCode::internal);  // one binding too many
  EXPECT_EQ(code(db.run("SELEC 1")), ErrorCode::internal);
  EXPECT_EQ(code(db.run("SELECT 1; SELECT 2")), ErrorCode::internal);
  EXPECT_EQ(code(db.run("")), ErrorCode::internal);
  Db reader = open(Db::Access::read_only);
  EXPECT_EQ(code(reader.run("INSERT INTO t VALUES(2)")), ErrorCode::denied);
  EXPECT_NE(db.run("INSERT INTO t VALUES(1)").error().to_string().find(path_), std::string::npos);
}

TEST_F(SqliteTest, RefusesWhatIsNoDatabase) {
  ASSERT_TRUE(write_file_atomic(path_, std::string(4096, 'x')).ok());
  Db db = open(Db::Access::read_only);
  EXPECT_EQ(db.query_int("SELECT count(*) FROM sqlite_schema").error().code(), ErrorCode::invalid);
}

TEST_F(SqliteTest, ASecondWriterIsUnavailableNotAnInternalError) {
  Db first = open();
  ASSERT_TRUE(first.exec("PRAGMA journal_mode=WAL; CREATE TABLE t(i INTEGER) STRICT").ok());
  Db second = open();
  auto held = Transaction::begin(first);
  ASSERT_TRUE(held.ok());
  auto refused = Transaction::begin(second);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::unavailable);
}

TEST_F(SqliteTest, ATransactionRollsBackUnlessCommitted) {
  Db db = open();
  ASSERT_TRUE(db.exec("CREATE TABLE t(i INTEGER) STRICT").ok());
  {
    auto transaction = Transaction::begin(db);
    ASSERT_TRUE(db.run("INSERT INTO t VALUES(1)").ok());
  }
  EXPECT_EQ(db.query_int("SELECT count(*) FROM t").value(), 0);
  {
    auto transaction = Transaction::begin(db);
    ASSERT_TRUE(db.run("INSERT INTO t VALUES(1)").ok());
    ASSERT_TRUE(transaction->commit().ok());
  }
  EXPECT_EQ(db.query_int("SELECT count(*) FROM t").value(), 1);
}

TEST_F(SqliteTest, TheSameSqlMayBeInUseTwice) {
  Db db = open();
  ASSERT_TRUE(db.exec("CREATE TABLE t(i INTEGER) STRICT; INSERT INTO t VALUES(1),(2)").ok());
  const char* sql = "SELECT i FROM t WHERE i >= ? ORDER BY i";
  auto outer = db.prepare(sql);
  outer->bind(1, 1);
  ASSERT_TRUE(outer->step().value());
  {
    auto inner = db.prepare(sql);
    inner->bind(1, 2);
    ASSERT_TRUE(inner->step().value());
    EXPECT_EQ(inner->integer(0), 2);
  }
  EXPECT_EQ(outer->integer(0), 1);
  ASSERT_TRUE(outer->step().value());
  EXPECT_EQ(outer->integer(0), 2);
  // A statement from the cache has no bindings of its last user: i >= NULL finds nothing.
  EXPECT_FALSE(db.prepare(sql)->step().value());
}

TEST_F(SqliteTest, ForeignKeysHold) {
  Db db = open();
  ASSERT_TRUE(db.exec("CREATE TABLE a(i INTEGER PRIMARY KEY) STRICT;"
                      "CREATE TABLE b(a INTEGER REFERENCES a(i)) STRICT")
                  .ok());
  EXPECT_EQ(db.run("INSERT INTO b VALUES(7)").error().code(), ErrorCode::conflict);
}

}  // namespace
}  // namespace pawl
