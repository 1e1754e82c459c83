// JSON text in and out (nlohmann/json behind a light header). Include <nlohmann/json.hpp> in the .cc that
// uses the members of Json.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/error.h"

namespace pawl {

using Json = nlohmann::json;

// Parses text from outside: depth at most 64; the error names `where` (a path or "webhook body"), line and
// column. Duplicate keys: the last one wins, as JavaScript does; parsers that must refuse them say so
// themselves.
Result<Json> parse_json(std::string_view text, std::string_view where);

// One line; invalid UTF-8 is replaced, so dumping never fails. NaN and infinities become null: encode them as
// strings before.
std::string dump_json(const Json& value);
std::string dump_json_pretty(const Json& value);

// Numbers that may be no number: NaN and the infinities are the strings "NaN", "Infinity", "-Infinity".
Json number_to_json(double value);
std::optional<double> number_from_json(const Json& value);  // absent: neither a number nor one of the strings

// Accessors for objects from outside: an absent key or a wrong type gives the fallback.
std::string json_string(const Json& object, std::string_view key, std::string_view fallback = {});
int64_t json_int(const Json& object, std::string_view key, int64_t fallback = 0);
double json_double(const Json& object, std::string_view key, double fallback = 0);
bool json_bool(const Json& object, std::string_view key, bool fallback = false);

}  // namespace pawl
