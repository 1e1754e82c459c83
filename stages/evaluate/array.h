// Arrays as files hold them: a type of element, a shape, and the bytes in C order. No torch in here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace pawl::evaluate {

enum class Element { boolean, u8, i8, u16, i16, u32, i32, u64, i64, f32, f64 };

std::size_t size_of(Element element);

struct Array {
  Element element = Element::u8;
  std::vector<std::size_t> shape;  // at least one dimension; the first counts the examples
  std::string bytes;               // exactly what the shape asks for, little-endian

  std::size_t examples() const { return shape[0]; }
  std::size_t per_example() const;  // elements
};

// Elements `first` and following, as many as `out` takes. A u64 above 2^63 - 1 is taken modulo 2^64.
void copy_floats(const Array& array, std::size_t first, std::span<float> out);
void copy_doubles(const Array& array, std::size_t first, std::span<double> out);
void copy_integers(const Array& array, std::size_t first, std::span<std::int64_t> out);

// Parsers of whole files in memory. Error `invalid`, naming `where`, for what does not follow the format: no
// element is read before the sizes have been checked against the bytes that are there. Zero dimensions and
// arrays without an element are refused too.

// IDX, the format of MNIST: two zero bytes, type, number of dimensions, the sizes and then the elements, all
// big-endian. (http://yann.lecun.com/exdb/mnist)
Result<Array> parse_idx(std::string_view bytes, std::string_view where);

Result<Array> parse_npy(std::string_view bytes, std::string_view where);

}  // namespace pawl::evaluate
