// schema/pawl.schema.json is written by hand except for what follows from tables in the code: the rules with
// their parameters, and the collections. PAWL_UPDATE_GOLDEN=1 writes these parts, and the layout of the
// whole.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "pipelines/pipeline.h"

namespace pawl::pipeline {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson reference(const char* definition) {
  return {{"$ref", std::string("#/definitions/") + definition}};
}

OrderedJson param_schema(const rules::ParamDef& param) {
  return {{"type", "number"},
          {"minimum", param.min},
          {"maximum", param.max},
          {"default", param.default_value},
          {"description", param.doc}};
}

OrderedJson rule_schema(const rules::RuleDef& rule) {
  OrderedJson properties = {{"on_fire", {{"allOf", {reference("on_fire")}}}},
                            {"required", reference("required")},
                            {"include", reference("rule_include")}};
  properties["on_fire"]["default"] = rules::to_string(rule.default_action);
  for (const rules::ParamDef& param : rule.params) properties[std::string(param.name)] = param_schema(param);
  OrderedJson off = {{"enum", {"off"}}};
  OrderedJson map = {{"type", "object"}, {"additionalProperties", false}, {"properties", properties}};
  return {{"description", rule.summary}, {"anyOf", OrderedJson::array({off, map})}};
}

TEST(Schema, HoldsTheTablesOfTheCode) {
  const std::string path = PAWL_SCHEMA_FILE;
  std::string text = read_file(path, 1 << 20).value();
  OrderedJson schema = OrderedJson::parse(text);
  OrderedJson rules = OrderedJson::object();
  for (const rules::RuleDef& rule : rules::rule_table()) rules[std::string(rule.name)] = rule_schema(rule);
  schema["definitions"]["rules"]["properties"] = rules;
  schema["definitions"]["collection"]["enum"] = kCollections;
  std::string expected = schema.dump(2) + "\n";
  if (std::getenv("PAWL_UPDATE_GOLDEN")) {
    ASSERT_TRUE(write_file_atomic(path, expected).ok());
    return;
  }
  EXPECT_EQ(text, expected) << "run this test with PAWL_UPDATE_GOLDEN=1 to write " << path;
}

}  // namespace
}  // namespace pawl::pipeline
