#include "engine/gate/normal.h"

#include <boost/math/distributions/normal.hpp>
#include <cmath>

namespace pawl::gate {

double normal_cdf(double z) {
  return 0.5 * std::erfc(-z / std::sqrt(2.0));
}

double normal_quantile(double p) {
  return boost::math::quantile(boost::math::normal(), p);
}

}  // namespace pawl::gate
