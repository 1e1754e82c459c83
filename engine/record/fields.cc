#include "engine/record/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace pawl::record {
namespace {

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
}

}  // namespace

Fields::Fields(const Json& object, std::string place, std::optional<Error>& problem)
    : object_(object), place_(std::move(place)), problem_(problem) {
  if (!object_.is_object()) refuse("", "must be an object");
}

void Fields::refuse(std::string_view key, std::string_view what) {
  if (problem_) return;
  const std::string place =
      place_.empty() || key.empty() ? fmt::format("{}{}", place_, key) : fmt::format("{}.{}", place_, key);
  problem_ = Error(ErrorCode::invalid, std::string(what), place.empty() ? "the entry" : place);
}

const Json* Fields::find(const char* key) {
  if (problem_) return nullptr;
  const auto it = object_.find(key);
  if (it != object_.end()) return &*it;
  refuse(key, "is missing");
  return nullptr;
}

const Json& Fields::raw(const char* key) {
  static const Json kNull;
  const Json* value = find(key);
  return value != nullptr ? *value : kNull;
}

std::string Fields::text(const char* key, std::size_t max) {
  const Json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_string()) {
    refuse(key, "must be a text");
    return {};
  }
  const auto& text = value->get_ref<const std::string&>();
  if (text.size() > max) {
    refuse(key, fmt::format("is longer than {} bytes", max));
  } else if (std::any_of(text.begin(), text.end(), is_control)) {
    refuse(key, "has control characters");
  }
  return problem_ ? std::string() : text;
}

std::string Fields::text_that(const char* key, const std::function<bool(std::string_view)>& holds,
                              const char* what) {
  std::string out = text(key);
  if (!problem_ && !holds(out)) refuse(key, what);
  return out;
}

std::string Fields::word(const char* key, std::initializer_list<std::string_view> known) {
  std::string out = text(key);
  if (!problem_ && std::find(known.begin(), known.end(), out) == known.end())
    refuse(key, "is a word this program does not know (a newer Pawl may)");
  return out;
}

std::string Fields::digest(const char* key) {
  return text_that(
      key,
      [](std::string_view text) {
        return text.size() == 71 && text.starts_with("sha256:") &&
               text.substr(7).find_first_not_of("0123456789abcdef") == std::string_view::npos;
      },
      "is not a digest (sha256:<64 hexadecimal digits>)");
}

int64_t Fields::integer(const char* key, int64_t least, int64_t most) {
  const Json* value = find(key);
  if (value == nullptr) return least;
  // An unsigned one may be more than an int64_t holds.
  const bool fits = value->is_number_integer() &&
                    (!value->is_number_unsigned() ||
                     value->get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
  if (!fits || value->get<int64_t>() < least || value->get<int64_t>() > most) {
    refuse(key, fmt::format("must be a whole number from {} to {}", least, most));
    return least;
  }
  return value->get<int64_t>();
}

double Fields::number(const char* key) {
  const Json* value = find(key);
  if (value == nullptr) return 0;
  const auto number = number_from_json(*value);
  if (!number) refuse(key, "must be a number");
  return number.value_or(0);
}

bool Fields::boolean(const char* key) {
  const Json* value = find(key);
  if (value == nullptr) return false;
  if (!value->is_boolean()) refuse(key, "must be true or false");
  return value->is_boolean() && value->get<bool>();
}

bool Fields::has(const char* key) {
  const Json* value = find(key);
  return value != nullptr && !value->is_null();
}

std::optional<int64_t> Fields::optional_integer(const char* key) {
  if (!has(key)) return std::nullopt;
  return integer(key);
}

std::optional<int64_t> Fields::optional_time(const char* key) {
  if (!has(key)) return std::nullopt;
  return time(key);
}

std::optional<double> Fields::optional_number(const char* key) {
  if (!has(key)) return std::nullopt;
  return number(key);
}

std::string Fields::json_text(const char* key, bool array) {
  if (!has(key)) return {};
  const Json& value = raw(key);
  if (array ? value.is_array() : value.is_object()) return dump_json(value);
  refuse(key, array ? "must be an array" : "must be an object");
  return {};
}

std::string Fields::object_text(const char* key) {
  return json_text(key, false);
}

std::string Fields::array_text(const char* key) {
  return json_text(key, true);
}

void Fields::object(const char* key, const std::function<void(Fields&)>& read) {
  const Json* value = find(key);
  if (value == nullptr) return;
  Fields fields(*value, place_.empty() ? std::string(key) : place_ + "." + key, problem_);
  if (!problem_) read(fields);
}

void Fields::each(const char* key, const std::function<void(Fields&, std::size_t)>& read) {
  const Json* value = find(key);
  if (value == nullptr) return;
  if (!value->is_array()) return refuse(key, "must be an array");
  std::size_t index = 0;
  for (const Json& element : *value) {
    const std::string name = fmt::format("{}[{}]", key, index);
    Fields fields(element, place_.empty() ? name : place_ + "." + name, problem_);
    if (problem_) return;
    read(fields, index++);
    if (problem_) return;
  }
}

}  // namespace pawl::record
