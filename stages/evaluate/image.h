// PNG and JPEG files into pixels (libpng and libjpeg behind a light header).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "engine/base/error.h"

namespace pawl::evaluate {

struct Image {
  std::size_t height = 0;
  std::size_t width = 0;
  std::size_t channels = 0;  // 1: gray, 3: red, green, blue
  std::string pixels;        // row by row, the channels of a pixel side by side
};

inline constexpr std::size_t kMaxPixels = std::size_t{1} << 26;

// A whole file in memory. Palettes become colours, transparency is dropped, 16 bits are rounded to 8. Error
// `invalid`, naming `where`: neither PNG nor JPEG, damaged or cut off, CMYK, more than kMaxPixels. Pure.
Result<Image> decode_image(std::string_view bytes, std::string_view where);

}  // namespace pawl::evaluate
