#include "engine/trace/collector.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/base/files.h"
#include "tests/unit/trace/make_step.h"

namespace pawl::trace {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

class CollectorTest : public ::testing::Test {
 protected:
  CollectorTest() : dir_(TempDir::create("pawl-collector").value()), path_(dir_.path() + "/trace.db") {}
  int64_t count(const std::string& sql) {
    Db db = Db::open(path_, Db::Access::read_only).value();
    auto result = db.query_int(sql);
    EXPECT_TRUE(result.ok()) << result.error().to_string();
    return result.ok() ? result->value_or(-1) : -1;
  }
  TempDir dir_;
  std::string path_;
  StepMaker maker_;
};

TEST_F(CollectorTest, WritesWhatASqlUserReads) {
  Collector collector = Collector::create(path_).value();
  Step step = maker_.step(3, {0, 1});
  maker_.add(step, 0, "loss", Kind::loss, 0.5);
  maker_.add(step, 1, "loss", Kind::loss, kNan);
  TensorStats stats;
  stats.count = 12;
  stats.nan = 2;
  stats.zero = 3;
  stats.min = -4;
  stats.max = 1;
  stats.sum = -5;
  stats.abs_sum = 10;
  stats.square_sum = 90;
  maker_.add(step, 1, "fc1.weight", Kind::gradient, stats);
  ASSERT_TRUE(collector.add(step).ok());
  EXPECT_EQ(count("SELECT count(*) FROM v1_losses"), 0);  // not before the commit
  ASSERT_TRUE(collector.commit().ok());
  EXPECT_EQ(count("SELECT count(*) FROM v1_losses WHERE name = 'loss' AND step = 3 AND mode = 'train'"), 2);
  EXPECT_EQ(count("SELECT rank FROM v1_losses WHERE value IS NULL"), 1);
  EXPECT_EQ(count("SELECT value * 10 FROM v1_losses WHERE rank = 0"), 5);
  EXPECT_EQ(
      count("SELECT count(*) FROM v1_tensors WHERE name = 'fc1.weight' AND kind = 'gradient' AND rank = 1"
            " AND abs_max = 4 AND mean = -0.5 AND abs_mean = 1 AND rms = 3 AND zero_share = 0.25"),
      1);
  EXPECT_EQ(count("SELECT count(*) FROM v1_series WHERE shape = '[3,4]' AND dtype = 'f32'"), 2);
  EXPECT_EQ(count("SELECT count(*) FROM v1_steps WHERE abs(seconds - 1) < 1e-6"), 2);
}

TEST_F(CollectorTest, ReplacesAnOldDatabase) {
  ASSERT_TRUE(write_file_atomic(path_, "no database").ok());
  ASSERT_TRUE(write_file_atomic(path_ + "-wal", "no log").ok());
  ASSERT_TRUE(Collector::create(path_).ok());
  EXPECT_EQ(count("SELECT count(*) FROM v1_steps"), 0);
  EXPECT_EQ(count("PRAGMA user_version"), kTraceDbVersion);
}

TEST_F(CollectorTest, CommitsAtTheEndOfItsLifeAndMayBeMoved) {
  {
    Collector collector = Collector::create(path_).value();
    ASSERT_TRUE(collector.add(maker_.step(0)).ok());
    Collector moved(std::move(collector));
    ASSERT_TRUE(moved.add(maker_.step(1)).ok());
  }
  EXPECT_EQ(count("SELECT count(*) FROM steps"), 2);
  EXPECT_FALSE(path_exists(path_ + "-wal"));
  Db db = Db::open(path_, Db::Access::read_only).value();
  Stmt mode = db.prepare("PRAGMA journal_mode").value();
  ASSERT_TRUE(mode.step().value());
  EXPECT_EQ(mode.text(0), "delete");
}

TEST_F(CollectorTest, AReaderDoesNotKeepItFromClosing) {
  Collector collector = Collector::create(path_).value();
  ASSERT_TRUE(collector.add(maker_.step(0)).ok());
  ASSERT_TRUE(collector.commit().ok());
  Db reader = Db::open(path_, Db::Access::read_only).value();
  Stmt row = reader.prepare("SELECT step FROM steps").value();
  ASSERT_TRUE(row.step().value());  // holds a read transaction
  ASSERT_TRUE(collector.add(maker_.step(1)).ok());
  {
    Collector closed(std::move(collector));
  }
  EXPECT_FALSE(row.step().value());  // its snapshot has one step
  EXPECT_EQ(count("SELECT count(*) FROM steps"), 2);
}

TEST_F(CollectorTest, GoingBackReplacesWhatCameAfter) {
  Collector collector = Collector::create(path_).value();
  for (uint64_t incarnation : {0u, 1u}) {
    for (uint64_t number = incarnation == 0 ? 0 : 5; number < (incarnation == 0 ? 10 : 7); ++number) {
      Step step = maker_.step(number);
      step.incarnation = incarnation;
      maker_.add(step, 0, "loss", Kind::loss, static_cast<double>(incarnation));
      ASSERT_TRUE(collector.add(step).ok());
    }
  }
  ASSERT_TRUE(collector.commit().ok());
  EXPECT_EQ(count("SELECT count(*) FROM v1_losses"), 7);
  EXPECT_EQ(count("SELECT count(*) FROM v1_losses WHERE value = 1"), 2);
  EXPECT_EQ(count("SELECT max(step) FROM v1_steps"), 6);
}

TEST_F(CollectorTest, EvaluationDoesNotOverwriteTraining) {
  Collector collector = Collector::create(path_).value();
  for (int mode : {0, 1}) {
    Step step = maker_.step(0);
    step.mode = mode;
    maker_.add(step, 0, "loss", Kind::loss, mode + 1.0);
    ASSERT_TRUE(collector.add(step).ok());
  }
  ASSERT_TRUE(collector.commit().ok());
  EXPECT_EQ(count("SELECT value FROM v1_losses WHERE mode = 'train'"), 1);
  EXPECT_EQ(count("SELECT value FROM v1_losses WHERE mode = 'eval'"), 2);
}

TEST_F(CollectorTest, CountsThatNoSqlIntegerCanHoldAreCapped) {
  Collector collector = Collector::create(path_).value();
  Step step = maker_.step(std::numeric_limits<uint64_t>::max());
  TensorStats stats;
  stats.count = std::numeric_limits<uint64_t>::max();
  maker_.add(step, 0, "w", Kind::weight, stats);
  ASSERT_TRUE(collector.add(step).ok());
  ASSERT_TRUE(collector.commit().ok());
  EXPECT_EQ(count("SELECT count FROM v1_tensors WHERE step > 0"), std::numeric_limits<int64_t>::max());
}

TEST_F(CollectorTest, AnomaliesAreCountedByKind) {
  Collector collector = Collector::create(path_).value();
  RankProgress rank;
  rank.rank = 3;
  rank.dropped = 7;
  ASSERT_TRUE(collector.set_anomalies({.skipped_bytes = 5}, {.late_steps = 2}, std::vector{rank}).ok());
  ASSERT_TRUE(collector.set_anomalies({.skipped_bytes = 6}, {.late_steps = 2}, std::vector{rank}).ok());
  ASSERT_TRUE(collector.commit().ok());
  EXPECT_EQ(count("SELECT count(*) FROM v1_anomalies"), 3);
  EXPECT_EQ(count("SELECT count FROM v1_anomalies WHERE kind = 'skipped_bytes' AND rank = -1"), 6);
  EXPECT_EQ(count("SELECT count FROM v1_anomalies WHERE kind = 'dropped_records' AND rank = 3"), 7);
}

TEST_F(CollectorTest, AFolderThatIsNotThereIsAnError) {
  EXPECT_FALSE(Collector::create(dir_.path() + "/no/trace.db").ok());
}

TEST_F(CollectorTest, TheQueriesOfTheDocumentationWork) {
  Collector collector = Collector::create(path_).value();
  Step step = maker_.step(0, {0, 1});
  maker_.add(step, 0, "loss", Kind::loss, 1.0);
  TensorStats stats;
  stats.count = 2;
  stats.nan = 1;
  stats.square_sum = 1;
  maker_.add(step, 1, "w", Kind::gradient, stats);
  ASSERT_TRUE(collector.add(step).ok());
  ASSERT_TRUE(collector.commit().ok());
  std::string page = read_file(PAWL_SOURCE_DIR "/docs/trace-db.md", 1 << 20).value();
  Db db = Db::open(path_, Db::Access::read_only).value();
  int queries = 0;
  for (size_t at = page.find("```sql\n"); at != std::string::npos; at = page.find("```sql\n", at + 1)) {
    size_t begin = at + 7;
    std::string sql = page.substr(begin, page.find("```", begin) - begin);
    EXPECT_TRUE(db.run(sql).ok()) << sql << db.run(sql).error().to_string();
    ++queries;
  }
  EXPECT_GE(queries, 4);
  // Every column the page lists is there.
  for (size_t at = page.find("| `v1_"); at != std::string::npos; at = page.find("| `v1_", at + 1)) {
    std::string line = page.substr(at, page.find('\n', at) - at);
    std::vector<std::string> views, columns;
    for (size_t i = line.find('`'); i != std::string::npos; i = line.find('`', i + 1)) {
      size_t end = line.find('`', i + 1);
      std::string word = line.substr(i + 1, end - i - 1);
      (word.starts_with("v1_") ? views : columns).push_back(word);
      i = end;
    }
    for (const std::string& view : views) {
      for (const std::string& column : columns) {
        EXPECT_TRUE(db.run("SELECT " + column + " FROM " + view).ok()) << view << "." << column;
      }
    }
  }
}

// The trace does not choose what SQL is run.
TEST_F(CollectorTest, NamesAreOnlyText) {
  Collector collector = Collector::create(path_).value();
  Step step = maker_.step(0);
  std::string name = "x'); DROP TABLE steps; --";
  maker_.add(step, 0, name, Kind::loss, 1.0);
  ASSERT_TRUE(collector.add(step).ok());
  ASSERT_TRUE(collector.commit().ok());
  EXPECT_EQ(count("SELECT count(*) FROM v1_losses WHERE name LIKE '%DROP TABLE%'"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM steps"), 1);
}

}  // namespace
}  // namespace pawl::trace
