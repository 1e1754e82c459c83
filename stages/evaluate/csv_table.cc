#include "stages/evaluate/csv_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "engine/base/text.h"
#include "engine/gate/csv.h"

namespace pawl::evaluate {
namespace {

class TableBuilder {
 public:
  TableBuilder(std::string_view where, const CsvColumns& columns) : where_(where), wanted_(columns) {}

  Result<void> take_row(std::span<const std::string> fields, std::uint64_t line) {
    if (header_.empty()) return take_header(fields);
    if (fields.size() != header_.size()) {
      return error(fmt::format("{} fields, the header has {}", fields.size(), header_.size()), line);
    }
    const std::string label(trim(fields[label_]));
    if (label.empty()) return error(fmt::format("the label (column '{}') is empty", header_[label_]), line);
    labels_.push_back(label);
    if (id_ != kNone) table_.ids.emplace_back(trim(fields[id_]));
    if (group_ != kNone) {
      table_.groups.push_back(group_codes_.emplace(trim(fields[group_]), group_codes_.size()).first->second);
    }
    for (const std::size_t i : features_) PAWL_RETURN_IF_ERROR(take_feature(fields[i], i, line));
    return {};
  }

  Result<CsvTable> finish() {
    if (labels_.empty()) return Error(ErrorCode::invalid, "has no rows", where_);
    table_.features.shape = {labels_.size(), features_.size()};
    take_labels();
    return std::move(table_);
  }

 private:
  static constexpr std::size_t kNone = SIZE_MAX;

  Error error(std::string message, std::uint64_t line) const {
    return {ErrorCode::invalid, std::move(message), fmt::format("{}:{}", where_, line)};
  }

  std::size_t find(const std::string& name) const {
    const auto it = std::ranges::find(header_, name);
    return it == header_.end() ? kNone : static_cast<std::size_t>(it - header_.begin());
  }

  Result<void> take_header(std::span<const std::string> fields) {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    for (const std::string& field : fields) {
      std::string_view name = field;
      if (header_.empty() && name.starts_with(kByteOrderMark)) name.remove_prefix(kByteOrderMark.size());
      header_.emplace_back(trim(name));
    }
    label_ = find(wanted_.label);
    id_ = find("id");
    group_ = find(wanted_.group);
    if (label_ == kNone) {
      return error(fmt::format("has no column '{}'; name the column of the labels with --labels. Columns: {}",
                               wanted_.label, sanitize_for_terminal(join(header_, ", ").substr(0, 500))),
                   1);
    }
    for (std::size_t i = 0; i < header_.size(); ++i)
      if (i != label_ && i != id_ && i != group_) features_.push_back(i);
    if (features_.empty()) return error("has no columns but the labels", 1);
    table_.features.element = Element::f32;
    return {};
  }

  Result<void> take_feature(const std::string& field, std::size_t column, std::uint64_t line) {
    const auto value = parse_double(trim(field));
    if (!value) {
      return error(fmt::format("column '{}': '{}' is no number", sanitize_for_terminal(header_[column]),
                               sanitize_for_terminal(field.substr(0, 80))),
                   line);
    }
    const auto number = static_cast<float>(*value);
    char bytes[sizeof number];
    std::memcpy(bytes, &number, sizeof number);
    table_.features.bytes.append(bytes, sizeof bytes);
    return {};
  }

  void take_labels() {
    for (const std::string& label : labels_) {
      const auto number = parse_double(label);
      if (!number) {
        table_.labels = {{}, std::move(labels_)};
        return;
      }
      table_.labels.numbers.push_back(*number);
    }
  }

  std::string where_;
  CsvColumns wanted_;
  std::vector<std::string> header_;
  std::size_t label_ = kNone;
  std::size_t id_ = kNone;
  std::size_t group_ = kNone;
  std::vector<std::size_t> features_;
  std::vector<std::string> labels_;
  std::unordered_map<std::string, std::uint64_t> group_codes_;
  CsvTable table_;
};

}  // namespace

void Labels::resize(std::size_t size) {
  PAWL_CHECK(size <= this->size());
  if (words.empty()) {
    numbers.resize(size);
  } else {
    words.resize(size);
  }
}

Result<CsvTable> parse_csv(std::string_view text, std::string_view where, const CsvColumns& columns) {
  TableBuilder table(where, columns);
  gate::CsvReader reader(std::string(where), [&](std::span<const std::string> fields, std::uint64_t line) {
    return table.take_row(fields, line);
  });
  PAWL_RETURN_IF_ERROR(reader.feed(text));
  PAWL_RETURN_IF_ERROR(reader.finish());
  return table.finish();
}

}  // namespace pawl::evaluate
