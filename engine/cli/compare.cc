// pawl compare: two runs side by side and, where both left predictions on one test set, example by example.

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/output.h"
#include "engine/cli/record.h"
#include "engine/core/evidence.h"
#include "engine/core/rescoring.h"
#include "engine/core/run_json.h"
#include "engine/core/seed_means.h"
#include "engine/gate/comparability.h"
#include "engine/gate/comparison.h"
#include "engine/gate/paired_reason.h"
#include "engine/gate/wording.h"
#include "engine/store/data.h"
#include "pipelines/plan.h"

namespace pawl::cli {
namespace {

struct Row {
  std::optional<double> a;
  std::optional<double> b;
  std::optional<gate::PairedTest> test;
  std::optional<gate::Comparison> compared;  // of b with a
  std::string not_compared;                  // why, when there is a test
};

std::string number_cell(double value) {
  return std::isfinite(value) ? fmt::format("{:.6g}", value) : store::number_text(value);
}

class Compare {
 public:
  Compare(Record& record, store::Run a, store::Run b) : record_(record), a_(std::move(a)), b_(std::move(b)) {}

  Result<void> read() {
    PAWL_RETURN_IF_ERROR(read_metrics(a_, &Row::a));
    PAWL_RETURN_IF_ERROR(read_metrics(b_, &Row::b));
    PAWL_RETURN_IF_ERROR(read_data());
    // The gate of the second says what is compared; runs without a plan ended before they had one.
    auto plan = pipeline::plan_from_json(b_.plan);
    return plan.ok() ? compare_examples(plan->gate) : Result<void>();
  }

  Json json() const {
    Json out = {{"a", core::run_json(a_)}, {"b", core::run_json(b_)}, {"metrics", Json::object()}};
    for (const auto& [name, row] : rows_) {
      Json entry = {{"a", nullptr}, {"b", nullptr}, {"change", nullptr}};
      if (row.a) entry["a"] = number_to_json(*row.a);
      if (row.b) entry["b"] = number_to_json(*row.b);
      if (row.a && row.b) entry["change"] = number_to_json(*row.b - *row.a);
      if (row.compared) {
        entry["compared"] = gate::what_is_compared(*row.test);
        entry["test"] = row.compared->test;
        entry["level"] = 1 - 2 * row.test->alpha;
        entry["difference"] = number_to_json(row.compared->difference());
        entry["interval"] = {number_to_json(row.compared->interval.low),
                             number_to_json(row.compared->interval.high)};
        entry["p_worse"] = row.compared->p_worse;
      } else if (!row.not_compared.empty()) {
        entry["not_compared"] = row.not_compared;
      }
      out["metrics"][name] = std::move(entry);
    }
    return out;
  }

  std::string text() const {
    std::vector<std::vector<Cell>> cells = {
        {{"commit", Tone::dim}, {a_.commit_sha.substr(0, 12)}, {b_.commit_sha.substr(0, 12)}, {""}},
        {{"verdict", Tone::dim}, {a_.verdict.value_or(a_.state)}, {b_.verdict.value_or(b_.state)}, {""}}};
    for (const auto& [dataset, versions] : data_) {
      cells.push_back({{"data " + dataset, Tone::dim},
                       {versions.first.substr(0, 19)},
                       {versions.second.substr(0, 19)},
                       {versions.first == versions.second ? "same" : "changed"}});
    }
    for (const auto& [name, row] : rows_) {
      cells.push_back({{name},
                       {row.a ? number_cell(*row.a) : "-"},
                       {row.b ? number_cell(*row.b) : "-"},
                       {row.a && row.b ? fmt::format("{:+.6g}", *row.b - *row.a) : ""}});
    }
    std::string out = render_table(
        {"", fmt::format("run {}", a_.number), fmt::format("run {}", b_.number), "change"}, cells);
    std::string sentences;
    for (const auto& [name, row] : rows_) {
      if (const std::string said = sentence(row); !said.empty())
        sentences += fmt::format("{}: {}\n", sanitize_for_terminal(name), sanitize_for_terminal(said));
    }
    return sentences.empty() ? out : out + "\n" + sentences;
  }

 private:
  Result<void> read_metrics(const store::Run& run, std::optional<double> Row::*side) {
    PAWL_ASSIGN(auto metrics, store::metrics_of(record_.db, run.id));
    std::erase_if(metrics, [](const store::Metric& metric) { return core::is_rescoring(metric.stage); });
    for (const store::Metric& metric : core::with_seed_means(metrics))
      rows_[metric.name].*side = metric.value;
    return {};
  }

  // Of the datasets that both have.
  Result<void> read_data() {
    PAWL_ASSIGN(const auto data_a, store::data_of(record_.db, a_.id));
    PAWL_ASSIGN(const auto data_b, store::data_of(record_.db, b_.id));
    for (const auto& d : data_a) {
      for (const auto& e : data_b) {
        if (d.dataset == e.dataset) data_[d.dataset] = {d.digest, e.digest};
      }
    }
    return {};
  }

  Result<void> compare_examples(const gate::Policy& policy) {
    const store::Cas cas(record_.home.cas());
    PAWL_ASSIGN(const gate::Evidence then, core::load_evidence(record_.db, cas, a_.id, policy));
    PAWL_ASSIGN(const gate::Evidence now, core::load_evidence(record_.db, cas, b_.id, policy));
    for (const gate::MetricRule& rule : policy.metrics) {
      if (!rule.paired || !rows_.contains(rule.metric)) continue;
      Row& row = rows_[rule.metric];
      row.test = rule.paired;
      compare_examples(rule, now, then, row);
    }
    return {};
  }

  void compare_examples(const gate::MetricRule& rule, const gate::Evidence& now, const gate::Evidence& then,
                        Row& row) const {
    const gate::EvaluationVector* mine = gate::find_vector(now, rule.paired->predictions);
    const gate::EvaluationVector* theirs = gate::find_vector(then, rule.paired->predictions);
    if (mine == nullptr || theirs == nullptr) {
      row.not_compared =
          fmt::format("the {} run {}", mine == nullptr ? "second" : "first",
                      gate::why_no_vector(mine == nullptr ? now : then, rule.paired->predictions));
      return;
    }
    if (const std::string why = gate::why_incomparable(rule, now, then); !why.empty()) {
      row.not_compared = fmt::format("{} in run {}", why, a_.number);
      return;
    }
    auto compared = gate::compare_models(*rule.paired, rule.direction, *mine, *theirs);
    if (compared.ok()) {
      row.compared = std::move(*compared);
    } else {
      row.not_compared = compared.error().to_string();
    }
  }

  static std::string sentence(const Row& row) {
    if (!row.not_compared.empty()) return "not compared example by example: " + row.not_compared;
    if (!row.compared) return {};
    const gate::Comparison& c = *row.compared;
    if (c.alike) return fmt::format("the same answers on all {} examples", c.n);
    const double level = 1 - 2 * row.test->alpha;
    const bool fraction = row.test->of != gate::PairedTest::Of::mean;
    const auto number = [&](double value) {
      return fraction ? fmt::format("{:+.2f}", 100 * value) : fmt::format("{:+.4g}", value);
    };
    return fmt::format("{} {}{}, {:.3g} % CI {} to {} ({}, {} examples)", gate::what_is_compared(*row.test),
                       number(c.difference()), fraction ? " points" : "", 100 * level, number(c.interval.low),
                       number(c.interval.high), c.test, c.n);
  }

  Record& record_;
  const store::Run a_;
  const store::Run b_;
  std::map<std::string, Row> rows_;
  std::map<std::string, std::pair<std::string, std::string>> data_;
};

Result<int> compare_runs(const Global& global, const std::string& name_a, const std::string& name_b) {
  PAWL_ASSIGN(Record record, open_record(global.home));
  PAWL_ASSIGN(store::Run a, store::look_up_run(record.db, name_a));
  PAWL_ASSIGN(store::Run b, store::look_up_run(record.db, name_b));
  Compare compared(record, std::move(a), std::move(b));
  PAWL_RETURN_IF_ERROR(compared.read());
  global.json ? print_json(compared.json()) : print(compared.text());
  return 0;
}

}  // namespace

int compare(const Global& global, const std::string& a, const std::string& b) {
  auto result = compare_runs(global, a, b);
  return result.ok() ? *result : fail(result.error());
}

}  // namespace pawl::cli
