// Numbers and places as a reviewer reads them.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "engine/gate/verdict.h"

namespace pawl::gate {

// Four significant digits, without trailing zeros: "0.874", "87.43", "12346", "NaN".
std::string format_number(double value, int significant = 4);

// A fraction as percentage points: "-2 points", "1 point".
std::string describe_points(double fraction);

// Two different numbers with as many digits as it takes to tell them apart.
std::pair<std::string, std::string> format_numbers(double a, double b);

// "accuracy fell from 0.874 to 0.812", "accuracy stayed at 0.874".
std::string describe_change(std::string_view metric, double from, double to);

// "run 12 of commit 3f2a91c (main)", "run 12 of commit 3f2a91c (main, 3 commits before the merge base)".
std::string describe(const BaselineRun& run);

// "exploding_tensor at step 340, rank 1, tensor fc1.weight: the gradient ...".
std::string describe(const Finding& finding);

// Where the interval of a difference lies to a margin; by this, not by a p-value, a paired test decides.
enum class Standing { worse, within, open };

// Of a difference that is better when higher.
Standing standing_of(const Interval& interval, double margin);

// "-6.2 points, 90 % CI -7.1 to -5.4, surely worse than the margin of 2": differences of fractions as
// percentage points.
std::string describe_difference(double difference, const Interval& interval, double level, double margin,
                                Standing standing);

// "+0.031, 90 % CI +0.02 to +0.042, surely worse than the margin of 0.01": other differences in their own
// unit.
std::string describe_plain_difference(double difference, const Interval& interval, double level,
                                      double margin, Standing standing);

// Of a test that is red alone and not after the correction for many: "surely worse than the margin of 2" in
// the text becomes "worse than the margin of 2, but this may be chance among 4 tests: p = 0.019, 0.076
// corrected by Holm"; a text without these words ends with the doubt. `p` is that of the test alone.
std::string with_doubt(std::string text, std::size_t tests, double p, double corrected);

// " (90 % CI 0.781 to 0.839, 500 examples)": what so many examples know of a share of right answers, by
// Wilson's interval of level 1 - 2 * alpha.
std::string describe_share(std::int64_t right, std::int64_t examples, double alpha);

}  // namespace pawl::gate
