// Many tests at once: p-values adjusted so that each can be compared with one alpha.
//
// Holm (Scand J Statist 6:65, 1979) bounds the probability of any false rejection by alpha, under any
// dependence: the i-th smallest of m p-values is multiplied by m - i + 1, and no adjusted value is below an
// earlier one. For decisions. Benjamini-Hochberg (JRSS B 57:289, 1995) bounds the expected share of false
// rejections among the rejections: the i-th smallest is multiplied by m / i, and no adjusted value is above a
// later one. For reports.
//
// Pure functions of any thread; the order of the input is kept. A p-value outside [0, 1] is a bug of the
// caller (checked).
#pragma once

#include <span>
#include <vector>

namespace pawl::gate {

std::vector<double> holm_adjusted(std::span<const double> p);
std::vector<double> benjamini_hochberg_adjusted(std::span<const double> p);

// Which hypotheses are rejected with a probability of at most alpha of rejecting any true one, 0 < alpha < 1.
std::vector<bool> holm_reject(std::span<const double> p, double alpha);

}  // namespace pawl::gate
