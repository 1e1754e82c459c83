#include "engine/trace/log_line.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"

namespace pawl::trace {
namespace {

constexpr std::array<std::string_view, 3> kNotFinite = {"-Infinity", "Infinity", "NaN"};

// The words that Python writes without quotes, in quotes.
std::string with_quotes(std::string_view text) {
  std::string out;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') in_string = !in_string;
    if (in_string && c == '\\' && i + 1 < text.size()) out += text[i++];
    std::string_view word;
    for (std::string_view candidate : kNotFinite) {
      if (!in_string && word.empty() && text.substr(i).starts_with(candidate)) word = candidate;
    }
    if (word.empty()) {
      out += text[i];
    } else {
      out += fmt::format("\"{}\"", word);
      i += word.size() - 1;
    }
  }
  return out;
}

Error wrong(std::string_view name, std::string_view what) {
  return Error(ErrorCode::invalid, fmt::format("'{}' {}", to_valid_utf8(name, 80), what));
}

Result<LoggedValue> make_value(std::string_view name, double value, const LossNames& losses) {
  if (name.empty()) return Error(ErrorCode::invalid, "a value without a name");
  if (name.size() > kMaxSeriesName)
    return wrong(name, fmt::format("... is longer than {} bytes", kMaxSeriesName));
  return LoggedValue{std::string(name), losses.contains(name) ? Kind::loss : Kind::scalar, value};
}

Result<uint64_t> step_of(const Json& json) {
  // 12.0, as data frames write it.
  const double number = json.is_number() ? json.get<double>() : -1;
  if (number >= 0 && number <= static_cast<double>(kMaxLogStep) && number == std::floor(number))
    return static_cast<uint64_t>(number);
  return Error(ErrorCode::invalid,
               fmt::format("'step' must be a number from 0 to {}, not {}", kMaxLogStep, dump_json(json)));
}

}  // namespace

Result<bool> parse_log_mode(std::string_view text) {
  if (text == "train") return false;
  if (text == "eval") return true;
  return Error(ErrorCode::invalid,
               fmt::format("the mode must be 'train' or 'eval', not '{}'", to_valid_utf8(text, 40)));
}

Result<LogLine> parse_log_line(std::string_view text, const LossNames& losses) {
  auto json = parse_json(with_quotes(text), "");
  if (!json.ok()) return Error(ErrorCode::invalid, json.error().message());
  if (!json->is_object())
    return Error(ErrorCode::invalid, R"(is no JSON object, such as {"step": 12, "loss": 0.31})");
  LogLine line;
  for (const auto& [name, value] : json->items()) {
    if (name == "step") {
      PAWL_ASSIGN(line.step, step_of(value));
    } else if (name == "mode") {
      PAWL_ASSIGN(line.eval, parse_log_mode(value.is_string() ? value.get<std::string>() : dump_json(value)));
    } else {
      const auto number = number_from_json(value);
      if (!number && !losses.contains(name)) continue;
      if (!number) {
        const std::string shown = to_valid_utf8(dump_json(value), 40);
        return wrong(name,
                     fmt::format("must be a number, \"NaN\", \"Infinity\" or \"-Infinity\", not {}", shown));
      }
      PAWL_ASSIGN(LoggedValue logged, make_value(name, *number, losses));
      line.values.push_back(std::move(logged));
    }
  }
  return line;
}

Result<LoggedValue> parse_log_value(std::string_view text, const LossNames& losses) {
  const size_t equals = text.rfind('=');
  if (equals == std::string_view::npos) return wrong(text, "is no NAME=VALUE, such as loss=0.31");
  const std::string_view number = text.substr(equals + 1);
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc() || end != number.data() + number.size()) return wrong(number, "is not a number");
  return make_value(text.substr(0, equals), value, losses);
}

}  // namespace pawl::trace
