// NumPy's array file: magic "\x93NUMPY", version, length of the header, the header as the text of a Python
// dict ({'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }), then the elements.
// Source: numpy.lib.format, versions 1.0 to 3.0 (they differ in the size of the length and in the encoding).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace pawl::gate {

struct NpyHeader {
  char kind = 0;         // of numpy's dtype: b bool, i and u integer, f float
  std::size_t item = 0;  // bytes of an element, little-endian
  bool fortran_order = false;
  std::vector<std::uint64_t> shape;  // empty: a single number
  std::size_t size = 0;              // of magic and header: where the elements begin
};

// The header of a whole file in memory: its elements have exactly the size that the shape asks for. Error
// `invalid`, naming `where`, for anything else, and for element types other than bool, little-endian
// integers, float32 and float64. Pure.
Result<NpyHeader> parse_npy_header(std::string_view bytes, std::string_view where);

}  // namespace pawl::gate
