#include "pipelines/cron.h"

#include <gtest/gtest.h>

namespace pawl::pipeline {
namespace {

using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year;

sys_seconds at(int y, unsigned m, unsigned d, int hour = 0, int minute = 0, int second = 0) {
  return sys_days(year(y) / static_cast<int>(m) / static_cast<int>(d)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute) + std::chrono::seconds(second);
}

sys_seconds next(const char* line, sys_seconds time) {
  auto cron = Cron::parse(line);
  EXPECT_TRUE(cron.ok()) << line << ": " << cron.error().message();
  return cron->next_after(time);
}

TEST(Cron, EveryMinuteIsTheNextOneNeverTheSame) {
  EXPECT_EQ(next("* * * * *", at(2024, 1, 1, 0, 0, 0)), at(2024, 1, 1, 0, 1));
  EXPECT_EQ(next("* * * * *", at(2024, 1, 1, 0, 0, 59)), at(2024, 1, 1, 0, 1));
  EXPECT_EQ(next("* * * * *", at(2024, 12, 31, 23, 59, 30)), at(2025, 1, 1));
}

TEST(Cron, FixedTimes) {
  EXPECT_EQ(next("0 3 * * *", at(2024, 5, 6, 2, 59, 59)), at(2024, 5, 6, 3));
  EXPECT_EQ(next("0 3 * * *", at(2024, 5, 6, 3)), at(2024, 5, 7, 3));
  EXPECT_EQ(next("30 4 1 1 *", at(2024, 5, 6)), at(2025, 1, 1, 4, 30));
}

TEST(Cron, RangesStepsListsAndNames) {
  EXPECT_EQ(next("*/15 * * * *", at(2024, 1, 1, 0, 46)), at(2024, 1, 1, 1, 0));
  EXPECT_EQ(next("5-20/10 * * * *", at(2024, 1, 1, 0, 6)), at(2024, 1, 1, 0, 15));
  EXPECT_EQ(next("50/5 * * * *", at(2024, 1, 1, 0, 51)), at(2024, 1, 1, 0, 55));
  EXPECT_EQ(next("0 8,12,18 * * *", at(2024, 1, 1, 13)), at(2024, 1, 1, 18));
  EXPECT_EQ(next("0 0 * feb-MAR *", at(2024, 1, 5)), at(2024, 2, 1));
  EXPECT_EQ(next("0 9 * * mon-fri", at(2024, 6, 7, 10)), at(2024, 6, 10, 9));  // Friday, then Monday
}

TEST(Cron, SundayIsZeroAndSeven) {
  for (const char* line : {"0 0 * * 0", "0 0 * * 7", "0 0 * * sun", "0 0 * * 5-7"}) {
    EXPECT_EQ(next(line, at(2024, 6, 8, 1)), at(2024, 6, 9)) << line;  // a Saturday
  }
}

// cron(5): two restricted day fields are alternatives, else both must fit.
TEST(Cron, DayOfMonthAndDayOfWeek) {
  EXPECT_EQ(next("0 0 13 * 5", at(2024, 6, 1)), at(2024, 6, 7));      // Friday the 7th
  EXPECT_EQ(next("0 0 13 * 5", at(2024, 6, 7)), at(2024, 6, 13));     // Thursday the 13th
  EXPECT_EQ(next("0 0 */2 * mon", at(2024, 6, 1)), at(2024, 6, 3));   // odd and a Monday
  EXPECT_EQ(next("0 0 */2 * mon", at(2024, 6, 3)), at(2024, 6, 17));  // the 10th is even
}

TEST(Cron, LeapDays) {
  EXPECT_EQ(next("0 0 29 2 *", at(2024, 3, 1)), at(2028, 2, 29));
  EXPECT_EQ(next("0 0 29 2 *", at(2096, 3, 1)), at(2104, 2, 29));  // 2100 has none
}

TEST(Cron, TimesBeforeTheEpoch) {
  EXPECT_EQ(next("0 0 * * *", at(1969, 12, 31, 12)), at(1970, 1, 1));
}

TEST(Cron, SpacesDoNotMatter) {
  EXPECT_EQ(next("  0  3 * *   * ", at(2024, 1, 1)), at(2024, 1, 1, 3));
}

TEST(Cron, Refuses) {
  for (const char* line : {"",
                           "*",
                           "* * * *",
                           "* * * * * *",
                           "60 * * * *",
                           "* 24 * * *",
                           "* * 0 * *",
                           "* * 32 * *",
                           "* * * 0 *",
                           "* * * 13 *",
                           "* * * * 8",
                           "-1 * * * *",
                           "1- * * * *",
                           "-5 * * * *",
                           "5-1 * * * *",
                           "*/0 * * * *",
                           "*/x * * * *",
                           "*/-1 * * * *",
                           "1,,2 * * * *",
                           ", * * * *",
                           "a * * * *",
                           "1.5 * * * *",
                           "+1 * * * *",
                           "* * * mon *",
                           "* * * * jan",
                           "0 0 30 2 *",
                           "0 0 31 4,6,9,11 *",
                           "99999999999999999999 * * * *",
                           "@daily",
                           "*5 * * * *",
                           "**  * * * *",
                           "1/2/3 * * * *",
                           "* * * \xc3\xa9 *"})
    EXPECT_FALSE(Cron::parse(line).ok()) << line;
}

}  // namespace
}  // namespace pawl::pipeline
