#include "engine/trace/replay.h"

#include <limits>
#include <utility>
#include <variant>
#include <vector>

#include "engine/trace/steps.h"
#include "engine/trace/tail.h"

namespace pawl::trace {
namespace {

constexpr int64_t kNow = 0;  // time stands still, so nobody is late

AssemblerOptions patient() {
  AssemblerOptions options;
  options.max_step_lag = std::numeric_limits<uint64_t>::max();
  options.max_bytes = std::numeric_limits<uint64_t>::max();
  options.max_wait_ms = std::numeric_limits<int64_t>::max();
  return options;
}

class Replay {
 public:
  Replay(TraceTail tail, Collector& collector)
      : tail_(std::move(tail)), collector_(collector), assembler_(patient()) {}

  Result<uint64_t> run() {
    tail_.recover();
    for (bool more = true; more;) {
      TraceTail::Batch batch = tail_.poll();
      more = batch.more;
      assemble(batch.records);
      PAWL_RETURN_IF_ERROR(collect(assembler_.take(kNow)));
    }
    assemble(tail_.finish());
    PAWL_RETURN_IF_ERROR(collect(assembler_.finish()));
    PAWL_RETURN_IF_ERROR(
        collector_.set_anomalies(tail_.anomalies(), assembler_.anomalies(), assembler_.progress()));
    return steps_;
  }

 private:
  void assemble(const std::vector<RankRecord>& records) {
    for (const RankRecord& record : records) {
      // The end of a process is not that of its rank: another one may follow in the next batch.
      const End* end = std::get_if<End>(&record.record);
      assembler_.add(record.rank, end != nullptr ? Record(Dropped{end->dropped}) : record.record, kNow);
    }
    for (uint32_t rank = 0; rank < assembler_.expected_ranks(); ++rank) {
      if (tail_.is_drained(rank)) assembler_.rank_exited(rank);
    }
  }

  Result<void> collect(const std::vector<Step>& steps) {
    for (const Step& step : steps) PAWL_RETURN_IF_ERROR(collector_.add(step));
    steps_ += steps.size();
    return {};
  }

  TraceTail tail_;
  Collector& collector_;
  StepAssembler assembler_;
  uint64_t steps_ = 0;
};

}  // namespace

Result<uint64_t> replay_segments(const std::string& trace_dir, Collector& collector) {
  PAWL_ASSIGN(TraceTail tail, TraceTail::open(trace_dir));
  return Replay(std::move(tail), collector).run();
}

}  // namespace pawl::trace
