// pawl hook post-receive: what a bare git repository runs after a push. It tells the daemon, and never fails
// the push.

#include <fmt/format.h>
#include <limits.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/base/clock.h"
#include "engine/base/files.h"
#include "engine/base/ids.h"
#include "engine/base/json.h"
#include "engine/base/subprocess.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/core/home.h"
#include "engine/forge/http_client.h"
#include "engine/forge/post_receive.h"
#include "engine/trigger/git.h"

namespace pawl::cli {
namespace {

constexpr size_t kMaxInput = 16 << 20;
constexpr int kTries = 3;

Result<std::string> read_stdin() {
  std::string out;
  char buffer[65536];
  while (true) {
    ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("cannot read standard input", "", errno);
    if (n == 0) return out;
    out.append(buffer, static_cast<size_t>(n));
    if (out.size() > kMaxInput) return Error(ErrorCode::invalid, "git reported too many references");
  }
}

Result<std::string> git_setting(const char* key) {
  CommandOptions options;
  options.argv = {"git", "config", "--get", key};
  PAWL_ASSIGN(CommandResult result, run_command(options));
  std::string value(trim(result.out));
  if (!result.status.success() || value.empty()) {
    return Error(ErrorCode::usage,
                 fmt::format("this repository has no setting {}: add the project with `pawl project add"
                             " --install-hook`",
                             key));
  }
  return value;
}

// Where the daemon of the home listens now, if it can be told; else where it did when the hook was installed.
Result<std::string> webhook_url() {
  PAWL_ASSIGN(std::string configured, git_setting("pawl.webhook"));
  auto home = git_setting("pawl.home");
  if (!home.ok()) return configured;
  core::Home daemon{*home};
  auto endpoint = read_file(daemon.endpoint(), 1 << 16);
  if (!endpoint.ok()) return configured;
  std::string url = json_string(parse_json(*endpoint, daemon.endpoint()).value_or(Json::object()), "url");
  return url.empty() ? configured : url + configured.substr(configured.rfind("/hooks/"));
}

Result<void> deliver(const std::string& url, const forge::SignedDelivery& delivery) {
  forge::HttpClient http;
  forge::HttpRequest request;
  request.method = "POST";
  request.url = url;
  request.headers = delivery.headers;
  request.body = delivery.body;
  Result<forge::HttpResponse> response = Error(ErrorCode::unavailable, "not sent");
  for (int attempt = 0; attempt < kTries; ++attempt) {
    response = http.send(request);
    if (response.ok() && response->status < 500) break;
  }
  if (!response.ok()) return std::move(response).error();
  if (response->status / 100 == 2) return {};
  return Error(ErrorCode::unavailable,
               fmt::format("answered {}: {}", response->status, to_valid_utf8(response->body, 300)), url);
}

Result<void> post_receive() {
  PAWL_ASSIGN(std::string input, read_stdin());
  PAWL_ASSIGN(auto updates, forge::parse_ref_updates(input));
  PAWL_ASSIGN(std::string url, webhook_url());
  PAWL_ASSIGN(std::string secret, git_setting("pawl.secret"));
  char cwd[PATH_MAX];
  if (getcwd(cwd, sizeof cwd) == nullptr) return errno_error("cannot read the working directory", "", errno);
  trigger::Repository repository(cwd);
  for (forge::RefUpdate& update : updates) {
    auto commit = repository.commit(update.after);
    if (commit.ok()) update.message = commit->subject;
  }
  const char* user = std::getenv("USER");
  std::string name = std::string(cwd).substr(std::string(cwd).find_last_of('/') + 1);
  if (name.ends_with(".git")) name.resize(name.size() - 4);
  std::string owner = user != nullptr && *user != '\0' ? user : "local";
  auto deliveries = forge::push_deliveries(updates, {owner + "/" + name, cwd, owner},
                                           new_ulid(SystemClock().unix_ms()), secret);
  for (const forge::SignedDelivery& delivery : deliveries) PAWL_RETURN_IF_ERROR(deliver(url, delivery));
  return {};
}

}  // namespace

int hook_post_receive() {
  auto done = post_receive();
  if (done.ok()) return 0;
  // The push itself has succeeded; the daemon's comparison of branch heads finds it later.
  std::fprintf(stderr, "pawl: the push was not reported: %s\n",
               sanitize_for_terminal(done.error().to_string()).c_str());
  return 0;
}

}  // namespace pawl::cli
