// Percent-encoding (RFC 3986, section 2.1) and form fields (application/x-www-form-urlencoded).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pawl {

// No value when an escape is broken ("%", "%4", "%zz"). The result may hold any byte, NUL too.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

// Everything but letters, digits and -._~ escaped: safe as one segment of a path or as a query value.
std::string percent_encode(std::string_view text);

using FormFields = std::vector<std::pair<std::string, std::string>>;

// "a=1&b=x+y" in order, decoded; empty pieces are skipped. No value when an escape is broken or there are
// more than `max_fields` fields.
std::optional<FormFields> parse_form(std::string_view text, size_t max_fields);

}  // namespace pawl
