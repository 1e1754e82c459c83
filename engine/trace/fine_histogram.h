// What can be read from a fine histogram of a tensor (pawl_fine_histogram; its bins:
// hooks/capture/fine_histogram.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "hooks/capture/fine_histogram.h"

namespace pawl::trace {

// The `q`-quantile of the sampled elements that are not NaN: about the least one that at least a share `q` of
// them does not exceed. Nothing when there is none. `q` is in [0, 1].
//
// It is off by at most 1/9 of its absolute value if that is in [2^-24, 2^7), by at most 2^-25 below; beyond
// that it is +-2^7, which the absolute value is at least, or +-infinity for an infinite one.
//
// That is how well the sample is known. The tensor may differ from its sample: where the values do not depend
// on their place, a 95 % interval of the quantile has the quantiles of q +- 0.0075 at its ends (Dvoretzky,
// Kiefer, Wolfowitz; Massart 1990; 32768 elements).
std::optional<double> quantile(std::span<const uint32_t, capture::kFineBins> bins, double q);

}  // namespace pawl::trace
