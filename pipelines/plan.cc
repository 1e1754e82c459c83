#include "pipelines/plan.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "pipelines/needs.h"
#include "pipelines/seeds.h"

namespace pawl::pipeline {
namespace {

constexpr int kFormat = 1;

// The JSON library reports a wrong type by an exception, so the readers below throw too (an Error), and
// plan_from_json() is where all of it ends.

template <class T>
Json optional_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

template <class T>
std::optional<T> optional_at(const Json& object, const char* key) {
  const Json& value = object.at(key);
  return value.is_null() ? std::nullopt : std::optional(value.get<T>());
}

template <class T, class Write>
Json list_json(const std::vector<T>& values, Write write) {
  Json out = Json::array();
  for (const T& value : values) out.push_back(write(value));
  return out;
}

template <class Read>
auto list_at(const Json& object, const char* key, Read read) {
  std::vector<decltype(read(object))> out;
  for (const Json& value : object.at(key)) out.push_back(read(value));
  return out;
}

// A word out of two or three, as the enumerators are numbered.
template <class Enum, size_t N>
Enum word_at(const Json& object, const char* key, const char* const (&words)[N]) {
  std::string word = object.at(key).get<std::string>();
  for (size_t i = 0; i < N; ++i) {
    if (word == words[i]) return static_cast<Enum>(i);
  }
  throw Error(ErrorCode::invalid, fmt::format("'{}' is no value of '{}'", word, key));
}

constexpr const char* kDirections[] = {"higher", "lower"};
constexpr const char* kBaselines[] = {"last_green", "best", "rolling", "tag"};
constexpr const char* kModes[] = {"lenient", "strict"};
constexpr const char* kConditionModes[] = {"fp-free", "fn-free"};
constexpr const char* kAdaptivities[] = {"none", "full", "first-change"};
constexpr const char* kOnSpent[] = {"warn", "block"};
constexpr const char* kStatistics[] = {"accuracy", "mean", "auc", "average_precision", "macro_f1"};

Json dataset_json(const Dataset& data) {
  return {{"name", data.name},
          {"path", data.path},
          {"include", data.include},
          {"exclude", data.exclude},
          {"disjoint_from", data.disjoint_from},
          {"keep_copy", data.keep_copy}};
}

Dataset dataset_from(const Json& json) {
  return {json.at("name"),
          json.at("path"),
          json.at("include"),
          json.at("exclude"),
          json.value("disjoint_from", std::vector<std::string>()),  // not in older runs
          json.value("keep_copy", false)};
}

Json rule_json(const rules::RuleConfig& rule) {
  return {{"rule", rule.rule},         {"enabled", rule.enabled}, {"on_fire", rules::to_string(rule.on_fire)},
          {"required", rule.required}, {"params", rule.params},   {"include", rule.include}};
}

rules::RuleConfig rule_from(const Json& json) {
  rules::RuleConfig rule;
  rule.rule = json.at("rule");
  rule.enabled = json.at("enabled");
  auto action = rules::parse_action(json.at("on_fire").get<std::string>());
  if (!action) throw Error(ErrorCode::invalid, "unknown action of a rule");
  rule.on_fire = *action;
  rule.required = json.at("required");
  rule.params = json.at("params").get<std::map<std::string, double>>();
  rule.include = json.at("include");
  const rules::RuleDef* def = rules::find_rule(rule.rule);
  if (!def) throw Error(ErrorCode::invalid, fmt::format("this version has no rule '{}'", rule.rule));
  for (const auto& [param, value] : rule.params) {
    if (!def->find_param(param))
      throw Error(ErrorCode::invalid, fmt::format("rule '{}' has no parameter '{}'", rule.rule, param));
  }
  return rule;
}

Capture capture_from(const Json& json) {
  if (json.is_string()) {
    auto capture = parse_capture_request(json.get<std::string>());
    if (!capture.ok()) throw capture.error();
    return std::move(*capture);
  }
  // Runs that are older than rules by collection.
  if (!json.at("enabled").get<bool>()) return Capture::none();
  Capture capture;
  for (const std::string& collection : json.at("collections").get<std::vector<std::string>>()) {
    CaptureRule rule;
    rule.collection = collection;
    rule.every = is_tensor_collection(collection) ? json.at("every").get<int64_t>() : 1;
    if (is_tensor_collection(collection)) rule.include = json.at("include").get<std::string>();
    capture.rules.push_back(std::move(rule));
  }
  return capture;
}

Json stage_json(const Stage& stage) {
  Json json = {{"name", stage.name},
               {"needs", stage.needs},
               {"evaluates", stage.evaluates},
               {"run", stage.run},
               {"uses", stage.uses},
               {"setup", stage.setup},
               {"ranks", stage.ranks},
               {"cpus", stage.cpus},
               {"gpus", stage.gpus.automatic ? Json("auto") : Json(stage.gpus.count)},
               {"timeout_ms", stage.timeout.count()},
               {"retries", stage.retries},
               {"steps", optional_json(stage.steps)},
               {"seed", optional_json(stage.seed)},
               {"capture", capture_request(stage.capture)},
               {"rules", list_json(stage.rules, rule_json)}};
  if (!stage.event_files.empty()) json["event_files"] = stage.event_files;
  return json;
}

Stage stage_from(const Json& json) {
  Stage stage;
  stage.name = json.at("name");
  stage.needs = json.at("needs").get<std::vector<std::string>>();
  stage.evaluates = json.value("evaluates", "");  // runs that are older than the key
  stage.run = json.at("run");
  stage.uses = json.at("uses");
  stage.setup = json.at("setup");
  stage.ranks = json.at("ranks");
  stage.cpus = json.at("cpus");
  stage.gpus.automatic = json.at("gpus") == "auto";
  if (!stage.gpus.automatic) stage.gpus.count = json.at("gpus");
  stage.timeout = std::chrono::milliseconds(json.at("timeout_ms").get<int64_t>());
  stage.retries = json.at("retries");
  stage.steps = optional_at<int64_t>(json, "steps");
  if (json.contains("seed")) stage.seed = optional_at<int64_t>(json, "seed");  // not in older runs
  stage.capture = capture_from(json.at("capture"));
  stage.event_files = json.value("event_files", "");
  stage.rules = list_at(json, "rules", rule_from);
  return stage;
}

Json paired_json(const std::optional<gate::PairedTest>& paired) {
  if (!paired) return nullptr;
  return {{"margin", paired->margin},
          {"alpha", paired->alpha},
          {"mode", kModes[static_cast<size_t>(paired->mode)]},
          {"predictions", paired->predictions},
          {"of", kStatistics[static_cast<size_t>(paired->of)]},
          {"column", paired->column},
          {"positive", paired->positive}};
}

std::optional<gate::PairedTest> paired_from(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return gate::PairedTest{json.at("margin"),
                          json.at("alpha"),
                          word_at<gate::PairedTest::Mode>(json, "mode", kModes),
                          json.at("predictions"),
                          word_at<gate::PairedTest::Of>(json, "of", kStatistics),
                          json.at("column"),
                          json.at("positive")};
}

Json seeds_json(const std::optional<gate::SeedsTest>& test) {
  if (!test) return nullptr;
  return {{"probability", test->probability},
          {"alpha", test->alpha},
          {"mode", kModes[static_cast<size_t>(test->mode)]}};
}

std::optional<gate::SeedsTest> seeds_from(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return gate::SeedsTest{json.at("probability"), json.at("alpha"),
                         word_at<gate::PairedTest::Mode>(json, "mode", kModes)};
}

Json where_json(const gate::SliceRule::Where& where) {
  return {{"column", where.column},
          {"words", where.words},
          {"at_least", optional_json(where.at_least)},
          {"below", optional_json(where.below)}};
}

gate::SliceRule::Where where_from(const Json& json) {
  return {json.at("column"), json.at("words").get<std::vector<std::string>>(),
          optional_at<double>(json, "at_least"), optional_at<double>(json, "below")};
}

Json slice_json(const gate::SliceRule& rule) {
  return {{"by", rule.by},
          {"name", rule.name},
          {"where", list_json(rule.where, where_json)},
          {"min_examples", rule.min_examples},
          {"floor", optional_json(rule.floor)},
          {"max_drop", optional_json(rule.max_drop)},
          {"margin", optional_json(rule.margin)}};
}

gate::SliceRule slice_from(const Json& json) {
  gate::SliceRule rule;
  rule.by = json.at("by");
  rule.name = json.at("name");
  rule.where = list_at(json, "where", where_from);
  rule.min_examples = json.at("min_examples");
  rule.floor = optional_at<double>(json, "floor");
  rule.max_drop = optional_at<double>(json, "max_drop");
  rule.margin = optional_at<double>(json, "margin");
  return rule;
}

Json metric_json(const gate::MetricRule& rule) {
  return {{"metric", rule.metric},
          {"direction", kDirections[static_cast<size_t>(rule.direction)]},
          {"floor", optional_json(rule.floor)},
          {"ceiling", optional_json(rule.ceiling)},
          {"max_drop", optional_json(rule.max_drop)},
          {"max_drop_relative", rule.max_drop_relative},
          {"paired", paired_json(rule.paired)},
          {"seeds", seeds_json(rule.seeds)},
          {"slices", list_json(rule.slices, slice_json)}};
}

gate::MetricRule metric_from(const Json& json) {
  gate::MetricRule rule;
  rule.metric = json.at("metric");
  rule.direction = word_at<gate::Direction>(json, "direction", kDirections);
  rule.floor = optional_at<double>(json, "floor");
  rule.ceiling = optional_at<double>(json, "ceiling");
  rule.max_drop = optional_at<double>(json, "max_drop");
  rule.max_drop_relative = json.at("max_drop_relative");
  rule.paired = paired_from(json.at("paired"));
  rule.seeds = seeds_from(json.value("seeds", Json()));
  rule.slices = list_at(json, "slices", slice_from);
  return rule;
}

Json baseline_json(const gate::BaselineRule& rule) {
  return {{"kind", kBaselines[static_cast<size_t>(rule.kind)]}, {"runs", rule.runs}, {"tag", rule.tag}};
}

gate::BaselineRule baseline_from(const Json& json) {
  return {word_at<gate::BaselineRule::Kind>(json, "kind", kBaselines), json.at("runs"), json.at("tag")};
}

Json sustained_json(const std::optional<gate::SustainedRule>& rule) {
  if (!rule) return nullptr;
  return {{"window", rule->window}, {"max_drop", rule->max_drop}};
}

std::optional<gate::SustainedRule> sustained_from(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return gate::SustainedRule{json.at("window"), json.at("max_drop")};
}

Json early_json(const std::optional<gate::EarlyRule>& rule) {
  if (!rule) return nullptr;
  return {{"curve", rule->curve},   {"direction", kDirections[static_cast<size_t>(rule->direction)]},
          {"margin", rule->margin}, {"margin_relative", rule->margin_relative},
          {"runs", rule->runs},     {"from_step", rule->from_step}};
}

std::optional<gate::EarlyRule> early_from(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return gate::EarlyRule{json.at("curve"),  word_at<gate::Direction>(json, "direction", kDirections),
                         json.at("margin"), json.at("margin_relative"),
                         json.at("runs"),   json.at("from_step")};
}

Json condition_json(const gate::ConditionRule& rule) {
  return {{"condition", gate::to_string(rule.condition)},
          {"reliability", rule.reliability},
          {"mode", kConditionModes[static_cast<size_t>(rule.mode)]},
          {"adaptivity", kAdaptivities[static_cast<size_t>(rule.terms.adaptivity)]},
          {"steps", rule.terms.steps},
          {"on_spent", kOnSpent[static_cast<size_t>(rule.on_spent)]},
          {"predictions", rule.predictions}};
}

gate::ConditionRule condition_from(const Json& json) {
  auto condition = gate::parse_condition(json.at("condition").get<std::string>(), "plan");
  if (!condition) throw Error(ErrorCode::invalid, condition.error().message);
  gate::ConditionRule rule;
  rule.condition = *std::move(condition);
  rule.reliability = json.at("reliability");
  rule.mode = word_at<gate::ConditionMode>(json, "mode", kConditionModes);
  rule.terms.adaptivity = word_at<gate::Adaptivity>(json, "adaptivity", kAdaptivities);
  rule.terms.steps = json.at("steps");
  rule.on_spent = word_at<gate::ConditionRule::OnSpent>(json, "on_spent", kOnSpent);
  rule.predictions = json.at("predictions");
  return rule;
}

Json gate_json(const gate::Policy& gate) {
  return {{"bootstrap", gate.bootstrap},
          {"stage", gate.stage},
          {"baseline", baseline_json(gate.baseline)},
          {"sustained", sustained_json(gate.sustained)},
          {"early", early_json(gate.early)},
          {"metrics", list_json(gate.metrics, metric_json)},
          {"conditions", list_json(gate.conditions, condition_json)}};
}

gate::Policy gate_from(const Json& json) {
  gate::Policy gate;
  gate.bootstrap = json.at("bootstrap");
  gate.stage = json.at("stage");
  gate.baseline = baseline_from(json.at("baseline"));
  gate.sustained = sustained_from(json.at("sustained"));
  gate.early = early_from(json.value("early", Json()));  // runs that are older than the key
  gate.metrics = list_at(json, "metrics", metric_from);
  gate.conditions = list_at(json, "conditions", condition_from);
  return gate;
}

Plan plan_from(const Json& json) {
  if (json.at("format") != kFormat) throw Error(ErrorCode::invalid, "a format this version does not know");
  Plan plan;
  plan.env = json.at("env").get<std::map<std::string, std::string>>();
  plan.data = list_at(json, "data", dataset_from);
  plan.stages = list_at(json, "stages", stage_from);
  plan.gate = gate_from(json.at("gate"));
  if (json.contains("green_runs")) {  // runs that are older than the key
    const Json& green = json.at("green_runs");
    plan.green_runs = {green.at("ids").get<std::vector<std::string>>(), green.at("missing")};
  }
  return plan;
}

}  // namespace

Plan make_plan(Pipeline pipeline) {
  return {std::move(pipeline.env),
          std::move(pipeline.data),
          copy_for_seeds(in_topological_order(std::move(pipeline.stages))),
          std::move(pipeline.gate),
          {}};
}

std::string to_json(const Plan& plan) {
  return dump_json({{"format", kFormat},
                    {"env", plan.env},
                    {"data", list_json(plan.data, dataset_json)},
                    {"stages", list_json(plan.stages, stage_json)},
                    {"gate", gate_json(plan.gate)},
                    {"green_runs", {{"ids", plan.green_runs.ids}, {"missing", plan.green_runs.missing}}}});
}

Result<Plan> plan_from_json(std::string_view text) {
  PAWL_ASSIGN(Json json, parse_json(text, "plan"));
  try {
    return plan_from(json);
  } catch (const nlohmann::json::exception& exception) {
    return Error(ErrorCode::invalid, exception.what(), "plan");
  } catch (const Error& error) {
    return Error(error).wrap("plan");
  }
}

}  // namespace pawl::pipeline
