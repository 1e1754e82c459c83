#include "pipelines/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace pawl::pipeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kHead = "version: 1\non: push\n";
constexpr const char* kGate = "gate: {metrics: {accuracy: {direction: higher, floor: 0.5}}}\n";

ParseResult parse_stages(const std::string& stages) {
  return parse_pipeline(kHead + ("stages:\n" + stages) + "\n" + kGate, "p.yml");
}

Stage only_stage(const std::string& stage) {
  ParseResult result = parse_stages("  train: " + stage);
  EXPECT_TRUE(result.ok()) << render(result.diagnostics);
  EXPECT_THAT(result.diagnostics, IsEmpty()) << render(result.diagnostics);
  return result.ok() ? result.pipeline->stages.at(0) : Stage{};
}

const rules::RuleConfig& rule_of(const Stage& stage, const std::string& name) {
  for (const rules::RuleConfig& rule : stage.rules) {
    if (rule.rule == name) return rule;
  }
  ADD_FAILURE() << name;
  return stage.rules.at(0);
}

TEST(Parse, DefaultsOfAStage) {
  Stage stage = only_stage("{run: make}");
  EXPECT_EQ(stage.name, "train");
  EXPECT_EQ(stage.ranks, 1);
  EXPECT_EQ(stage.cpus, 1);
  EXPECT_EQ(stage.gpus, GpuRequest{});
  EXPECT_EQ(stage.timeout, std::chrono::hours(24));
  EXPECT_EQ(stage.retries, 0);
  EXPECT_FALSE(stage.steps);
  EXPECT_EQ(stage.capture, Capture::standard());
  EXPECT_EQ(stage.rules.size(), rules::rule_table().size());
}

TEST(Parse, CpusFollowRanks) {
  EXPECT_EQ(only_stage("{run: make, ranks: 4}").cpus, 4);
  EXPECT_EQ(only_stage("{run: make, ranks: 4, cpus: 2}").cpus, 2);
}

TEST(Parse, Gpus) {
  EXPECT_EQ(only_stage("{run: make, gpus: 2}").gpus, (GpuRequest{false, 2}));
  EXPECT_EQ(only_stage("{run: make, gpus: auto}").gpus, (GpuRequest{true, 0}));
}

TEST(Parse, CommandsMayBeBlocksAndLookLikeOtherTypes) {
  EXPECT_EQ(only_stage("\n    run: |\n      make\n      ./train\n").run, "make\n./train\n");
  EXPECT_EQ(only_stage("{run: true}").run, "true");
}

TEST(Parse, RulesCarryTheDefaultsOfTheTable) {
  Stage stage = only_stage("{run: make}");
  const rules::RuleConfig& exploding = rule_of(stage, "exploding_tensor");
  const rules::RuleDef& def = *rules::find_rule("exploding_tensor");
  EXPECT_TRUE(exploding.enabled);
  EXPECT_EQ(exploding.on_fire, def.default_action);
  for (const rules::ParamDef& param : def.params)
    EXPECT_EQ(exploding.params.at(std::string(param.name)), param.default_value);
}

TEST(Parse, RulesAreChangedByWhatTheFileSays) {
  Stage stage = only_stage(
      "{run: make, rules: {exploding_tensor: {growth: 50, on_fire: warn, required: true, include: fc}, "
      "loss_plateau: off}}");
  const rules::RuleConfig& exploding = rule_of(stage, "exploding_tensor");
  EXPECT_EQ(exploding.param("growth"), 50);
  EXPECT_EQ(exploding.param("abs_max"),
            rules::find_rule("exploding_tensor")->find_param("abs_max")->default_value);
  EXPECT_EQ(exploding.on_fire, rules::Action::warn);
  EXPECT_TRUE(exploding.required);
  EXPECT_EQ(exploding.include, "fc");
  EXPECT_FALSE(rule_of(stage, "loss_plateau").enabled);
  EXPECT_TRUE(rule_of(stage, "loss_divergence").enabled);
}

TEST(Parse, RulesWithoutTheirInputsAreOffUnlessNamed) {
  EXPECT_FALSE(rule_of(only_stage("{run: make}"), "dead_relu").enabled);
  EXPECT_TRUE(rule_of(only_stage("{run: make, debug: {collections: [activations]}}"), "dead_relu").enabled);
  ParseResult named = parse_stages("  train: {run: make, rules: {dead_relu: {steps: 5}}}");
  ASSERT_TRUE(named.ok());
  EXPECT_TRUE(rule_of(named.pipeline->stages[0], "dead_relu").enabled);
  EXPECT_THAT(named.diagnostics.at(0).message, HasSubstr("never evaluated"));
}

TEST(Parse, AllRulesOff) {
  for (const char* text : {"{run: make, rules: off}", "{run: make, debug: off}"}) {
    Stage stage = only_stage(text);
    for (const rules::RuleConfig& rule : stage.rules) EXPECT_FALSE(rule.enabled) << text << " " << rule.rule;
  }
}

TEST(Parse, TriggerForms) {
  auto triggers = [](const std::string& on) {
    ParseResult result = parse_pipeline(
        "version: 1\non: " + on + "\ndata: {d: {path: /d}}\nstages: {a: {run: x}}\n" + kGate, "p");
    EXPECT_TRUE(result.ok()) << render(result.diagnostics);
    return result.ok() ? result.pipeline->on : Triggers{};
  };
  Triggers push;
  push.push.emplace();
  EXPECT_EQ(triggers("push"), push);
  EXPECT_EQ(triggers("[push]"), push);
  EXPECT_EQ(triggers("[push, manual]"), push);
  EXPECT_EQ(triggers("{push: }"), push);
  EXPECT_EQ(triggers("{push: {}}"), push);
  EXPECT_FALSE(triggers("{manual: false}").manual);
  EXPECT_EQ(triggers("{push: {branches: main}}").push->branches, std::vector<std::string>{"main"});
  EXPECT_EQ(triggers("{data: d}").data, std::vector<std::string>{"d"});
  EXPECT_EQ(triggers("{schedule: '0 3 * * *'}").schedule.at(0).text(), "0 3 * * *");
}

TEST(Parse, EnvTakesPlainScalarsAsWritten) {
  ParseResult result = parse_pipeline(
      std::string(kHead) + "env: {A: 010, B: yes, C: \"\", D: 1.50}\nstages: {a: {run: x}}\n" + kGate, "p");
  ASSERT_TRUE(result.ok()) << render(result.diagnostics);
  EXPECT_THAT(result.pipeline->env, ElementsAre(testing::Pair("A", "010"), testing::Pair("B", "yes"),
                                                testing::Pair("C", ""), testing::Pair("D", "1.50")));
}

TEST(Parse, ErrorsAndWarningsComeInTheOrderOfTheFile) {
  ParseResult result = parse_pipeline(
      "gate: {x: 1, metrics: {l: {direction: lower, floor: 1}}}\nstages: {a: {run: x, needs: [zz]}}\non: "
      "psh\nversion: 3\n",
      "p");
  EXPECT_FALSE(result.ok());
  std::vector<int> lines;
  for (const Diagnostic& diagnostic : result.diagnostics) lines.push_back(diagnostic.line);
  EXPECT_THAT(lines, ElementsAre(1, 1, 2, 3, 4));
}

TEST(Parse, AFloodOfMistakesIsCut) {
  std::string text = std::string(kHead) + "stages:\n";
  for (int i = 0; i < 150; ++i) text += "  S" + std::to_string(i) + ": {rnu: x, ranks: a, cpus: b}\n";
  ParseResult result = parse_pipeline(text, "p");
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.diagnostics.size(), 51u);
  EXPECT_EQ(result.diagnostics.back().message, "too many mistakes; the rest is not shown");
}

TEST(Parse, AFloodOfWarningsIsCutAndRefusesNothing) {
  std::string stages;
  for (int i = 0; i < 150; ++i)
    stages += "  s" + std::to_string(i) + ": {run: x, rules: {dead_relu: {steps: 5}}}\n";
  ParseResult warned = parse_stages(stages);
  EXPECT_TRUE(warned.ok());
  EXPECT_EQ(warned.diagnostics.size(), 50u);
  EXPECT_FALSE(parse_stages(stages + "  last: {run: x, ranks: 0}").ok());
}

TEST(Parse, Limits) {
  std::string many = std::string(kHead) + "stages:\n";
  for (int i = 0; i < 201; ++i) many += "  s" + std::to_string(i) + ": {run: x}\n";
  EXPECT_FALSE(parse_pipeline(many, "p").ok());
  EXPECT_FALSE(parse_stages("  a: {run: " + std::string(60 * 1024 + 1, 'x') + "}").ok());
  EXPECT_TRUE(parse_stages("  a: {run: " + std::string(60 * 1024, 'x') + "}").ok());
  EXPECT_FALSE(parse_stages("  " + std::string(64, 'a') + ": {run: x}").ok());
  EXPECT_TRUE(parse_stages("  " + std::string(63, 'a') + ": {run: x}").ok());
  std::string env =
      std::string(kHead) + "stages: {a: {run: x}}\nenv:\n  A: &a " + std::string(60'000, 'x') + "\n";
  for (char c : {'B', 'C', 'D', 'E'}) env += std::string("  ") + c + ": *a\n";
  EXPECT_THAT(parse_pipeline(env, "p").diagnostics.at(0).message, HasSubstr("more than 256.0 KiB"));
}

// The work must stay in proportion to the text, whatever the text is.
TEST(Parse, HugeButLegalInputs) {
  std::string keys = "{";
  for (int i = 0; i < 40'000; ++i) keys += "k" + std::to_string(i) + ": 1, ";
  EXPECT_FALSE(parse_pipeline(keys + "}", "p").ok());
  std::string patterns = "version: 1\nstages: {a: {run: x}}\non: {push: {branches: [";
  for (int i = 0; i < 50'000; ++i) patterns += "b" + std::to_string(i) + ", ";
  EXPECT_TRUE(parse_pipeline(patterns + "]}}\n" + kGate, "p").ok());
}

TEST(Parse, NoMetricsIsAWarning) {
  ParseResult result = parse_pipeline(std::string(kHead) + "stages: {a: {run: x}}", "p");
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result.diagnostics.size(), 1u);
  EXPECT_EQ(result.diagnostics[0].level, Diagnostic::Level::warning);
}

TEST(Parse, ADebugThatNoRankCanBeGiven) {
  std::string at;
  for (int step = 1'000'000; step < 1'010'000; ++step) at += std::to_string(step) + ", ";
  ParseResult result =
      parse_pipeline(std::string(kHead) + "stages: {a: {run: x, debug: {collections: weights, at: [" + at +
                         "1]}}}\n" + kGate,
                     "p");
  ASSERT_FALSE(result.ok());
  EXPECT_NE(render(result.diagnostics).find("asks for more than fits into"), std::string::npos);
}

TEST(Parse, DebugOfOneCollection) {
  auto request = [](const std::string& debug) {
    return capture_request(only_stage("{run: x, ranks: 4, debug: " + debug + "}").capture);
  };
  EXPECT_EQ(request("{every: 5, collections: [losses, weights]}"), "losses every=1\nweights every=5");
  EXPECT_EQ(
      request(
          "{collections: {gradients: {every: 1, ranks: chief, at: 7}, losses: , weights: off}, include: fc}"),
      "gradients every=1 at=7 ranks=0 include=fc\nlosses every=1");
  EXPECT_EQ(request("{ranks: [0, 2], to: 100}"),
            "losses every=1\nscalars every=1\nweights every=10 to=100 ranks=0,2\n"
            "biases every=10 to=100 ranks=0,2\ngradients every=10 to=100 ranks=0,2");
  EXPECT_EQ(request("off"), "off");
}

TEST(Pipeline, EnvSuffix) {
  EXPECT_EQ(env_suffix("fashion-mnist_2"), "FASHION_MNIST_2");
}

}  // namespace
}  // namespace pawl::pipeline
