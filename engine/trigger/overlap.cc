#include "engine/trigger/overlap.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <compare>
#include <map>
#include <vector>

#include "engine/base/digest.h"
#include "engine/base/files.h"
#include "engine/trigger/row_reader.h"

namespace pawl::trigger {
namespace {

struct Key {
  uint64_t high = 0;
  uint64_t low = 0;
  auto operator<=>(const Key&) const = default;
};

Key key_of(std::string_view bytes) {
  const std::string hex = sha256_hex(bytes);
  Key key;
  std::from_chars(hex.data(), hex.data() + 16, key.high, 16);
  std::from_chars(hex.data() + 16, hex.data() + 32, key.low, 16);
  return key;
}

struct KnownRow {
  Key key;
  uint64_t number = 0;
  uint32_t file = 0;
  bool header = false;
  bool shared = false;
};

class Comparison {
 public:
  Result<Overlap> run(const DataPlace& mine, const DataPlace& other) {
    PAWL_ASSIGN(mine_, parse_manifest(mine.manifest));
    PAWL_ASSIGN(const auto others, parse_manifest(other.manifest));
    for (size_t i = 0; i < mine_.size(); ++i)
      PAWL_RETURN_IF_ERROR(learn(mine.root, static_cast<uint32_t>(i)));
    std::ranges::sort(rows_, {}, &KnownRow::key);
    for (const DataFile& file : others) PAWL_RETURN_IF_ERROR(look_up(other.root, file));
    out_.rows = static_cast<uint64_t>(std::ranges::count(rows_, true, &KnownRow::shared));
    out_.files = static_cast<uint64_t>(
        std::ranges::count_if(files_, [](const auto& file) { return file.second.second; }));
    return out_;
  }

 private:
  static std::string place_of(const std::string& root, const DataFile& file) {
    const std::string path = root + "/" + file.path;
    return path_exists(path) ? path : root;  // the dataset is one file
  }

  Result<void> learn(const std::string& root, uint32_t index) {
    const DataFile& file = mine_[index];
    bool full = false;
    const size_t before = rows_.size();
    bool read = false;
    if (has_rows(file.path)) {
      PAWL_ASSIGN(read, read_rows(place_of(root, file), [&](const Row& row) {
                    full = rows_.size() >= kMaxComparedRows;
                    if (!full) rows_.push_back({key_of(row.bytes), row.number, index, row.header, false});
                  }));
    }
    if (full)
      return Error(ErrorCode::invalid, fmt::format("has more than {} rows to compare", kMaxComparedRows),
                   root);
    if (read) return {};
    rows_.resize(before);
    if (file.bytes > 0) files_[file.sha256] = {file.path, false};
    return {};
  }

  Result<void> look_up(const std::string& root, const DataFile& file) {
    if (const auto same = files_.find(file.sha256); same != files_.end()) {
      same->second.second = true;
      tell(fmt::format("{} is {}", same->second.first, file.path));
    }
    if (!has_rows(file.path) || rows_.empty()) return {};
    PAWL_ASSIGN(const bool read,
                read_rows(place_of(root, file), [&](const Row& row) { look_up(row, file); }));
    (void)read;  // what is no array has no rows
    return {};
  }

  void look_up(const Row& row, const DataFile& file) {
    const auto same = std::ranges::equal_range(rows_, key_of(row.bytes), {}, &KnownRow::key);
    for (KnownRow& known : same) {
      if (known.header && row.header) continue;
      known.shared = true;
      if (out_.example.empty())
        tell(fmt::format("row {} of {} is row {} of {}", known.number, mine_[known.file].path, row.number,
                         file.path));
    }
  }

  void tell(std::string example) {
    if (out_.example.empty()) out_.example = std::move(example);
  }

  std::vector<DataFile> mine_;
  std::vector<KnownRow> rows_;
  std::map<std::string, std::pair<std::string, bool>> files_;  // digest -> path, shared
  Overlap out_;
};

}  // namespace

Result<Overlap> find_overlap(const DataPlace& mine, const DataPlace& other) {
  return Comparison().run(mine, other);
}

}  // namespace pawl::trigger
