#include "engine/trace/collector.h"

#include <fmt/format.h>
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

// Every resolution afterwards is as if the steps had come once.
TEST_F(CollectorTest, GoingBackRepairsTheCurves) {
  const std::string plain_path = dir_.path() + "/plain.db";
  constexpr uint64_t kSteps = 10'000;
  const auto value_of = [](uint64_t number) { return static_cast<double>(number * 7919 % 1000); };
  const auto add = [&](Collector& collector, uint64_t number, uint64_t incarnation, double value) {
    Step step = maker_.step(number);
    step.incarnation = incarnation;
    maker_.add(step, 0, "loss", Kind::loss, value);
    if (number % 100 == 0) maker_.add(step, 0, "sparse", Kind::scalar, value);
    ASSERT_TRUE(collector.add(step).ok());
  };
  {
    Collector plain = Collector::create(plain_path).value();
    for (uint64_t number = 0; number < kSteps; ++number) add(plain, number, 0, value_of(number));
    Collector collector = Collector::create(path_).value();
    uint64_t from = 0, incarnation = 0;
    for (uint64_t to : {9000u, 17u, 8500u, 16u, 5000u}) {
      for (uint64_t number = from; number < to; ++number)
        add(collector, number, incarnation, value_of(number));
      add(collector, to, incarnation, -1);  // did not happen
      if (to == 9000) {
        ASSERT_TRUE(collector.commit().ok());
      }
      from = to / 2 + 3;
      ++incarnation;
    }
    for (uint64_t number = from; number < kSteps; ++number)
      add(collector, number, incarnation, value_of(number));
  }
  Db db = Db::open(path_, Db::Access::read_only).value();
  ASSERT_TRUE(db.run("ATTACH ? AS plain", plain_path).ok());
  for (const char* table : {"buckets", "scalars"}) {
    EXPECT_GT(db.query_int(std::string("SELECT count(*) FROM ") + table).value().value(), 600);
    for (const char* pair :
         {"main.{} EXCEPT SELECT * FROM plain.{}", "plain.{} EXCEPT SELECT * FROM main.{}"}) {
      // The pace is that of a clock that went back too.
      const std::string sql = "SELECT count(*) FROM (SELECT * FROM " +
                              fmt::format(fmt::runtime(pair), table, table) + ") WHERE series >= 0";
      EXPECT_EQ(db.query_int(sql).value(), 0) << sql;
    }
  }
}

TEST_F(CollectorTest, TheStepInWhichARankDiedIsThereAndNotCompleted) {
  Collector collector = Collector::create(path_).value();
  Step step = maker_.step(4, {1});
  step.missing_ranks = {0};
  maker_.add(step, 0, "loss", Kind::loss, 1.0);
  maker_.add(step, 1, "loss", Kind::loss, 1.0);
  ASSERT_TRUE(collector.add(step).ok());
  ASSERT_TRUE(collector.commit().ok());
  EXPECT_EQ(count("SELECT rank FROM v1_steps"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM v1_recorded WHERE step = 4 AND completed = (rank = 1)"), 2);
}

TEST_F(CollectorTest, EveryKindOfRecordHasItsView) {
  Collector collector = Collector::create(path_).value();
  Step step = maker_.step(3);
  std::string document(1000, 'x');
  maker_.add(step, 0, "w", Kind::weight, RawTensor{{document.begin(), document.end()}});
  maker_.add(step, 0, "w", Kind::weight, FineHistogram{5, std::vector<uint32_t>(256, 2)});
  maker_.add(step, 0, "w", Kind::hash, Digest{0xfedcba9876543210});
  maker_.add(step, 0, "forward", Kind::span, Span{1'000'000'000, 1'500'000'000});
  maker_.add(step, 0, "forward", Kind::span, Span{2'000'000'000, 3'000'000'000});
  maker_.add(step, 0, "input", Kind::batch, Batch{0x8000000000000001, 3, {0, 2, 0, 1}});
  maker_.add(step, 0, "input", Kind::batch, Batch{5, 4, {}});
  for (bool own : {true, false}) step.requests.push_back({0, {2, own, own ? "budget" : "asked"}});
  ASSERT_TRUE(collector.add(step).ok());
  ASSERT_TRUE(collector.commit().ok());
  EXPECT_EQ(
      count(
          "SELECT bytes FROM v1_values WHERE name = 'w' AND kind = 'weight' AND step = 3 AND mode = 'train'"),
      1000);
  EXPECT_LT(count("SELECT length(data) FROM v1_values"), 100);
  EXPECT_EQ(count("SELECT sampled FROM v1_fine_histograms WHERE kind = 'weight' AND length(bins) = 1024"), 5);
  EXPECT_EQ(count("SELECT count(*) FROM v1_hashes WHERE name = 'w' AND digest = 'fedcba9876543210'"), 1);
  EXPECT_EQ(count("SELECT sum(seconds) * 10 FROM v1_spans WHERE name = 'forward'"), 15);
  EXPECT_EQ(count("SELECT count(*) FROM v1_batches WHERE name = 'input' AND part IN (0, 1)"), 2);
  EXPECT_EQ(count("SELECT count(*) FROM v1_batches WHERE digest = '8000000000000001' AND examples = 3"
                  " AND label_counts = '{\"1\":2,\"3\":1}'"),
            1);
  EXPECT_EQ(count("SELECT count(*) FROM v1_batches WHERE part = 1 AND label_counts IS NULL"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM v1_requests WHERE (own_decision AND request = 'budget')"
                  " OR (NOT own_decision AND request = 'asked')"),
            2);
}

TEST_F(CollectorTest, TheViewGivesSixteenWholeCountsOfAMagnitude) {
  Collector collector = Collector::create(path_).value();
  std::vector<std::array<uint64_t, 16>> all(5);
  all[1][0] = 1;
  all[2][15] = 0xfedcba9876543210;
  all[3] = {0, 0, 0, 0, 0, 200, 0, 70'000, 0xff80ff, 5};
  all[4].fill(0x8081);
  for (size_t i = 0; i < all.size(); ++i) {
    Step step = maker_.step(i);
    TensorStats stats;
    stats.magnitude = all[i];
    maker_.add(step, 0, "w", Kind::weight, stats);
    ASSERT_TRUE(collector.add(step).ok());
  }
  ASSERT_TRUE(collector.commit().ok());
  Db db = Db::open(path_, Db::Access::read_only).value();
  Stmt row = db.prepare("SELECT magnitude, typeof(magnitude) FROM v1_tensors ORDER BY step").value();
  for (const auto& counts : all) {
    ASSERT_TRUE(row.step().value());
    EXPECT_EQ(row.text(1), "blob");
    EXPECT_EQ(row.blob(0), std::string_view(reinterpret_cast<const char*>(counts.data()), sizeof counts));
  }
}

TEST_F(CollectorTest, TheOldestDetailsGoWhenItIsTooLarge) {
  constexpr uint64_t kSteps = 400;
  constexpr uint64_t kLimit = 1u << 20;
  Collector collector = Collector::create(path_, kLimit).value();
  rules::Finding finding;
  finding.rule = "dead_relu";
  finding.first_step = 80;
  for (uint64_t number = 0; number < kSteps; ++number) {
    Step step = maker_.step(number);
    maker_.add(step, 0, "loss", Kind::loss, 1.0);
    TensorStats stats;
    stats.count = 1;
    stats.sum = 0.1;
    for (int tensor = 0; tensor < 100; ++tensor)
      maker_.add(step, 0, "w" + std::to_string(tensor), Kind::weight, stats);
    std::vector<uint8_t> noise(2000);
    for (size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<uint8_t>(i * i * (number + 3) >> 7);
    maker_.add(step, 0, "w0", Kind::weight, RawTensor{std::move(noise)});
    ASSERT_TRUE(collector.add(step).ok());
    if (number == 80) {
      ASSERT_TRUE(collector.set_findings(std::vector{finding}).ok());
    }
    if (number % 5 == 4) {
      ASSERT_TRUE(collector.commit().ok());
    }
  }
  const int64_t from = count("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'details_from'");
  EXPECT_GT(from, 150);
  EXPECT_LT(from, static_cast<int64_t>(kSteps));
  const std::string kept = std::to_string(from);
  EXPECT_EQ(count("SELECT count(DISTINCT step) FROM statistics WHERE step >= " + kept),
            static_cast<int64_t>(kSteps) - from);
  EXPECT_EQ(count("SELECT count(DISTINCT step) FROM raw_tensors WHERE step >= " + kept),
            static_cast<int64_t>(kSteps) - from);
  EXPECT_EQ(count("SELECT count(DISTINCT step) FROM statistics WHERE step BETWEEN 16 AND 144"), 129);
  EXPECT_EQ(count("SELECT count(*) FROM statistics WHERE step < 16"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM scalars"), static_cast<int64_t>(kSteps));
  EXPECT_EQ(count("SELECT sum(count) FROM v1_curves WHERE width = 16 AND name = 'w99'"),
            static_cast<int64_t>(kSteps));
  EXPECT_LT(count("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"),
            static_cast<int64_t>(3 * kLimit));
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
