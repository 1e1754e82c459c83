// NumPy's array file: magic "\x93NUMPY", version, length of the header, the header as the text of a Python
// dict ({'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }), then the elements.
// Source: numpy.lib.format, versions 1.0 to 3.0 (they differ in the size of the length and in the encoding).
#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <optional>

#include "engine/base/text.h"
#include "engine/gate/predictions.h"

static_assert(std::endian::native == std::endian::little);

namespace pawl::gate {
namespace {

struct Array {
  char kind = 0;  // of numpy's dtype: b bool, i and u integer, f float
  std::size_t item = 0;
  bool fortran_order = false;
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;
  std::string_view data;
};

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

class NpyReader {
 public:
  explicit NpyReader(std::string_view where) : where_(where) {}

  Result<Array> read(std::string_view bytes) {
    PAWL_ASSIGN(const std::string_view header, split_header(bytes));
    Array array;
    PAWL_RETURN_IF_ERROR(read_dict(HeaderText(header), array));
    PAWL_RETURN_IF_ERROR(check_size(bytes.size(), array));
    array.data = bytes;
    return array;
  }

  Error error(std::string message) const { return {ErrorCode::invalid, std::move(message), where_}; }

 private:
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

  Result<void> read_dict(HeaderText text, Array& array) const {
    if (!text.accept("{")) return error("the header is no dict");
    while (!text.accept("}")) {
      const auto key = text.quoted();
      if (!key || !text.accept(":")) return error("the header is no dict of names");
      PAWL_RETURN_IF_ERROR(read_value(*key, text, array));
      if (text.accept(",")) continue;
      if (text.accept("}")) break;
      return error("the header lacks a comma");
    }
    if (!text.at_end()) return error("the header goes on after the dict");
    if (array.kind == 0 || array.columns == 0) return error("the header lacks descr or shape");
    return {};
  }

  Result<void> read_value(std::string_view key, HeaderText& text, Array& array) const {
    if (key == "descr") return read_type(text.quoted(), array);
    if (key == "shape") return read_shape(text, array);
    if (key != "fortran_order") return error("the header has an unknown key");
    array.fortran_order = text.accept("True");
    if (!array.fortran_order && !text.accept("False"))
      return error("fortran_order is neither True nor False");
    return {};
  }

  Result<void> read_type(std::optional<std::string_view> descr, Array& array) const {
    static constexpr std::string_view kTypes[] = {"|b1", "|i1", "|u1", "<i2", "<u2", "<i4",
                                                  "<u4", "<i8", "<u8", "<f4", "<f8"};
    for (const std::string_view type : kTypes) {
      if (descr != type) continue;
      array.kind = type[1];
      array.item = static_cast<std::size_t>(type[2] - '0');
      return {};
    }
    return error("the element type must be bool, a little-endian integer, float32 or float64");
  }

  Result<void> read_shape(HeaderText& text, Array& array) const {
    const Error wrong = error(
        "the array must have two dimensions: rows, and (label, prediction) or (id, label, prediction, ...)");
    if (!text.accept("(")) return wrong;
    const auto rows = text.number();
    if (!rows || !text.accept(",")) return wrong;
    const auto columns = text.number();
    if (!columns || *columns < 2) return wrong;
    text.accept(",");
    if (!text.accept(")")) return wrong;
    array.rows = *rows;
    array.columns = *columns;
    return {};
  }

  Result<void> check_size(std::size_t available, const Array& array) const {
    std::uint64_t needed = 0;
    if (__builtin_mul_overflow(array.rows, array.columns, &needed) ||
        __builtin_mul_overflow(needed, array.item, &needed) || needed != available) {
      return error(fmt::format("{} bytes of elements do not make {} rows of {} columns", available,
                               array.rows, array.columns));
    }
    return {};
  }

  std::string where_;
};

template <class T>
T load(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// 3.0 and 3 are the same label whatever type holds it; CSV writes it "3".
std::string float_text(double value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (std::abs(value) < kExact && value == std::floor(value))
    return fmt::format("{}", static_cast<std::int64_t>(value));
  return fmt::format("{}", value);
}

std::string element_text(const Array& array, std::uint64_t row, std::uint64_t column) {
  const std::uint64_t index = array.fortran_order ? column * array.rows + row : row * array.columns + column;
  const char* at = array.data.data() + index * array.item;
  if (array.kind == 'f') return float_text(array.item == 4 ? double{load<float>(at)} : load<double>(at));
  if (array.kind == 'i') {
    switch (array.item) {
      case 1:
        return fmt::format("{}", int{load<std::int8_t>(at)});
      case 2:
        return fmt::format("{}", load<std::int16_t>(at));
      case 4:
        return fmt::format("{}", load<std::int32_t>(at));
      default:
        return fmt::format("{}", load<std::int64_t>(at));
    }
  }
  switch (array.item) {
    case 1:
      return fmt::format("{}", unsigned{load<std::uint8_t>(at)});
    case 2:
      return fmt::format("{}", load<std::uint16_t>(at));
    case 4:
      return fmt::format("{}", load<std::uint32_t>(at));
    default:
      return fmt::format("{}", load<std::uint64_t>(at));
  }
}

struct Score {
  std::string name;
  std::uint64_t column;
};

// The columns after id, label and prediction, as far as they are wanted.
std::vector<Score> wanted_scores(const Array& array, const WantedColumns& wanted) {
  constexpr std::uint64_t kFirst = 3;
  std::vector<Score> out;
  if (wanted.numbers.empty() || array.rows == 0) return out;  // then any number of columns fits the file
  for (std::uint64_t column = kFirst; column < array.columns; ++column) {
    std::string name = array.columns == kFirst + 1 ? "score" : fmt::format("score_{}", column - kFirst);
    if (wanted.numbers.contains(name)) out.push_back({std::move(name), column});
  }
  return out;
}

}  // namespace

Result<EvaluationVector> parse_predictions_npy(std::string_view bytes, std::string_view where,
                                               const WantedColumns& wanted) {
  NpyReader reader(where);
  if (bytes.size() > kMaxPredictionsBytes) {
    return reader.error(fmt::format("larger than {}", format_bytes(kMaxPredictionsBytes)));
  }
  PAWL_ASSIGN(const Array array, reader.read(bytes));
  const std::vector<Score> scores = wanted_scores(array, wanted);
  std::vector<std::string> names;
  for (const Score& score : scores) names.push_back(score.name);
  EvaluationBuilder examples(std::string(where), "row", names, {}, wanted.classes);
  const std::uint64_t label = array.columns == 2 ? 0 : 1;
  std::vector<std::string> texts(scores.size());
  std::vector<std::string_view> cells(scores.size());
  for (std::uint64_t row = 0; row < array.rows; ++row) {
    const std::string id = label == 0 ? fmt::format("{}", row) : element_text(array, row, 0);
    for (std::size_t i = 0; i < scores.size(); ++i) {
      texts[i] = element_text(array, row, scores[i].column);
      cells[i] = texts[i];
    }
    PAWL_RETURN_IF_ERROR(
        examples.add(id, element_text(array, row, label), element_text(array, row, label + 1), row, cells));
  }
  return examples.finish();
}

}  // namespace pawl::gate
