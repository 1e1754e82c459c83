// pawl serve: the daemon. The main thread is the engine thread; the HTTP server has a thread of its own.

#include <fmt/format.h>
#include <signal.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "engine/base/clock.h"
#include "engine/base/ids.h"
#include "engine/base/json.h"
#include "engine/base/log.h"
#include "engine/cli/commands.h"
#include "engine/cli/engine_options.h"
#include "engine/cli/output.h"
#include "engine/core/config.h"
#include "engine/core/engine.h"
#include "engine/http/api.h"
#include "engine/http/server.h"

namespace pawl::cli {
namespace {

// The token is made when the home is, so that the API never answers without one.
Result<core::Config> configured(const core::Home& home) {
  PAWL_RETURN_IF_ERROR(make_dirs(home.root, 0700));
  PAWL_ASSIGN(core::Config config, core::load_config(home.config()));
  if (config.token.empty()) {
    config.token = random_hex(32);
    PAWL_RETURN_IF_ERROR(core::save_config(home.config(), config));
  }
  return config;
}

// "https://ci.example.com:8443/pawl" -> "ci.example.com"
std::string host_of(std::string_view url) {
  if (size_t at = url.find("://"); at != std::string_view::npos) url.remove_prefix(at + 3);
  url = url.substr(0, url.find('/'));
  size_t colon = url.rfind(':');
  return std::string(url.ends_with(']') ? url : url.substr(0, colon));
}

Result<int> serve_home(const Global& global, const ServeOptions& options) {
  PAWL_ASSIGN(core::Home home, core::find_home(global.home));
  PAWL_ASSIGN(core::Install install, core::find_install());
  PAWL_ASSIGN(core::Config config, configured(home));
  SystemClock clock;
  EventLoop loop;
  StopSignals signals;  // before any thread is made, so that all inherit the mask
  auto opened = core::Engine::open(home, install, this_machine(), loop, clock);
  if (!opened.ok()) {
    if (opened.error().code() != ErrorCode::conflict) return std::move(opened).error();
    return Error(ErrorCode::conflict, fmt::format("another pawl works in {}", home.root));
  }
  core::Engine& engine = **opened;

  http::Api api(engine, loop);
  http::ServerOptions server_options;
  server_options.listen = options.listen.empty() ? config.listen : options.listen;
  server_options.access.tokens = {config.token};
  if (!config.public_url.empty()) server_options.access.public_hosts = {host_of(config.public_url)};
  PAWL_ASSIGN(auto server, http::Server::start(std::move(server_options), api.router()));
  Json endpoint = {{"url", server->url()}, {"pid", getpid()}};
  PAWL_RETURN_IF_ERROR(write_file_atomic(home.endpoint(), dump_json(endpoint) + "\n", 0600));

  loop.watch_readable(signals.fd(), [&] {
    int signal = signals.take();
    if (signal == SIGHUP) {
      if (auto reloaded = engine.reload_config(); !reloaded.ok())
        log_error("{}", reloaded.error().to_string());
      return api.config_changed();
    }
    log_info("{}: stopping; what runs goes on and is picked up by the next start", strsignal(signal));
    loop.stop();
  });
  // `pawl project add` replaces config.yml by a rename.
  UniqueFd watch(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!watch || inotify_add_watch(watch.get(), home.root.c_str(), IN_MOVED_TO | IN_CLOSE_WRITE) < 0) {
    return errno_error("cannot watch", home.root, errno);
  }
  loop.watch_readable(watch.get(), [&] {
    alignas(inotify_event) char buffer[8192];
    bool changed = false;
    for (ssize_t n; (n = read(watch.get(), buffer, sizeof buffer)) > 0;) {
      for (char* at = buffer; at < buffer + n;) {
        auto* event = reinterpret_cast<inotify_event*>(at);
        changed = changed || (event->len > 0 && std::string_view(event->name) == "config.yml");
        at += sizeof(inotify_event) + event->len;
      }
    }
    if (!changed) return;
    if (auto reloaded = engine.reload_config(); !reloaded.ok())
      log_error("config.yml: {}", reloaded.error().to_string());
    api.config_changed();
  });

  engine.start_serving();
  api.config_changed();
  log_info("pawl serves {} on {}", home.root, server->url());
  if (global.json) print(dump_json(endpoint) + "\n");
  loop.run();
  server->stop();
  engine.stop();
  (void)unlink(home.endpoint().c_str());
  return 0;
}

}  // namespace

int serve(const Global& global, const ServeOptions& options) {
  auto result = serve_home(global, options);
  return result.ok() ? *result : fail(result.error());
}

}  // namespace pawl::cli
