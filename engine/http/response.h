// The bytes before a body.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/http/http.h"

namespace pawl::http {

// Status line and header fields, with the empty line. No length for a body that ends with the connection (an
// event stream). Line breaks in values cannot get out: such a field is dropped.
std::string response_head(const Response& response, std::optional<uint64_t> content_length, bool keep_alive,
                          int64_t unix_s);

std::string_view reason_phrase(int status);

}  // namespace pawl::http
