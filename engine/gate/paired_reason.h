// What the judges of a metric and of its slices share: how a comparison becomes a reason.
#pragma once

#include <string>
#include <string_view>

#include "engine/gate/comparison.h"
#include "engine/gate/verdict.h"

namespace pawl::gate {

Reason plain_reason(Check check, Status status, std::string subject, std::string sentence);

// nullptr when the run left no such file, or one that cannot be read.
const EvaluationVector* find_vector(const Evidence& evidence, const std::string& file);

// Why, of whoever ran: "left no predictions.csv", or that it cannot be read.
std::string why_no_vector(const Evidence& evidence, const std::string& file);

// "right answers", "mean of column loss", "AUC".
std::string what_is_compared(const PairedTest& test);

// The reason of a paired test against `margin`. `change` says how the value moved ("accuracy fell from 0.9 to
// 0.8"), `compared` what the difference is of where that is not clear, `against` names the baseline.
Reason paired_reason(const PairedTest& test, std::string subject, const Comparison& comparison, double margin,
                     std::string_view change, std::string_view compared, std::string_view against);

// How a value may drop.
struct Drop {
  double limit = 0;  // the worst value that is still green
  bool holds = true;
};
Drop drop_of(Direction direction, double value, double baseline, double max_drop, bool relative);

}  // namespace pawl::gate
