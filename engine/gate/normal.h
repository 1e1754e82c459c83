// The standard normal distribution.
#pragma once

namespace pawl::gate {

// The probability that a standard normal variable is below z; keeps its relative precision far below zero.
double normal_cdf(double z);

// The z with normal_cdf(z) == p, 0 < p < 1.
double normal_quantile(double p);

}  // namespace pawl::gate
