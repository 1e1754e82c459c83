#include "engine/supervise/budget_note.h"

#include <gtest/gtest.h>

#include "tests/unit/trace/make_step.h"

namespace pawl::supervise {
namespace {

class BudgetNoteTest : public testing::Test {
 protected:
  void decide(uint64_t number, uint32_t rank, const std::string& text, bool own = true) {
    trace::Step step = maker_.step(number);
    step.requests.push_back({rank, {1, own, text}});
    note_.add(step);
  }

  trace::StepMaker maker_;
  BudgetNote note_{"losses every=1\ngradients every=10 include=a every=7\nweights\nbudget share=0.01"};
};

TEST_F(BudgetNoteTest, SaysNothingWhileWhatIsAskedHolds) {
  EXPECT_EQ(note_.text(), std::nullopt);
  decide(5, 0, "gradients every=30", false);
  EXPECT_EQ(note_.text(), std::nullopt);
}

TEST_F(BudgetNoteTest, SaysWhatIsRecordedLessOftenAndSinceWhen) {
  decide(120, 0, "losses every=1\ngradients every=40 include=a every=7\nweights every=10\nbudget share=0.01");
  EXPECT_EQ(note_.text(),
            "to stay within the budget of 1 % the hook records gradients every 40 steps since step 120 "
            "(asked: 10)");
  decide(300, 0, "losses every=1\ngradients every=40\nweights every=20\nbudget share=0.025");
  EXPECT_EQ(note_.text(),
            "to stay within the budget of 2.5 % the hook records gradients every 40 steps since step 120 "
            "(asked: 10), "
            "weights every 20 steps since step 300 (asked: 10)");
}

TEST_F(BudgetNoteTest, ARequestOfSomebodyStartsAfresh) {
  decide(120, 0, "gradients every=40");
  decide(200, 0, "gradients every=1", false);
  EXPECT_EQ(note_.text(), std::nullopt);
  decide(210, 0, "gradients every=8");
  EXPECT_EQ(note_.text(),
            "to stay within the budget the hook records gradients every 8 steps since step 210 (asked: 1)");
}

TEST_F(BudgetNoteTest, BackToWhatWasAskedIsNothingToSay) {
  decide(120, 0, "gradients every=40");
  decide(500, 0, "gradients every=10");
  EXPECT_EQ(note_.text(), std::nullopt);
}

TEST_F(BudgetNoteTest, OneRankStandsForTheOthers) {
  decide(120, 2, "gradients every=20");
  decide(130, 1, "gradients every=80\ngradients every=40 ranks=1,3\ngradients every=5 ranks=2");
  EXPECT_EQ(note_.text(),
            "to stay within the budget the hook records gradients every 40 steps since step 130 (asked: 10) "
            "on rank "
            "1; 1 more decided for themselves");
}

TEST_F(BudgetNoteTest, WhatCannotBeReadIsPassedOver) {
  decide(120, 0,
         "\n \ngradients every=-\nstrange every=4\nweights every=99999999999999999999\nbudget share=x");
  EXPECT_EQ(note_.text(), std::nullopt);
}

}  // namespace
}  // namespace pawl::supervise
