#include "engine/core/project_worker.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/files.h"
#include "engine/base/ids.h"
#include "engine/base/log.h"
#include "engine/store/data.h"
#include "engine/store/inbox.h"
#include "pipelines/load.h"
#include "pipelines/parse.h"

namespace pawl::core {
namespace {

constexpr int64_t kDeliveriesAtOnce = 64;
constexpr int64_t kMaxTries = 8;  // of a delivery whose repository cannot be read, with growing pauses

bool may_go_away(const Error& error) {
  return error.code() == ErrorCode::unavailable || error.code() == ErrorCode::io ||
         error.code() == ErrorCode::timeout;
}

// What the pushes that moved these heads would have meant. Reads the mirror.
std::map<std::string, Result<DeliveryOutcome>> evaluate_moved(const Project& project,
                                                              const trigger::Repository& mirror,
                                                              const BranchHeads& known,
                                                              const BranchHeads& heads) {
  std::map<std::string, Result<DeliveryOutcome>> moved;
  for (const auto& [branch, head] : heads) {
    auto before = known.find(branch);
    if (before != known.end() && before->second == head) continue;
    const std::string old = before == known.end() ? std::string(40, '0') : before->second;
    const std::string event_key =
        fmt::format("reconcile:{}:{}:{}..{}:{}", project.name, branch, old, head, random_hex(8));
    moved.emplace(branch, evaluate_push(project, mirror, branch, old, head, event_key,
                                        "found by comparing branch heads"));
  }
  return moved;
}

}  // namespace

struct ProjectWorker::FetchResult {
  Result<void> fetched;
  bool first = false;  // the mirror was made by this fetch: what it has is history, not news
  BranchHeads heads;
  std::vector<std::pair<store::Delivery, Result<DeliveryOutcome>>> deliveries;
  std::map<std::string, Result<DeliveryOutcome>> moved;  // branches whose head is not the one in the record
};

struct ProjectWorker::DataLook {
  Result<std::string> fingerprint;
  std::optional<Result<trigger::DataVersion>> version;  // when it had settled and was read in full
  std::string path;
};

struct ProjectWorker::WatchResult {
  std::string head;
  std::optional<trigger::Commit> commit;
  std::optional<pipeline::Pipeline> pipeline;
  std::map<std::string, DataLook> data;
};

ProjectWorker::ProjectWorker(Context& context, Project project, Starter starter)
    : context_(context),
      project_(std::move(project)),
      starter_(std::move(starter)),
      schedule_checked_ms_(context.clock.unix_ms()) {}

ProjectWorker::~ProjectWorker() {
  for (EventLoop::Id timer : timers_) context_.loop.remove(timer);
}

void ProjectWorker::start() {
  reconcile_wanted_ = true;
  inbox_wanted_ = true;
  timers_.push_back(context_.loop.call_every(context_.config.reconcile_ms, [this] {
    reconcile_wanted_ = true;
    pump();
  }));
  timers_.push_back(context_.loop.call_every(context_.config.data_poll_ms, [this] { watch(); }));
  pump();
}

void ProjectWorker::set_project(Project project) {
  project_ = std::move(project);
}

void ProjectWorker::wake_inbox() {
  inbox_wanted_ = true;
  pump();
}

void ProjectWorker::pump() {
  if (fetching_ || (!inbox_wanted_ && !reconcile_wanted_)) return;
  fetch();
}

// --- deliveries and branch heads
// -------------------------------------------------------------------------------------

void ProjectWorker::fetch() {
  auto pending = store::pending_deliveries(context_.db, project_.name, kDeliveriesAtOnce);
  if (!pending.ok()) {
    log_error("project {}: {}", project_.name, pending.error().to_string());
    return;
  }
  auto known = store::branch_heads(context_.db, project_.name);
  if (!known.ok()) return log_error("project {}: {}", project_.name, known.error().to_string());
  inbox_wanted_ = static_cast<int64_t>(pending->size()) == kDeliveriesAtOnce;  // then there may be more
  if (pending->empty() && !reconcile_wanted_) return;
  fetching_ = true;
  run_on_pool(
      context_,
      [project = project_, mirror_path = context_.home.mirror(project_.name), pending = std::move(*pending),
       known = std::move(*known), reconcile = reconcile_wanted_]() {
        FetchResult result;
        result.first = !path_exists(mirror_path);
        trigger::Repository mirror(mirror_path);
        result.fetched = mirror.update_mirror({project.url, project.username, project.token});
        if (!result.fetched.ok()) {
          for (const store::Delivery& d : pending) result.deliveries.emplace_back(d, result.fetched.error());
          return result;
        }
        if (auto heads = mirror.branch_heads(); heads.ok()) result.heads = std::move(*heads);
        for (const store::Delivery& d : pending)
          result.deliveries.emplace_back(d, evaluate_delivery(project, mirror, d));
        if (reconcile && !result.first) result.moved = evaluate_moved(project, mirror, known, result.heads);
        return result;
      },
      [self = weak_from_this()](FetchResult result) {
        if (auto worker = self.lock()) worker->on_fetched(std::move(result));
      });
}

void ProjectWorker::on_fetched(FetchResult result) {
  fetching_ = false;
  if (result.fetched.ok()) {
    failures_ = 0;
    if (!last_error_.empty()) log_info("project {}: its repository can be read again", project_.name);
    last_error_.clear();
  } else if (result.fetched.error().to_string() != last_error_) {
    last_error_ = result.fetched.error().to_string();
    log_warning("project {}: {}", project_.name, last_error_);
  }
  // All in one transaction: new deliveries wait for the same disk.
  commit([&](std::vector<Started>& started) -> Result<void> {
    for (const auto& [delivery, outcome] : result.deliveries) {
      PAWL_RETURN_IF_ERROR(settle(delivery, outcome, started));
    }
    return {};
  });
  if (result.fetched.ok() && (reconcile_wanted_ || result.first)) reconcile(result);
  reconcile_wanted_ = false;
  if (!result.fetched.ok() && !result.deliveries.empty()) return retry_later();
  pump();
}

void ProjectWorker::retry_later() {
  int64_t delay = std::min<int64_t>(int64_t{1000} << std::min(failures_++, 8), 300'000);
  context_.loop.call_after(delay, [self = weak_from_this()] {
    if (auto worker = self.lock()) worker->wake_inbox();
  });
}

// What was started is in the record when it is set going, or nothing was.
void ProjectWorker::commit(const std::function<Result<void>(std::vector<Started>&)>& body) {
  std::vector<Started> started;
  auto write = [&]() -> Result<void> {
    PAWL_ASSIGN(Transaction transaction, Transaction::begin(context_.db));
    PAWL_RETURN_IF_ERROR(body(started));
    return transaction.commit();
  };
  must_record(write(), "events of a project");
  for (const Started& s : started) starter_.start_run(s.run, s.source);
}

Result<void> ProjectWorker::settle(const store::Delivery& delivery, const Result<DeliveryOutcome>& outcome,
                                   std::vector<Started>& started) {
  Db& db = context_.db;
  if (!outcome.ok()) {
    const Error& error = outcome.error();
    log_warning("project {}: delivery {}: {}", project_.name, delivery.delivery_id, error.to_string());
    bool again = may_go_away(error) && delivery.tries + 1 < kMaxTries;
    return again ? store::count_delivery_try(db, delivery.id, error.to_string())
                 : store::settle_delivery(db, delivery.id, "failed", error.to_string());
  }
  PAWL_ASSIGN(std::string note, record(*outcome, started));
  if (!note.empty()) log_info("project {}: delivery {}: {}", project_.name, delivery.delivery_id, note);
  return store::settle_delivery(db, delivery.id, "done", note);
}

// Inside a transaction: moves the branch head and inserts the run. A head that is known already, with a run
// of its commit, was found by the comparison of branch heads before its webhook came.
Result<std::string> ProjectWorker::record(const DeliveryOutcome& outcome, std::vector<Started>& started) {
  Db& db = context_.db;
  bool known = false;
  if (!outcome.branch.empty()) {
    PAWL_ASSIGN(auto heads, store::branch_heads(db, project_.name));
    auto head = heads.find(outcome.branch);
    if (head != heads.end() && head->second == outcome.head) {
      PAWL_ASSIGN(known, store::has_run(db, project_.name, outcome.branch, outcome.head));
    }
    PAWL_RETURN_IF_ERROR(outcome.head.empty()
                             ? store::forget_branch(db, project_.name, outcome.branch)
                             : store::put_branch_head(db, project_.name, outcome.branch, outcome.head,
                                                      context_.clock.unix_ms()));
  }
  if (!outcome.run) return outcome.note;
  if (known) return std::string("a run for this commit was started already");
  auto run = starter_.insert_run(*outcome.run);
  if (run.ok()) {
    started.push_back({*run, outcome.run->source});
    return fmt::format("started run {}", run->number);
  }
  if (run.error().code() == ErrorCode::conflict)
    return std::string("a run for this event was started already");
  return std::move(run).error();
}

void ProjectWorker::reconcile(const FetchResult& result) {
  auto known = store::branch_heads(context_.db, project_.name);
  if (!known.ok()) return log_error("project {}: {}", project_.name, known.error().to_string());
  if (result.first) remember_new_branches(*known, result.heads);
  for (const auto& [branch, outcome] : result.moved) {
    if (!outcome.ok()) {
      log_warning("project {}: branch {}: {}", project_.name, branch, outcome.error().to_string());
      continue;
    }
    auto now = known->find(branch);
    if (now != known->end() && now->second == outcome->head) continue;  // its delivery came meanwhile
    commit([&](std::vector<Started>& started) -> Result<void> {
      PAWL_ASSIGN(std::string note, record(*outcome, started));
      log_info("project {}: branch {} moved without a webhook: {}", project_.name, branch, note);
      return {};
    });
  }
  for (const auto& [branch, head] : *known) {
    if (!result.heads.contains(branch))
      must_record(store::forget_branch(context_.db, project_.name, branch), "head");
  }
}

void ProjectWorker::remember_new_branches(const BranchHeads& known, const BranchHeads& heads) {
  for (const auto& [branch, head] : heads) {
    if (known.contains(branch)) continue;
    must_record(store::put_branch_head(context_.db, project_.name, branch, head, context_.clock.unix_ms()),
                "head");
  }
}

// --- data and schedule
// -----------------------------------------------------------------------------------------------

// Whether to read the dataset in full: nobody has written to it since the last look, and for long enough if
// what is found may start a run. An upload pauses; half of it is not to be trained on.
bool ProjectWorker::settled(const Watched& seen, const std::string& fingerprint, int64_t now_ms,
                            int64_t quiet_ms) {
  if (seen.fingerprint != fingerprint || seen.looked_at) return false;
  return !seen.recorded || now_ms - seen.since_ms >= quiet_ms;
}

void ProjectWorker::watch() {
  if (watching_ || !path_exists(context_.home.mirror(project_.name))) return;
  watching_ = true;
  auto* cache = &context_.data_cache;
  run_on_pool(
      context_,
      [project = project_, mirror = trigger::Repository(context_.home.mirror(project_.name)), cache,
       watched = watched_, now = context_.clock.monotonic_ms(), quiet = context_.config.data_quiet_ms]() {
        WatchResult result;
        auto head = mirror.resolve("refs/heads/" + project.target);
        if (!head.ok()) return result;
        auto text = pipeline_text_at(mirror, *head);
        if (!text.ok() || !*text) return result;
        auto parsed = pipeline::parse_pipeline(**text, ".pawl.yml");
        auto commit = mirror.commit(*head);
        if (!parsed.pipeline || !commit.ok()) return result;
        result.head = *head;
        result.commit = std::move(*commit);
        result.pipeline = std::move(parsed.pipeline);
        for (const pipeline::Dataset& dataset : result.pipeline->data) {
          auto named = project.data.find(dataset.name);
          const std::string& path = named != project.data.end() ? named->second : dataset.path;
          // A relative path lies in the repository: it changes by commits, which start runs of their own.
          bool starts_runs =
              std::count(result.pipeline->on.data.begin(), result.pipeline->on.data.end(), dataset.name) > 0;
          if (!starts_runs || path.empty() || path[0] != '/') continue;
          trigger::DataSpec spec = data_spec(dataset, project.data, "/");
          DataLook look{trigger::data_fingerprint(spec), std::nullopt, spec.root};
          auto seen = watched.find(dataset.name);
          if (seen != watched.end() && look.fingerprint.ok() &&
              settled(seen->second, *look.fingerprint, now, quiet)) {
            look.version = trigger::scan_data(spec, *cache->lock());
          }
          result.data.emplace(dataset.name, std::move(look));
        }
        return result;
      },
      [self = weak_from_this()](WatchResult result) {
        if (auto worker = self.lock()) worker->on_watched(std::move(result));
      });
}

void ProjectWorker::on_watched(WatchResult result) {
  watching_ = false;
  if (!result.pipeline) return;
  for (auto& [dataset, look] : result.data) on_data(dataset, std::move(look), result);
  on_schedule(result);
}

void ProjectWorker::on_data(const std::string& dataset, DataLook look, const WatchResult& result) {
  if (!look.fingerprint.ok()) return;  // not there (yet), or being replaced: look again
  Db& db = context_.db;
  auto latest = store::latest_digest(db, project_.name, dataset);
  if (!latest.ok()) return log_error("project {}: {}", project_.name, latest.error().to_string());
  Watched& seen = watched_[dataset];
  if (seen.fingerprint != *look.fingerprint) seen = {*look.fingerprint, context_.clock.monotonic_ms()};
  seen.recorded = latest->has_value();
  if (!look.version || !look.version->ok()) return;
  seen.looked_at = true;
  const trigger::DataVersion& version = **look.version;
  if (*latest && **latest == version.digest) return;
  DeliveryOutcome outcome;
  if (*latest) {
    NewRun run;
    run.project = project_.name;
    run.event_key = fmt::format("data:{}:{}:{}", project_.name, dataset, new_ulid(context_.clock.unix_ms()));
    run.trigger = "data";
    run.note = fmt::format("dataset '{}' changed to {}", dataset, version.digest.substr(0, 19));
    run.branch = project_.target;
    run.target = project_.target;
    run.sha = result.head;
    run.subject = result.commit->subject;
    run.author = result.commit->author;
    run.source = {context_.home.mirror(project_.name), project_.data};
    outcome.run = std::move(run);
  }
  commit([&](std::vector<Started>& started) -> Result<void> {
    PAWL_ASSIGN(std::string note, record(outcome, started));
    log_info("project {}: dataset '{}' is now {} ({} files){}", project_.name, dataset,
             version.digest.substr(0, 19), version.files, note.empty() ? "" : ": " + note);
    return store::put_data_version(
        db, {project_.name, dataset, version.digest, look.path, static_cast<int64_t>(version.files),
             static_cast<int64_t>(version.bytes), context_.clock.unix_ms(), version.manifest});
  });
}

void ProjectWorker::on_schedule(const WatchResult& result) {
  int64_t now = context_.clock.unix_ms();
  for (const pipeline::Cron& cron : result.pipeline->on.schedule) {
    auto checked = std::chrono::sys_seconds(std::chrono::seconds(schedule_checked_ms_ / 1000));
    int64_t due = cron.next_after(checked).time_since_epoch().count();
    if (due * 1000 > now) continue;
    DeliveryOutcome outcome;
    NewRun run;
    run.project = project_.name;
    run.event_key = fmt::format("schedule:{}:{}:{}", project_.name, cron.text(), due);
    run.trigger = "schedule";
    run.note = cron.text();
    run.branch = project_.target;
    run.target = project_.target;
    run.sha = result.head;
    run.subject = result.commit->subject;
    run.author = result.commit->author;
    run.source = {context_.home.mirror(project_.name), project_.data};
    outcome.run = std::move(run);
    commit([&](std::vector<Started>& started) -> Result<void> {
      PAWL_ASSIGN(std::string note, record(outcome, started));
      log_info("project {}: schedule '{}': {}", project_.name, cron.text(), note);
      return {};
    });
  }
  schedule_checked_ms_ = now;
}

}  // namespace pawl::core
