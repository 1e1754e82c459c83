#include "engine/trace/steps.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pawl::trace {

namespace {

constexpr uint32_t kMaxSeries = 1u << 20;  // of one rank, and of the table
constexpr size_t kMaxRequests = 100;       // between two steps of a rank
constexpr uint32_t kTrain = 0, kEval = 1;

double seconds(uint64_t ns) {
  return static_cast<double>(ns) * 1e-9;
}

// Beyond the value itself.
uint64_t bytes_of(const Observation::Value& value) {
  if (const auto* raw = std::get_if<RawTensor>(&value)) return raw->safetensors.size();
  if (const auto* batch = std::get_if<Batch>(&value)) return batch->label_counts.size() * sizeof(uint64_t);
  if (const auto* fine = std::get_if<FineHistogram>(&value)) return fine->bins.size() * sizeof(uint32_t);
  return 0;
}

uint64_t bytes_of(const std::vector<Observation>& observations) {
  uint64_t bytes = 0;
  for (const Observation& observation : observations) bytes += bytes_of(observation.value);
  return bytes;
}

// Adds what one rank recorded; `to` stays in the order of ranks.
void merge(std::vector<Observation>& to, std::vector<Observation>& from, uint32_t rank) {
  const auto behind = std::upper_bound(to.begin(), to.end(), rank,
                                       [](uint32_t r, const Observation& o) { return r < o.rank; });
  to.insert(behind, std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  from.clear();
}

}  // namespace

std::optional<uint32_t> SeriesTable::intern(const SeriesDeclaration& declaration) {
  if (const auto known = find(declaration.name, declaration.kind)) return known;
  if (series_.size() >= kMaxSeries) return std::nullopt;
  const uint32_t index = size();
  index_.emplace(std::pair(declaration.name, declaration.kind), index);
  series_.push_back({declaration.name, declaration.kind, declaration.dtype, declaration.shape});
  return index;
}

void SeriesTable::offer(const Available& available) {
  if (available_.size() >= kMaxSeries) return;
  if (available_index_.emplace(available.name, available.kind).second) available_.push_back(available);
}

std::optional<uint32_t> SeriesTable::find(std::string_view name, Kind kind) const {
  const auto found = index_.find(std::pair<std::string_view, Kind>(name, kind));
  if (found == index_.end()) return std::nullopt;
  return found->second;
}

void StepAssembler::add(uint32_t rank, const Record& record, int64_t now_ms) {
  if (rank >= kMaxRanks) {
    ++anomalies_.ignored_records;
    return;
  }
  const auto [at, is_new] = ranks_.try_emplace(rank);
  RankProgress& progress = at->second.progress;
  if (is_new) {
    progress.rank = rank;
    progress.last_step_ms = now_ms;
  }
  progress.last_activity_ms = now_ms;
  std::visit([&](const auto& r) { on(at->second, r, now_ms); }, record);
}

void StepAssembler::on(Rank& rank, const Header& header, int64_t) {
  world_size_ = std::min(header.world_size, kMaxRanks);
  rank.progress.ended = false;
  if (header.pid == rank.pid && header.start_ns == rank.start_ns) return;
  rank.pid = header.pid;
  rank.start_ns = header.start_ns;
  rank.series.clear();
  rank.open.reset();
  rank.interrupted.reset();
  break_raw(rank);
  rank.observations.clear();
  rank.observations_before.clear();
  rank.bytes = rank.bytes_before = 0;
  rank.progress.dropped = 0;
}

void StepAssembler::on(Rank& rank, const SeriesDeclaration& declaration, int64_t) {
  if (declaration.id >= kMaxSeries) {
    ++anomalies_.ignored_records;
    return;
  }
  if (declaration.id >= rank.series.size()) rank.series.resize(declaration.id + 1);
  rank.series[declaration.id] = series_.intern(declaration);
}

void StepAssembler::on(Rank& rank, const StepBegin& begin, int64_t now_ms) {
  // The end of the step before was lost.
  if (rank.open && rank.open->mode == kEval) end_open(rank, begin.wall_ns, begin.mono_ns, now_ms);
  if (rank.open && rank.open->mode == kTrain && begin.mode == kEval) {
    break_raw(rank);
    rank.interrupted = std::exchange(rank.open, begin);
    rank.observations_before.swap(rank.observations);
    std::swap(rank.bytes, rank.bytes_before);
    return;
  }
  if (rank.open && rank.open->step == begin.step && begin.mode == kTrain)
    return;  // goes on after an evaluation
  if (rank.open) close_step(rank, begin.wall_ns, begin.mono_ns, now_ms);
  if (begin.mode == kTrain || begin.mode == kEval) {
    rank.open = begin;
  } else {
    ++anomalies_.ignored_records;
  }
}

void StepAssembler::on(Rank& rank, const ScalarValue& value, int64_t) {
  observe(rank, value.series, value.value);
}

void StepAssembler::on(Rank& rank, const StatsValue& value, int64_t) {
  observe(rank, value.series, value.stats);
}

void StepAssembler::on(Rank& rank, const StepEnd& end, int64_t now_ms) {
  // The end of an evaluation within the step was lost.
  if (rank.interrupted && rank.interrupted->step == end.step && rank.open && rank.open->step != end.step)
    end_open(rank, end.wall_ns, end.mono_ns, now_ms);
  if (rank.open && rank.open->step == end.step) {
    end_open(rank, end.wall_ns, end.mono_ns, now_ms);
  } else {
    ++anomalies_.ignored_records;  // its begin was lost
  }
}

void StepAssembler::on(Rank& rank, const Dropped& dropped, int64_t) {
  rank.progress.dropped = dropped.total;
}

void StepAssembler::on(Rank& rank, const End& end, int64_t) {
  rank.progress.dropped = end.dropped;
  rank.progress.ended = true;
}

void StepAssembler::on(Rank& rank, const Request& request, int64_t) {
  if (rank.requests.size() >= kMaxRequests) rank.requests.erase(rank.requests.begin());
  rank.requests.push_back({rank.progress.rank, request});
}

void StepAssembler::on(Rank&, const Available& available, int64_t) {
  series_.offer(available);
}

void StepAssembler::on(Rank& rank, const RawPiece& piece, int64_t) {
  RawPiece& raw = rank.raw;
  if (piece.offset == 0) {
    break_raw(rank);
    raw = piece;
  } else if (piece.series == raw.series && piece.total == raw.total && piece.offset == raw.bytes.size()) {
    raw.bytes.insert(raw.bytes.end(), piece.bytes.begin(), piece.bytes.end());
  } else {
    ++anomalies_.broken_tensors;
    raw = {};
    return;
  }
  if (raw.bytes.size() < raw.total) return;
  observe(rank, raw.series, RawTensor{std::move(raw.bytes)});
  raw = {};
}

// Pieces that are still missing will not come.
void StepAssembler::break_raw(Rank& rank) {
  if (rank.raw.total > 0) ++anomalies_.broken_tensors;
  rank.raw = {};
}

void StepAssembler::observe(Rank& rank, uint32_t local_series, Observation::Value value) {
  if (!rank.open || rank.observations.size() >= kMaxObservations) {
    ++anomalies_.excess_observations;
    return;
  }
  if (local_series >= rank.series.size() || !rank.series[local_series]) {
    ++anomalies_.unknown_series;
    return;
  }
  const uint64_t bytes = bytes_of(value);
  if (bytes > kMaxBytes - rank.bytes) {
    ++anomalies_.excess_observations;
    return;
  }
  rank.bytes += bytes;
  rank.observations.push_back({rank.progress.rank, *rank.series[local_series], std::move(value)});
}

// Ends the open step, and takes up the one that it interrupted.
void StepAssembler::end_open(Rank& rank, uint64_t wall_ns, uint64_t mono_ns, int64_t now_ms) {
  close_step(rank, wall_ns, mono_ns, now_ms);
  rank.open = std::exchange(rank.interrupted, std::nullopt);
  rank.observations = std::exchange(rank.observations_before, {});
  rank.bytes = std::exchange(rank.bytes_before, 0);
}

void StepAssembler::close_step(Rank& rank, uint64_t wall_ns, uint64_t mono_ns, int64_t now_ms) {
  const StepBegin begin = *rank.open;
  rank.open.reset();
  break_raw(rank);
  const uint64_t bytes = std::exchange(rank.bytes, 0);
  RankProgress& progress = rank.progress;
  progress.last_step_ms = now_ms;
  Step* step;
  if (begin.mode == kEval) {
    step = &lone_.emplace_back();
    step->step = begin.step;
    step->mode = static_cast<int>(kEval);
    step->incarnation = rank.position ? rank.position->first : 0;
    step->series = &series_;
  } else {
    const Key key = key_of(rank, begin);
    if (!rank.position || key > *rank.position) ++progress.completed;
    rank.position = std::max(key, rank.position.value_or(key));
    progress.last_step = rank.position->second;
    const bool is_late = is_emitted(key) || (key < *rank.position && !pending_.contains(key));
    if (begin.unordered && is_late) {
      step = &lone_.emplace_back();
      step->step = begin.step;
      step->incarnation = key.first;
      step->series = &series_;
      step->more = true;
    } else if (is_emitted(key)) {
      ++anomalies_.late_steps;
      rank.observations.clear();
      return;
    } else {
      given_up_.erase(progress.rank);
      step = &step_at(key, now_ms);
      pending_bytes_ += bytes;
    }
  }
  // More of a step does not make it longer.
  if (std::ranges::find(step->ranks, progress.rank, &RankTime::rank) == step->ranks.end()) {
    step->ranks.push_back({progress.rank, seconds(begin.mono_ns), seconds(mono_ns)});
    step->wall_time = std::max(step->wall_time, seconds(wall_ns));
  }
  merge(step->observations, rank.observations, progress.rank);
  std::ranges::move(rank.requests, std::back_inserter(step->requests));
  rank.requests.clear();
}

StepAssembler::Key StepAssembler::key_of(const Rank& rank, const StepBegin& begin) const {
  const uint64_t step = begin.step;
  const uint64_t newest = emitted_ ? emitted_->first : 0;
  if (!rank.position) return {newest, step};
  uint64_t incarnation = rank.position->first;
  if (step <= rank.position->second && !begin.unordered) ++incarnation;
  if (incarnation < newest && step > emitted_->second) incarnation = newest;
  return {incarnation, step};
}

Step& StepAssembler::step_at(const Key& key, int64_t now_ms) {
  const auto [at, is_new] = pending_.try_emplace(key);
  Step& step = at->second.step;
  if (is_new) {
    at->second.first_ms = now_ms;
    step.incarnation = key.first;
    step.step = key.second;
    step.series = &series_;
  }
  return step;
}

void StepAssembler::rank_exited(uint32_t rank) {
  if (const auto known = ranks_.find(rank); known != ranks_.end()) {
    known->second.progress.ended = true;
  } else if (rank < kMaxRanks) {
    given_up_.insert(rank);
  }
}

uint32_t StepAssembler::expected_ranks() const {
  return options_.expected_ranks != 0 ? std::min(options_.expected_ranks, kMaxRanks) : world_size_;
}

std::vector<uint32_t> StepAssembler::ranks_awaited(const Key& key) const {
  std::vector<uint32_t> awaited;
  auto known = ranks_.begin();
  for (uint32_t rank = 0; rank < expected_ranks(); ++rank) {
    while (known != ranks_.end() && known->first < rank) ++known;
    const Rank* seen = known != ranks_.end() && known->first == rank ? &known->second : nullptr;
    const bool has_left = seen != nullptr && seen->progress.ended;
    const bool is_there = seen != nullptr && seen->position && *seen->position >= key;
    if (!has_left && !is_there && !given_up_.contains(rank)) awaited.push_back(rank);
  }
  return awaited;
}

Step StepAssembler::emit_first() {
  auto first = pending_.extract(pending_.begin());
  const auto [incarnation, number] = first.key();
  if (incarnation > (emitted_ ? emitted_->first : 0)) {
    // What went back to an earlier step undid what went back to this one or a later.
    while (!began_.empty() && began_.rbegin()->second >= number) began_.erase(std::prev(began_.end()));
    began_[incarnation] = number;
  }
  emitted_ = first.key();
  Step step = std::move(first.mapped().step);
  pending_bytes_ -= bytes_of(step.observations);
  std::sort(step.ranks.begin(), step.ranks.end(),
            [](const RankTime& a, const RankTime& b) { return a.rank < b.rank; });
  auto ended = step.ranks.begin();
  for (uint32_t rank = 0; rank < expected_ranks(); ++rank) {
    while (ended != step.ranks.end() && ended->rank < rank) ++ended;
    if (ended == step.ranks.end() || ended->rank != rank) step.missing_ranks.push_back(rank);
  }
  return step;
}

std::vector<Step> StepAssembler::take(int64_t now_ms) {
  std::vector<Step> out;
  while (!pending_.empty()) {
    const auto& [key, pending] = *pending_.begin();
    const std::vector<uint32_t> awaited = ranks_awaited(key);
    const bool late = now_ms - pending.first_ms >= options_.max_wait_ms ||
                      pending_.size() > options_.max_step_lag || pending_bytes_ > options_.max_bytes;
    if (!awaited.empty() && !late) break;
    given_up_.insert(awaited.begin(), awaited.end());
    out.push_back(emit_first());
  }
  emit_lone(out);
  return out;
}

void StepAssembler::emit_lone(std::vector<Step>& out) {
  const uint64_t newest = emitted_ ? emitted_->first : 0;
  std::vector<Step> waiting;
  for (Step& step : lone_) {
    if (step.more && step.incarnation > newest) {
      waiting.push_back(std::move(step));
      continue;
    }
    if (step.more) {
      const auto later = began_.upper_bound(step.incarnation);
      if (later != began_.end() && step.step >= later->second) continue;  // it did not happen
      step.incarnation = newest;  // it brings nobody back to an earlier one
    }
    out.push_back(std::move(step));
  }
  lone_ = std::move(waiting);
}

std::vector<Step> StepAssembler::finish() {
  for (auto& [number, rank] : ranks_) {
    if (!rank.open || rank.open->mode != kTrain || rank.observations.empty()) continue;
    const Key key = key_of(rank, *rank.open);
    if (!is_emitted(key)) {
      Step& step = step_at(key, 0);
      step.wall_time = std::max(step.wall_time, seconds(rank.open->wall_ns));
      merge(step.observations, rank.observations, number);
      pending_bytes_ += rank.bytes;
    }
    rank.bytes = 0;
    rank.open.reset();
  }
  std::vector<Step> out;
  while (!pending_.empty()) out.push_back(emit_first());
  emit_lone(out);
  return out;
}

std::optional<int64_t> StepAssembler::next_deadline_ms() const {
  if (pending_.empty()) return std::nullopt;
  return pending_.begin()->second.first_ms + options_.max_wait_ms;
}

std::vector<RankProgress> StepAssembler::progress() const {
  std::vector<RankProgress> out;
  for (const auto& [number, rank] : ranks_) out.push_back(rank.progress);
  return out;
}

}  // namespace pawl::trace
