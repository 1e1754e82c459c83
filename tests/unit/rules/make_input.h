// Training steps made by hand; names and statistics live as long as the maker. Series are in the order of
// their first mention, in every step.
#pragma once

#include <cmath>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/rules/evaluator.h"

namespace pawl::rules {

// A tensor all of whose elements have the magnitude `rms`, half of them negative.
inline trace::TensorStats flat_stats(double rms, uint64_t count = 1000) {
  trace::TensorStats stats;
  stats.count = count;
  double n = static_cast<double>(count);
  stats.min = -rms;
  stats.max = rms;
  stats.abs_sum = rms * n;
  stats.square_sum = rms * rms * n;
  stats.zero = rms == 0 ? count : 0;
  return stats;
}

inline trace::TensorStats with_nan(trace::TensorStats stats, uint64_t nan) {
  stats.nan = nan;
  return stats;
}

class InputMaker {
 public:
  InputMaker& begin(uint64_t step, uint32_t ranks = 1) {
    input_ = Input{};
    input_.step = step;
    input_.resumed = resumed_;
    stats_.clear();
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      input_.ranks.push_back({rank, static_cast<double>(step) * 0.1, lr_, mixed_precision_, scaler_skipped_});
    }
    return *this;
  }
  InputMaker& loss(double value, uint32_t rank = 0, const std::string& name = "loss") {
    uint32_t at = order(name, trace::Kind::loss, {});
    input_.losses.push_back({rank, at, at, series_name(name), value});
    return *this;
  }
  InputMaker& tensor(const std::string& name, trace::Kind kind, const trace::TensorStats& stats,
                     std::vector<int64_t> shape = {100, 10}, uint32_t rank = 0) {
    stats_.push_back(stats);
    uint32_t at = order(name, kind, std::move(shape));
    input_.tensors.push_back({rank, at, at, kind, series_name(name), series_[at].shape, &stats_.back()});
    return *this;
  }
  InputMaker& scalar(const std::string& name, double value, uint32_t rank = 0) {
    input_.scalars.push_back({rank, order(name, trace::Kind::scalar, {}), series_name(name), value});
    return *this;
  }
  void set_lr(std::optional<double> lr) { lr_ = lr; }
  void set_scaler_skipped(bool on) { scaler_skipped_ = on; }
  void set_resumed(bool on) { resumed_ = on; }
  void set_mixed_precision(bool on) { mixed_precision_ = on; }

  const Input& get() {
    auto by_rank = [](const auto& a, const auto& b) {
      return std::tie(a.rank, a.position) < std::tie(b.rank, b.position);
    };
    std::sort(input_.losses.begin(), input_.losses.end(), by_rank);
    std::sort(input_.tensors.begin(), input_.tensors.end(), by_rank);
    return input_;
  }

 private:
  struct Series {
    std::string name;
    trace::Kind kind;
    std::vector<int64_t> shape;
  };
  uint32_t order(const std::string& name, trace::Kind kind, std::vector<int64_t> shape) {
    for (uint32_t i = 0; i < series_.size(); ++i) {
      if (series_[i].name == name && series_[i].kind == kind) return i;
    }
    series_.push_back({name, kind, std::move(shape)});
    return static_cast<uint32_t>(series_.size() - 1);
  }
  std::string_view series_name(const std::string& name) {
    return names_.try_emplace(name, name).first->second;
  }

  Input input_;
  std::deque<trace::TensorStats> stats_;
  std::deque<Series> series_;
  std::map<std::string, std::string> names_;
  std::optional<double> lr_ = 0.1;
  bool mixed_precision_ = false;
  bool scaler_skipped_ = false;
  bool resumed_ = false;
};

inline RuleConfig rule_config(const std::string& rule, std::map<std::string, double> params = {}) {
  RuleConfig config;
  config.rule = rule;
  config.on_fire = find_rule(rule)->default_action;
  config.params = std::move(params);
  return config;
}

inline Evaluator evaluator_of(const std::string& rule, std::map<std::string, double> params = {}) {
  return Evaluator::create({rule_config(rule, std::move(params))}).value();
}

// All rules with their defaults.
inline Evaluator default_evaluator() {
  return Evaluator::create(default_rules()).value();
}

inline RuleOutcome outcome_of(const Summary& summary, std::string_view rule) {
  for (const RuleOutcome& outcome : summary.rules) {
    if (outcome.rule == rule) return outcome;
  }
  return {};
}

}  // namespace pawl::rules
