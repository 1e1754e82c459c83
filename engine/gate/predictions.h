// Files of per-example results, as a stage writes them, into evaluation vectors.
//
// predictions.csv: a header `id,label,prediction` and any further columns (scores, slices), one row per
// example. A label is empty only where WantedColumns allows it. predictions.npy: a two-dimensional array of
// integers or floats; three columns or more are id, label, prediction and scores ("score", or "score_0",
// "score_1", ... when there are several), exactly two are label and prediction with the row number as id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/gate/csv.h"
#include "engine/gate/evaluation.h"

namespace pawl::gate {

inline constexpr std::uint64_t kMaxPredictionsBytes = std::uint64_t{1} << 30;

// Reads the CSV form in chunks: a file of the maximum size never lies in memory whole, only ids and labels
// do. One thread at a time; after an error the object must not be used again. Errors name `where` and the
// line.
class PredictionsReader {
 public:
  explicit PredictionsReader(std::string where, WantedColumns wanted = {});
  PredictionsReader(const PredictionsReader&) = delete;  // rows_ calls back into this object
  PredictionsReader& operator=(const PredictionsReader&) = delete;

  Result<void> feed(std::string_view chunk);
  Result<EvaluationVector> finish();

 private:
  Result<void> take_row(std::span<const std::string> fields, std::uint64_t line);
  Result<void> take_header(std::span<const std::string> fields);
  Result<void> choose_columns(std::span<const std::string> header);

  std::string where_;
  WantedColumns wanted_;
  std::optional<EvaluationBuilder> examples_;  // from the header on
  std::vector<std::size_t> number_fields_;     // positions of the wanted columns in a row
  std::vector<std::size_t> word_fields_;
  std::vector<std::string_view> cells_;  // kept from row to row for its memory
  CsvReader rows_;
  std::uint64_t bytes_ = 0;
  std::size_t columns_ = 0;  // 0 until the header was read
};

// The same for text that is in memory already.
Result<EvaluationVector> parse_predictions_csv(std::string_view text, std::string_view where,
                                               const WantedColumns& wanted = {});

// NumPy's format 1.0 to 3.0; little-endian integers and floats, bool; C or Fortran order.
Result<EvaluationVector> parse_predictions_npy(std::string_view bytes, std::string_view where,
                                               const WantedColumns& wanted = {});

}  // namespace pawl::gate
