#include "engine/gate/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "engine/base/text.h"

namespace pawl::gate {
namespace {

constexpr std::size_t kMaxNameBytes = 128;

// C0, DEL and the UTF-8 form of C1; the JSON parser has made sure of valid UTF-8.
bool has_control_character(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
  }
  return false;
}

std::string shown(std::string_view name) {
  return '"' + sanitize_for_terminal(name.substr(0, kMaxNameBytes)) + '"';
}

std::optional<double> spelled_number(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  return std::nullopt;
}

// Two levels: the object of metrics (depth 1) and one metric written as an object (depth 2). Events are used
// because a document tree keeps only the last of two equal keys.
class MetricsHandler final : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<Metric> take_metrics() { return std::move(metrics_); }
  const std::string& problem() const { return problem_; }

  bool start_object(std::size_t) override {
    if (++depth_ == 1) return true;
    if (depth_ > 2) return wrong_type("an object");
    has_value_ = false;
    seen_fields_.clear();
    return true;
  }

  bool end_object() override {
    if (depth_-- == 2 && !has_value_) return fail(fmt::format("metric {} has no \"value\"", metric()));
    return true;
  }

  bool key(string_t& name) override { return depth_ == 1 ? start_metric(name) : start_field(name); }

  bool number_integer(number_integer_t value) override { return number(static_cast<double>(value)); }
  bool number_unsigned(number_unsigned_t value) override {
    if (depth_ == 2 && field_ == "n") return set_n(value);
    return number(static_cast<double>(value));
  }
  bool number_float(number_float_t value, const string_t&) override { return number(value); }

  bool string(string_t& text) override {
    if (depth_ == 2 && field_ == "direction") return set_direction(text);
    if (depth_ == 2 && field_ == "unit") return set_unit(text);
    const auto value = spelled_number(text);
    if (!value) return wrong_type(fmt::format("the text {}", shown(text)));
    return number(*value);
  }

  bool start_array(std::size_t) override { return wrong_type("a list"); }
  bool end_array() override { return false; }
  bool boolean(bool) override { return wrong_type("true or false"); }
  bool null() override { return wrong_type("null"); }
  bool binary(binary_t&) override { return wrong_type("binary"); }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    position_ = position;
    return fail("this is no JSON");
  }
  std::size_t position() const { return position_; }

 private:
  bool fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  std::string metric() const { return metrics_.empty() ? std::string() : shown(metrics_.back().name); }

  bool wrong_type(std::string_view what) {
    if (depth_ == 0 || metrics_.empty())
      return fail(fmt::format("expected an object of metrics, found {}", what));
    if (depth_ >= 2 && field_ != "value") {
      return fail(fmt::format("\"{}\" of metric {} cannot be {}", field_, metric(), what));
    }
    return fail(fmt::format("metric {} must be a number, \"NaN\", \"Infinity\" or \"-Infinity\", not {}",
                            metric(), what));
  }

  bool start_metric(const std::string& name) {
    if (name.empty() || name.size() > kMaxNameBytes || has_control_character(name)) {
      return fail(fmt::format("{} cannot be the name of a metric: 1 to {} bytes, no control characters",
                              shown(name), kMaxNameBytes));
    }
    if (!names_.insert(name).second) return fail(fmt::format("metric {} is given twice", shown(name)));
    if (metrics_.size() == kMaxMetrics) return fail(fmt::format("more than {} metrics", kMaxMetrics));
    metrics_.push_back({.name = name, .value = 0, .direction = {}, .unit = {}, .n = {}});
    return true;
  }

  bool start_field(const std::string& name) {
    static const std::vector<std::string> kFields = {"value", "direction", "unit", "n"};
    if (std::find(kFields.begin(), kFields.end(), name) == kFields.end()) {
      const std::string meant = did_you_mean(name, kFields);
      return fail(fmt::format("metric {} has the unknown key {}{}", metric(), shown(name),
                              meant.empty() ? "" : fmt::format("; did you mean \"{}\"?", meant)));
    }
    if (!seen_fields_.insert(name).second)
      return fail(fmt::format("\"{}\" of metric {} is given twice", name, metric()));
    field_ = name;
    return true;
  }

  bool number(double value) {
    if (depth_ == 0) return wrong_type("a number");
    if (depth_ == 2 && field_ != "value") {
      return wrong_type(field_ == "n" ? "a number that is negative, fractional or too large" : "a number");
    }
    has_value_ = true;
    metrics_.back().value = value;
    return true;
  }

  bool set_n(std::uint64_t n) {
    if (n > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return number(0);
    metrics_.back().n = static_cast<std::int64_t>(n);
    return true;
  }

  bool set_direction(std::string_view text) {
    if (text != "higher" && text != "lower") {
      return fail(fmt::format("\"direction\" of metric {} must be \"higher\" or \"lower\"", metric()));
    }
    metrics_.back().direction = text == "higher" ? Direction::higher : Direction::lower;
    return true;
  }

  bool set_unit(const std::string& text) {
    if (text.size() > kMaxNameBytes || has_control_character(text)) {
      return fail(fmt::format("\"unit\" of metric {} is too long or has control characters", metric()));
    }
    metrics_.back().unit = text;
    return true;
  }

  std::vector<Metric> metrics_;
  std::unordered_set<std::string> names_;
  std::unordered_set<std::string> seen_fields_;
  std::string field_;
  std::string problem_;
  std::size_t position_ = 0;
  int depth_ = 0;
  bool has_value_ = false;
};

// `position` counts the characters read before the parser gave up, the offending one included.
Error syntax_error(std::string_view where, std::string_view text, std::size_t position) {
  const std::size_t at = std::min(position - 1, text.size());
  const std::string_view before = text.substr(0, at);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 == 0
  // Python's json module writes a NaN bare unless told otherwise.
  const bool bare_nan = text.substr(at).starts_with('N') || text.substr(at).starts_with('I');
  return {ErrorCode::invalid,
          bare_nan ? "this is no JSON: NaN and infinities are written \"NaN\", \"Infinity\", \"-Infinity\""
                   : "this is no JSON",
          fmt::format("{}:{}:{}", where, line, at - line_start + 1)};
}

}  // namespace

Result<std::vector<Metric>> parse_metrics(std::string_view text, std::string_view where) {
  if (text.size() > kMaxMetricsBytes) {
    return Error(ErrorCode::invalid, fmt::format("larger than {}", format_bytes(kMaxMetricsBytes)),
                 std::string(where));
  }
  MetricsHandler handler;
  if (nlohmann::json::sax_parse(text, &handler)) return handler.take_metrics();
  if (handler.position() > 0) return syntax_error(where, text, handler.position());
  return Error(ErrorCode::invalid, handler.problem(), std::string(where));
}

const Metric* find_metric(const std::vector<Metric>& metrics, std::string_view name) {
  const auto it =
      std::find_if(metrics.begin(), metrics.end(), [&](const Metric& m) { return m.name == name; });
  return it == metrics.end() ? nullptr : &*it;
}

}  // namespace pawl::gate
