#include "engine/forge/http_client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>

#include "engine/base/text.h"

namespace pawl::forge {
namespace {

constexpr int kMaxRedirects = 3;
constexpr long kSilenceSeconds = 60;

struct UrlParts {
  std::string scheme;
  std::string host;
  std::string port;
  std::string path;

  std::string origin() const { return scheme + "://" + host + ":" + port; }
  std::string shown() const { return origin() + path; }  // without the query: it may hold a secret
  bool is_loopback() const {
    in_addr v4{};
    bool is_v4 = inet_pton(AF_INET, host.c_str(), &v4) == 1;
    return host == "localhost" || host == "[::1]" || (is_v4 && (ntohl(v4.s_addr) >> 24) == 127);
  }
};

std::string url_part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string out = text;
  curl_free(text);
  return out;
}

Result<UrlParts> parse_url(const std::string& text) {
  std::unique_ptr<CURLU, void (*)(CURLU*)> url(curl_url(), curl_url_cleanup);
  if (CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0); code != CURLUE_OK) {
    return Error(ErrorCode::invalid, fmt::format("not a URL: {}", curl_url_strerror(code)));
  }
  if (!url_part(url.get(), CURLUPART_USER).empty() || !url_part(url.get(), CURLUPART_PASSWORD).empty()) {
    return Error(ErrorCode::invalid, "a user or password does not belong into a URL");
  }
  return UrlParts{
      to_lower(url_part(url.get(), CURLUPART_SCHEME)), to_lower(url_part(url.get(), CURLUPART_HOST)),
      url_part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT), url_part(url.get(), CURLUPART_PATH)};
}

// The answer while it comes in.
struct Exchange {
  CURL* handle;
  const HttpRequest& request;
  size_t max_bytes;
  HttpResponse response;
  bool too_large = false;
  bool stopped = false;
};

size_t on_data(char* bytes, size_t size, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  std::string_view piece(bytes, size * count);
  long status = 0;
  curl_easy_getinfo(exchange.handle, CURLINFO_RESPONSE_CODE, &status);
  if (exchange.request.on_body && status / 100 == 2) {
    exchange.stopped = !exchange.request.on_body(piece);
    return exchange.stopped ? 0 : piece.size();
  }
  exchange.too_large = exchange.response.body.size() + piece.size() > exchange.max_bytes;
  if (exchange.too_large) return 0;
  exchange.response.body += piece;
  return piece.size();
}

size_t on_header(char* bytes, size_t size, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  std::string_view line(bytes, size * count);
  if (line.starts_with("HTTP/")) exchange.response.headers = {};  // of an interim answer before
  size_t colon = line.find(':');
  if (colon != std::string_view::npos && !line.starts_with("HTTP/")) {
    exchange.response.headers.add(std::string(line.substr(0, colon)),
                                  std::string(trim(line.substr(colon + 1))));
  }
  return line.size();
}

// Close-on-exec, which libcurl leaves out. (Its wake-up pipe cannot be reached; spawn() closes that in
// children.)
curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr* address) {
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

bool is_header_safe(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

using HeaderList = std::unique_ptr<curl_slist, void (*)(curl_slist*)>;

Result<HeaderList> header_list(const HttpRequest& request) {
  HeaderList list(nullptr, curl_slist_free_all);
  auto append = [&list](const std::string& line) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    PAWL_CHECK(longer != nullptr);
    (void)list.release();
    list.reset(longer);
  };
  for (const auto& [name, value] : request.headers) {
    if (name.empty() || !is_header_safe(name) || !is_header_safe(value) ||
        name.find(':') != std::string::npos) {
      return Error(ErrorCode::invalid,
                   fmt::format("the header {} cannot be sent", sanitize_for_terminal(name)));
    }
    append(value.empty() ? name + ";" : name + ": " + value);
  }
  append("Expect:");  // no extra round trip before a body
  return list;
}

Error transport_error(CURLcode code, const char* detail, const Exchange& exchange, const std::string& where) {
  std::string text = *detail != '\0' ? detail : curl_easy_strerror(code);
  if (exchange.stopped) return Error(ErrorCode::cancelled, "stopped by the receiver", where);
  if (exchange.too_large) {
    return Error(ErrorCode::invalid, fmt::format("the answer is larger than {} bytes", exchange.max_bytes),
                 where);
  }
  if (code == CURLE_OPERATION_TIMEDOUT) return Error(ErrorCode::timeout, text, where);
  if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT) {
    return Error(ErrorCode::invalid, text, where);
  }
  return Error(ErrorCode::unavailable, text, where);
}

void set_timeouts(CURL* handle, const HttpRequest& request, int64_t connect_timeout_ms) {
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_timeout_ms));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
  if (request.timeout_ms == 0) {
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, kSilenceSeconds);
  }
}

void set_method(CURL* handle, const HttpRequest& request) {
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
      request.method == "PATCH") {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  } else if (request.method == "HEAD") {
    curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
  }
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void init_curl_once() {
  static const CURLcode kCode = curl_global_init(CURL_GLOBAL_DEFAULT);
  PAWL_CHECK(kCode == CURLE_OK);
}

}  // namespace

struct HttpClient::State {
  HttpClientOptions options;
  std::unique_ptr<CURL, void (*)(CURL*)> handle{nullptr, curl_easy_cleanup};

  Result<UrlParts> check(const std::string& url) const;
  Result<HttpResponse> exchange(const HttpRequest& request, const std::string& url, const UrlParts& parts,
                                std::string* redirect);
};

// The URL's parts when it may be asked at all.
Result<UrlParts> HttpClient::State::check(const std::string& url) const {
  PAWL_ASSIGN(UrlParts parts, parse_url(url));
  if (parts.scheme == "https") return parts;
  if (parts.scheme == "http" && (options.allow_plain_http || parts.is_loopback())) return parts;
  return Error(ErrorCode::invalid, "only https is spoken to other machines", parts.shown());
}

Result<HttpResponse> HttpClient::State::exchange(const HttpRequest& request, const std::string& url,
                                                 const UrlParts& parts, std::string* redirect) {
  CURL* curl = handle.get();
  PAWL_ASSIGN(HeaderList headers, header_list(request));
  char detail[CURL_ERROR_SIZE] = "";
  Exchange exchange{curl, request, options.max_response_bytes, {}};
  curl_easy_reset(curl);
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "pawl");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  if (parts.is_loopback()) curl_easy_setopt(curl, CURLOPT_PROXY, "");
  set_method(curl, request);
  set_timeouts(curl, request, options.connect_timeout_ms);

  if (CURLcode code = curl_easy_perform(curl); code != CURLE_OK) {
    return transport_error(code, detail, exchange, parts.shown());
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  exchange.response.status = static_cast<int>(status);
  char* location = nullptr;
  curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &location);
  if (location != nullptr && (status == 301 || status == 307 || status == 308)) *redirect = location;
  return std::move(exchange.response);
}

HttpClient::HttpClient(HttpClientOptions options) : state_(std::make_unique<State>()) {
  init_curl_once();
  state_->options = options;
  state_->handle.reset(curl_easy_init());
  PAWL_CHECK(state_->handle != nullptr);
}

HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;

Result<HttpResponse> HttpClient::send(const HttpRequest& request) {
  PAWL_ASSIGN(UrlParts parts, state_->check(request.url));
  std::string url = request.url;
  for (int hops = 0;; ++hops) {
    std::string redirect;
    PAWL_ASSIGN(HttpResponse response, state_->exchange(request, url, parts, &redirect));
    if (redirect.empty() || hops == kMaxRedirects) return response;
    Result<UrlParts> target = parse_url(redirect);
    if (!target.ok() || target->origin() != parts.origin()) return response;
    url = redirect;
  }
}

}  // namespace pawl::forge
