#include "engine/rules/evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/rules/rule.h"

namespace pawl::rules {
namespace {

using Maker = std::unique_ptr<Rule> (*)(const RuleConfig&, Selector);

struct NamedMaker {
  std::string_view name;
  Maker make;
};

constexpr std::array kMakers{
    NamedMaker{"non_finite", make_non_finite},
    NamedMaker{"exploding_tensor", make_exploding_tensor},
    NamedMaker{"vanishing_gradient", make_vanishing_gradient},
    NamedMaker{"loss_divergence", make_loss_divergence},
    NamedMaker{"loss_at_chance", make_loss_at_chance},
    NamedMaker{"frozen_parameter", make_frozen_parameter},
    NamedMaker{"hang", make_hang},
    NamedMaker{"loss_plateau", make_loss_plateau},
    NamedMaker{"dead_relu", make_dead_relu},
};

Result<void> check(const RuleConfig& config) {
  const RuleDef* def = find_rule(config.rule);
  if (def == nullptr) return Error(ErrorCode::invalid, fmt::format("there is no rule {}", config.rule));
  for (const auto& [name, value] : config.params) {
    const ParamDef* param = def->find_param(name);
    if (param == nullptr) {
      return Error(ErrorCode::invalid, fmt::format("rule {} has no parameter {}", config.rule, name));
    }
    if (!(value >= param->min && value <= param->max)) {
      return Error(ErrorCode::invalid, fmt::format("{} of rule {} is {}; it must be from {} to {}", name,
                                                   config.rule, value, param->min, param->max));
    }
  }
  return {};
}

Result<std::function<std::unique_ptr<Rule>()>> maker_of(const RuleConfig& config) {
  auto maker = std::ranges::find(kMakers, config.rule, &NamedMaker::name);
  PAWL_CHECK(maker != kMakers.end());
  PAWL_ASSIGN(Selector selector, Selector::create(config.include));
  return std::function<std::unique_ptr<Rule>()>(
      [make = maker->make, config, selector] { return make(config, selector); });
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::pass:
      return "pass";
    case Outcome::fired:
      return "fired";
    case Outcome::not_evaluated:
      return "not_evaluated";
  }
  return "not_evaluated";
}

Evaluator::Evaluator(EvaluatorOptions options) : options_(std::move(options)) {}
Evaluator::Evaluator(Evaluator&&) noexcept = default;
Evaluator& Evaluator::operator=(Evaluator&&) noexcept = default;
Evaluator::~Evaluator() = default;

Result<Evaluator> Evaluator::create(std::vector<RuleConfig> rules, EvaluatorOptions options) {
  Evaluator evaluator(std::move(options));
  for (RuleConfig& config : rules) PAWL_RETURN_IF_ERROR(check(config));
  for (const RuleDef& def : rule_table()) {
    auto named = [&](const RuleConfig& config) { return config.rule == def.name; };
    if (std::ranges::count_if(rules, named) > 1) {
      return Error(ErrorCode::invalid, fmt::format("rule {} is configured twice", def.name));
    }
    auto config = std::ranges::find_if(rules, named);
    if (config == rules.end() || !config->enabled) continue;
    PAWL_ASSIGN(auto make, maker_of(*config));
    evaluator.add(std::move(*config), std::move(make));
  }
  if (evaluator.options_.green) {
    RuleConfig config;
    config.rule = gate_rule().name;
    config.on_fire = gate_rule().default_action;
    evaluator.add(std::move(config),
                  [green = *evaluator.options_.green] { return make_worse_than_green(green); });
  }
  return evaluator;
}

void Evaluator::add(RuleConfig config, std::function<std::unique_ptr<Rule>()> make) {
  auto rule = make();
  entries_.push_back({std::move(config), std::move(make), std::move(rule), std::nullopt});
}

std::vector<Finding> Evaluator::on_step(const trace::Step& step) {
  if (step.mode != 0) return {};
  if (std::exchange(incarnation_, step.incarnation) != step.incarnation) begin_anew();
  Input input = make_input(step);
  input.resumed = options_.resumed || incarnation_ > 0;
  return on_input(input);
}

void Evaluator::begin_anew() {
  last_step_ = 0;
  for (Entry& entry : entries_) {
    entry.evaluated |= entry.rule->not_evaluated().empty();
    entry.rule = entry.make();
  }
}

std::vector<Finding> Evaluator::on_input(const Input& input) {
  last_step_ = std::max(last_step_, input.step);
  std::vector<Finding> news;
  for (Entry& entry : entries_) {
    Firings firings;
    entry.rule->on_step(input, firings);
    record(entry, firings, input.step, news);
  }
  return news;
}

std::vector<Finding> Evaluator::on_tick(int64_t now_ms, std::span<const trace::RankProgress> progress,
                                        std::optional<int64_t> last_output_ms) {
  std::vector<trace::RankProgress> ranks(progress.begin(), progress.end());
  for (trace::RankProgress& rank : ranks)
    rank.ended |= options_.total_steps && rank.completed >= *options_.total_steps;
  std::vector<Finding> news;
  for (Entry& entry : entries_) {
    Firings firings;
    entry.rule->on_tick(now_ms, ranks, last_output_ms, firings);
    record(entry, firings, last_step_, news);
  }
  return news;
}

Summary Evaluator::finish(bool completed) {
  Summary summary;
  std::vector<Finding> news;
  for (Entry& entry : entries_) {
    Firings firings;
    if (completed) entry.rule->at_end(firings);
    if (!entry.finding) record(entry, firings, last_step_, news);
    RuleOutcome outcome{entry.config.rule, Outcome::pass, entry.config.required, {}};
    if (entry.finding) {
      outcome.outcome = Outcome::fired;
    } else if (std::string reason = entry.rule->not_evaluated(); !entry.evaluated && !reason.empty()) {
      outcome.outcome = Outcome::not_evaluated;
      outcome.reason = std::move(reason);
      summary.failed |= outcome.required;
    }
    summary.rules.push_back(std::move(outcome));
  }
  summary.findings = findings_;
  summary.failed |=
      std::ranges::any_of(findings_, [](const Finding& f) { return f.severity == Severity::fail; });
  return summary;
}

void Evaluator::record(Entry& entry, const Firings& firings, uint64_t step, std::vector<Finding>& news) {
  if (!firings.first()) return;
  if (entry.finding) {
    Finding& known = findings_[*entry.finding];
    known.last_step = std::max(known.last_step, step);
    ++known.count;
    return;
  }
  const Firing& first = *firings.first();
  Finding finding;
  finding.rule = entry.config.rule;
  finding.action = entry.config.on_fire;
  finding.severity = severity_of(entry.config.on_fire);
  finding.first_step = finding.last_step = step;
  finding.count = 1;
  finding.rank = first.rank;
  finding.tensor = first.tensor;
  finding.kind = first.kind;
  finding.value = first.value;
  finding.limit = first.limit;
  finding.message = first.message;
  if (firings.count() > 1) {
    finding.message += fmt::format(" (and {} more in this step)", firings.count() - 1);
  }
  entry.finding = findings_.size();
  findings_.push_back(finding);
  news.push_back(std::move(finding));
}

}  // namespace pawl::rules
