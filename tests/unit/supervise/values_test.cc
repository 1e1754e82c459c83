// The JSON of the attempt files and of the live socket: what is written is read back, what is wrong is an
// error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/supervise/command.h"
#include "engine/supervise/intent.h"
#include "engine/supervise/live.h"
#include "engine/supervise/result.h"

namespace pawl::supervise {
namespace {

using testing::HasSubstr;

Intent full_intent() {
  Intent intent;
  intent.run_id = "01RUN";
  intent.stage = "train";
  intent.attempt = 3;
  intent.fence = 9;
  intent.cookie = runners::make_cookie("01RUN", "train", 3, 9);
  intent.setup = ". venv/bin/activate";
  intent.command = "python train.py\n# done";
  intent.source_dir = "/s";
  intent.attempt_dir = "/a";
  intent.checkpoint_dir = "/c";
  intent.data_dirs = {{"d", "/d"}};
  intent.needs_dirs = {{"build", "/b"}};
  intent.python_dir = "/p";
  intent.capture_lib = "/l.so";
  intent.include_dir = "/i";
  intent.lib_dir = "/l";
  intent.bin_dir = "/b/bin";
  intent.env = {{"A", "1"}};
  intent.ranks = 2;
  intent.cpus = 4;
  intent.gpu_uuids = {{"GPU-a"}, {"GPU-b"}};
  intent.capture = "losses every=1\nweights every=5";
  intent.timeout_s = 60;
  intent.grace_s = 3;
  intent.seed = 7;
  intent.steps_total = 900;
  rules::RuleConfig rule;
  rule.rule = "exploding_tensor";
  rule.on_fire = rules::Action::stop;
  rule.required = true;
  rule.params = {{"growth", 50}};
  rule.include = "fc.*";
  intent.rules = {rule};
  intent.green = rules::GreenBand{"loss", false, {"1 (abc)", "2 (def)"}, {}, ""};
  intent.green->stretches = {{0, 9, 0.5, 0.4, 0.6, 0.1, 0.05}, {10, 19, 0.4, 0.3, 0.5, 0.1, 0.04}};
  return intent;
}

TEST(IntentJson, RoundTrip) {
  std::string text = dump_json(to_json(full_intent()));
  auto intent = parse_intent(text, "intent.json");
  ASSERT_TRUE(intent.ok()) << intent.error().to_string();
  EXPECT_EQ(dump_json(to_json(*intent)), text);
  EXPECT_EQ(intent->gpu_uuids, full_intent().gpu_uuids);
  EXPECT_EQ(intent->seed, 7);
  EXPECT_EQ(intent->steps_total, 900u);
  EXPECT_EQ(intent->green, full_intent().green);
  EXPECT_EQ(intent->rules.at(0).on_fire, rules::Action::stop);
  EXPECT_EQ(intent->rules.at(0).params.at("growth"), 50);
}

TEST(IntentJson, EveryFieldIsNeededAndHasItsType) {
  Json good = to_json(full_intent());
  for (const auto& [key, value] : good.items()) {
    if (key == "version") continue;
    Json wrong = good;
    wrong[key] = value.is_string() ? Json(7) : Json("text");
    EXPECT_FALSE(parse_intent(dump_json(wrong), "intent.json").ok()) << key;
    if (key == "seed" || key == "steps_total" || key == "green") continue;
    Json missing = good;
    missing.erase(key);
    auto parsed = parse_intent(dump_json(missing), "intent.json");
    ASSERT_FALSE(parsed.ok()) << key;
    EXPECT_THAT(parsed.error().to_string(), HasSubstr("intent.json")) << key;
  }
}

TEST(IntentJson, ValuesOutOfRangeAreRefused) {
  auto refuses = [](const char* key, Json value) {
    Json wrong = to_json(full_intent());
    wrong[key] = std::move(value);
    return !parse_intent(dump_json(wrong), "intent.json").ok();
  };
  EXPECT_TRUE(refuses("ranks", 0));
  EXPECT_TRUE(refuses("ranks", 3));  // two lists of devices
  EXPECT_TRUE(refuses("attempt", 0));
  EXPECT_TRUE(refuses("timeout_s", -1));
  EXPECT_TRUE(refuses("cookie", ""));
  EXPECT_TRUE(refuses("attempt_dir", "relative"));
  Json rule = to_json(full_intent())["rules"][0];
  rule["rule"] = "no_such_rule";
  EXPECT_TRUE(refuses("rules", Json::array({rule})));
  rule["rule"] = "exploding_tensor";
  rule["params"] = {{"no_such_param", 1}};
  EXPECT_TRUE(refuses("rules", Json::array({rule})));
  rule["params"] = Json::object();
  rule["on_fire"] = "explode";
  EXPECT_TRUE(refuses("rules", Json::array({rule})));
}

TEST(IntentJson, ABandOutOfShapeIsRefused) {
  const Json good = to_json(full_intent());
  auto accepts = [&](auto change) {
    Json wrong = good;
    change(wrong["green"]);
    return parse_intent(dump_json(wrong), "intent.json").ok();
  };
  EXPECT_TRUE(accepts([](Json& band) { band["stretches"].erase(1); }));
  EXPECT_FALSE(accepts([](Json& band) { band["stretches"] = Json::array(); })) << "and no reason";
  EXPECT_FALSE(accepts([](Json& band) { band["missing"] = "but there are stretches"; }));
  EXPECT_FALSE(accepts([](Json& band) { std::swap(band["stretches"][0], band["stretches"][1]); }));
  EXPECT_FALSE(accepts([](Json& band) { band["stretches"][0][1] = 10; })) << "they overlap";
  EXPECT_FALSE(accepts([](Json& band) { band["stretches"][1][0] = 30; })) << "it ends before it begins";
  EXPECT_FALSE(accepts([](Json& band) { band["stretches"][0].erase(6); }));
  EXPECT_FALSE(accepts([](Json& band) { band["stretches"][0][5] = -1; }));
  EXPECT_FALSE(accepts([](Json& band) { band["stretches"][0][2] = nullptr; })) << "NaN";
  EXPECT_FALSE(accepts([](Json& band) { band["runs"] = 7; }));
  EXPECT_FALSE(accepts([](Json& band) {
    for (uint64_t i = 2; i <= rules::kMaxStretches; ++i)
      band["stretches"].push_back({10 * i, 10 * i + 9, 1, 1, 1, 0, 0});
  }));
}

TEST(IntentJson, RubbishIsAnError) {
  for (const char* text : {"", "{", "[]", "null", "7", "{\"run_id\": null}", "\xff\xfe"}) {
    EXPECT_FALSE(parse_intent(text, "intent.json").ok()) << text;
  }
}

TEST(StartedJson, RoundTrip) {
  auto self = describe_self(7, 1234);
  ASSERT_TRUE(self.ok()) << self.error().to_string();
  EXPECT_EQ(self->pid, getpid());
  EXPECT_GT(self->start_ticks, 0u);
  EXPECT_EQ(self->boot_id.size(), 36u);
  auto back = parse_started(dump_json(to_json(*self)), "supervisor.json");
  ASSERT_TRUE(back.ok()) << back.error().to_string();
  EXPECT_EQ(back->fence, 7);
  EXPECT_EQ(back->pid, self->pid);
  EXPECT_EQ(back->start_ticks, self->start_ticks);
  EXPECT_EQ(back->boot_id, self->boot_id);
  EXPECT_EQ(back->unix_ms, 1234);
  EXPECT_FALSE(parse_started("{}", "supervisor.json").ok());
}

AttemptResult full_result() {
  rules::Finding finding;
  finding.rule = "non_finite";
  finding.action = rules::Action::stop;
  finding.severity = rules::Severity::fail;
  finding.first_step = 12;
  finding.last_step = 14;
  finding.count = 3;
  finding.rank = 1;
  finding.tensor = "fc1.weight";
  finding.kind = "gradient";
  finding.value = std::nan("");
  finding.limit = -INFINITY;
  finding.message = "3 NaN";
  AttemptResult result;
  result.fence = 9;
  result.outcome = Outcome::stopped_by_rule;
  result.reason = "a rule";
  result.exits = {{0, ExitStatus::killed(SIGTERM)}, {1, ExitStatus::exited(3)}};
  result.first_failing_rank = 1;
  result.findings = {finding};
  result.rules = {{"non_finite", rules::Outcome::fired, false, ""},
                  {"hang", rules::Outcome::not_evaluated, true, "no trace"}};
  result.steps = 14;
  result.last_step = 14;
  result.seconds = 1.5;
  result.steps_per_s = 9.25;
  result.last_loss = INFINITY;
  result.trace_anomalies = {{"dropped_records", 4}};
  result.log_bytes = 100;
  result.log_lost_bytes = 5;
  result.notes = {"note"};
  result.started_unix_ms = 1;
  result.ended_unix_ms = 2;
  return result;
}

TEST(ResultJson, RoundTrip) {
  std::string text = dump_json(to_json(full_result()));
  auto result = parse_result(text, "result.json");
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  EXPECT_EQ(dump_json(to_json(*result)), text);
  EXPECT_EQ(result->exits[0].status, ExitStatus::killed(SIGTERM));
  EXPECT_TRUE(std::isnan(result->findings[0].value));
  EXPECT_EQ(result->findings[0].limit, -INFINITY);
  EXPECT_EQ(result->last_loss, INFINITY);
  EXPECT_EQ(result->rules[1].outcome, rules::Outcome::not_evaluated);
}

TEST(ResultJson, EmptyOnesTravelToo) {
  auto result = parse_result(dump_json(to_json(AttemptResult{})), "result.json");
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  EXPECT_FALSE(result->last_loss);
  EXPECT_FALSE(result->steps_per_s);
  EXPECT_FALSE(result->first_failing_rank);
}

TEST(ResultJson, EveryOutcomeHasAName) {
  for (Outcome outcome : {Outcome::succeeded, Outcome::failed, Outcome::stopped_by_rule, Outcome::timed_out,
                          Outcome::cancelled, Outcome::lost, Outcome::error}) {
    EXPECT_EQ(parse_outcome(to_string(outcome)), outcome);
  }
}

TEST(ResultJson, AnUnknownOutcomeIsAnError) {
  Json json = to_json(full_result());
  json["outcome"] = "splendid";
  auto result = parse_result(dump_json(json), "result.json");
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().to_string(), HasSubstr("unknown outcome \"splendid\""));
  json = to_json(full_result());
  json["rules"][0]["outcome"] = "maybe";
  EXPECT_FALSE(parse_result(dump_json(json), "result.json").ok());
  json = to_json(full_result());
  json["findings"][0].erase("message");
  EXPECT_FALSE(parse_result(dump_json(json), "result.json").ok());
  json = to_json(full_result());
  json["last_loss"] = "much";
  EXPECT_FALSE(parse_result(dump_json(json), "result.json")->last_loss);
}

TEST(LiveLine, StateRoundTrip) {
  LiveState state;
  state.phase = Phase::stopping;
  state.reason = "why\nnot";
  state.step = 7;
  state.steps_total = 10;
  state.steps_per_s = 2.5;
  state.loss = std::nan("");
  state.elapsed_s = 3;
  state.eta_s = 0.8;
  state.log_bytes = 11;
  state.findings = 1;
  std::string line = live_line(state);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  auto back = parse_live_line(line);
  ASSERT_TRUE(back.ok()) << back.error().to_string();
  EXPECT_EQ(live_line(*back), line);
  EXPECT_TRUE(std::isnan(*std::get<LiveState>(*back).loss));

  auto empty = parse_live_line(live_line(LiveState{}));
  ASSERT_TRUE(empty.ok());
  EXPECT_FALSE(std::get<LiveState>(*empty).step);
}

TEST(LiveLine, FindingAndResultRoundTrip) {
  auto finding = parse_live_line(live_line(full_result().findings[0]));
  ASSERT_TRUE(finding.ok()) << finding.error().to_string();
  EXPECT_EQ(std::get<rules::Finding>(*finding).tensor, "fc1.weight");
  auto result = parse_live_line(live_line(full_result()));
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  EXPECT_EQ(std::get<AttemptResult>(*result).outcome, Outcome::stopped_by_rule);
}

TEST(LiveLine, RubbishIsAnError) {
  for (const char* line : {"", "{}", "[1]", "{\"type\":\"news\"}", "{\"type\":\"state\"}",
                           "{\"type\":\"finding\"}", "{\"type\":\"result\",\"result\":7}"}) {
    EXPECT_FALSE(parse_live_line(line).ok()) << line;
  }
}

TEST(Command, StopWithItsReason) {
  auto reason = [](const std::string& line) {
    return std::get<StopCommand>(parse_command(line).value()).reason;
  };
  EXPECT_EQ(reason(command_line(StopCommand{"cancelled by ann"})), "cancelled by ann");
  EXPECT_EQ(reason("{\"cmd\":\"stop\"}"), "cancelled");
  EXPECT_EQ(reason(command_line(StopCommand{std::string(5000, 'x')})).size(), 1000u);
  EXPECT_FALSE(parse_command("{\"cmd\":\"dance\"}").ok());
  EXPECT_FALSE(parse_command("stop").ok());
  EXPECT_FALSE(parse_command("{\"cmd\":7}").ok());
}

TEST(Command, ChangeOfWhatIsRecorded) {
  pipeline::CaptureChange change;
  change.collection = "gradients";
  change.ranks = {1};
  change.every = 1;
  change.at = {3, 5};
  change.include = "layer2.*";
  auto read = parse_command(command_line(change));
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  const auto& again = std::get<pipeline::CaptureChange>(*read);
  EXPECT_EQ(again.collection, "gradients");
  EXPECT_EQ(again.ranks, change.ranks);
  EXPECT_EQ(again.every, 1);
  EXPECT_EQ(again.at, change.at);
  EXPECT_EQ(again.include, "layer2.*");
  EXPECT_FALSE(again.off || again.from || again.to);
  for (const char* fields : {R"("collection":"x")", R"("collection":"losses","every":0)",
                             R"("collection":"losses","ranks":[-1])", R"("collection":"losses","from":-1)",
                             R"("collection":"weights","raw":-1)", R"("collection":"weights","raw":1048577)",
                             R"("collection":"losses","include":"a\nlosses off")", R"("every":1)"}) {
    EXPECT_FALSE(parse_command(std::string(R"({"cmd":"capture",)") + fields + "}").ok()) << fields;
  }
}

TEST(Command, Answers) {
  auto answer = parse_capture_answer(capture_line({3, "losses every=1"}));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->generation, 3u);
  EXPECT_EQ(answer->request, "losses every=1");
  EXPECT_EQ(parse_capture_answer(error_line("no")).error().code(), ErrorCode::invalid);
  EXPECT_EQ(parse_capture_answer(live_line(LiveState{})).error().code(), ErrorCode::not_found);
}

}  // namespace
}  // namespace pawl::supervise
