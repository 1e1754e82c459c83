#include "engine/gate/condition.h"

#include <gtest/gtest.h>

#include <string>

namespace pawl::gate {
namespace {

Condition parsed(const std::string& text) {
  auto result = parse_condition(text, "condition");
  EXPECT_TRUE(result.has_value()) << render(result.error());
  return result ? *result : Condition{};
}

Diagnostic mistake(const std::string& text) {
  auto result = parse_condition(text, "condition");
  EXPECT_FALSE(result.has_value()) << text;
  return result ? Diagnostic{} : result.error();
}

TEST(Condition, ParsesTheExampleOfThePaper) {
  const Condition condition = parsed("n - o > 0.02 +/- 0.01 /\\ d < 0.1 +/- 0.01");
  ASSERT_EQ(condition.clauses.size(), 2u);
  EXPECT_EQ(condition.clauses[0], (Clause{{1, -1, 0}, Clause::Comparison::greater, 0.02, 0.01}));
  EXPECT_EQ(condition.clauses[1], (Clause{{0, 0, 1}, Clause::Comparison::less, 0.1, 0.01}));
}

TEST(Condition, ConstantsStandOnEitherSideOfTheProduct) {
  const Clause oracle{{1, -1.1, 0}, Clause::Comparison::greater, 0.01, 0.01};
  EXPECT_EQ(parsed("n-1.1*o>.01+/-.01").clauses[0], oracle);
  EXPECT_EQ(parsed("n - o*1.1 > 1e-2 +/- 1E-2").clauses[0], oracle);
  EXPECT_EQ(parsed("n - 0.55 * o * 2 > +.01 +/- .01").clauses[0], oracle);
  EXPECT_EQ(parsed("n + -1.1*o\n\t> 10e-3 +/- 0.01\n").clauses[0], oracle);
}

TEST(Condition, SignsAndRepeatedVariables) {
  EXPECT_EQ(parsed("-o + n > -0.02 +/- 0.01"), parsed("n - o > -0.02 +/- 0.01"));
  EXPECT_EQ(parsed("n + n - o > 0.5 +/- 0.01").clauses[0].coefficient(Variable::n), 2);
  EXPECT_EQ(parsed("n + o - o > 0.5 +/- 0.01"), parsed("n > 0.5 +/- 0.01"));
}

TEST(Condition, CanonicalTextGivesTheSameValue) {
  for (const char* text :
       {"n - o > 0.02 +/- 0.01 /\\ d < 0.1 +/- 0.01", "n > 0.8 +/- 0.05", "2.5*n + d - 1.1*o < 0.3 +/- 0.001",
        "-n - 2*o < -0.5 +/- 0.1", "n - o > 0 +/- 1e-06"}) {
    EXPECT_EQ(to_string(parsed(text)), text);
  }
  EXPECT_EQ(to_string(parsed("-1.1*o+n>-0+/-.01")), "n - 1.1*o > 0 +/- 0.01");
}

TEST(Condition, MistakesPointAtTheirPlace) {
  const Diagnostic diagnostic = mistake("n - o > 0.02 +/- 0.01 /\\ accuracy > 0.8 +/- 0.1");
  EXPECT_EQ(
      render(diagnostic),
      "condition:1:26: error: expected n, o, d or a number, found 'accuracy'\n"
      "    n - o > 0.02 +/- 0.01 /\\ accuracy > 0.8 +/- 0.1\n"
      "                             ^\n"
      "  hint: n is the new model's share of right answers, o the old one's, d how often they differ\n");
  EXPECT_EQ(mistake("n > 0.5 +/- 0.1 /\\\nd = 3").line, 2);
  EXPECT_EQ(mistake("n > 0.5 +/- 0.1 /\\\nd = 3").column, 3);
  EXPECT_EQ(mistake("n > 0.5 +/- 0.1 /\\\nd = 3").source_line, "d = 3");
}

struct Bad {
  std::string text;
  int column;
  std::string part;  // of the message or the hint
};

TEST(Condition, RefusesWhatIsNotACondition) {
  const Bad kBad[] = {
      {"", 1, "found the end"},
      {"n", 2, "expected '>' or '<', found the end"},
      {"n >= 0.8 +/- 0.1", 3, "found '>=' write '>'"},
      {"n == 0.8 +/- 0.1", 3, "two clauses"},
      {"n > 0.8", 8, "'+/-' and a tolerance"},
      {"n > 0.8 \u00b1 0.1", 9, "write '+/-'"},
      {"n \u2212 o > 0.1 +/- 0.1", 3, "the minus of the keyboard"},
      {"n > 0.8 +/- 0.1 && d < 0.1 +/- 0.1", 17, "write '/\\'"},
      {"n > 0.8 +/- 0.1 and d < 0.1 +/- 0.1", 17, "write '/\\'"},
      {"n > 0.8 +/- 0.1 / d < 0.1 +/- 0.1", 17, "no division"},
      {"n > 0.8 +/- 0.1 || n > 0.9 +/- 0.1", 17, "no 'or'"},
      {"n > 0.8 +/- 0.1 /\\", 19, "found the end"},
      {"2*(n - o) > 0.1 +/- 0.1", 3, "no parentheses"},
      {"n / o > 1 +/- 0.1", 3, "no division"},
      {"n * o > 0.5 +/- 0.1", 5, "multiplied by constants only"},
      {"n - 0.5 > 0.1 +/- 0.1", 5, "multiplies n, o or d"},
      {"n - 1.1o > 0.1 +/- 0.1", 5, "a product is written with '*'"},
      {"n - - o > 0.1 +/- 0.1", 7, "expected a number, found 'o'"},
      {"n > o +/- 0.1", 5, "expected a number, found 'o'"},
      {"no > 0.1 +/- 0.1", 1, "found 'no'"},
      {"n - n > 0 +/- 0.1", 1, "always 0"},
      {"0*n > 0 +/- 0.1", 1, "always 0"},
      {"1e-9*n > 0 +/- 1e-10", 1, "the factor of n"},
      {"1e200*1e200*n > 0 +/- 0.1", 1, "the factor of n"},
      {"1e400*n > 0 +/- 0.1", 1, "out of range"},
      {"n > nan +/- 0.1", 5, "expected a number"},
      {"n > inf +/- 0.1", 5, "expected a number"},
      {"n > -inf +/- 0.1", 6, "expected a number"},
      {"n > 0x1p-1 +/- 0.1", 5, "not a decimal number"},
      {"n > 0.5.5 +/- 0.1", 5, "not a decimal number"},
      {"n > . +/- 0.1", 5, "not a decimal number"},
      {"n > 0.5 +/- nan", 13, "expected a number"},
      {"n > 0.5 +/- 0", 13, "0.000001 or more"},
      {"n > 0.5 +/- -0.1", 13, "0.000001 or more"},
      {"n > 80 +/- 0.1", 5, "0.8, not 80"},
      {"n - o < -1.5 +/- 0.1", 9, "between -1 and 1"},
      {"n > 0.8 +/- 1", 13, "decides nothing"},
      {std::string("n > 0.8\0 +/- 0.1", 16), 8, "'+/-' and a tolerance"},
      {"n \xff > 0.8 +/- 0.1", 3, "expected '>' or '<'"},
  };
  for (const Bad& bad : kBad) {
    const Diagnostic diagnostic = mistake(bad.text);
    EXPECT_EQ(diagnostic.column, bad.column) << bad.text << "\n" << render(diagnostic);
    EXPECT_NE((diagnostic.message + " " + diagnostic.hint).find(bad.part), std::string::npos)
        << render(diagnostic);
  }
}

TEST(Condition, LengthIsBounded) {
  std::string text = "n > 0.5 +/- 0.1";
  text.resize(kMaxConditionBytes, ' ');
  EXPECT_EQ(parsed(text).clauses.size(), 1u);
  text += ' ';
  EXPECT_EQ(mistake(text).column, static_cast<int>(kMaxConditionBytes) + 1);
}

// The paper's worked example of x < 0.1 +/- 0.01.
TEST(Condition, IsUnknownInsideTheTolerance) {
  const Condition condition = parsed("d < 0.1 +/- 0.01");
  const auto at = [&](double d) { return evaluate(condition, {0.5, 0.5, d}); };
  EXPECT_EQ(at(0.0899), Truth::yes);
  EXPECT_EQ(at(0.1), Truth::unknown);
  EXPECT_EQ(at(0.1101), Truth::no);
  // 0.1 + 0.01 and 0.1 - 0.01 are not what the decimals say; the ends belong to the interval.
  EXPECT_EQ(at(0.11), Truth::unknown);
  EXPECT_EQ(at(0.09), Truth::unknown);
}

TEST(Condition, LeftSideCombinesTheEstimates) {
  const Clause clause = parsed("n - 1.1*o + 2*d > 0.1 +/- 0.01").clauses[0];
  EXPECT_DOUBLE_EQ(left_side(clause, {0.9, 0.8, 0.25}), 0.52);
  EXPECT_EQ(evaluate(clause, {0.9, 0.8, 0.25}), Truth::yes);
  EXPECT_EQ(evaluate(clause, {0.8, 0.9, 0.1}), Truth::no);
}

TEST(Condition, ConjunctionIsThreeValued) {
  const Condition condition = parsed("n > 0.5 +/- 0.1 /\\ o > 0.5 +/- 0.1");
  EXPECT_EQ(evaluate(condition, {0.9, 0.9, 0}), Truth::yes);
  EXPECT_EQ(evaluate(condition, {0.9, 0.5, 0}), Truth::unknown);
  EXPECT_EQ(evaluate(condition, {0.5, 0.9, 0}), Truth::unknown);
  EXPECT_EQ(evaluate(condition, {0.5, 0.1, 0}), Truth::no);
  EXPECT_EQ(evaluate(condition, {0.1, 0.9, 0}), Truth::no);
}

TEST(Condition, ModeDecidesWhatIsUnknown) {
  for (ConditionMode mode : {ConditionMode::fp_free, ConditionMode::fn_free}) {
    EXPECT_TRUE(accepts(Truth::yes, mode));
    EXPECT_FALSE(accepts(Truth::no, mode));
  }
  EXPECT_FALSE(accepts(Truth::unknown, ConditionMode::fp_free));
  EXPECT_TRUE(accepts(Truth::unknown, ConditionMode::fn_free));
}

}  // namespace
}  // namespace pawl::gate
