// Runs tests/golden/pipelines/: ok/*.yml against the plan in *.json and its warnings in *.txt (if any), and
// bad/*.yml against the rendered diagnostics in *.txt. PAWL_UPDATE_GOLDEN=1 writes what came out instead.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/json.h"
#include "pipelines/load.h"
#include "pipelines/parse.h"
#include "pipelines/plan.h"

namespace pawl::pipeline {
namespace {

const std::string kFolder = PAWL_GOLDEN_FOLDER;

std::vector<std::string> cases(const std::string& kind) {
  std::vector<std::string> names;
  std::vector<DirEntry> entries = list_dir(kFolder + "/" + kind).value();
  for (const DirEntry& entry : entries) {
    if (entry.name.ends_with(".yml")) names.push_back(entry.name.substr(0, entry.name.size() - 4));
  }
  return names;
}

// The file must hold `actual`; no file stands for the empty text.
void expect_golden(const std::string& path, const std::string& actual) {
  if (std::getenv("PAWL_UPDATE_GOLDEN")) {
    ASSERT_TRUE((actual.empty() ? remove_tree(path) : write_file_atomic(path, actual)).ok());
    return;
  }
  std::string expected = path_exists(path) ? read_file(path, 1 << 20).value() : "";
  EXPECT_EQ(actual, expected) << path;
}

// The plan, without the rules and parameters that are as the table says: a new default in the table is no
// change of the parser.
std::string readable(const Plan& plan) {
  Json json = parse_json(to_json(plan), "plan").value();
  const std::vector<rules::RuleConfig> defaults = rules::default_rules();
  for (size_t s = 0; s < plan.stages.size(); ++s) {
    Json changed = Json::array();
    for (size_t r = 0; r < defaults.size(); ++r) {
      rules::RuleConfig rule = plan.stages[s].rules[r];
      Json shown = json["stages"][s]["rules"][r];
      for (const rules::ParamDef& param : rules::find_rule(rule.rule)->params) {
        auto value = rule.params.find(std::string(param.name));
        if (value->second != param.default_value) continue;
        rule.params.erase(value);
        shown["params"].erase(std::string(param.name));
      }
      if (rule != defaults[r]) changed.push_back(shown);
    }
    json["stages"][s]["rules"] = changed;
  }
  return dump_json_pretty(json) + "\n";
}

ParseResult parse_case(const std::string& kind, const std::string& name) {
  std::string text = read_file(kFolder + "/" + kind + "/" + name + ".yml", 2 << 20).value();
  return parse_pipeline(text, name + ".yml");
}

class Ok : public testing::TestWithParam<std::string> {};

TEST_P(Ok, GivesItsPlan) {
  ParseResult result = parse_case("ok", GetParam());
  std::string stem = kFolder + "/ok/" + GetParam();
  expect_golden(stem + ".txt", render(result.diagnostics));
  ASSERT_TRUE(result.ok()) << render(result.diagnostics);
  expect_golden(stem + ".json", readable(make_plan(*result.pipeline)));
}

class Bad : public testing::TestWithParam<std::string> {};

TEST_P(Bad, GivesItsDiagnostics) {
  ParseResult result = parse_case("bad", GetParam());
  EXPECT_FALSE(result.ok());
  expect_golden(kFolder + "/bad/" + GetParam() + ".txt", render(result.diagnostics));
}

TEST(Examples, HaveNothingToComplainAbout) {
  const std::string examples = PAWL_EXAMPLES_FOLDER;
  std::vector<DirEntry> folders = list_dir(examples).value();
  ASSERT_FALSE(folders.empty());
  for (const DirEntry& folder : folders) {
    // Notebooks read what runs left; all other examples are repositories that Pawl runs.
    if (folder.type != DirEntry::Type::directory || folder.name == "notebooks") continue;
    EXPECT_EQ(render(load_pipeline(examples + "/" + folder.name).diagnostics), "");
  }
}

TEST(Documentation, TheFirstExampleOfThePageIsRight) {
  std::string page = read_file(PAWL_DOCS_FILE, 1 << 20).value();
  size_t begin = page.find("```yaml\n") + 8;
  std::string example = page.substr(begin, page.find("```", begin) - begin);
  EXPECT_EQ(render(parse_pipeline(example, "docs/pipeline.md").diagnostics), "");
}

auto name_of = [](const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) c = c == '-' ? '0' : c;
  return name;
};

INSTANTIATE_TEST_SUITE_P(Pipelines, Ok, testing::ValuesIn(cases("ok")), name_of);
INSTANTIATE_TEST_SUITE_P(Pipelines, Bad, testing::ValuesIn(cases("bad")), name_of);

}  // namespace
}  // namespace pawl::pipeline
