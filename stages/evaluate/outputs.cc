#include "stages/evaluate/outputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <unordered_map>

#include "engine/base/text.h"
#include "engine/gate/classification.h"

namespace pawl::evaluate {
namespace {

constexpr std::size_t kMaxName = 100;  // bytes; a metric's name holds it

Error invalid(std::string message) {
  return {ErrorCode::invalid, std::move(message)};
}

void softmax(std::span<double> row) {
  const double highest = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (double& value : row) sum += value = std::exp(value - highest);
  for (double& value : row) value /= sum;
}

bool is_distribution(std::span<const double> row) {
  const bool inside = std::all_of(row.begin(), row.end(), [](double p) { return p >= 0 && p <= 1; });
  return inside && std::abs(std::accumulate(row.begin(), row.end(), -1.0)) <= gate::kProbabilitySumTolerance;
}

bool is_finite(std::span<const double> row) {
  return std::all_of(row.begin(), row.end(), [](double p) { return std::isfinite(p); });
}

// One number for each example, of the positive class, into two columns.
Outputs both_classes(const Outputs& positive, Scale scale) {
  Outputs out{2, {}};
  out.values.reserve(positive.values.size() * 2);
  for (const double value : positive.values) {
    const bool logits = scale == Scale::logits;
    out.values.push_back(logits ? 1 / (1 + std::exp(value)) : 1 - value);
    out.values.push_back(logits ? 1 / (1 + std::exp(-value)) : value);
  }
  return out;
}

Result<void> check_width(std::size_t width, Task task) {
  if (task == Task::binary && width > 2)
    return invalid(
        fmt::format("a binary classifier gives 1 or 2 numbers for each example, this one {}", width));
  if (task == Task::classification && width < 2)
    return invalid("the model gives one number for each example; that is --task binary or regression");
  return {};
}

// Softmax of the row where it is needed; broken when the result is no distribution of probabilities.
Result<void> finish_row(std::span<double> row, bool to_do, std::size_t example, Probabilities& out) {
  if (to_do) softmax(row);
  const bool broken = !is_finite(row);
  if (!broken && !is_distribution(row)) {
    return invalid(fmt::format("example {}: {} add up to {}, and are no probabilities; use --outputs logits",
                               example, fmt::join(row.first(std::min<std::size_t>(row.size(), 5)), ", "),
                               std::accumulate(row.begin(), row.end(), 0.0)));
  }
  out.broken.push_back(broken);
  out.broken_count += broken ? 1 : 0;
  const auto best = broken ? row.begin() : std::max_element(row.begin(), row.end());
  out.predicted.push_back(static_cast<std::uint32_t>(best - row.begin()));
  return {};
}

Result<void> check_name(const std::string& name) {
  const bool control =
      std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (!name.empty() && name.size() <= kMaxName && !control && to_valid_utf8(name) == name) return {};
  return invalid(fmt::format("'{}' is no name of a class: 1 to {} bytes of UTF-8 without control characters",
                             sanitize_for_terminal(name.substr(0, kMaxName)), kMaxName));
}

std::vector<std::string> distinct(std::vector<std::string> words) {
  std::ranges::sort(words);
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

std::vector<std::string> numbered(std::size_t classes) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < classes; ++i) out.push_back(std::to_string(i));
  return out;
}

Result<std::vector<std::uint32_t>> code_numbers(const std::vector<double>& labels, std::size_t classes) {
  std::vector<std::uint32_t> out;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (!(labels[i] >= 0 && labels[i] < static_cast<double>(classes)) || labels[i] != std::floor(labels[i])) {
      return invalid(
          fmt::format("example {} has label {}, the model gives classes 0 to {}", i, labels[i], classes - 1));
    }
    out.push_back(static_cast<std::uint32_t>(labels[i]));
  }
  return out;
}

Result<std::vector<std::uint32_t>> code_words(const std::vector<std::string>& labels,
                                              const std::vector<std::string>& names) {
  std::unordered_map<std::string, std::uint32_t> codes;
  for (const std::string& name : names) {
    if (!codes.emplace(name, codes.size()).second)
      return invalid(fmt::format("class '{}' is named twice", name));
  }
  std::vector<std::uint32_t> out;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto it = codes.find(labels[i]);
    if (it == codes.end())
      return invalid(fmt::format("example {} has label '{}', which is none of the classes", i,
                                 sanitize_for_terminal(labels[i].substr(0, kMaxName))));
    out.push_back(it->second);
  }
  return out;
}

}  // namespace

Result<Probabilities> read_probabilities(Outputs outputs, Task task, Scale scale) {
  PAWL_RETURN_IF_ERROR(check_width(outputs.width, task));
  bool to_do = scale == Scale::logits;
  if (outputs.width == 1) {
    outputs = both_classes(outputs, scale);
    to_do = false;
  }
  Probabilities out;
  out.classes = outputs.width;
  out.values = std::move(outputs.values);
  const std::size_t examples = out.values.size() / out.classes;
  for (std::size_t i = 0; i < examples; ++i) {
    PAWL_RETURN_IF_ERROR(
        finish_row(std::span(out.values).subspan(i * out.classes, out.classes), to_do, i, out));
  }
  return out;
}

bool look_like_probabilities(const Outputs& outputs) {
  if (outputs.width < 2) return false;
  for (std::size_t at = 0; at < outputs.values.size(); at += outputs.width)
    if (!is_distribution(std::span(outputs.values).subspan(at, outputs.width))) return false;
  return true;
}

Result<ClassCodes> code_labels(const Labels& labels, const std::vector<std::string>& names,
                               std::size_t classes) {
  ClassCodes out;
  const bool words = !labels.words.empty();
  out.names = !names.empty() ? names : words ? distinct(labels.words) : numbered(classes);
  for (const std::string& name : out.names) PAWL_RETURN_IF_ERROR(check_name(name));
  if (out.names.size() != classes) {
    return invalid(fmt::format("{} {} classes, the model gives {}{}",
                               names.empty() ? "the data has" : "--classes names", out.names.size(), classes,
                               names.empty() ? "; name them all, in the model's order, with --classes" : ""));
  }
  PAWL_ASSIGN(out.codes, words ? code_words(labels.words, out.names) : code_numbers(labels.numbers, classes));
  return out;
}

}  // namespace pawl::evaluate
