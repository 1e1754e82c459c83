// The routes of the daemon: webhooks in, the record and live state out, a few commands. What changes state is
// posted to the engine thread; what reads does so through a connection of its own on a small pool; the HTTP
// loop only moves bytes.
#pragma once

#include <memory>
#include <string>

#include "engine/base/loop.h"
#include "engine/base/pool.h"
#include "engine/base/sync.h"
#include "engine/core/engine.h"
#include "engine/http/event_hub.h"
#include "engine/http/router.h"

namespace pawl::http {

// Must outlive the server that uses its router, and be destroyed before the engine.
class Api {
 public:
  // Engine thread. Subscribes to the engine's events.
  Api(core::Engine& engine, EventLoop& engine_loop);
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  Router router();

  // Engine thread: the webhook secrets are taken from the engine's configuration anew.
  void config_changed();

 private:
  struct Waiting;  // a verified delivery and whom to answer
  using Secrets = std::map<std::string, std::vector<std::string>>;
  using Query = std::function<Result<Response>(Db&, const Request&)>;

  void receive_webhook(Request request, Responder respond);
  void store_waiting();
  Handler reading(Query query);
  Handler on_engine(std::function<void(const Request&, const Responder&)> action);
  void add_reading_routes(Router& router);
  void add_acting_routes(Router& router);
  void add_pages(Router& router);
  Result<Response> run_page(Db& db, const Request& request) const;

  core::Engine& engine_;
  EventLoop& loop_;
  const core::Home home_;
  EventHub events_;
  Sync<Secrets> secrets_;
  Sync<std::vector<Waiting>> waiting_;
  WorkerPool readers_;
};

}  // namespace pawl::http
