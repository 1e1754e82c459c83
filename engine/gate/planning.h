// What a test set of a given size can and cannot show, before anything is measured.
//
// All for two models that answer the same n examples and disagree (one right, the other wrong) on the
// fraction `discordance` of them, 0 < discordance <= 1. How many examples a paired comparison needs is in
// paired.h.
//
// Pure functions of any thread. Arguments outside their ranges are a bug of the caller (checked).
#pragma once

#include <cstdint>
#include <optional>

namespace pawl::gate {

// How often "the accuracy dropped by more than `tolerance`" (a fraction, >= 0) is true of two models that are
// equally good. Their difference has the variance discordance / n; normal approximation,
//   P(Z > tolerance * sqrt(n / discordance)).
double false_red_rate(std::int64_t n, double discordance, double tolerance);

// The smallest true drop that n examples show with the given power (0.5 <= power < 1) at the one-sided error
// rate alpha (0 < alpha < 0.5): the inverse of examples_needed(), and the smallest margin worth asking for.
// None when even a drop of 1 would not be shown.
std::optional<double> detectable_drop(std::int64_t n, double discordance, double alpha, double power);

// How many examples each of two models needs when they answer different ones: accuracies a and b, a != b,
// both strictly between 0 and 1 (Fleiss, Statistical Methods for Rates and Proportions, 1981, without
// correction),
//   n = ((z_alpha * sqrt(2 m (1 - m)) + z_power * sqrt(a (1 - a) + b (1 - b))) / (a - b))^2,  m = (a + b) /
//   2,
// rounded up. At most 10^15.
std::int64_t examples_needed_unpaired(double a, double b, double alpha, double power);

// The standard deviation of the accuracy on n examples from one training to the next when only the seed
// differs: about sqrt(error_rate / (2n)), 0 <= error_rate <= 1 (Jordan, ICLR 2024).
double seed_deviation(double error_rate, std::int64_t n);

}  // namespace pawl::gate
