// pawl-bench webhook: a real `pawl serve` on loopback with a home of its own, from a signed delivery on.
// start_ms: delivery sent to first process of the stage running, the mirror warm, one push after the other,
// each of a commit the mirror has not seen. ack_ms: delivery sent to 202, which is after the commit of the
// inbox, by a few clients that keep their connections; the branch is one the filters ignore, and the daemon
// works its inbox off meanwhile, as it does when a forge sends a burst. rss_mb: of the daemon, after both.
#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <latch>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "bench/bench.h"
#include "bench/daemon.h"
#include "bench/repository.h"
#include "engine/base/clock.h"
#include "engine/base/files.h"
#include "engine/base/ids.h"
#include "engine/base/json.h"
#include "engine/base/sync.h"
#include "engine/base/text.h"
#include "engine/forge/http_client.h"
#include "engine/forge/post_receive.h"

namespace pawl::bench {
namespace {

constexpr size_t kAcks = 2000;
constexpr size_t kClients = 4;
constexpr size_t kWarmUps = 2;
constexpr size_t kStarts = 20;
constexpr const char* kIgnoredBranch = "refs/heads/ignored";
constexpr int64_t kStreamMs = 10 * 60'000;  // for all starts together

// The verdicts of runs as they finish, from the daemon's event stream. Ends when the daemon does.
class FinishedRuns {
 public:
  explicit FinishedRuns(const Daemon& daemon) {
    forge::HttpRequest request;
    request.url = daemon.url() + "/api/v1/events?topics=runs";
    request.headers.add("Authorization", "Bearer " + daemon.token());
    request.timeout_ms = kStreamMs;
    request.on_body = [this](std::string_view piece) {
      take(piece);
      return true;
    };
    thread_ = std::thread([this, request = std::move(request)] {
      auto response = forge::HttpClient().send(request);
      state_.lock()->ended =
          response.ok() ? fmt::format("with status {}", response->status) : response.error().to_string();
      changed_.notify_all();
    });
  }
  ~FinishedRuns() { thread_.join(); }
  FinishedRuns(const FinishedRuns&) = delete;
  FinishedRuns& operator=(const FinishedRuns&) = delete;

  Result<void> wait_subscribed() {
    return wait([](const State& state) { return state.subscribed; });
  }
  Result<void> wait_green(const std::string& commit) {
    PAWL_RETURN_IF_ERROR(wait([&](const State& state) { return state.verdicts.contains(commit); }));
    std::string verdict = state_.lock()->verdicts[commit];
    if (verdict == "PASS") return {};
    return Error(ErrorCode::internal, fmt::format("the run of {} ended {}", commit, verdict));
  }

 private:
  struct State {
    bool subscribed = false;
    std::string ended;                            // why the stream is over
    std::map<std::string, std::string> verdicts;  // by commit
  };

  template <class Condition>
  Result<void> wait(Condition condition) {
    auto state = state_.lock();
    state.wait(changed_, [&] { return condition(*state) || !state->ended.empty(); });
    if (condition(*state)) return {};
    return Error(ErrorCode::unavailable, "the event stream ended: " + state->ended);
  }

  void take(std::string_view piece) {
    buffer_ += piece;
    size_t end;
    auto state = state_.lock();
    state->subscribed = true;
    while ((end = buffer_.find('\n')) != std::string::npos) {
      std::string_view line = std::string_view(buffer_).substr(0, end);
      if (line.starts_with("data: ")) {
        Json run = parse_json(line.substr(6), "event").value_or(Json::object());
        if (json_string(run, "state") == "finished")
          state->verdicts[json_string(run, "commit")] = json_string(run, "verdict");
      }
      buffer_.erase(0, end + 1);
    }
    changed_.notify_all();
  }

  std::string buffer_;  // of the stream's thread
  Sync<State> state_;
  std::condition_variable changed_;
  std::thread thread_;
};

// The files that stages write when they begin.
class Started {
 public:
  static Result<Started> watch(std::string dir) {
    PAWL_RETURN_IF_ERROR(make_dirs(dir));
    UniqueFd fd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!fd || inotify_add_watch(fd.get(), dir.c_str(), IN_CLOSE_WRITE) < 0)
      return errno_error("cannot watch", dir, errno);
    return Started(std::move(dir), std::move(fd));
  }

  // Seconds since 1970 as the stage of this commit saw them.
  Result<double> wait(size_t number) {
    const std::string path = fmt::format("{}/{}", dir_, number);
    double deadline = now_s(CLOCK_MONOTONIC) + kPatienceMs / 1e3;
    while (true) {
      std::string text = read_file(path, 100).value_or("");
      if (text.ends_with('\n')) return parse_double(trim(text));
      if (!wait_readable(fd_.get(), deadline))
        return Error(ErrorCode::timeout, "the stage did not begin", path);
      char events[4096];
      (void)!read(fd_.get(), events, sizeof events);
    }
  }

 private:
  Started(std::string dir, UniqueFd fd) : dir_(std::move(dir)), fd_(std::move(fd)) {}
  std::string dir_;
  UniqueFd fd_;
};

// --- what is measured

std::vector<forge::SignedDelivery> deliveries_of(const Daemon& daemon,
                                                 const std::vector<forge::RefUpdate>& updates) {
  return forge::push_deliveries(updates, {"bench/model", "", "ada"}, new_ulid(SystemClock().unix_ms()),
                                daemon.secret());
}

Result<void> deliver(forge::HttpClient& client, const Daemon& daemon, const forge::SignedDelivery& delivery) {
  forge::HttpRequest request;
  request.method = "POST";
  request.url = daemon.webhook();
  request.headers = delivery.headers;
  request.body = delivery.body;
  PAWL_ASSIGN(forge::HttpResponse response, client.send(request));
  if (response.status == 202) return {};
  return Error(ErrorCode::unavailable, fmt::format("answered {}: {}", response.status, response.body),
               request.url);
}

// Returns when the daemon has worked off a delivery, and so has made its mirror: what the first fetch finds
// is history and starts nothing.
Result<void> warm_mirror(const Daemon& daemon, const Repository& repository) {
  forge::HttpClient client;
  const std::string zero(40, '0');
  PAWL_RETURN_IF_ERROR(deliver(
      client, daemon, deliveries_of(daemon, {{zero, repository.commit(0), kIgnoredBranch, "change"}})[0]));
  forge::HttpRequest request;
  request.url = daemon.url() + "/api/v1/deliveries";
  request.headers.add("Authorization", "Bearer " + daemon.token());
  const double deadline = now_s(CLOCK_MONOTONIC) + kPatienceMs / 1e3;
  while (now_s(CLOCK_MONOTONIC) < deadline) {
    PAWL_ASSIGN(forge::HttpResponse response, client.send(request));
    PAWL_ASSIGN(Json answer, parse_json(response.body, request.url));
    const Json deliveries = answer.value("deliveries", Json::array());
    if (deliveries.size() == 1 && json_string(deliveries[0], "state") == "done") return {};
    usleep(10'000);
  }
  return Error(ErrorCode::timeout, "the daemon does not work off its inbox");
}

Result<std::vector<double>> measure_starts(const Daemon& daemon, Repository& repository, Started& started,
                                           FinishedRuns& finished) {
  PAWL_RETURN_IF_ERROR(warm_mirror(daemon, repository));
  PAWL_RETURN_IF_ERROR(finished.wait_subscribed());
  forge::HttpClient client;
  std::vector<double> out_ms;
  std::string before(40, '0');
  for (size_t i = 0; i < kWarmUps + kStarts; ++i) {
    const std::string& commit = repository.commit(i);
    PAWL_RETURN_IF_ERROR(repository.move_main(i));
    auto deliveries =
        deliveries_of(daemon, {{before, commit, "refs/heads/main", fmt::format("change {}", i)}});
    double sent = now_s(CLOCK_REALTIME);
    PAWL_RETURN_IF_ERROR(deliver(client, daemon, deliveries[0]));
    PAWL_ASSIGN(double running, started.wait(i));
    if (i >= kWarmUps) out_ms.push_back((running - sent) * 1000);
    PAWL_RETURN_IF_ERROR(finished.wait_green(commit));
    before = commit;
  }
  return out_ms;
}

struct Acks {
  std::vector<double> ms;
  double per_s = 0;
};

Result<Acks> measure_acks(const Daemon& daemon, const Repository& repository) {
  static_assert(kAcks % kClients == 0);
  constexpr size_t kEach =
      kAcks / kClients + 1;  // the first of each client opens its connection and is not counted
  const forge::RefUpdate update{repository.commit(0), repository.commit(1), kIgnoredBranch, "change"};
  const auto deliveries = deliveries_of(daemon, std::vector(kClients * kEach, update));
  std::vector<std::vector<double>> ms(kClients);
  std::vector<Result<void>> outcomes(kClients);
  std::latch ready(kClients + 1);
  auto work = [&](size_t client) {
    forge::HttpClient http;
    outcomes[client] = deliver(http, daemon, deliveries[client * kEach]);
    ready.arrive_and_wait();
    for (size_t i = 1; i < kEach && outcomes[client].ok(); ++i) {
      double sent = now_s(CLOCK_MONOTONIC);
      outcomes[client] = deliver(http, daemon, deliveries[client * kEach + i]);
      ms[client].push_back((now_s(CLOCK_MONOTONIC) - sent) * 1000);
    }
  };
  std::vector<std::thread> threads;
  for (size_t client = 0; client < kClients; ++client) threads.emplace_back(work, client);
  ready.arrive_and_wait();
  double begin = now_s(CLOCK_MONOTONIC);
  for (std::thread& thread : threads) thread.join();
  double seconds = now_s(CLOCK_MONOTONIC) - begin;
  Acks out;
  for (size_t client = 0; client < kClients; ++client) {
    PAWL_RETURN_IF_ERROR(std::move(outcomes[client]));
    out.ms.insert(out.ms.end(), ms[client].begin(), ms[client].end());
  }
  out.per_s = static_cast<double>(out.ms.size()) / seconds;
  return out;
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

Result<std::string> measure(const Daemon& daemon, Repository& repository, Started& started,
                            FinishedRuns& finished, bool json) {
  PAWL_ASSIGN(std::vector<double> starts, measure_starts(daemon, repository, started, finished));
  PAWL_ASSIGN(Acks acks, measure_acks(daemon, repository));
  PAWL_ASSIGN(double rss_mb, daemon.rss_mb());
  const double ack_p50 = quantile(acks.ms, 0.5), ack_p99 = quantile(acks.ms, 0.99);
  const double start_p50 = quantile(starts, 0.5), start_p99 = quantile(starts, 0.99);
  if (json) {
    return fmt::format(
        R"({{"acks_per_s":{:.0f},"ack_ms_p50":{:.3f},"ack_ms_p99":{:.3f},"start_ms_p50":{:.1f},)"
        R"("start_ms_p99":{:.1f},"rss_mb":{:.1f},"acks":{},"clients":{},"starts":{}}})",
        acks.per_s, ack_p50, ack_p99, start_p50, start_p99, rss_mb, acks.ms.size(), kClients, starts.size());
  }
  return fmt::format(
      "{:.0f} acks/s, p50 {:.3f} ms, p99 {:.3f} ms ({} by {} clients)\n"
      "delivery to first process of the stage: p50 {:.1f} ms, p99 {:.1f} ms ({} pushes)\n"
      "resident memory of the daemon: {:.1f} MiB",
      acks.per_s, ack_p50, ack_p99, acks.ms.size(), kClients, start_p50, start_p99, starts.size(), rss_mb);
}

Result<std::string> run(bool json) {
  PAWL_ASSIGN(TempDir dir, TempDir::create("pawl-bench"));
  PAWL_ASSIGN(Started started, Started::watch(dir.path() + "/started"));
  const std::string bare = dir.path() + "/model.git";
  PAWL_ASSIGN(Repository repository, Repository::create(bare, dir.path() + "/started", kWarmUps + kStarts));
  PAWL_ASSIGN(Daemon daemon, Daemon::start(dir.path(), bare));
  FinishedRuns finished(daemon);
  auto report = measure(daemon, repository, started, finished, json);
  if (!report.ok()) fmt::print(stderr, "{}", daemon.log());
  daemon.stop();
  return report;
}

}  // namespace

int bench_webhook(bool json) {
  Result<std::string> report = run(json);
  if (!report.ok()) {
    fmt::print(stderr, "pawl-bench webhook: {}\n", report.error().to_string());
    return 3;
  }
  fmt::print("{}\n", *report);
  return 0;
}

}  // namespace pawl::bench
