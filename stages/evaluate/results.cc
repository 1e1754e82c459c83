#include "stages/evaluate/results.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/json.h"

namespace pawl::evaluate {
namespace {

std::string_view to_string(gate::Direction direction) {
  return direction == gate::Direction::higher ? "higher" : "lower";
}

// A field of a CSV file, in quotes where RFC 4180 wants them.
void append_field(std::string_view text, std::string& out) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void append_number(double value, std::string& out) {
  if (std::isfinite(value)) {
    fmt::format_to(std::back_inserter(out), "{}", value);
  } else {
    out += std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
  }
}

}  // namespace

std::string metrics_json(const std::vector<gate::Metric>& metrics) {
  std::string out = "{";
  for (const gate::Metric& metric : metrics) {
    nlohmann::ordered_json json = {{"value", number_to_json(metric.value)}};
    if (metric.direction) json["direction"] = to_string(*metric.direction);
    if (!metric.unit.empty()) json["unit"] = metric.unit;
    if (metric.n) json["n"] = *metric.n;
    fmt::format_to(std::back_inserter(out), "{}\n  {}: {}", out.size() > 1 ? "," : "",
                   Json(metric.name).dump(), json.dump());
  }
  return out + "\n}\n";
}

std::string predictions_csv(const std::vector<std::string>& ids, const PredictionRows& rows) {
  std::string out = "id,label,prediction";
  for (const auto& column : rows.columns) {
    out += ',';
    append_field(column.name, out);
  }
  out += '\n';
  for (std::size_t i = 0; i < rows.labels.size(); ++i) {
    append_field(ids.empty() ? std::to_string(i) : ids[i], out);
    for (const std::string& text : {rows.labels[i], rows.predictions[i]}) {
      out += ',';
      append_field(text, out);
    }
    for (const auto& column : rows.columns) {
      out += ',';
      append_number(column.values[i], out);
    }
    out += '\n';
  }
  return out;
}

std::string confusion_json(const Confusion& confusion) {
  std::string out = fmt::format("{{\n  \"classes\": {},\n  \"counts\": [", Json(confusion.classes).dump());
  const std::size_t classes = confusion.classes.size();
  for (std::size_t row = 0; row < classes; ++row) {
    const auto* begin = confusion.cells.data() + row * classes;
    fmt::format_to(std::back_inserter(out), "{}\n    [{}]", row > 0 ? "," : "",
                   fmt::join(begin, begin + classes, ", "));
  }
  return out + "\n  ]\n}\n";
}

Result<void> write_results(const std::string& folder, const std::vector<std::string>& ids,
                           const Quality& quality) {
  PAWL_RETURN_IF_ERROR(make_dirs(folder));
  PAWL_RETURN_IF_ERROR(write_file_atomic(folder + "/predictions.csv", predictions_csv(ids, quality.rows)));
  if (!quality.confusion.classes.empty())
    PAWL_RETURN_IF_ERROR(write_file_atomic(folder + "/confusion.json", confusion_json(quality.confusion)));
  return write_file_atomic(folder + "/metrics.json", metrics_json(quality.metrics));
}

}  // namespace pawl::evaluate
