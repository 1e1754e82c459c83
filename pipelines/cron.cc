#include "pipelines/cron.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "engine/base/text.h"

namespace pawl::pipeline {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

// The rarest day there is, 29 February on a given weekday across a century that is no leap year, comes back
// within 40 years.
constexpr int kHorizonDays = 50 * 366;

struct FieldDef {
  std::string_view name;
  int min;
  int max;
  std::array<std::string_view, 12> names;  // of min, min + 1, ...
};

constexpr FieldDef kFields[] = {
    {"minute", 0, 59, {}},
    {"hour", 0, 23, {}},
    {"day of month", 1, 31, {}},
    {"month", 1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
    {"day of week", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
};

Error bad(const FieldDef& field, std::string_view text) {
  return Error(ErrorCode::invalid,
               fmt::format("'{}' is not a {} ({} to {})", text, field.name, field.min, field.max));
}

Result<int> parse_value(const FieldDef& field, std::string_view text) {
  for (size_t i = 0; i < field.names.size(); ++i) {
    if (!text.empty() && to_lower(text) == field.names[i]) return field.min + static_cast<int>(i);
  }
  bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  auto value = parse_int(text);
  if (!digits || !value || *value < field.min || *value > field.max) return bad(field, text);
  return static_cast<int>(*value);
}

// One of the parts between commas; sets the bits of the values it stands for.
Result<void> parse_part(const FieldDef& field, std::string_view part, std::bitset<60>& bits) {
  size_t slash = part.find('/');
  std::string_view range = part.substr(0, slash);
  int step = 1;
  if (slash != std::string_view::npos) {
    auto parsed = parse_int(part.substr(slash + 1));
    if (!parsed || *parsed < 1 || *parsed > field.max)
      return Error(ErrorCode::invalid, fmt::format("the step of '{}' must be from 1 to {}", part, field.max));
    step = static_cast<int>(*parsed);
  }
  int first = field.min;
  int last = field.max;
  if (range != "*") {
    size_t dash = range.find('-');
    PAWL_ASSIGN(first, parse_value(field, range.substr(0, dash)));
    if (dash != std::string_view::npos) {
      PAWL_ASSIGN(last, parse_value(field, range.substr(dash + 1)));
    } else if (slash == std::string_view::npos) {
      last = first;
    }
  }
  if (first > last) return Error(ErrorCode::invalid, fmt::format("the range '{}' goes backwards", part));
  for (int value = first; value <= last; value += step) bits.set(static_cast<size_t>(value));
  return {};
}

Result<std::bitset<60>> parse_field(const FieldDef& field, std::string_view text) {
  std::bitset<60> bits;
  for (std::string_view part : split(text, ',')) PAWL_RETURN_IF_ERROR(parse_part(field, part, bits));
  return bits;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::string_view word : split(text, ' ')) {
    if (!word.empty()) out.push_back(word);
  }
  return out;
}

template <size_t N>
std::bitset<N> narrow(const std::bitset<60>& bits) {
  std::bitset<N> out;
  for (size_t i = 0; i < std::min<size_t>(N, 60); ++i) out[i] = bits[i];
  return out;
}

}  // namespace

Result<Cron> Cron::parse(std::string_view text) {
  std::vector<std::string_view> fields = words(text);
  if (fields.size() != std::size(kFields)) {
    return Error(ErrorCode::invalid,
                 fmt::format("'{}' has {} fields, a cron line has five: minute hour day month weekday", text,
                             fields.size()));
  }
  std::array<std::bitset<60>, 5> bits;
  for (size_t i = 0; i < fields.size(); ++i) {
    PAWL_ASSIGN(bits[i], parse_field(kFields[i], fields[i]));
  }
  Cron cron;
  cron.text_ = text;
  cron.minutes_ = bits[0];
  cron.hours_ = narrow<24>(bits[1]);
  cron.days_ = narrow<32>(bits[2]);
  cron.months_ = narrow<13>(bits[3]);
  cron.weekdays_ = narrow<7>(bits[4]);
  if (bits[4][7]) cron.weekdays_.set(0);
  cron.either_day_ = !fields[2].starts_with('*') && !fields[4].starts_with('*');
  if (auto never = cron.find_after(sys_days(std::chrono::year(2000) / 1 / 1)); !never) {
    return std::move(never).error();
  }
  return cron;
}

sys_seconds Cron::next_after(sys_seconds time) const {
  auto next = find_after(time);
  PAWL_CHECK(next.ok());  // parse() saw to it
  return *next;
}

bool Cron::fits(sys_days day) const {
  std::chrono::year_month_day date(day);
  if (!months_[static_cast<unsigned>(date.month())]) return false;
  bool by_date = days_[static_cast<unsigned>(date.day())];
  bool by_weekday = weekdays_[std::chrono::weekday(day).c_encoding()];
  return either_day_ ? by_date || by_weekday : by_date && by_weekday;
}

Result<sys_seconds> Cron::find_after(sys_seconds time) const {
  sys_seconds start = std::chrono::floor<std::chrono::minutes>(time) + std::chrono::minutes(1);
  sys_days first_day = std::chrono::floor<days>(start);
  for (sys_days day = first_day; day < first_day + days(kHorizonDays); day += days(1)) {
    if (!fits(day)) continue;
    for (size_t hour = 0; hour < 24; ++hour) {
      for (size_t minute = 0; hours_[hour] && minute < 60; ++minute) {
        sys_seconds moment = day + std::chrono::hours(hour) + std::chrono::minutes(minute);
        if (minutes_[minute] && moment >= start) return moment;
      }
    }
  }
  return Error(ErrorCode::invalid, fmt::format("'{}' never happens: no date fits it", text_));
}

}  // namespace pawl::pipeline
