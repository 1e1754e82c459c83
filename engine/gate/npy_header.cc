#include "engine/gate/npy_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "engine/base/text.h"

namespace pawl::gate {
namespace {

constexpr std::size_t kMaxDimensions = 32;

// What of Python's literals a header may hold: the cursor moves on over what it recognises.
class HeaderText {
 public:
  explicit HeaderText(std::string_view text) : text_(text) {}

  bool accept(std::string_view token) {
    skip_space();
    if (!text_.starts_with(token)) return false;
    text_.remove_prefix(token.size());
    return true;
  }

  std::optional<std::string_view> quoted() {
    skip_space();
    if (text_.empty() || (text_[0] != '\'' && text_[0] != '"')) return std::nullopt;
    const std::size_t end = text_.find(text_[0], 1);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view inside = text_.substr(1, end - 1);
    text_.remove_prefix(end + 1);
    return inside;
  }

  std::optional<std::uint64_t> number() {
    skip_space();
    const std::size_t digits = std::min(text_.find_first_not_of("0123456789"), text_.size());
    const auto value = parse_int(text_.substr(0, digits));
    if (digits == 0 || !value) return std::nullopt;
    text_.remove_prefix(digits);
    return static_cast<std::uint64_t>(*value);
  }

  bool at_end() {
    skip_space();
    return text_.empty();
  }

 private:
  void skip_space() { text_.remove_prefix(std::min(text_.find_first_not_of(" \n\t"), text_.size())); }
  std::string_view text_;
};

class HeaderReader {
 public:
  explicit HeaderReader(std::string_view where) : where_(where) {}

  Result<NpyHeader> read(std::string_view bytes) {
    std::string_view rest = bytes;
    PAWL_ASSIGN(const std::string_view text, split_header(rest));
    NpyHeader header;
    header.size = bytes.size() - rest.size();
    PAWL_RETURN_IF_ERROR(read_dict(HeaderText(text), header));
    PAWL_RETURN_IF_ERROR(check_size(rest.size(), header));
    return header;
  }

 private:
  Error error(std::string message) const { return {ErrorCode::invalid, std::move(message), where_}; }

  // The header; `bytes` is left at the elements.
  Result<std::string_view> split_header(std::string_view& bytes) const {
    constexpr std::string_view kMagic = "\x93NUMPY";
    if (!bytes.starts_with(kMagic) || bytes.size() < 12) return error("this is no .npy file");
    const int version = bytes[6];
    if (version < 1 || version > 3)
      return error(fmt::format("version {} of the .npy format is not known", version));
    const std::size_t length_size = version == 1 ? 2 : 4;
    std::uint32_t length = 0;
    std::memcpy(&length, bytes.data() + 8, length_size);
    bytes.remove_prefix(8 + length_size);
    if (length > bytes.size()) return error("the header is cut off");
    const std::string_view header = bytes.substr(0, length);
    bytes.remove_prefix(length);
    return header;
  }

  Result<void> read_dict(HeaderText text, NpyHeader& header) {
    if (!text.accept("{")) return error("the header is no dict");
    while (!text.accept("}")) {
      const auto key = text.quoted();
      if (!key || !text.accept(":")) return error("the header is no dict of names");
      PAWL_RETURN_IF_ERROR(read_value(*key, text, header));
      if (text.accept(",")) continue;
      if (text.accept("}")) break;
      return error("the header lacks a comma");
    }
    if (!text.at_end()) return error("the header goes on after the dict");
    if (header.kind == 0 || !has_shape_) return error("the header lacks descr or shape");
    return {};
  }

  Result<void> read_value(std::string_view key, HeaderText& text, NpyHeader& header) {
    if (key == "descr") return read_type(text.quoted(), header);
    if (key == "shape") return read_shape(text, header);
    if (key != "fortran_order") return error("the header has an unknown key");
    header.fortran_order = text.accept("True");
    if (!header.fortran_order && !text.accept("False"))
      return error("fortran_order is neither True nor False");
    return {};
  }

  Result<void> read_type(std::optional<std::string_view> descr, NpyHeader& header) const {
    static constexpr std::string_view kTypes[] = {"|b1", "|i1", "|u1", "<i2", "<u2", "<i4",
                                                  "<u4", "<i8", "<u8", "<f4", "<f8"};
    for (const std::string_view type : kTypes) {
      if (descr != type) continue;
      header.kind = type[1];
      header.item = static_cast<std::size_t>(type[2] - '0');
      return {};
    }
    return error("the element type must be bool, a little-endian integer, float32 or float64");
  }

  Result<void> read_shape(HeaderText& text, NpyHeader& header) {
    const Error wrong = error("the shape is no tuple of numbers");
    if (!text.accept("(")) return wrong;
    header.shape.clear();
    while (!text.accept(")")) {
      const auto size = text.number();
      if (!size || header.shape.size() == kMaxDimensions) return wrong;
      header.shape.push_back(*size);
      if (text.accept(",")) continue;
      if (!text.accept(")")) return wrong;
      break;
    }
    has_shape_ = true;
    return {};
  }

  Result<void> check_size(std::size_t available, const NpyHeader& header) const {
    std::uint64_t needed = header.item;
    for (const std::uint64_t size : header.shape) {
      if (__builtin_mul_overflow(needed, size, &needed)) return error("the shape overflows");
    }
    if (needed == available) return {};
    return error(
        fmt::format("{} bytes of elements do not make shape ({})", available, fmt::join(header.shape, ", ")));
  }

  std::string where_;
  bool has_shape_ = false;  // that of a single number is ()
};

}  // namespace

Result<NpyHeader> parse_npy_header(std::string_view bytes, std::string_view where) {
  return HeaderReader(where).read(bytes);
}

}  // namespace pawl::gate
