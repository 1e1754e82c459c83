#include "engine/http/byte_range.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "engine/base/text.h"

namespace pawl::http {
namespace {

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range && end == text.data() + text.size()) return UINT64_MAX;
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

ByteRange parse_range(std::string_view header, uint64_t size) {
  using Kind = ByteRange::Kind;
  size_t equals = std::min(header.find('='), header.size());
  if (!iequals(trim(header.substr(0, equals)), "bytes")) return {};
  std::string_view spec = trim(header.substr(std::min(equals + 1, header.size())));
  size_t dash = spec.find('-');
  if (dash == spec.npos || spec.find(',') != spec.npos) return {};
  std::optional<uint64_t> first = parse_number(spec.substr(0, dash));
  std::optional<uint64_t> last = parse_number(spec.substr(dash + 1));

  if (dash == 0) {  // the last n bytes
    if (!last) return {};
    uint64_t length = std::min(*last, size);
    if (length == 0) return {Kind::unsatisfiable, 0, 0};
    return {Kind::part, size - length, length};
  }
  bool open_end = dash + 1 == spec.size();
  if (!first || (!last && !open_end) || (last && *last < *first)) return {};
  if (*first >= size) return {Kind::unsatisfiable, 0, 0};
  uint64_t end = last && *last < size - 1 ? *last + 1 : size;
  return {Kind::part, *first, end - *first};
}

}  // namespace pawl::http
