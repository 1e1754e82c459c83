#include "engine/trace/curve_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/trace/row_writer.h"

namespace pawl::trace {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr uint64_t kNarrowest = kBucketWidths.front();

}  // namespace

Bucket read_bucket(const Stmt& row, int column) {
  const auto count = [&](int i) { return static_cast<uint64_t>(row.integer(column + i)); };
  return {count(0),
          count(1),
          count(2),
          count(3),
          row.real(column + 4),
          row.real(column + 5),
          row.real(column + 6),
          row.real(column + 7),
          count(8)};
}

Result<CurveWriter> CurveWriter::create(Db& db) {
  CurveWriter writer(db);
  PAWL_ASSIGN(writer.insert_, db.prepare("INSERT OR REPLACE INTO buckets VALUES(?,?,?,?,?,?,?,?,?,?,?,?)"));
  return writer;
}

CurveWriter::Curve& CurveWriter::curve(int64_t series) {
  const auto index = static_cast<size_t>(series + 1);
  if (index >= curves_.size()) curves_.resize(index + 1);
  return curves_[index];
}

CurveWriter::Curve& CurveWriter::note(int64_t series) {
  Curve& of = curve(series);
  if (!std::exchange(of.noted, true)) {
    noted_.push_back(series);
    of.sum = 0;
    of.finite = of.non_finite = 0;
    of.digest.reset();
  }
  return of;
}

void CurveWriter::note(int64_t series, double value, uint64_t non_finite) {
  Curve& of = note(series);
  of.non_finite += non_finite;
  if (!std::isfinite(value)) return;
  of.sum += value;
  ++of.finite;
}

void CurveWriter::note(const Observation& observation) {
  const int64_t series = observation.series;
  if (const TensorStats* s = observation.stats()) {
    note(series, std::sqrt(s->square_sum), s->nan + s->inf);
  } else if (const double* value = observation.scalar()) {
    note(series, *value, std::isfinite(*value) ? 0 : 1);
  } else if (const auto* span = std::get_if<Span>(&observation.value)) {
    note(series, static_cast<double>(span->end_ns - span->begin_ns) / 1e9, 0);
  } else if (const auto* batch = std::get_if<Batch>(&observation.value)) {
    note(series, static_cast<double>(batch->examples), 0);
  } else if (const auto* digest = std::get_if<Digest>(&observation.value)) {
    Curve& of = note(series);
    of.finite = 1;
    if (of.digest.value_or(digest->value) != digest->value) of.sum = 1;
    of.digest = digest->value;
  }
}

// Steps per second, by the ends of the steps of the lowest rank.
void CurveWriter::note_pace(const Step& step) {
  if (step.ranks.empty()) return;
  const RankTime& lowest = step.ranks.front();
  if (pace_ && lowest.rank > pace_->rank) return;
  if (pace_ && lowest.rank == pace_->rank && lowest.end_s > pace_->end_s) {
    const auto steps = static_cast<double>(step.step - pace_->step);
    note(kThroughputSeries, steps / (lowest.end_s - pace_->end_s), 0);
  }
  pace_ = Pace{lowest.rank, step.step, lowest.end_s};
}

Result<void> CurveWriter::add(const Step& step) {
  for (const Observation& observation : step.observations) note(observation);
  if (!step.more) note_pace(step);
  for (int64_t series : noted_) PAWL_RETURN_IF_ERROR(end_step(series, step.step));
  noted_.clear();
  return {};
}

Result<void> CurveWriter::end_step(int64_t series, uint64_t step) {
  Curve& of = curve(series);
  of.noted = false;
  if (of.full_to && step <= *of.full_to) return {};
  const CurveValue value{step, of.finite > 0 ? of.sum / static_cast<double>(of.finite) : kNan, of.non_finite};
  const auto at = std::ranges::lower_bound(of.values, step, {}, &CurveValue::step);
  if (at != of.values.end() && at->step == step) {
    *at = value;
  } else {
    of.values.insert(at, value);
  }
  if (!std::exchange(of.changed, true)) changed_.push_back(series);
  if (of.values.size() < kNarrowest) return {};
  PAWL_RETURN_IF_ERROR(write_values(series, of));
  Bucket full = bucket_of(of.values);
  of.full_to = full.last_step;
  of.values.clear();
  for (size_t level = 0; level < of.wider.size(); ++level) {
    of.wider[level].add(full);
    if (of.wider[level].count < kBucketWidths[level + 1]) break;
    full = std::exchange(of.wider[level], Bucket());
    PAWL_RETURN_IF_ERROR(write(series, kBucketWidths[level + 1], full, std::nullopt));
  }
  return {};
}

Result<void> CurveWriter::write(int64_t series, uint64_t width, const Bucket& b,
                                std::optional<std::string_view> values) {
  insert_->bind_all(series, width, signed_count(b.first_step), signed_count(b.last_step), b.count, b.finite,
                    b.min, b.max, b.sum, b.last, signed_count(b.non_finite));
  if (values) {
    insert_->bind(12, BlobView{*values});
  } else {
    insert_->bind(12, nullptr);
  }
  return insert_->run();
}

Result<void> CurveWriter::write_values(int64_t series, Curve& of) {
  of.changed = false;
  if (of.values.empty()) return {};
  return write(series, kNarrowest, bucket_of(of.values), pack_values(of.values));
}

Result<void> CurveWriter::flush() {
  for (int64_t series : std::exchange(changed_, {})) {
    Curve& of = curve(series);
    if (of.changed) PAWL_RETURN_IF_ERROR(write_values(series, of));
  }
  return {};
}

Result<void> CurveWriter::go_back(uint64_t step) {
  PAWL_RETURN_IF_ERROR(flush());
  curves_.clear();
  PAWL_RETURN_IF_ERROR(
      db_->run("DELETE FROM buckets WHERE width > ? AND last_step >= ?", kNarrowest, signed_count(step)));
  PAWL_RETURN_IF_ERROR(reopen_values(step));
  for (size_t level = 0; level + 1 < kBucketWidths.size(); ++level) PAWL_RETURN_IF_ERROR(reopen_wider(level));
  return reopen_pace();
}

// Opens the last bucket of each series, with its values before `step`, when they do not fill it.
Result<void> CurveWriter::reopen_values(uint64_t step) {
  {
    PAWL_ASSIGN(Stmt row,
                db_->prepare("SELECT series, first_step, points FROM buckets"
                             " WHERE width = ?1 AND first_step < ?2 AND (last_step >= ?2 OR count < ?1)"));
    row.bind_all(kNarrowest, signed_count(step));
    while (true) {
      PAWL_ASSIGN(bool more, row.step());
      if (!more) break;
      const int64_t series = row.integer(0);
      Curve& of = curve(series);
      of.values = unpack_values(row.blob(2), static_cast<uint64_t>(row.integer(1)));
      std::erase_if(of.values, [&](const CurveValue& value) { return value.step >= step; });
      of.changed = true;
      changed_.push_back(series);
    }
  }
  PAWL_RETURN_IF_ERROR(
      db_->run("DELETE FROM buckets WHERE width = ? AND last_step >= ?", kNarrowest, signed_count(step)));
  PAWL_ASSIGN(Stmt full, db_->prepare("SELECT series, max(last_step) FROM buckets"
                                      " WHERE width = ?1 AND count = ?1 GROUP BY series"));
  full.bind(1, kNarrowest);
  while (true) {
    PAWL_ASSIGN(bool more, full.step());
    if (!more) return {};
    curve(full.integer(0)).full_to = static_cast<uint64_t>(full.integer(1));
  }
}

// Fills the open buckets of the width after `level` with the full ones of that level which no other has
// taken.
Result<void> CurveWriter::reopen_wider(size_t level) {
  PAWL_ASSIGN(Stmt row,
              db_->prepare(fmt::format("SELECT series, {} FROM buckets b WHERE width = ?1 AND count = ?1"
                                       " AND first_step > ifnull((SELECT last_step FROM buckets w"
                                       "  WHERE w.series = b.series AND w.width = ?2"
                                       "  ORDER BY first_step DESC LIMIT 1), -1)"
                                       " ORDER BY series, first_step",
                                       kBucketColumns)));
  row.bind_all(kBucketWidths[level], kBucketWidths[level + 1]);
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return {};
    curve(row.integer(0)).wider[level].add(read_bucket(row, 1));
  }
}

Result<void> CurveWriter::reopen_pace() {
  if (!pace_) return {};
  PAWL_ASSIGN(Stmt row, db_->prepare("SELECT step, end_s FROM steps"
                                     " WHERE mode = 0 AND rank = ? AND end_s IS NOT NULL"
                                     " ORDER BY step DESC LIMIT 1"));
  row.bind(1, pace_->rank);
  PAWL_ASSIGN(bool found, row.step());
  if (found) {
    pace_ = Pace{pace_->rank, static_cast<uint64_t>(row.integer(0)), row.real(1)};
  } else {
    pace_.reset();
  }
  return {};
}

}  // namespace pawl::trace
