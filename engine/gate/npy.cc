// A predictions.npy is an array of two dimensions; see predictions.h.
#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "engine/base/text.h"
#include "engine/gate/npy_header.h"
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

Error invalid(std::string message, std::string_view where) {
  return {ErrorCode::invalid, std::move(message), std::string(where)};
}

Result<Array> read_array(std::string_view bytes, std::string_view where) {
  PAWL_ASSIGN(const NpyHeader header, parse_npy_header(bytes, where));
  if (header.shape.size() != 2 || header.shape[1] < 2) {
    return invalid(
        "the array must have two dimensions: rows, and (label, prediction) or (id, label, prediction, ...)",
        where);
  }
  return Array{header.kind,     header.item,     header.fortran_order,
               header.shape[0], header.shape[1], bytes.substr(header.size)};
}

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
  if (bytes.size() > kMaxPredictionsBytes) {
    return invalid(fmt::format("larger than {}", format_bytes(kMaxPredictionsBytes)), where);
  }
  PAWL_ASSIGN(const Array array, read_array(bytes, where));
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
