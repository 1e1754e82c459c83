// Pages for people that are not the report itself: signing in, and a run that has no report yet.
#pragma once

#include <string>
#include <string_view>

namespace pawl::http {

// The Content-Security-Policy of every page: inline styles, drawings, forms to us.
inline constexpr std::string_view kPagePolicy =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; frame-ancestors "
    "'none'; base-uri 'none'";

// A form that posts `token` to the address it was shown under. `problem` may be empty.
std::string sign_in_page(std::string_view problem);

// `text` from outside is escaped. Asks the browser to look again.
std::string waiting_page(std::string_view title, std::string_view text);

std::string plain_page(std::string_view title, std::string_view text);

}  // namespace pawl::http
