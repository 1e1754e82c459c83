#include "engine/trace/fine_histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pawl::trace {

namespace {

using namespace capture;

// For a bin from a to b 2ab / (a + b): at either end it is off by the same part of the value, (b - a) / (b +
// a).
double value_of(int bin) {
  if (bin < kFineZero) return -value_of(2 * kFineZero - bin);
  const int quarter = bin - kFineZero - 2;
  if (quarter == -2) return 0;
  if (quarter == -1) return std::ldexp(0.5, kFineLowest);
  if (quarter == kFineQuarters) return std::ldexp(1.0, kFineHighest);
  if (quarter > kFineQuarters) return std::numeric_limits<double>::infinity();
  const double from = 4 + quarter % 4, to = from + 1;  // quarters of the octave's start
  return std::ldexp(2 * from * to / (from + to), kFineLowest + quarter / 4 - 2);
}

}  // namespace

std::optional<double> quantile(std::span<const uint32_t, kFineBins> bins, double q) {
  uint64_t total = 0;
  for (int bin = 0; bin < kFineNan; ++bin) total += bins[static_cast<size_t>(bin)];
  if (total == 0) return std::nullopt;
  const double least = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(total));
  uint64_t so_far = 0;
  int bin = -1;
  do {
    so_far += bins[static_cast<size_t>(++bin)];
  } while (so_far == 0 || static_cast<double>(so_far) < least);
  return value_of(bin);
}

}  // namespace pawl::trace
