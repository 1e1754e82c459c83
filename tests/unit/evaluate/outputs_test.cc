#include "stages/evaluate/outputs.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "tests/unit/evaluate/fixtures.h"

namespace pawl::evaluate {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(Outputs, SoftmaxOfLogits) {
  const auto p = read_probabilities({3, {1000, 1000, -kInf, 0, std::log(2), std::log(5)}},
                                    Task::classification, Scale::logits);
  ASSERT_TRUE(p.ok());
  EXPECT_THAT(p->values, ElementsAre(0.5, 0.5, 0, DoubleNear(0.125, 1e-15), DoubleNear(0.25, 1e-15),
                                     DoubleNear(0.625, 1e-15)));
  EXPECT_THAT(p->predicted, ElementsAre(0, 2));
  EXPECT_EQ(p->broken_count, 0u);
}

TEST(Outputs, NanAndInfinityBreakTheirRowOnly) {
  const auto p = read_probabilities({2, {NAN, 1, 1, NAN, kInf, 0, -kInf, -kInf, 0, 1}}, Task::classification,
                                    Scale::logits);
  EXPECT_THAT(p->broken, ElementsAre(true, true, true, true, false));
  EXPECT_EQ(p->broken_count, 4u);
}

TEST(Outputs, OneNumberOfABinaryClassifier) {
  const auto p = read_probabilities({1, {std::log(3), -800, NAN}}, Task::binary, Scale::logits);
  EXPECT_EQ(p->classes, 2u);
  EXPECT_NEAR(p->values[1], 0.75, 1e-15);
  EXPECT_THAT(p->values[2], 1);
  EXPECT_THAT(p->predicted, ElementsAre(1, 0, 0));
  EXPECT_THAT(p->broken, ElementsAre(false, false, true));
  EXPECT_THAT(read_probabilities({1, {0.25}}, Task::binary, Scale::probabilities)->values,
              ElementsAre(0.75, 0.25));
}

TEST(Outputs, WhatIsNoProbabilityIsRefused) {
  EXPECT_THAT(
      message_of(read_probabilities({2, {0.5, 0.5, 2, 3}}, Task::classification, Scale::probabilities)),
      HasSubstr("example 1: 2, 3 add up to 5, and are no probabilities; use --outputs logits"));
  EXPECT_FALSE(read_probabilities({1, {1.5}}, Task::binary, Scale::probabilities).ok());
  EXPECT_FALSE(read_probabilities({1, {1.5}}, Task::classification, Scale::logits).ok());
  EXPECT_FALSE(read_probabilities({3, {1, 2, 3}}, Task::binary, Scale::logits).ok());
}

TEST(Outputs, LookingLikeProbabilities) {
  EXPECT_TRUE(look_like_probabilities({2, {0.5, 0.5, 0, 1}}));
  EXPECT_FALSE(look_like_probabilities({2, {0.5, 0.5, 0.1, 1}}));
  EXPECT_FALSE(look_like_probabilities({2, {0.5, 0.5, NAN, 1}}));
}

TEST(Outputs, LabelsThatAreNumbers) {
  const auto plain = code_labels({{2, 0}, {}}, {}, 3);
  EXPECT_THAT(plain->names, ElementsAre("0", "1", "2"));
  EXPECT_THAT(plain->codes, ElementsAre(2, 0));
  EXPECT_THAT(code_labels({{1}, {}}, {"cat", "dog"}, 2)->names, ElementsAre("cat", "dog"));
  for (const double wrong : {3.0, -1.0, 0.5, std::nan("")}) {
    EXPECT_THAT(message_of(code_labels({{0, wrong}, {}}, {}, 3)),
                HasSubstr("the model gives classes 0 to 2"));
  }
}

TEST(Outputs, LabelsThatAreWords) {
  const auto sorted = code_labels({{}, {"dog", "cat", "dog"}}, {}, 2);
  EXPECT_THAT(sorted->names, ElementsAre("cat", "dog"));
  EXPECT_THAT(sorted->codes, ElementsAre(1, 0, 1));
  EXPECT_THAT(code_labels({{}, {"dog"}}, {"dog", "emu"}, 2)->codes, ElementsAre(0));
  EXPECT_THAT(message_of(code_labels({{}, {"dog"}}, {}, 2)),
              HasSubstr("the data has 1 classes, the model gives 2; name"));
  EXPECT_THAT(message_of(code_labels({{}, {"dog"}}, {"a", "b"}, 2)),
              HasSubstr("'dog', which is none of the classes"));
  EXPECT_THAT(message_of(code_labels({{}, {"a"}}, {"a", "a"}, 2)), HasSubstr("named twice"));
  EXPECT_THAT(message_of(code_labels({{}, {"a"}}, {"a", "b", "c"}, 2)),
              HasSubstr("--classes names 3 classes"));
  EXPECT_THAT(message_of(code_labels({{}, {"a"}}, {"a", "b\n"}, 2)), HasSubstr("is no name of a class"));
}

}  // namespace
}  // namespace pawl::evaluate
