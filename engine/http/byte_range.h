// The Range header (RFC 9110, section 14) for one contiguous piece.
#pragma once

#include <cstdint>
#include <string_view>

namespace pawl::http {

struct ByteRange {
  enum class Kind {
    whole,          // no range, or one we need not honour (several, another unit, malformed): send everything
    part,           // `length` bytes from `first`
    unsatisfiable,  // nothing there: 416
  };
  Kind kind = Kind::whole;
  uint64_t first = 0;
  uint64_t length = 0;

  bool operator==(const ByteRange&) const = default;
};

// "bytes=0-99", "bytes=100-", "bytes=-50" of something `size` bytes long.
ByteRange parse_range(std::string_view header, uint64_t size);

}  // namespace pawl::http
