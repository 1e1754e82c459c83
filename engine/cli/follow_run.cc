#include "engine/cli/follow_run.h"

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "engine/base/clock.h"
#include "engine/cli/daemon_client.h"
#include "engine/cli/progress_line.h"

namespace pawl::cli {
namespace {

class Follower {
 public:
  Follower(Record& record, std::string run_id, bool quiet)
      : record_(record), run_id_(std::move(run_id)), quiet_(quiet) {}

  Result<void> follow() {
    auto daemon = DaemonClient::connect(record_.home);
    if (!daemon.ok()) return std::move(daemon).error();
    while (!finished()) {
      if (daemon.ok() && follow_stream(*daemon)) continue;
      if (finished()) break;
      if (!may_come_back()) {
        return Error(ErrorCode::unavailable,
                     "the daemon has gone; what it trained goes on, and the next `pawl serve` picks it up");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      daemon = DaemonClient::connect(record_.home);
    }
    line_.clear();
    return {};
  }

 private:
  static constexpr int64_t kPatienceMs = 60'000;

  bool finished() {
    auto now = store::find_run(record_.db, run_id_);
    return now.ok() && *now && (*now)->finished();
  }

  // Until the run's end is announced: true. False: the stream broke off.
  bool follow_stream(DaemonClient& daemon) {
    bool ended = false;
    auto followed = daemon.follow_events("?topics=run:" + run_id_, [&](std::string_view, const Json& event) {
      gone_since_ms_.reset();
      show(event);
      // The first bytes of the stream come after the subscription: an end before it is seen in the
      // record.
      ended = json_string(event, "state") == "finished" || finished();
      return !ended;
    });
    return followed.ok() && ended;
  }

  void show(const Json& event) {
    std::string type = json_string(event, "type");
    if (type == "state" && !quiet_) line_.update(event, clock_.monotonic_ms());
    if (type != "finding") return;
    line_.clear();
    std::fprintf(stderr, "%s\n", finding_text(event).c_str());
  }

  // Says once that the daemon is away; false when it has been for too long.
  bool may_come_back() {
    int64_t now = clock_.monotonic_ms();
    line_.clear();
    if (!gone_since_ms_) {
      gone_since_ms_ = now;
      std::fprintf(stderr, "pawl: the daemon has gone; waiting %d s for the next one\n",
                   static_cast<int>(kPatienceMs / 1000));
    }
    return now - *gone_since_ms_ < kPatienceMs;
  }

  Record& record_;
  std::string run_id_;
  bool quiet_;
  SystemClock clock_;
  ProgressLine line_;
  std::optional<int64_t> gone_since_ms_;
};

}  // namespace

Result<void> follow_run(Record& record, const std::string& run_id, bool quiet) {
  return Follower(record, run_id, quiet).follow();
}

}  // namespace pawl::cli
