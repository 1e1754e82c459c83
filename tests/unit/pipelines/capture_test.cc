#include "pipelines/capture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pawl::pipeline {
namespace {

using testing::HasSubstr;

constexpr std::string_view kRequest =
    "budget share=0.01\n"
    "losses every=1\n"
    "gradients every=10\n"
    "gradients every=1 from=100 to=200 at=3,5 ranks=1,3 modes=train,eval max_size=4096 raw=64 fine "
    "include=layer2\\. w";

TEST(Capture, RequestIsReadAsItIsWritten) {
  auto capture = parse_capture_request(kRequest);
  ASSERT_TRUE(capture.ok()) << capture.error().to_string();
  ASSERT_EQ(capture->rules.size(), 3u);
  const CaptureRule& last = capture->rules[2];
  EXPECT_EQ(last.collection, "gradients");
  EXPECT_EQ(last.every, 1);
  EXPECT_EQ(last.from, 100);
  EXPECT_EQ(last.to, 200);
  EXPECT_EQ(last.at, (std::vector<int64_t>{3, 5}));
  EXPECT_EQ(last.ranks, (std::vector<int>{1, 3}));
  EXPECT_EQ(last.modes, Modes::both);
  EXPECT_EQ(last.max_size, 4096);
  EXPECT_EQ(last.raw, 64);
  EXPECT_TRUE(last.fine);
  EXPECT_EQ(last.include, "layer2\\. w");
  EXPECT_EQ(capture->budget, 0.01);
  EXPECT_EQ(capture_request(*capture), kRequest);
  EXPECT_EQ(capture_request(Capture::none()), "off");
  EXPECT_EQ(parse_capture_request("off").value(), Capture::none());
  EXPECT_EQ(parse_capture_request(capture_request(Capture::standard())).value(), Capture::standard());
}

TEST(Capture, BrokenRequestsAreErrors) {
  for (const char* text :
       {"gradient every=1", "gradients every", "gradients every=0", "gradients every=x",
        "gradients ranks=", "gradients ranks=-1", "gradients to=99999999999999999999", "gradients at=1,,2",
        "gradients nonsense=1", "every=1", "gradients modes=test", "gradients max_size=0", "gradients raw=-1",
        "gradients raw=64KiB", "budget share=0", "budget share=1.5", "budget share=x", "budget"}) {
    EXPECT_FALSE(parse_capture_request(text).ok()) << text;
  }
  EXPECT_THAT(parse_capture_request("losses every=1\ngradients evry=1").error().to_string(),
              HasSubstr("evry=1"));
}

TEST(Capture, TheLastRuleOfARankHolds) {
  const Capture capture = parse_capture_request(kRequest).value();
  EXPECT_EQ(capture.rule_for("gradients", 0)->every, 10);
  EXPECT_EQ(capture.rule_for("gradients", 1)->every, 1);
  EXPECT_EQ(capture.rule_for("weights", 0), nullptr);
  EXPECT_TRUE(capture.records("gradients"));
  EXPECT_FALSE(capture.records("weights"));
}

TEST(Capture, AChangeForOneRankLeavesTheOthers) {
  Capture capture = Capture::standard();
  capture.rules[4].include = "fc";
  capture = changed(capture, {.collection = "gradients", .ranks = {1}, .every = 1});
  EXPECT_EQ(capture.rule_for("gradients", 0)->every, 10);
  EXPECT_EQ(capture.rule_for("gradients", 1)->every, 1);
  EXPECT_EQ(capture.rule_for("gradients", 1)->include, "fc");  // stays as it was
  capture = changed(capture, {.collection = "gradients", .ranks = {1, 2}, .every = 3});
  EXPECT_EQ(capture.rule_for("gradients", 1)->every, 3);
  EXPECT_EQ(capture.rule_for("gradients", 2)->every, 3);
  EXPECT_EQ(capture.rules.size(), 7u);  // no rule that holds for nobody
  capture = changed(capture, {.collection = "gradients", .every = 7});
  EXPECT_EQ(capture.rule_for("gradients", 1)->every, 7);
  EXPECT_EQ(capture.rules.size(), 5u);
}

TEST(Capture, ACollectionIsSwitchedOffAndOn) {
  Capture capture = changed(Capture::standard(), {.collection = "losses", .ranks = {1}, .off = true});
  EXPECT_TRUE(capture.rule_for("losses", 1)->off);
  EXPECT_TRUE(capture.records("losses"));
  capture = changed(capture, {.collection = "losses", .off = true});
  EXPECT_FALSE(capture.records("losses"));
  capture = changed(capture, {.collection = "losses", .every = 2});
  EXPECT_TRUE(capture.records("losses"));
  capture = changed(capture, {.collection = "activations", .ranks = {0}});
  EXPECT_EQ(capture.rule_for("activations", 0)->every, 10);
  EXPECT_EQ(capture.rule_for("activations", 1), nullptr);
}

}  // namespace
}  // namespace pawl::pipeline
