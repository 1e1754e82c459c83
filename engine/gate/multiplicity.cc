#include "engine/gate/multiplicity.h"

#include <algorithm>
#include <numeric>

#include "engine/base/error.h"

namespace pawl::gate {
namespace {

std::vector<std::size_t> ascending(std::span<const double> p) {
  for (const double value : p) PAWL_CHECK(value >= 0 && value <= 1);
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  return order;
}

}  // namespace

std::vector<double> holm_adjusted(std::span<const double> p) {
  const std::vector<std::size_t> order = ascending(p);
  std::vector<double> adjusted(p.size());
  double before = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    before = std::max(before, std::min(1.0, p[order[i]] * static_cast<double>(order.size() - i)));
    adjusted[order[i]] = before;
  }
  return adjusted;
}

std::vector<double> benjamini_hochberg_adjusted(std::span<const double> p) {
  const std::vector<std::size_t> order = ascending(p);
  std::vector<double> adjusted(p.size());
  double after = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    after = std::min(after, p[order[i]] * static_cast<double>(order.size()) / static_cast<double>(i + 1));
    adjusted[order[i]] = after;
  }
  return adjusted;
}

std::vector<bool> holm_reject(std::span<const double> p, double alpha) {
  PAWL_CHECK(alpha > 0 && alpha < 1);
  std::vector<bool> rejected;
  for (const double value : holm_adjusted(p)) rejected.push_back(value <= alpha);
  return rejected;
}

}  // namespace pawl::gate
