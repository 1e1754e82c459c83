#include "engine/gate/slices.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/text.h"
#include "engine/gate/paired_slices.h"

namespace pawl::gate {
namespace {

constexpr std::string_view kLabel = "label";

bool is_range(const SliceRule::Where& where) {
  return where.words.empty();
}

Error no_column(const std::string& column, const EvaluationVector& vector) {
  std::vector<std::string> names;
  for (const auto& [name, values] : vector.words) names.push_back(name);
  for (const auto& [name, values] : vector.numbers) names.push_back(name);
  const std::string meant = did_you_mean(column, names);
  return {ErrorCode::invalid, fmt::format("the predictions have no column '{}'{}", column,
                                          meant.empty() ? "" : fmt::format("; did you mean {}?", meant))};
}

// Classes among the predictions only have no examples and are no slices.
Slicing by_code(const std::string& column, const std::vector<std::string>& names,
                const std::vector<std::uint32_t>& codes) {
  Slicing all;
  for (const std::string& name : names) all.names.push_back(fmt::format("{}={}", column, name));
  all.sizes.resize(names.size());
  all.slice_of = codes;
  for (const std::uint32_t code : codes) ++all.sizes[code];
  return split_by_size(std::move(all), 1).first;
}

// Drops from `kept` what does not satisfy the condition.
Result<void> filter(const SliceRule::Where& where, const EvaluationVector& vector,
                    std::vector<std::uint32_t>& kept) {
  if (is_range(where)) {
    const auto column = vector.numbers.find(where.column);
    if (const auto bad = vector.unreadable.find(where.column); bad != vector.unreadable.end())
      return Error(ErrorCode::invalid, bad->second);
    if (column == vector.numbers.end()) return no_column(where.column, vector);
    std::erase_if(kept, [&](std::uint32_t i) {
      const double value = column->second[i];
      return (where.at_least && value < *where.at_least) || (where.below && value >= *where.below);
    });
    return {};
  }
  const bool by_label = where.column == kLabel;
  const auto column = vector.words.find(where.column);
  if (!by_label && column == vector.words.end()) return no_column(where.column, vector);
  const auto& names = by_label ? vector.classes.names : column->second.names;
  const auto& codes = by_label ? vector.classes.labels : column->second.codes;
  std::vector<bool> wanted(names.size());
  for (std::size_t code = 0; code < names.size(); ++code) {
    wanted[code] = std::any_of(where.words.begin(), where.words.end(), [&](const std::string& word) {
      return class_name(word) == class_name(names[code]);  // 3.0 is 3
    });
  }
  std::erase_if(kept, [&](std::uint32_t i) { return !wanted[codes[i]]; });
  return {};
}

// The slices for which `is_in` says yes.
template <class IsIn>
Slicing only(const Slicing& all, IsIn is_in) {
  Slicing out;
  std::vector<std::uint32_t> code_of(all.names.size(), kNoSlice);
  for (std::size_t i = 0; i < all.names.size(); ++i) {
    if (!is_in(all.sizes[i])) continue;
    code_of[i] = static_cast<std::uint32_t>(out.names.size());
    out.names.push_back(all.names[i]);
    out.sizes.push_back(all.sizes[i]);
  }
  out.slice_of.reserve(all.slice_of.size());
  for (const std::uint32_t code : all.slice_of) {
    out.slice_of.push_back(code == kNoSlice ? kNoSlice : code_of[code]);
  }
  return out;
}

}  // namespace

std::vector<std::vector<std::uint32_t>> examples_by_slice(const Slicing& slicing) {
  std::vector<std::vector<std::uint32_t>> out(slicing.names.size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i].reserve(static_cast<std::size_t>(slicing.sizes[i]));
  for (std::size_t i = 0; i < slicing.slice_of.size(); ++i) {
    if (slicing.slice_of[i] != kNoSlice) out[slicing.slice_of[i]].push_back(static_cast<std::uint32_t>(i));
  }
  return out;
}

std::pair<Slicing, Slicing> split_by_size(Slicing slicing, std::int64_t min_examples) {
  const auto is_large = [&](std::int64_t size) { return size >= min_examples; };
  if (std::all_of(slicing.sizes.begin(), slicing.sizes.end(), is_large)) return {std::move(slicing), {}};
  return {only(slicing, is_large), only(slicing, [&](std::int64_t size) { return !is_large(size); })};
}

void want_columns(const SliceRule& rule, WantedColumns& wanted) {
  const auto want_words = [&](const std::string& column) {
    if (column == kLabel) {
      wanted.classes = true;
    } else {
      wanted.words.insert(column);
    }
  };
  if (!rule.by.empty()) want_words(rule.by);
  for (const SliceRule::Where& where : rule.where) {
    if (is_range(where)) {
      wanted.numbers.insert(where.column);
    } else {
      want_words(where.column);
    }
  }
}

Result<Slicing> slice(const SliceRule& rule, const EvaluationVector& vector) {
  if (rule.by == kLabel) return by_code(rule.by, vector.classes.names, vector.classes.labels);
  if (!rule.by.empty()) {
    const auto column = vector.words.find(rule.by);
    if (column == vector.words.end()) return no_column(rule.by, vector);
    return by_code(rule.by, column->second.names, column->second.codes);
  }
  std::vector<std::uint32_t> kept(static_cast<std::size_t>(vector.n));
  for (std::size_t i = 0; i < kept.size(); ++i) kept[i] = static_cast<std::uint32_t>(i);
  for (const SliceRule::Where& where : rule.where) PAWL_RETURN_IF_ERROR(filter(where, vector, kept));
  Slicing out{{rule.name}, {static_cast<std::int64_t>(kept.size())}, {}};
  out.slice_of.resize(static_cast<std::size_t>(vector.n), kNoSlice);
  for (const std::uint32_t i : kept) out.slice_of[i] = 0;
  return out;
}

std::string slicing_problem(const SliceRule& rule, const EvaluationVector& candidate,
                            const EvaluationVector& baseline) {
  WantedColumns wanted;
  want_columns(rule, wanted);  // labels are the same when the test set is
  const auto problem = [](const auto& columns, const auto& others, const std::string& name) {
    const auto now = columns.find(name);
    const auto then = others.find(name);
    if (then == others.end()) return fmt::format("its predictions have no column '{}'", name);
    const bool same = now != columns.end() && now->second == then->second;
    return same ? std::string() : fmt::format("the column '{}' puts examples into other slices", name);
  };
  for (const std::string& name : wanted.words) {
    if (std::string text = problem(candidate.words, baseline.words, name); !text.empty()) return text;
  }
  for (const std::string& name : wanted.numbers) {
    if (std::string text = problem(candidate.numbers, baseline.numbers, name); !text.empty()) return text;
  }
  return {};
}

std::vector<SliceRule> possible_slicings(const EvaluationVector& vector) {
  std::vector<SliceRule> out;
  const auto add = [&](const std::string& column) {
    SliceRule rule;
    rule.by = column;
    out.push_back(std::move(rule));
  };
  const std::size_t classes = vector.classes.names.size();
  if (classes > 1 && classes <= kFewWords) add(std::string(kLabel));
  for (const auto& [name, column] : vector.words) {
    if (column.names.size() > 1 && column.names.size() <= kFewWords) add(name);
  }
  return out;
}

}  // namespace pawl::gate
