#include "pipelines/plan.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "pipelines/parse.h"

namespace pawl::pipeline {
namespace {

constexpr const char* kFile = R"(
version: 1
on: push
data: {d: {path: /d, include: ["*.gz"], exclude: [x]}}
env: {A: "\u00e9\n"}
stages:
  evaluate: {needs: [train], run: e, debug: off, gpus: auto}
  train:
    run: t
    setup: s
    ranks: 2
    gpus: 1
    timeout: 1500ms
    retries: 3
    steps: 900
    debug: {every: 3, collections: [losses], include: 'a"b'}
    rules: {exploding_tensor: {growth: 50.5, abs_max: 1e300}, hang: off}
gate:
  bootstrap: true
  stage: evaluate
  metrics:
    a: {direction: lower, ceiling: 0.1, max_drop_relative: 0.3, paired: {margin: 0.02, mode: strict}}
    b: {direction: higher, floor: -0.1}
  conditions: [{condition: n - 1.1*o > 0.02 +/- 0.01, reliability: 0.99}]
)";

Plan plan() {
  ParseResult result = parse_pipeline(kFile, "p");
  EXPECT_TRUE(result.ok()) << render(result.diagnostics);
  return make_plan(*result.pipeline);
}

TEST(Plan, StagesComeAfterWhatTheyNeed) {
  Plan p = plan();
  ASSERT_EQ(p.stages.size(), 2u);
  EXPECT_EQ(p.stages[0].name, "train");
  EXPECT_EQ(p.stages[1].name, "evaluate");
}

TEST(Plan, SurvivesItsText) {
  Plan p = plan();
  auto back = plan_from_json(to_json(p));
  ASSERT_TRUE(back.ok()) << back.error().to_string();
  EXPECT_EQ(*back, p);
  EXPECT_EQ(to_json(*back), to_json(p));
}

TEST(Plan, RequestsOfOlderRunsAreRead) {
  Json json = parse_json(to_json(plan()), "plan").value();
  json["stages"][0]["capture"] = {
      {"enabled", true}, {"every", 5}, {"collections", {"losses", "weights"}}, {"include", "fc"}};
  json["stages"][1]["capture"] = {
      {"enabled", false}, {"every", 10}, {"collections", {"losses"}}, {"include", ""}};
  auto back = plan_from_json(dump_json(json));
  ASSERT_TRUE(back.ok()) << back.error().to_string();
  EXPECT_EQ(capture_request(back->stages[0].capture), "losses every=1\nweights every=5 include=fc");
  EXPECT_EQ(back->stages[1].capture, Capture::none());
}

// Each change of the plan must show in its text, or a restart would forget it.
TEST(Plan, NoFieldIsForgotten) {
  const Plan original = plan();
  std::vector<std::function<void(Plan&)>> changes = {
      [](Plan& p) { p.env["B"] = "x"; },
      [](Plan& p) { p.data[0].name = "x"; },
      [](Plan& p) { p.data[0].path = "x"; },
      [](Plan& p) { p.data[0].include = {}; },
      [](Plan& p) { p.data[0].exclude = {}; },
      [](Plan& p) { p.stages[0].name = "x"; },
      [](Plan& p) { p.stages[0].needs = {"x"}; },
      [](Plan& p) { p.stages[0].run = "x"; },
      [](Plan& p) { p.stages[0].uses = "x"; },
      [](Plan& p) { p.stages[0].setup = "x"; },
      [](Plan& p) { p.stages[0].ranks = 9; },
      [](Plan& p) { p.stages[0].cpus = 9; },
      [](Plan& p) {
        p.stages[0].gpus = {true, 0};
      },
      [](Plan& p) {
        p.stages[0].gpus = {false, 9};
      },
      [](Plan& p) { p.stages[0].timeout = std::chrono::hours(9); },
      [](Plan& p) { p.stages[0].retries = 9; },
      [](Plan& p) { p.stages[0].steps = std::nullopt; },
      [](Plan& p) { p.stages[0].capture = Capture::none(); },
      [](Plan& p) { p.stages[0].capture.rules.pop_back(); },
      [](Plan& p) { p.stages[0].capture.rules[0].off = true; },
      [](Plan& p) { p.stages[0].capture.rules[0].every = 9; },
      [](Plan& p) { p.stages[0].capture.rules[0].from = 9; },
      [](Plan& p) { p.stages[0].capture.rules[0].to = 9; },
      [](Plan& p) { p.stages[0].capture.rules[0].at = {9}; },
      [](Plan& p) { p.stages[0].capture.rules[0].ranks = {1}; },
      [](Plan& p) { p.stages[0].capture.rules[0].include = "x"; },
      [](Plan& p) { p.stages[0].rules[0].enabled ^= true; },
      [](Plan& p) { p.stages[0].rules[0].required = true; },
      [](Plan& p) { p.stages[0].rules[0].include = "x"; },
      [](Plan& p) { p.stages[0].rules[0].on_fire = rules::Action::warn; },
      [](Plan& p) { p.stages[0].rules[1].params.begin()->second = 9; },
      [](Plan& p) { p.gate.bootstrap = false; },
      [](Plan& p) { p.gate.stage = "x"; },
      [](Plan& p) { p.gate.metrics[0].metric = "x"; },
      [](Plan& p) { p.gate.metrics[0].direction = gate::Direction::higher; },
      [](Plan& p) { p.gate.metrics[0].floor = 9; },
      [](Plan& p) { p.gate.metrics[0].ceiling = std::nullopt; },
      [](Plan& p) { p.gate.metrics[0].max_drop = 9; },
      [](Plan& p) { p.gate.metrics[0].max_drop_relative = false; },
      [](Plan& p) { p.gate.metrics[0].paired->margin = 0.9; },
      [](Plan& p) { p.gate.metrics[0].paired->alpha = 0.9; },
      [](Plan& p) { p.gate.metrics[0].paired->mode = gate::PairedTest::Mode::lenient; },
      [](Plan& p) { p.gate.metrics[0].paired->predictions = "x"; },
      [](Plan& p) { p.gate.metrics[0].paired = std::nullopt; },
      [](Plan& p) { p.gate.conditions.clear(); },
      [](Plan& p) { p.gate.conditions[0].condition.clauses[0].threshold = 0.5; },
      [](Plan& p) { p.gate.conditions[0].reliability = 0.9; },
      [](Plan& p) { p.gate.conditions[0].mode = gate::ConditionMode::fn_free; },
      [](Plan& p) { p.gate.conditions[0].terms.adaptivity = gate::Adaptivity::none; },
      [](Plan& p) { p.gate.conditions[0].terms.steps = 9; },
      [](Plan& p) { p.gate.conditions[0].on_spent = gate::ConditionRule::OnSpent::block; },
      [](Plan& p) { p.gate.conditions[0].predictions = "x"; },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    Plan changed = original;
    changes[i](changed);
    ASSERT_FALSE(changed == original) << i;
    auto back = plan_from_json(to_json(changed));
    ASSERT_TRUE(back.ok()) << i << ": " << back.error().to_string();
    EXPECT_EQ(*back, changed) << i;
  }
}

TEST(Plan, TextThatIsNoPlanIsAnError) {
  for (const char* text : {"", "{}", "[]", "null", "1", R"({"format": 1})", R"({"format": 2})", "{"})
    EXPECT_FALSE(plan_from_json(text).ok()) << text;
}

// Every node of a good text, one after the other, replaced by something else: no crash, whatever comes out.
TEST(Plan, DamagedTextNeverThrows) {
  const Json good = parse_json(to_json(plan()), "plan").value();
  size_t refused = 0;
  const Json flat = good.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    for (const Json& other : {Json(nullptr), Json("x"), Json(-1), Json(1.5), Json::array(), Json::object()}) {
      Json damaged = good;
      damaged[Json::json_pointer(pointer)] = other;
      refused += plan_from_json(damaged.dump()).ok() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 100u);
}

TEST(Plan, RulesOfAnotherVersionAreRefused) {
  std::string text = to_json(plan());
  for (const char* known : {"exploding_tensor", "growth"}) {
    std::string other = text;
    other.replace(other.find(known), 6, "zzzzzz");
    EXPECT_FALSE(plan_from_json(other).ok()) << known;
  }
}

}  // namespace
}  // namespace pawl::pipeline
