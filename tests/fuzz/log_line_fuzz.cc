// What a training tells `pawl log`: whatever the bytes, values or an error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/trace/log_line.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const pawl::trace::LossNames losses = {"loss"};
  if (const auto line = pawl::trace::parse_log_line(text, losses); line.ok()) {
    for (const auto& value : line->values) {
      if (value.name.empty() || value.name.size() > pawl::trace::kMaxSeriesName) std::abort();
    }
  }
  if (const auto value = pawl::trace::parse_log_value(text, losses); value.ok() && value->name.empty())
    std::abort();
  return 0;
}
