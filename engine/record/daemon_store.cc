#include "engine/record/daemon_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/ids.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/base/url.h"

namespace pawl::record {
namespace {

constexpr std::size_t kBatchBytes = 4u << 20;  // of entries in one request, or one entry
constexpr int64_t kTimeoutMs = 60'000;

forge::HttpClientOptions options() {
  forge::HttpClientOptions out;
  out.max_response_bytes = 2 * kMaxEntryBytes;
  return out;
}

std::string entries_path(const std::string& project) {
  return fmt::format("/api/v1/record/projects/{}/entries", percent_encode(project));
}

std::string digest_path(const std::string& digest) {
  return "/api/v1/record/files/" + percent_encode(digest);
}

Json to_json(const NewEntry& entry) {
  return {{"name", entry.name}, {"text", entry.text}};
}

}  // namespace

DaemonStore::DaemonStore(std::string url, std::string token)
    : url_(std::move(url)), token_(std::move(token)), http_(options()) {
  while (url_.ends_with('/')) url_.pop_back();
}

forge::HttpRequest DaemonStore::request(std::string method, const std::string& path) const {
  forge::HttpRequest out;
  out.method = std::move(method);
  out.url = url_ + path;
  out.timeout_ms = kTimeoutMs;
  out.headers.add("Authorization", "Bearer " + token_);
  return out;
}

Error DaemonStore::refusal(const forge::HttpResponse& response) const {
  if (response.status == 401 || response.status == 403) {
    return Error(
        ErrorCode::unavailable,
        fmt::format("does not accept the token in PAWL_TOKEN ({}): it is `token` in the daemon's config.yml",
                    response.status));
  }
  const Json body = parse_json(response.body, "").value_or(Json());
  const Json error = body.is_object() ? body.value("error", Json::object()) : Json::object();
  const std::string message = to_valid_utf8(json_string(error, "message"), 2000);
  return Error(response.status == 404 ? ErrorCode::not_found : ErrorCode::unavailable,
               message.empty() ? fmt::format("answered {}", response.status)
                               : fmt::format("answered {}: {}", response.status, message));
}

Result<std::string> DaemonStore::exchange(forge::HttpClient& http, const forge::HttpRequest& request) const {
  PAWL_ASSIGN(forge::HttpResponse response, http.send(request));
  if (response.status / 100 == 2) return std::move(response.body);
  return refusal(response);
}

Result<void> DaemonStore::open() {
  if (token_.empty()) {
    return Error(ErrorCode::unavailable,
                 "needs a token: set PAWL_TOKEN to `token` of the daemon's config.yml");
  }
  auto answer = exchange(http_, request("GET", "/api/v1/record"));
  if (!answer.ok() && answer.error().code() == ErrorCode::not_found)
    return Error(ErrorCode::unavailable, "is no Pawl, or an older one: it keeps no record for others");
  if (!answer.ok()) return std::move(answer).error();
  PAWL_ASSIGN(Json body, parse_json(*answer, "its answer"));
  if (json_int(body, "format") == 1) return {};
  return Error(ErrorCode::unavailable,
               "keeps a record of another format: this Pawl is older than the daemon");
}

Result<std::vector<std::string>> DaemonStore::list(const std::string& project) {
  PAWL_ASSIGN(std::string text, exchange(http_, request("GET", entries_path(project))));
  PAWL_ASSIGN(Json body, parse_json(text, "its answer"));
  const Json names = body.is_object() ? body.value("entries", Json()) : Json();
  std::vector<std::string> out;
  for (const Json& name : names.is_array() ? names : Json::array()) {
    if (!name.is_string() || !kind_of(name.get<std::string>()))
      return Error(ErrorCode::invalid, "lists something that is no entry");
    out.push_back(name.get<std::string>());
  }
  return out;
}

Result<std::string> DaemonStore::get(const std::string& project, const std::string& name) {
  return exchange(http_, request("GET", entries_path(project) + "/" + percent_encode(name)));
}

Result<void> DaemonStore::get_file(const std::string& digest, const std::string& to) const {
  UniqueFd file(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return errno_error("cannot create", to, errno);
  Result<void> written;
  forge::HttpRequest asked = request("GET", digest_path(digest));
  asked.timeout_ms = 0;
  asked.on_body = [&](std::string_view bytes) {
    written = write_all(file.get(), bytes);
    return written.ok();
  };
  forge::HttpClient http(options());  // ours belongs to another thread
  auto answer = exchange(http, asked);
  if (!written.ok()) return written;
  if (!answer.ok()) return std::move(answer).error();
  return {};
}

std::string DaemonStore::refuses(const NewFile& file) const {
  if (file.bytes <= kMaxDaemonFileBytes) return {};
  return fmt::format("is {}, the daemon takes files of at most {}", format_bytes(file.bytes),
                     format_bytes(kMaxDaemonFileBytes));
}

// In pieces, so that neither side holds a model in memory.
Result<void> DaemonStore::send_file(const NewFile& file) {
  auto there = http_.send(request("HEAD", digest_path(file.digest)));
  if (!there.ok()) return std::move(there).error();
  if (there->status == 200) return {};
  UniqueFd from(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from) return errno_error("cannot open", file.path, errno);
  const std::string upload = random_hex(16);
  std::uint64_t offset = 0;
  do {
    std::string piece(kPieceBytes, '\0');
    const ssize_t n = pread(from.get(), piece.data(), piece.size(), static_cast<off_t>(offset));
    if (n < 0) return errno_error("cannot read", file.path, errno);
    if (n == 0 && offset < file.bytes) return Error(ErrorCode::io, "is shorter than it was", file.path);
    piece.resize(static_cast<std::size_t>(n));
    forge::HttpRequest sent = request(
        "POST",
        fmt::format("{}?upload={}&offset={}&bytes={}", digest_path(file.digest), upload, offset, file.bytes));
    sent.headers.add("Content-Type", "application/octet-stream");
    sent.timeout_ms = 0;
    offset += piece.size();
    sent.body = std::move(piece);
    auto answer = exchange(http_, sent);
    if (!answer.ok()) return std::move(answer).error();
  } while (offset < file.bytes);
  return {};
}

Result<void> DaemonStore::add(const std::string& project, const std::vector<NewFile>& files,
                              const std::vector<NewEntry>& entries) {
  for (const NewFile& file : files) PAWL_RETURN_IF_ERROR(send_file(file));
  Json batch = Json::array();
  std::size_t bytes = 0;
  const auto send = [&]() -> Result<void> {
    forge::HttpRequest sent = request("POST", entries_path(project));
    sent.headers.add("Content-Type", "application/json");
    sent.body = dump_json({{"entries", batch}});
    sent.timeout_ms = 0;
    PAWL_RETURN_IF_ERROR(exchange(http_, sent));
    batch = Json::array();
    bytes = 0;
    return {};
  };
  for (const NewEntry& entry : entries) {
    if (!batch.empty() && bytes + entry.text.size() > kBatchBytes) PAWL_RETURN_IF_ERROR(send());
    batch.push_back(to_json(entry));
    bytes += entry.text.size();
  }
  if (!batch.empty()) return send();
  return {};
}

}  // namespace pawl::record
