// tests/golden/gate/*.json: sequences of runs on one branch, each green one the baseline of the next, judged
// as the engine does it. A run states what its stage left; the verdict, headline included, is the
// expectation. PAWL_UPDATE_GOLDEN=1 writes the verdicts into the files, for a person to read in the diff.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/gate/predictions.h"
#include "engine/gate/verdict.h"

namespace pawl::gate {
namespace {

using OrderedJson = nlohmann::ordered_json;
namespace fs = std::filesystem;

MetricRule rule_from(const OrderedJson& json) {
  MetricRule rule;
  rule.metric = json.at("metric");
  rule.direction = json.at("direction") == "higher" ? Direction::higher : Direction::lower;
  if (json.contains("floor")) rule.floor = json["floor"].get<double>();
  if (json.contains("max_drop")) rule.max_drop = json["max_drop"].get<double>();
  rule.max_drop_relative = json.value("relative", false);
  if (json.contains("paired")) {
    const auto& paired = json["paired"];
    rule.paired.emplace();
    rule.paired->margin = paired.at("margin");
    if (paired.value("mode", "lenient") == "strict") rule.paired->mode = PairedTest::Mode::strict;
  }
  return rule;
}

std::string predictions_csv(const OrderedJson& run) {
  const std::string label = run.value("label", "cat");
  std::vector<bool> right(run.at("n").get<std::size_t>(), true);
  for (const auto& range : run.at("wrong")) {
    for (std::size_t i = range.at(0); i < range.at(1); ++i) right.at(i) = false;
  }
  std::string csv = "id,label,prediction\n";
  for (std::size_t i = 0; i < right.size(); ++i) {
    csv += std::to_string(i) + "," + label + "," + (right[i] ? label : "dog") + "\n";
  }
  return csv;
}

Evidence evidence_from(const OrderedJson& run) {
  Evidence evidence;
  auto metrics = parse_metrics(run.at("metrics").dump(), "metrics.json");
  if (metrics) {
    evidence.metrics = std::move(metrics).value();
  } else {
    evidence.unreadable["metrics.json"] = metrics.error().to_string();
  }
  if (run.contains("n")) {
    auto vector = parse_predictions_csv(predictions_csv(run), "predictions.csv");
    EXPECT_TRUE(vector);
    evidence.vectors["predictions.csv"] = std::move(vector).value();
  }
  return evidence;
}

class Golden : public ::testing::TestWithParam<fs::path> {};

TEST_P(Golden, Verdicts) {
  const auto text = read_file(GetParam().string(), 1 << 20);
  ASSERT_TRUE(text);
  OrderedJson golden = OrderedJson::parse(*text);
  Policy policy;
  policy.bootstrap = golden.at("bootstrap");
  for (const auto& rule : golden.at("metrics")) policy.metrics.push_back(rule_from(rule));

  const bool update = std::getenv("PAWL_UPDATE_GOLDEN") != nullptr;
  Inputs inputs;
  inputs.target_branch = "main";
  inputs.target_was_ever_green = false;
  int number = 0;
  for (auto& run : golden.at("runs")) {
    ++number;
    inputs.evidence = evidence_from(run);
    inputs.stages.clear();
    if (run.contains("stage_failed")) inputs.stages.push_back({"train", run["stage_failed"], false});
    const Verdict verdict = judge(policy, inputs);
    const OrderedJson actual = {{"kind", to_string(verdict.kind)}, {"headline", verdict.headline}};
    if (update) {
      run["verdict"] = actual;
    } else {
      EXPECT_EQ(actual.dump(2), run.at("verdict").dump(2)) << "run " << number;
    }
    if (verdict.kind != VerdictKind::pass) continue;
    inputs.target_was_ever_green = true;
    inputs.baseline =
        Baseline{.run = {"", number, std::string(7, static_cast<char>('0' + number)), "main", 0},
                 .evidence = inputs.evidence};
  }
  if (update) std::ofstream(GetParam()) << golden.dump(2) << '\n';
}

std::vector<fs::path> cases() {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(PAWL_GOLDEN_GATE_DIR)) {
    if (entry.path().extension() == ".json") out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

INSTANTIATE_TEST_SUITE_P(Gate, Golden, ::testing::ValuesIn(cases()),
                         [](const auto& golden) { return golden.param.stem().string(); });

}  // namespace
}  // namespace pawl::gate
