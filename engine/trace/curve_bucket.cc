#include "engine/trace/curve_bucket.h"

#include <optional>

namespace pawl::trace {
namespace {

static_assert(std::endian::native == std::endian::little);

void put_number(std::string& out, uint64_t number) {
  for (; number >= 0x80; number >>= 7) out.push_back(static_cast<char>(number | 0x80));
  out.push_back(static_cast<char>(number));
}

std::optional<uint64_t> take_number(std::string_view& in) {
  uint64_t number = 0;
  for (unsigned shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(in.front());
    in.remove_prefix(1);
    number |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return number;
  }
  return std::nullopt;
}

std::optional<double> take_double(std::string_view& in) {
  double value;
  if (in.size() < sizeof value) return std::nullopt;
  std::memcpy(&value, in.data(), sizeof value);
  in.remove_prefix(sizeof value);
  return value;
}

}  // namespace

std::string pack_values(std::span<const CurveValue> values) {
  std::string out;
  uint64_t before = values.empty() ? 0 : values.front().step;
  for (const CurveValue& v : values) {
    put_number(out, v.step - before);
    before = v.step;
    out.append(reinterpret_cast<const char*>(&v.value), sizeof v.value);
    put_number(out, v.non_finite);
  }
  return out;
}

std::vector<CurveValue> unpack_values(std::string_view bytes, uint64_t first_step) {
  std::vector<CurveValue> out;
  uint64_t step = first_step;
  while (!bytes.empty() && out.size() < kBucketWidths.front()) {
    const auto distance = take_number(bytes);
    const auto value = take_double(bytes);
    const auto non_finite = take_number(bytes);
    if (!distance || !value || !non_finite) break;
    step += *distance;
    out.push_back({step, *value, *non_finite});
  }
  return out;
}

}  // namespace pawl::trace
