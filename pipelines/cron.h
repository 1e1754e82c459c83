// The five-field cron line: minute hour day-of-month month day-of-week, in UTC. A field is `*`, a number, a
// range `1-5`, either with a step `/2`, or several of these with commas; months and weekdays may be named
// (jan, mon), 7 is Sunday too. As in cron(5): when both day fields are restricted (neither begins with `*`),
// a day that fits one of them is enough; else it must fit both.
#pragma once

#include <array>
#include <bitset>
#include <chrono>
#include <string>
#include <string_view>

#include "engine/base/error.h"

namespace pawl::pipeline {

class Cron {
 public:
  // Refuses what is not of this form, and a line that no date ever fits (`0 0 31 2 *`).
  static Result<Cron> parse(std::string_view text);

  const std::string& text() const { return text_; }

  // The first moment after `time` that fits, on a whole minute.
  std::chrono::sys_seconds next_after(std::chrono::sys_seconds time) const;

  bool operator==(const Cron& other) const { return text_ == other.text_; }

 private:
  Cron() = default;
  bool fits(std::chrono::sys_days day) const;
  // nothing when no day within 50 years fits
  Result<std::chrono::sys_seconds> find_after(std::chrono::sys_seconds time) const;

  std::string text_;
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  bool either_day_ = false;
};

}  // namespace pawl::pipeline
