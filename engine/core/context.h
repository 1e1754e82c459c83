// What the parts of the engine share. Everything here belongs to the engine thread (the thread that runs
// `loop`), except what says otherwise.
#pragma once

#include <functional>
#include <string>

#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "engine/base/loop.h"
#include "engine/base/pool.h"
#include "engine/base/sqlite.h"
#include "engine/base/sync.h"
#include "engine/core/config.h"
#include "engine/core/home.h"
#include "engine/schedule/slots.h"
#include "engine/store/cas.h"
#include "engine/trigger/data.h"

namespace pawl::core {

// Something a watcher of the engine may want to know: `topic` is "run", "stage", "progress" or "finding".
struct Event {
  std::string topic;
  std::string run_id;
  std::string json;  // one object
};

struct Context {
  const Home& home;
  const Install& install;
  const Clock& clock;
  EventLoop& loop;
  WorkerPool& pool;
  Db& db;  // the one writing connection
  schedule::Slots& slots;
  Config config;                              // replaced when config.yml changes
  Sync<trigger::StatCache> data_cache;        // any thread
  std::function<void(const Event&)> publish;  // to everybody who watches
  std::function<void()> schedule_soon;        // slots or stages changed: look at the queue again
  store::BlobSource files;                    // of runs that were made elsewhere; any thread

  void publish_json(std::string topic, const std::string& run_id, const Json& body) const;
};

// Runs `work` on the pool and `done` with its result on the engine thread. `work` must not touch engine
// state. A `done` whose owner may be gone by then must check that itself.
template <class Work, class Done>
void run_on_pool(Context& context, Work work, Done done) {
  EventLoop* loop = &context.loop;
  context.pool.submit([loop, work = std::move(work), done = std::move(done)]() mutable {
    auto result = std::make_shared<decltype(work())>(work());
    loop->post([result, done = std::move(done)]() mutable { done(std::move(*result)); });
  });
}

// Engine state and record must not differ: when a write of the record fails, the process ends here and starts
// again from what is on disk.
void must_record(const Result<void>& written, const char* what);

}  // namespace pawl::core
