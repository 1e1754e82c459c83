// A CSV file of examples: a header, a column of labels, and numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "stages/evaluate/array.h"

namespace pawl::evaluate {

// The truth about each example: numbers, or words when one of them is no number.
struct Labels {
  std::vector<double> numbers;
  std::vector<std::string> words;  // either this or `numbers` is empty

  std::size_t size() const { return words.empty() ? numbers.size() : words.size(); }
  void resize(std::size_t size);  // to fewer
};

struct CsvTable {
  Array features;  // f32, all columns but those below, in the order of the file
  Labels labels;
  std::vector<std::string> ids;       // of the column "id"; empty when there is none
  std::vector<std::uint64_t> groups;  // codes of the words in the column of groups; empty when there is none
};

struct CsvColumns {
  std::string label = "label";
  std::string group = "group";
};

// RFC 4180. Error `invalid`, naming `where` and the line: no column of labels, a row of another size than the
// header, a cell of the features that is no finite number, no rows. Pure.
Result<CsvTable> parse_csv(std::string_view text, std::string_view where, const CsvColumns& columns);

}  // namespace pawl::evaluate
