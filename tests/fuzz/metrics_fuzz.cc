// metrics.json comes from the user's program: any bytes give metrics or an error.
#include <cstdint>
#include <string_view>

#include "engine/base/error.h"
#include "engine/gate/metrics.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto metrics = pawl::gate::parse_metrics({reinterpret_cast<const char*>(data), size}, "metrics.json");
  if (!metrics) return 0;
  for (const auto& metric : *metrics) {
    PAWL_CHECK(!metric.name.empty() && metric.name.size() <= 128);
    const auto* first = pawl::gate::find_metric(*metrics, metric.name);
    PAWL_CHECK(first == &metric);
  }
  return 0;
}
