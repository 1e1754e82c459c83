#include "engine/gate/predictions.h"

#include <fmt/format.h>

#include "engine/base/text.h"

namespace pawl::gate {
namespace {

constexpr std::string_view kColumns[] = {"id", "label", "prediction"};
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

PredictionsReader::PredictionsReader(std::string where)
    : where_(std::move(where)),
      examples_(where_, "line"),
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
  return examples_.finish();
}

Result<void> PredictionsReader::take_row(std::span<const std::string> fields, std::uint64_t line) {
  if (columns_ == 0) return take_header(fields);
  if (fields.size() != columns_) {
    return Error(ErrorCode::invalid, fmt::format("{} fields, the header has {}", fields.size(), columns_),
                 fmt::format("{}: line {}", where_, line));
  }
  return examples_.add(fields[0], fields[1], fields[2], line);
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
  return {};
}

Result<EvaluationVector> parse_predictions_csv(std::string_view text, std::string_view where) {
  PredictionsReader reader{std::string(where)};
  PAWL_RETURN_IF_ERROR(reader.feed(text));
  return reader.finish();
}

}  // namespace pawl::gate
