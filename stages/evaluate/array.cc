#include "stages/evaluate/array.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "engine/gate/npy_header.h"

namespace pawl::evaluate {
namespace {

// Calls `use` with a value of the type that `element` stands for.
template <class Use>
auto with_type(Element element, Use use) {
  switch (element) {
    case Element::boolean:
    case Element::u8:
      return use(std::uint8_t{});
    case Element::i8:
      return use(std::int8_t{});
    case Element::u16:
      return use(std::uint16_t{});
    case Element::i16:
      return use(std::int16_t{});
    case Element::u32:
      return use(std::uint32_t{});
    case Element::i32:
      return use(std::int32_t{});
    case Element::u64:
      return use(std::uint64_t{});
    case Element::i64:
      return use(std::int64_t{});
    case Element::f32:
      return use(float{});
    case Element::f64:
      break;
  }
  return use(double{});
}

template <class To>
void copy_as(const Array& array, std::size_t first, std::span<To> out) {
  PAWL_CHECK((first + out.size()) * size_of(array.element) <= array.bytes.size());
  with_type(array.element, [&]<class From>(From) {
    const char* at = array.bytes.data() + first * sizeof(From);
    for (To& value : out) {
      From stored;
      std::memcpy(&stored, at, sizeof stored);
      value = static_cast<To>(stored);
      at += sizeof stored;
    }
  });
}

Error invalid(std::string message, std::string_view where) {
  return {ErrorCode::invalid, std::move(message), std::string(where)};
}

Result<void> check_shape(const Array& array, std::string_view where) {
  if (array.shape.empty()) return invalid("holds a single number, no examples", where);
  if (array.bytes.empty()) return invalid("holds no elements", where);
  return {};
}

bool idx_element(unsigned char code, Element& out) {
  constexpr std::pair<unsigned char, Element> kTypes[] = {
      {0x08, Element::u8},  {0x09, Element::i8},  {0x0b, Element::i16},
      {0x0c, Element::i32}, {0x0d, Element::f32}, {0x0e, Element::f64},
  };
  const auto* it = std::find_if(std::begin(kTypes), std::end(kTypes),
                                [code](const auto& type) { return type.first == code; });
  if (it == std::end(kTypes)) return false;
  out = it->second;
  return true;
}

void swap_bytes(std::string& bytes, std::size_t item) {
  if (item == 1) return;
  for (std::size_t at = 0; at < bytes.size(); at += item) std::reverse(&bytes[at], &bytes[at] + item);
}

Element npy_element(const gate::NpyHeader& header) {
  if (header.kind == 'b') return Element::boolean;
  if (header.kind == 'f') return header.item == 4 ? Element::f32 : Element::f64;
  const bool is_signed = header.kind == 'i';
  switch (header.item) {
    case 1:
      return is_signed ? Element::i8 : Element::u8;
    case 2:
      return is_signed ? Element::i16 : Element::u16;
    case 4:
      return is_signed ? Element::i32 : Element::u32;
    default:
      return is_signed ? Element::i64 : Element::u64;
  }
}

// Elements of an array whose first index runs fastest, in C order.
std::string reordered(std::string_view bytes, const std::vector<std::size_t>& shape, std::size_t item) {
  std::vector<std::size_t> strides(shape.size());
  std::size_t stride = item;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    strides[d] = stride;
    stride *= shape[d];
  }
  std::string out;
  out.reserve(bytes.size());
  std::vector<std::size_t> index(shape.size());
  while (out.size() < bytes.size()) {
    out +=
        bytes.substr(std::inner_product(index.begin(), index.end(), strides.begin(), std::size_t{0}), item);
    for (std::size_t d = shape.size(); d-- > 0 && ++index[d] == shape[d];) index[d] = 0;
  }
  return out;
}

}  // namespace

std::size_t size_of(Element element) {
  return with_type(element, [](auto value) { return sizeof value; });
}

std::size_t Array::per_example() const {
  return std::accumulate(shape.begin() + 1, shape.end(), std::size_t{1}, std::multiplies<>());
}

void copy_floats(const Array& array, std::size_t first, std::span<float> out) {
  copy_as(array, first, out);
}

void copy_doubles(const Array& array, std::size_t first, std::span<double> out) {
  copy_as(array, first, out);
}

void copy_integers(const Array& array, std::size_t first, std::span<std::int64_t> out) {
  copy_as(array, first, out);
}

Result<Array> parse_idx(std::string_view bytes, std::string_view where) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  Array array;
  if (bytes.size() < 4 || byte(0) != 0 || byte(1) != 0 || !idx_element(byte(2), array.element))
    return invalid("this is no IDX file", where);
  const std::size_t dimensions = byte(3);
  const std::size_t begin = 4 + 4 * dimensions;
  if (bytes.size() < begin) return invalid("ends within its header", where);
  std::size_t needed = size_of(array.element);
  for (std::size_t at = 4; at < begin; at += 4) {
    const std::size_t size = std::size_t{byte(at)} << 24 | std::size_t{byte(at + 1)} << 16 |
                             std::size_t{byte(at + 2)} << 8 | byte(at + 3);
    array.shape.push_back(size);
    if (__builtin_mul_overflow(needed, size, &needed)) return invalid("the sizes overflow", where);
  }
  if (needed != bytes.size() - begin) {
    return invalid(std::to_string(bytes.size() - begin) + " bytes of elements, the header asks for " +
                       std::to_string(needed),
                   where);
  }
  array.bytes = bytes.substr(begin);
  PAWL_RETURN_IF_ERROR(check_shape(array, where));
  swap_bytes(array.bytes, size_of(array.element));
  return array;
}

Result<Array> parse_npy(std::string_view bytes, std::string_view where) {
  PAWL_ASSIGN(const gate::NpyHeader header, gate::parse_npy_header(bytes, where));
  Array array;
  array.element = npy_element(header);
  array.shape.assign(header.shape.begin(), header.shape.end());
  const std::string_view elements = bytes.substr(header.size);
  array.bytes = header.fortran_order ? reordered(elements, array.shape, header.item) : std::string(elements);
  PAWL_RETURN_IF_ERROR(check_shape(array, where));
  return array;
}

}  // namespace pawl::evaluate
