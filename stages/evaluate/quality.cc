#include "stages/evaluate/quality.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/gate/classification.h"
#include "engine/gate/ranking.h"
#include "engine/gate/regression.h"
#include "stages/evaluate/metric_list.h"

namespace pawl::evaluate {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class ClassJudge {
 public:
  ClassJudge(const Probabilities& probabilities, const ClassCodes& labels, const ClassOptions& options)
      : probabilities_(probabilities),
        table_{probabilities.values, probabilities.classes},
        labels_(labels),
        options_(options),
        metrics_(labels.codes.size(), probabilities.broken_count) {}

  Quality judge() {
    add_counts();
    add_top_k();
    add_of_probabilities();
    if (options_.task == Task::binary) {
      add_positive_class();
    } else {
      add_ranked();
    }
    add_by_class();
    Quality out;
    out.rows = rows();
    out.confusion = confusion();
    out.metrics = metrics_.take_metrics();
    out.notes = metrics_.take_notes();
    return out;
  }

 private:
  std::size_t classes() const { return probabilities_.classes; }
  std::size_t examples() const { return labels_.codes.size(); }

  // Never fails: labels are codes of the model's classes, and there is an example.
  gate::ClassCounts counts() const {
    return gate::count_classes(labels_.codes, probabilities_.predicted, classes()).value();
  }

  void add_counts() {
    const gate::ClassCounts counts = this->counts();
    metrics_.higher("accuracy", gate::accuracy(counts));
    metrics_.higher("balanced_accuracy", gate::balanced_accuracy(counts));
    const gate::ClassScores macro = gate::macro_scores(counts);
    metrics_.higher("precision_macro", macro.precision);
    metrics_.higher("recall_macro", macro.recall);
    metrics_.higher("f1_macro", macro.f1);
    metrics_.higher("f1_weighted", gate::weighted_scores(counts).f1);
    metrics_.higher_if("matthews", [&] { return gate::matthews(counts); });
  }

  void add_top_k() {
    for (const std::size_t k : options_.top_k) {
      if (k <= 1 || k >= classes()) continue;
      metrics_.higher_if(fmt::format("top_{}_accuracy", k), [&]() -> Result<double> {
        PAWL_ASSIGN(const std::vector<std::uint8_t> hits, gate::top_k_hits(labels_.codes, table_, k));
        return gate::mean(hits);
      });
    }
  }

  void add_of_probabilities() {
    metrics_.lower_if(
        "log_loss", [&] { return mean_of(gate::log_losses(labels_.codes, table_)); }, "nats");
    metrics_.lower_if("brier", [&] { return mean_of(gate::brier_scores(labels_.codes, table_)); });
    metrics_.lower_if("calibration_error",
                      [&] { return gate::expected_calibration_error(labels_.codes, table_); });
  }

  static Result<double> mean_of(Result<std::vector<double>> values) {
    if (!values) return values.error();
    return gate::mean(*values);
  }

  Result<gate::RankedScores> one_against_rest(std::size_t code) const {
    std::vector<std::uint8_t> positive(examples());
    std::vector<double> scores(examples());
    for (std::size_t i = 0; i < examples(); ++i) {
      positive[i] = labels_.codes[i] == code ? 1 : 0;
      scores[i] = table_.row(i)[code];
    }
    return gate::RankedScores::create(positive, scores);
  }

  void add_positive_class() {
    const gate::ClassScores scores = gate::class_scores(counts())[1];
    metrics_.higher("precision", scores.precision);
    metrics_.higher("recall", scores.recall);
    metrics_.higher("f1", scores.f1);
    metrics_.higher_if("auc", [&] { return of_class(1, gate::auc); });
    metrics_.higher_if("average_precision", [&] { return of_class(1, gate::average_precision); });
  }

  template <class Metric>
  Result<double> of_class(std::size_t code, Metric metric) const {
    PAWL_ASSIGN(const gate::RankedScores ranked, one_against_rest(code));
    return metric(ranked);
  }

  // The mean over the classes of AUC and average precision of one class against the rest.
  void add_ranked() {
    if (classes() > kMaxRankedClasses) {
      metrics_.note(fmt::format("auc_macro and average_precision_macro are left out: more than {} classes",
                                kMaxRankedClasses));
      return;
    }
    double auc = 0;
    double precision = 0;
    Result<void> defined;
    for (std::size_t c = 0; c < classes() && defined && probabilities_.broken_count == 0; ++c) {
      const Result<gate::RankedScores> ranked = one_against_rest(c);
      if (!ranked) {
        defined = Error(ErrorCode::invalid,
                        fmt::format("class {}: {}", labels_.names[c], ranked.error().message()));
        break;
      }
      auc += gate::auc(*ranked);
      precision += gate::average_precision(*ranked);
    }
    const auto mean = [&](double sum) -> Result<double> {
      PAWL_RETURN_IF_ERROR(defined);
      return sum / static_cast<double>(classes());
    };
    metrics_.higher_if("auc_macro", [&] { return mean(auc); });
    metrics_.higher_if("average_precision_macro", [&] { return mean(precision); });
  }

  void add_by_class() {
    if (classes() > kMaxNamedClasses) {
      metrics_.note(
          fmt::format("metrics of each class are left out: more than {} classes", kMaxNamedClasses));
      return;
    }
    const std::vector<gate::ClassScores> scores = gate::class_scores(counts());
    for (std::size_t c = 0; c < classes(); ++c) {
      metrics_.higher("precision." + labels_.names[c], scores[c].precision);
      metrics_.higher("recall." + labels_.names[c], scores[c].recall);
      metrics_.higher("f1." + labels_.names[c], scores[c].f1);
    }
  }

  PredictionRows rows() const {
    PredictionRows out;
    const bool binary = options_.task == Task::binary;
    PredictionRows::Column score{"score", {}};
    for (std::size_t i = 0; i < examples(); ++i) {
      const std::uint32_t predicted = probabilities_.predicted[i];
      out.labels.push_back(labels_.names[labels_.codes[i]]);
      out.predictions.push_back(probabilities_.broken[i] ? "nan" : labels_.names[predicted]);
      score.values.push_back(probabilities_.broken[i] ? kNaN : table_.row(i)[binary ? 1 : predicted]);
    }
    out.columns.push_back(std::move(score));
    out.columns.push_back({"loss", losses()});
    for (std::size_t c = 0; options_.all_scores && c < classes(); ++c) {
      PredictionRows::Column column{"score_" + labels_.names[c], {}};
      for (std::size_t i = 0; i < examples(); ++i) column.values.push_back(table_.row(i)[c]);
      out.columns.push_back(std::move(column));
    }
    return out;
  }

  // -ln of the label's probability; NaN for the broken ones.
  std::vector<double> losses() const {
    std::vector<double> out;
    for (std::size_t i = 0; i < examples(); ++i) {
      if (probabilities_.broken[i]) {
        out.push_back(kNaN);
      } else {
        out.push_back(gate::log_losses({&labels_.codes[i], 1}, {table_.row(i), classes()}).value()[0]);
      }
    }
    return out;
  }

  Confusion confusion() const {
    if (classes() > gate::ConfusionMatrix::kMaxClasses) return {};
    Confusion out{labels_.names, std::vector<std::int64_t>(classes() * classes())};
    for (std::size_t i = 0; i < examples(); ++i)
      if (!probabilities_.broken[i]) ++out.cells[labels_.codes[i] * classes() + probabilities_.predicted[i]];
    return out;
  }

  const Probabilities& probabilities_;
  gate::ScoreTable table_;
  const ClassCodes& labels_;
  const ClassOptions& options_;
  MetricList metrics_;
};

Result<void> check_numbers(const Outputs& outputs, const Labels& labels) {
  if (!labels.words.empty()) {
    return Error(ErrorCode::invalid,
                 fmt::format("the labels are words ('{}'), not numbers", labels.words[0]));
  }
  if (outputs.width == 1) return {};
  return Error(ErrorCode::invalid,
               fmt::format("the model gives {} numbers for each example, expected one", outputs.width));
}

std::string number_text(double value) {
  return std::isnan(value) ? "nan" : fmt::format("{}", value);
}

// Labels, predictions and scores, as they are.
PredictionRows number_rows(const Outputs& outputs, const Labels& labels) {
  PredictionRows out;
  for (std::size_t i = 0; i < labels.numbers.size(); ++i) {
    out.labels.push_back(number_text(labels.numbers[i]));
    out.predictions.push_back(number_text(outputs.values[i]));
  }
  return out;
}

std::size_t count_broken(const Outputs& outputs) {
  return static_cast<std::size_t>(
      std::ranges::count_if(outputs.values, [](double value) { return !std::isfinite(value); }));
}

}  // namespace

Quality judge_classes(const Probabilities& probabilities, const ClassCodes& labels,
                      const ClassOptions& options) {
  PAWL_CHECK(!labels.codes.empty() && probabilities.predicted.size() == labels.codes.size());
  return ClassJudge(probabilities, labels, options).judge();
}

Result<Quality> judge_numbers(const Outputs& outputs, const Labels& labels) {
  PAWL_RETURN_IF_ERROR(check_numbers(outputs, labels));
  MetricList metrics(labels.numbers.size(), count_broken(outputs));
  metrics.lower_if("mae", [&] { return gate::mean_absolute_error(labels.numbers, outputs.values); });
  metrics.lower_if("rmse", [&] { return gate::root_mean_squared_error(labels.numbers, outputs.values); });
  metrics.higher_if("r2", [&] { return gate::r2(labels.numbers, outputs.values); });
  Quality out;
  out.rows = number_rows(outputs, labels);
  PredictionRows::Column absolute{"absolute_error", {}};
  PredictionRows::Column squared{"loss", {}};
  for (std::size_t i = 0; i < labels.numbers.size(); ++i) {
    const double error = outputs.values[i] - labels.numbers[i];
    absolute.values.push_back(std::abs(error));
    squared.values.push_back(error * error);
  }
  out.rows.columns = {std::move(squared), std::move(absolute)};
  out.metrics = metrics.take_metrics();
  out.notes = metrics.take_notes();
  return out;
}

Result<Quality> judge_ranking(const Outputs& outputs, const Labels& labels,
                              const std::vector<std::uint64_t>& groups,
                              const std::vector<std::size_t>& top_k) {
  PAWL_RETURN_IF_ERROR(check_numbers(outputs, labels));
  PAWL_CHECK(groups.size() == labels.numbers.size());
  MetricList metrics(labels.numbers.size(), count_broken(outputs));
  for (const std::size_t k : top_k) {
    metrics.higher_if(fmt::format("ndcg_{}", k), [&]() -> Result<double> {
      PAWL_ASSIGN(const std::vector<gate::GroupNdcg> by_group,
                  gate::ndcg_by_group(groups, labels.numbers, outputs.values, k));
      double sum = 0;
      for (const gate::GroupNdcg& group : by_group) sum += group.ndcg;
      return sum / static_cast<double>(by_group.size());
    });
  }
  Quality out;
  out.rows = number_rows(outputs, labels);
  out.rows.columns = {{"score", outputs.values}, {"group", {groups.begin(), groups.end()}}};
  out.metrics = metrics.take_metrics();
  out.notes = metrics.take_notes();
  return out;
}

}  // namespace pawl::evaluate
