// A browser's proof that it once showed the API token: a cookie the daemon signs and does not store. It ends
// by itself and with the token it was made from, and opens the pages for people only, never the API.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/http_headers.h"

namespace pawl::http {

inline constexpr int64_t kSessionSeconds = 30 * 24 * 3600;

// The value of Set-Cookie. `secure`: the browser reached us over TLS. SameSite=Lax, not Strict: reviewers
// follow a link from their forge.
std::string session_cookie(std::string_view token, int64_t now_s, bool secure);

// Whether the request carries a cookie of one of the tokens (an empty one never counts) that has not ended.
bool has_session(const std::vector<std::string>& tokens, const HttpHeaders& headers, int64_t now_s);

}  // namespace pawl::http
