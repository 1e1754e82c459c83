#include "engine/gate/predictions.h"

#include <fmt/format.h>

#include "engine/base/text.h"

namespace pawl::gate {
namespace {

constexpr std::string_view kColumns[] = {"id", "label", "prediction"};
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

PredictionsReader::PredictionsReader(std::string where, WantedColumns wanted)
    : where_(std::move(where)),
      wanted_(std::move(wanted)),
      rows_(where_, [this](std::span<const std::string> fields, std::uint64_t line) {
        return take_row(fields, line);
      }) {}

Result<void> PredictionsReader::feed(std::string_view chunk) {
  bytes_ += chunk.size();
  if (bytes_ > kMaxPredictionsBytes) {
    return Error(ErrorCode::invalid, fmt::format("larger than {}", format_bytes(kMaxPredictionsBytes)),
                 where_);
  }
  return rows_.feed(chunk);
}

Result<EvaluationVector> PredictionsReader::finish() {
  PAWL_RETURN_IF_ERROR(rows_.finish());
  if (columns_ == 0) return Error(ErrorCode::invalid, "the file is empty", where_);
  return examples_->finish();
}

Result<void> PredictionsReader::take_row(std::span<const std::string> fields, std::uint64_t line) {
  if (columns_ == 0) return take_header(fields);
  if (fields.size() != columns_) {
    return Error(ErrorCode::invalid, fmt::format("{} fields, the header has {}", fields.size(), columns_),
                 fmt::format("{}: line {}", where_, line));
  }
  cells_.clear();
  for (const std::size_t i : number_fields_) cells_.push_back(fields[i]);
  for (const std::size_t i : word_fields_) cells_.push_back(fields[i]);
  const std::span<const std::string_view> cells = cells_;
  return examples_->add(fields[0], fields[1], fields[2], line, cells.first(number_fields_.size()),
                        cells.subspan(number_fields_.size()));
}

Result<void> PredictionsReader::take_header(std::span<const std::string> fields) {
  columns_ = fields.size();
  for (std::size_t i = 0; i < std::size(kColumns); ++i) {
    std::string_view name = i < fields.size() ? std::string_view(fields[i]) : std::string_view();
    if (i == 0 && name.starts_with(kByteOrderMark)) name.remove_prefix(kByteOrderMark.size());
    if (trim(name) == kColumns[i]) continue;
    return Error(
        ErrorCode::invalid,
        fmt::format(
            "column {} is \"{}\", expected \"{}\": the header is id,label,prediction and whatever follows",
            i + 1, sanitize_for_terminal(name.substr(0, 80)), kColumns[i]),
        fmt::format("{}:1", where_));
  }
  return choose_columns(fields);
}

Result<void> PredictionsReader::choose_columns(std::span<const std::string> header) {
  std::set<std::string> seen;
  std::vector<std::string> numbers;
  std::vector<EvaluationBuilder::WordField> words;
  for (std::size_t i = std::size(kColumns); i < header.size(); ++i) {
    const std::string name(trim(header[i]));
    const bool is_number = wanted_.numbers.contains(name);
    const bool wanted_word = wanted_.words.contains(name);
    const bool is_word = wanted_word || wanted_.few_words;
    const bool again = !seen.insert(name).second;
    if (again && (is_number || wanted_word)) {
      return Error(ErrorCode::invalid,
                   fmt::format("two columns are called \"{}\"", sanitize_for_terminal(name.substr(0, 80))),
                   fmt::format("{}:1", where_));
    }
    if (again) continue;
    if (is_number) {
      number_fields_.push_back(i);
      numbers.push_back(name);
    }
    if (is_word) {
      word_fields_.push_back(i);
      words.push_back({name, wanted_word});
    }
  }
  examples_.emplace(where_, "line", std::move(numbers), std::move(words), wanted_.classes,
                    wanted_.unlabelled);
  return {};
}

Result<EvaluationVector> parse_predictions_csv(std::string_view text, std::string_view where,
                                               const WantedColumns& wanted) {
  PredictionsReader reader(std::string(where), wanted);
  PAWL_RETURN_IF_ERROR(reader.feed(text));
  return reader.finish();
}

}  // namespace pawl::gate
