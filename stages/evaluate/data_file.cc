#include "stages/evaluate/data_file.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "engine/base/files.h"
#include "engine/base/text.h"

namespace pawl::evaluate {
namespace {

constexpr std::string_view kTestSets[] = {"test", "t10k", "val"};

struct Words {
  std::string_view inputs;
  std::string_view labels;
};
constexpr Words kPairs[] = {
    {"images", "labels"}, {"inputs", "targets"}, {"inputs", "labels"}, {"data", "labels"}, {"x", "y"},
    {"X", "y"},           {"arr_0", "arr_1"}};

bool is_word_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// Where `word` stands in `name` with no letter or digit beside it.
std::size_t find_word(std::string_view name, std::string_view word) {
  for (std::size_t at = name.find(word); at != std::string_view::npos; at = name.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_word_character(name[at - 1])) &&
        (end == name.size() || !is_word_character(name[end])))
      return at;
  }
  return std::string_view::npos;
}

std::vector<std::string> names_with(const std::vector<std::string>& names, std::string_view split) {
  std::vector<std::string> out;
  std::ranges::copy_if(names, std::back_inserter(out), [split](const std::string& name) {
    return name.starts_with(split) || find_word(name, split) != std::string_view::npos;
  });
  return out;
}

std::vector<NamePair> pairs_of(const std::vector<std::string>& names, const Words& words) {
  std::vector<NamePair> out;
  for (const std::string& name : names) {
    const std::size_t at = find_word(name, words.inputs);
    if (at == std::string_view::npos) continue;
    const std::string_view before = std::string_view(name).substr(0, at);
    std::string_view after = std::string_view(name).substr(at + words.inputs.size());
    // MNIST: t10k-images-idx3-ubyte goes with t10k-labels-idx1-ubyte.
    const bool mnist = after.starts_with("-idx3-ubyte");
    if (mnist) after.remove_prefix(std::string_view("-idx3-ubyte").size());
    const std::string labels =
        fmt::format("{}{}{}{}", before, words.labels, mnist ? "-idx1-ubyte" : "", after);
    if (std::ranges::find(names, labels) != names.end()) out.push_back({name, labels});
  }
  return out;
}

}  // namespace

Result<std::string> read_data_file(const std::string& path, std::uint64_t max_bytes) {
  constexpr std::string_view kGzip = "\x1f\x8b";
  PAWL_ASSIGN(std::string raw, read_file(path, max_bytes));
  if (!raw.starts_with(kGzip)) return raw;
  raw = {};
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rbe"), &gzclose);
  if (!file) return errno_error("cannot open", path, errno);
  constexpr unsigned kChunk = 1 << 20;
  gzbuffer(file.get(), kChunk);
  std::string out;
  while (true) {
    const std::size_t before = out.size();
    out.resize(before + kChunk);
    const int got = gzread(file.get(), out.data() + before, kChunk);
    out.resize(before + static_cast<std::size_t>(std::max(got, 0)));
    int status = Z_OK;
    gzerror(file.get(), &status);
    if (got < 0 || (got == 0 && status == Z_BUF_ERROR))
      return Error(ErrorCode::invalid, "is a damaged gzip file", path);
    if (got == 0) return out;
    if (out.size() > max_bytes)
      return Error(ErrorCode::invalid, fmt::format("holds more than {}", format_bytes(max_bytes)), path);
  }
}

std::vector<std::string> names_of_split(const std::vector<std::string>& names, const std::string& split) {
  if (!split.empty()) return names_with(names, split);
  for (const std::string_view word : kTestSets) {
    std::vector<std::string> found = names_with(names, word);
    if (!found.empty()) return found;
  }
  return names;
}

Result<NamePair> find_pair(std::vector<std::string> names, const std::string& split,
                           const std::string& labels, std::string_view where) {
  const std::vector<std::string> candidates = names_of_split(names, split);
  for (const Words& words : kPairs) {
    std::vector<NamePair> found = pairs_of(candidates, words);
    if (found.size() == 1) return NamePair{found[0].inputs, labels.empty() ? found[0].labels : labels};
    if (found.size() > 1) {
      return Error(ErrorCode::invalid,
                   fmt::format("{} and {} could both be the inputs; choose with --split", found[0].inputs,
                               found[1].inputs),
                   std::string(where));
    }
  }
  if (!labels.empty()) {
    std::erase(names, labels);
    if (names.size() == 1) return NamePair{names[0], labels};
  }
  return Error(ErrorCode::invalid,
               fmt::format("has no pair of inputs and labels (x and y, images and labels, ...){} among: {}",
                           split.empty() ? "" : fmt::format(" for the split '{}'", split), join(names, ", ")),
               std::string(where));
}

Result<NamePair> find_labels(const std::string& inputs, const std::vector<std::string>& names,
                             std::string_view where) {
  for (const Words& words : kPairs) {
    for (NamePair& pair : pairs_of(names, words))
      if (pair.inputs == inputs) return std::move(pair);
  }
  return Error(ErrorCode::invalid, fmt::format("where are the labels of {}? Give --labels", inputs),
               std::string(where));
}

}  // namespace pawl::evaluate
