#include "engine/forge/status.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/base/url.h"
#include "engine/forge/git_ref.h"

namespace pawl::forge {
namespace {

constexpr size_t kMaxDescriptionBytes = 140;  // GitHub's limit, in characters: bytes are on the safe side
constexpr int64_t kMaxWaitSeconds = 24 * 3600;

std::string_view state_name(CommitState state) {
  switch (state) {
    case CommitState::pending:
      return "pending";
    case CommitState::success:
      return "success";
    case CommitState::failure:
      return "failure";
    case CommitState::error:
      return "error";
  }
  return "error";
}

// One line of valid UTF-8 that fits.
std::string short_description(std::string_view text) {
  std::string line = sanitize_for_terminal(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::replace(line.begin(), line.end(), '\t', ' ');
  if (line.size() <= kMaxDescriptionBytes) return line;
  return to_valid_utf8(line, kMaxDescriptionBytes - 3) + "...";
}

std::string encode_path(std::string_view repository) {
  std::vector<std::string> segments;
  for (std::string_view segment : split(repository, '/')) segments.push_back(percent_encode(segment));
  return join(segments, "/");
}

std::optional<int64_t> header_seconds(const HttpHeaders& headers, std::string_view name) {
  const std::string* value = headers.find(name);
  if (value == nullptr) return std::nullopt;
  Result<int64_t> number = parse_int(*value);
  return number.ok() ? std::optional<int64_t>(*number) : std::nullopt;
}

// How long the forge asks to wait: Retry-After as seconds or as a date (RFC 9110, section 10.2.3), else the
// moment GitHub's quota is filled again.
std::optional<int64_t> requested_wait(const HttpHeaders& headers, int64_t now_unix_s) {
  std::optional<int64_t> wait = header_seconds(headers, "Retry-After");
  if (const std::string* date = headers.find("Retry-After"); !wait && date != nullptr) {
    time_t when = curl_getdate(date->c_str(), nullptr);
    if (when != -1) wait = static_cast<int64_t>(when) - now_unix_s;
  }
  if (!wait && header_seconds(headers, "X-RateLimit-Remaining") == 0) {
    if (auto reset = header_seconds(headers, "X-RateLimit-Reset")) wait = *reset - now_unix_s;
  }
  if (!wait) return std::nullopt;
  return std::clamp<int64_t>(*wait, 1, kMaxWaitSeconds);
}

std::string answer_text(const HttpResponse& response) {
  std::string text = fmt::format("HTTP {}", response.status);
  Result<Json> body = parse_json(response.body, "answer");
  std::string message = body.ok() ? json_string(*body, "message") : std::string();
  if (!message.empty()) text += ": " + to_valid_utf8(sanitize_for_terminal(message), 300);
  return text;
}

}  // namespace

Result<HttpRequest> status_request(const StatusTarget& target, const CommitStatus& status) {
  if (target.forge == Forge::pawl)
    return Error(ErrorCode::invalid, "a plain git repository has no commit status");
  if (target.api_url.empty() || target.repository.find('/') == std::string::npos ||
      !is_object_id(target.sha) || target.token.empty() || status.context.empty()) {
    return Error(ErrorCode::invalid,
                 "a commit status needs API address, repository, commit, token and context");
  }
  std::string_view base = target.api_url;
  while (base.ends_with('/')) base.remove_suffix(1);

  Json body = {{"state", state_name(status.state)},
               {"context", status.context},
               {"description", short_description(status.description)}};
  if (!status.target_url.empty()) body["target_url"] = status.target_url;

  HttpRequest request;
  request.method = "POST";
  request.url = fmt::format("{}/repos/{}/statuses/{}", base, encode_path(target.repository), target.sha);
  request.body = dump_json(body);
  bool github = target.forge == Forge::github;
  request.headers.add("Authorization", (github ? "Bearer " : "token ") + target.token);
  request.headers.add("Content-Type", "application/json");
  request.headers.add("Accept", github ? "application/vnd.github+json" : "application/json");
  if (github) request.headers.add("X-GitHub-Api-Version", "2022-11-28");
  return request;
}

Result<ForgeRepository> locate_repository(Forge forge, std::string_view clone_url) {
  std::string scheme = "https";
  std::string_view rest = clone_url;
  std::string_view host;
  if (size_t colon = rest.find("://"); colon != std::string_view::npos) {
    if (rest.starts_with("http://")) scheme = "http";
    bool ssh = rest.starts_with("ssh://");
    rest.remove_prefix(colon + 3);
    size_t slash = std::min(rest.find('/'), rest.size());
    host = rest.substr(0, slash);
    if (ssh) host = host.substr(0, host.find(':'));  // the port of ssh says nothing about the API's
    rest.remove_prefix(std::min(slash + 1, rest.size()));
  } else {
    size_t split_at = std::min(rest.find(':'), rest.size());
    host = rest.substr(0, split_at);
    rest.remove_prefix(std::min(split_at + 1, rest.size()));
  }
  host.remove_prefix(host.find('@') == std::string_view::npos ? 0 : host.find('@') + 1);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.ends_with(".git")) rest.remove_suffix(4);
  size_t slash = rest.find('/');
  if (host.empty() || slash == std::string_view::npos || slash == 0 || slash + 1 == rest.size()) {
    return Error(ErrorCode::invalid, "host, owner and name cannot be read from the address",
                 std::string(clone_url));
  }
  ForgeRepository found;
  found.repository = rest;
  bool github_com = forge == Forge::github && iequals(host, "github.com");
  found.api_url = github_com
                      ? "https://api.github.com"
                      : fmt::format("{}://{}/api/{}", scheme, host, forge == Forge::github ? "v3" : "v1");
  return found;
}

StatusOutcome classify_answer(const Result<HttpResponse>& answer, int64_t now_unix_s) {
  using Kind = StatusOutcome::Kind;
  if (!answer.ok()) {
    bool lasting = answer.error().code() == ErrorCode::invalid;
    return {lasting ? Kind::rejected : Kind::retry, 0, answer.error().to_string()};
  }
  const HttpResponse& response = *answer;
  if (response.status / 100 == 2) return {Kind::written, 0, {}};
  std::optional<int64_t> wait = requested_wait(response.headers, now_unix_s);
  bool busy = response.status == 408 || response.status == 429 || response.status / 100 == 5;
  bool limited = response.status == 403 && wait.has_value();
  if (busy || limited) return {Kind::retry, wait.value_or(0), answer_text(response)};
  return {Kind::rejected, 0, answer_text(response)};
}

}  // namespace pawl::forge
