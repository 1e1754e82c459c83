#include "engine/forge/json_fields.h"

#include <gtest/gtest.h>

#include <string>

namespace pawl::forge {
namespace {

constexpr std::string_view kPaths[] = {"a", "b.c", "b.d.e", "flag", "n"};

Result<JsonFields> read(std::string_view text) {
  return JsonFields::read(text, "body", kPaths);
}

TEST(JsonFields, ReadsNestedValuesAndSkipsTheRest) {
  auto fields = read(R"({"x":[{"a":"wrong"},["a"]],"a":"one","b":{"a":"wrong","c":"two","d":{"e":"three"}},
                        "c":{"c":"wrong"},"flag":true,"n":-7})");
  ASSERT_TRUE(fields.ok()) << fields.error().to_string();
  EXPECT_EQ(*fields->text("a"), "one");
  EXPECT_EQ(*fields->text("b.c"), "two");
  EXPECT_EQ(*fields->text("b.d.e"), "three");
  EXPECT_TRUE(*fields->optional_bool("flag"));
  EXPECT_EQ(*fields->integer("n"), -7);
}

TEST(JsonFields, AbsentAndNullAreNotThere) {
  auto fields = read(R"({"a":null,"b":null})");
  ASSERT_TRUE(fields.ok());
  EXPECT_EQ(*fields->optional_text("a"), "");
  EXPECT_EQ(*fields->optional_text("b.c"), "");
  EXPECT_FALSE(*fields->optional_bool("flag"));
  EXPECT_EQ(fields->text("a").error().to_string(), "body: 'a' is missing: a string");
  EXPECT_FALSE(fields->integer("n").ok());
}

TEST(JsonFields, OtherTypesAreErrors) {
  auto fields = read(R"({"a":{"x":1},"b":{"c":5,"d":{"e":[]}},"flag":"true","n":1.5})");
  ASSERT_TRUE(fields.ok());
  EXPECT_EQ(fields->text("a").error().to_string(), "body: 'a' must be a string");
  EXPECT_FALSE(fields->optional_text("b.c").ok());
  EXPECT_FALSE(fields->optional_text("b.d.e").ok());
  EXPECT_FALSE(fields->optional_bool("flag").ok());
  EXPECT_FALSE(fields->integer("n").ok());
}

TEST(JsonFields, NumbersBeyond64BitsAreNoIntegers) {
  EXPECT_FALSE(read(R"({"n":9223372036854775808})")->integer("n").ok());
  EXPECT_FALSE(read(R"({"n":1e400})").ok() && read(R"({"n":1e400})")->integer("n").ok());
  EXPECT_EQ(*read(R"({"n":9223372036854775807})")->integer("n"), INT64_MAX);
}

TEST(JsonFields, ADottedKeyIsNoPath) {
  auto fields = read(R"({"b.c":"forged","b":{"c":"real","d.e":"forged"}})");
  ASSERT_TRUE(fields.ok()) << fields.error().to_string();
  EXPECT_EQ(*fields->text("b.c"), "real");
  EXPECT_EQ(*fields->optional_text("b.d.e"), "");
}

TEST(JsonFields, AWantedValueTwiceIsRefused) {
  EXPECT_EQ(read(R"({"a":"1","a":"2"})").error().to_string(), "body: 'a' occurs twice");
  EXPECT_FALSE(read(R"({"b":{"c":"1"},"b":{"c":"2"}})").ok());
  EXPECT_TRUE(read(R"({"x":"1","x":"2"})").ok());
}

TEST(JsonFields, MalformedTextIsAnErrorWithThePlace) {
  for (const char* text :
       {"", "{", "[]", "1", "\"a\"", "{\"a\":}", "{}x", "{\"a\":\"\xff\"}", "nul", "{'a':1}"}) {
    EXPECT_FALSE(read(text).ok()) << text;
  }
  EXPECT_NE(read("{\"a\":\n x}").error().to_string().find("line 2"), std::string::npos);
}

TEST(JsonFields, DeepNestingIsRefused) {
  auto nested = [](size_t depth) {
    return "{\"x\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(read(nested(63)).ok());
  EXPECT_FALSE(read(nested(64)).ok());
  EXPECT_FALSE(read(std::string(1 << 20, '[')).ok());
  EXPECT_FALSE(read("{\"a\":" + std::string(1 << 20, '[')).ok());
}

}  // namespace
}  // namespace pawl::forge
