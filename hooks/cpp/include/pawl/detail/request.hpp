// What is to be recorded, and in which steps. Knows nothing of torch.
#pragma once

#include <regex.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace pawl {
namespace detail {

// What this hook can record.
enum class Collection : uint32_t {
  losses,
  scalars,
  weights,
  biases,
  gradients,
  updates,
  optimizer_state,
  activations,
  batches,
  hashes
};
constexpr std::array<const char*, 10> kCollections = {
    "losses",  "scalars",         "weights",     "biases",  "gradients",
    "updates", "optimizer_state", "activations", "batches", "hashes"};

class Collections {
 public:
  bool has(Collection collection) const { return (bits_ >> static_cast<uint32_t>(collection) & 1) != 0; }
  bool any() const { return bits_ != 0; }
  void add(Collection collection) { bits_ |= 1u << static_cast<uint32_t>(collection); }

 private:
  uint32_t bits_ = 0;
};

// POSIX extended, matches anywhere in a name.
class Pattern {
 public:
  explicit Pattern(const std::string& text) : any_(text.empty()) {
    if (!any_ && ::regcomp(&regex_, text.c_str(), REG_EXTENDED | REG_NOSUB) != 0)
      throw std::runtime_error("bad include pattern '" + text + "'");
  }
  ~Pattern() {
    if (!any_) ::regfree(&regex_);
  }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  bool matches(const std::string& name) const {
    return any_ || ::regexec(&regex_, name.c_str(), 0, nullptr, 0) == 0;
  }

 private:
  bool any_;
  regex_t regex_;
};

// When, of which series and how one collection is recorded. In training: in steps from `from` to before `to`
// that are a multiple of `every`, and in those of `at`. In evaluation: in those that follow a step from
// `from` to before `to`; how often a training is evaluated is its own choice.
struct Rule {
  static constexpr uint64_t kMostRawBytes = 1 << 20;

  bool off = true;
  bool train = true, eval = false;
  bool fine = false;  // a finer histogram too
  uint64_t every = 10, from = 0, to = UINT64_MAX;
  uint64_t max_bytes = UINT64_MAX;  // larger tensors are not looked at
  uint64_t raw_bytes = 0;           // of tensors up to here the values too, and of none beyond kMostRawBytes
  std::vector<uint64_t> at;
  std::vector<uint64_t> ranks;  // empty: all
  std::shared_ptr<const Pattern> include;

  static std::vector<uint64_t> numbers(const std::string& list) {
    std::vector<uint64_t> out;
    std::istringstream items(list);
    for (std::string item; std::getline(items, item, ',');) out.push_back(std::stoull(item));
    return out;
  }
  static bool has(const std::vector<uint64_t>& list, uint64_t number) {
    return std::find(list.begin(), list.end(), number) != list.end();
  }

  void read(const std::string& word) {
    const size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (key == "off") off = true;
    if (key == "fine") fine = true;
    if (key == "every") every = std::max<uint64_t>(std::stoull(value), 1);
    if (key == "from") from = std::stoull(value);
    if (key == "to") to = std::stoull(value);
    if (key == "max_size") max_bytes = std::stoull(value);
    if (key == "raw") raw_bytes = std::min<uint64_t>(std::stoull(value), kMostRawBytes);
    if (key == "at") at = numbers(value);
    if (key == "ranks") ranks = numbers(value);
    if (key == "modes") {
      const std::string list = "," + value + ",";
      train = list.find(",train,") != std::string::npos;
      eval = list.find(",eval,") != std::string::npos;
    }
  }

  bool due(uint64_t step) const {
    return !off && train && ((step >= from && step < to && step % every == 0) || has(at, step));
  }
  bool due_in_evaluation(uint64_t step) const { return !off && eval && step >= from && step < to; }
  bool wants_values(uint64_t bytes) const { return bytes > 0 && bytes <= raw_bytes; }
};

// PAWL_CAPTURE as one rank sees it: "off", or a line for each collection, `gradients every=1 ranks=0,2
// include=<regex>`; the last line that names a collection and the rank holds. Other collections and unknown
// words are for other hooks, or belong to a newer Pawl, and are skipped. Throws on a bad number or pattern.
class Request {
 public:
  bool off = false;

  static Request parse(const std::string& text, uint64_t rank) {
    Request request;
    request.off = text == "off";
    std::istringstream lines(!text.empty() ? text
                                           : "losses every=1\nscalars every=1\nweights every=10\n"
                                             "biases every=10\ngradients every=10");
    for (std::string line; std::getline(lines, line);) request.add(line, rank);
    return request;
  }

  Collections due(uint64_t step) const {
    return those([&](const Rule& rule) { return rule.due(step); });
  }
  // In the evaluation that follows `step`.
  Collections due_in_evaluation(uint64_t step) const {
    return those([&](const Rule& rule) { return rule.due_in_evaluation(step); });
  }

  const Rule& operator[](Collection collection) const { return rules_[static_cast<size_t>(collection)]; }

 private:
  void add(const std::string& line, uint64_t rank) {
    // `include` comes last and takes the rest of the line: a regular expression may hold spaces.
    const size_t include = line.find(" include=");
    std::istringstream words(line.substr(0, include));
    std::string name;
    words >> name;
    const auto known = std::find(kCollections.begin(), kCollections.end(), name);
    if (known == kCollections.end()) return;
    Rule rule;
    rule.off = false;
    rule.eval = name == "losses" || name == "scalars";
    for (std::string word; words >> word;) rule.read(word);
    rule.include =
        std::make_shared<const Pattern>(include == std::string::npos ? "" : line.substr(include + 9));
    if (rule.ranks.empty() || Rule::has(rule.ranks, rank))
      rules_[static_cast<size_t>(known - kCollections.begin())] = std::move(rule);
  }

  template <class IsDue>
  Collections those(IsDue is_due) const {
    Collections due;
    for (size_t i = 0; i < rules_.size(); ++i) {
      if (is_due(rules_[i])) due.add(static_cast<Collection>(i));
    }
    return due;
  }

  std::array<Rule, kCollections.size()> rules_;
};

}  // namespace detail
}  // namespace pawl
