#include "engine/supervise/trace_follower.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/text.h"
#include "engine/supervise/trace_db.h"

namespace pawl::supervise {
namespace {

constexpr int64_t kTickMs = 500;
// Ranks in step with each other still hand over their records at different times: at thousands of small steps
// a second one may seem hundreds ahead. A rank that really hangs is given up by the assembler's clock.
constexpr uint64_t kMaxStepLag = 4096;

trace::AssemblerOptions assembler_options() {
  trace::AssemblerOptions options;
  options.max_step_lag = kMaxStepLag;
  return options;
}

// The mean over the ranks of the loss series that was recorded first.
std::optional<double> loss_of(const trace::Step& step) {
  std::optional<uint32_t> series;
  double sum = 0;
  int count = 0;
  for (const trace::Observation& observation : step.observations) {
    if (observation.scalar() == nullptr || (*step.series)[observation.series].kind != trace::Kind::loss)
      continue;
    if (!series) series = observation.series;
    if (observation.series != *series) continue;
    sum += *observation.scalar();
    ++count;
  }
  return count > 0 ? std::optional(sum / count) : std::nullopt;
}

}  // namespace

Result<std::unique_ptr<TraceFollower>> TraceFollower::create(EventLoop& loop, const Intent& intent,
                                                             Handlers handlers) {
  rules::EvaluatorOptions options;
  options.total_steps = intent.steps_total;
  options.green = intent.green;
  PAWL_ASSIGN(rules::Evaluator evaluator, rules::Evaluator::create(intent.rules, options));
  PAWL_ASSIGN(trace::TraceTail tail, trace::TraceTail::open(intent.attempt_dir + "/trace"));
  return std::unique_ptr<TraceFollower>(
      new TraceFollower(loop, intent, std::move(handlers), std::move(tail), std::move(evaluator)));
}

TraceFollower::TraceFollower(EventLoop& loop, const Intent& intent, Handlers handlers, trace::TraceTail tail,
                             rules::Evaluator evaluator)
    : loop_(loop),
      intent_(intent),
      handlers_(std::move(handlers)),
      ranks_are_ours_(intent.ranks > 1),
      tail_(std::move(tail)),
      assembler_(assembler_options()),
      evaluator_(std::move(evaluator)),
      progress_(intent.steps_total),
      budget_(intent.capture) {
  if (tail_.fd() >= 0) watch_ = loop_.watch_readable(tail_.fd(), [this] { poll(); });
  tick_timer_ = loop_.call_every(kTickMs, [this] { tick(); });
}

TraceFollower::~TraceFollower() {
  for (EventLoop::Id id : {watch_, tick_timer_, more_timer_}) loop_.remove(id);
}

bool TraceFollower::read_some() {
  trace::TraceTail::Batch batch = tail_.poll();
  add(batch.records);
  if (const auto left = tail_.take_finished(); !left.empty()) segments_.add(left, assembler_.progress());
  evaluate(assembler_.take(clock_.monotonic_ms()));
  return batch.more;
}

// Not a loop: stop requests and the pipes of the ranks have their turn in between.
void TraceFollower::poll() {
  loop_.remove(more_timer_);
  if (read_some()) more_timer_ = loop_.call_after(0, [this] { poll(); });
}

void TraceFollower::tick() {
  poll();
  report(evaluator_.on_tick(clock_.monotonic_ms(), assembler_.progress(), last_output_ms_));
  if (uncommitted_) commit();
}

void TraceFollower::add(const std::vector<trace::RankRecord>& records) {
  int64_t now_ms = clock_.monotonic_ms();
  for (const trace::RankRecord& record : records) assembler_.add(record.rank, record.record, now_ms);
  seen_ |= !records.empty();
}

void TraceFollower::evaluate(const std::vector<trace::Step>& steps) {
  for (const trace::Step& step : steps) report(evaluator_.on_step(step));
  if (steps.empty()) return;
  for (const trace::Step& step : steps) {
    show(step);
    budget_.add(step);
  }
  handlers_.on_step();
  collect(steps);
}

void TraceFollower::collect(const std::vector<trace::Step>& steps) {
  if (!collector_ && !open_collector()) return;
  for (const trace::Step& step : steps) check(collector_->add(step));
  uncommitted_ = true;
}

bool TraceFollower::open_collector() {
  if (!collector_error_.empty()) return false;
  auto created = create_trace_db(intent_.attempt_dir + "/trace.db", intent_);
  if (!created.ok()) {
    check(std::move(created).error());
    return false;
  }
  collector_.emplace(std::move(*created));
  return true;
}

void TraceFollower::commit() {
  if (!collector_) return;
  check(collector_->set_findings(evaluator_.findings()));
  check(collector_->commit());
  uncommitted_ = false;
  trim_segments();
}

void TraceFollower::trim_segments() {
  // While trace.db is incomplete, or a step waits, they are all there is of something.
  if (!collector_error_.empty() || assembler_.next_deadline_ms()) return;
  if (!segments_.trim(tail_, assembler_.progress())) return;
  check(collector_->set_meta(trace::kSegmentsDeleted, "1"));
  check(collector_->commit());
}

void TraceFollower::close_collector() {
  if (!collector_) return;
  check(collector_->set_anomalies(tail_.anomalies(), assembler_.anomalies(), assembler_.progress()));
  commit();
  collector_.reset();
}

void TraceFollower::check(Result<void> written) {
  if (!written.ok() && collector_error_.empty()) collector_error_ = written.error().to_string();
}

void TraceFollower::show(const trace::Step& step) {
  constexpr int kTraining = 0;
  if (step.mode != kTraining || step.more) return;
  progress_.on_step(step.step, static_cast<int64_t>(step.wall_time * 1000));
  if (auto loss = loss_of(step)) last_loss_ = loss;
}

void TraceFollower::report(const std::vector<rules::Finding>& findings) {
  for (const rules::Finding& finding : findings) handlers_.on_finding(finding);
}

void TraceFollower::rank_exited(int rank) {
  // A single rank may be a launcher whose children record as ranks of their own; with its end all ends
  // anyway.
  if (!ranks_are_ours_) return;
  tail_.recover_rank(static_cast<uint32_t>(rank));
  while (read_some()) continue;
  assembler_.rank_exited(static_cast<uint32_t>(rank));
  evaluate(assembler_.take(clock_.monotonic_ms()));
}

rules::Summary TraceFollower::finish(bool completed) {
  tail_.recover();
  while (read_some()) continue;
  add(tail_.finish());
  evaluate(assembler_.finish());
  size_t known = evaluator_.findings().size();
  rules::Summary summary = evaluator_.finish(completed);
  report({summary.findings.begin() + static_cast<ptrdiff_t>(known), summary.findings.end()});
  close_collector();
  return summary;
}

std::map<std::string, uint64_t> TraceFollower::anomalies() const {
  trace::Anomalies bytes = tail_.anomalies();
  const trace::AssemblyAnomalies& steps = assembler_.anomalies();
  uint64_t dropped = 0;
  for (const trace::RankProgress& rank : assembler_.progress()) dropped += rank.dropped;
  std::map<std::string, uint64_t> all = {{"dropped_records", dropped},
                                         {"skipped_bytes", bytes.skipped_bytes},
                                         {"damaged_frames", bytes.damaged_frames},
                                         {"malformed_records", bytes.malformed_records},
                                         {"unknown_records", bytes.unknown_records},
                                         {"unsupported_records", bytes.unsupported_records},
                                         {"unrecovered_rings", bytes.unrecovered_rings},
                                         {"late_steps", steps.late_steps},
                                         {"unknown_series", steps.unknown_series},
                                         {"excess_observations", steps.excess_observations},
                                         {"ignored_records", steps.ignored_records},
                                         {"broken_tensors", steps.broken_tensors}};
  std::erase_if(all, [](const auto& item) { return item.second == 0; });
  return all;
}

std::vector<std::string> TraceFollower::notes() const {
  std::vector<std::string> out;
  if (!collector_error_.empty()) out.push_back("trace.db is incomplete: " + collector_error_);
  if (auto thinned = budget_.text()) out.push_back(std::move(*thinned));
  auto all = anomalies();
  if (all.contains("dropped_records")) {
    out.push_back(fmt::format("the ranks dropped {} trace records: they came faster than the disk took them",
                              all["dropped_records"]));
    all.erase("dropped_records");
  }
  if (all.empty()) return out;
  std::vector<std::string> parts;
  for (const auto& [name, count] : all) parts.push_back(fmt::format("{} {}", count, name));
  out.push_back("the trace is incomplete or damaged: " + join(parts, ", "));
  return out;
}

}  // namespace pawl::supervise
