#include "engine/base/json.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace pawl {
namespace {

constexpr int kMaxDepth = 64;

// nlohmann parses recursively on destruction and dump; a cheap scan refuses deep nesting before it starts.
bool too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

const Json* find(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  auto it = object.find(std::string(key));
  return it == object.end() ? nullptr : &*it;
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view where) {
  if (too_deep(text)) {
    return Error(ErrorCode::invalid, fmt::format("is nested deeper than {} levels", kMaxDepth),
                 std::string(where));
  }
  try {
    return Json::parse(text);
  } catch (const Json::exception& e) {
    std::string what = e.what();
    if (size_t at = what.find("] "); at != std::string::npos) what.erase(0, at + 2);
    return Error(ErrorCode::invalid, "is not JSON: " + what, std::string(where));
  }
}

std::string dump_json(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}
std::string dump_json_pretty(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

Json number_to_json(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

std::optional<double> number_from_json(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (value == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (value == "Infinity") return std::numeric_limits<double>::infinity();
  if (value == "-Infinity") return -std::numeric_limits<double>::infinity();
  return std::nullopt;
}

std::string json_string(const Json& object, std::string_view key, std::string_view fallback) {
  const Json* value = find(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string(fallback);
}

int64_t json_int(const Json& object, std::string_view key, int64_t fallback) {
  const Json* value = find(object, key);
  return value != nullptr && value->is_number_integer() ? value->get<int64_t>() : fallback;
}

double json_double(const Json& object, std::string_view key, double fallback) {
  const Json* value = find(object, key);
  return value != nullptr && value->is_number() ? value->get<double>() : fallback;
}

bool json_bool(const Json& object, std::string_view key, bool fallback) {
  const Json* value = find(object, key);
  return value != nullptr && value->is_boolean() ? value->get<bool>() : fallback;
}

}  // namespace pawl
