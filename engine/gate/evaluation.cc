#include "engine/gate/evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <functional>
#include <optional>

#include "engine/base/digest.h"
#include "engine/base/text.h"

namespace pawl::gate {
namespace {

std::optional<double> as_number(std::string_view text) {
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Lengths go before the bytes, so that no two lists of pairs can give the same stream.
void append_sized(std::string& out, std::string_view bytes) {
  auto size = static_cast<std::uint32_t>(bytes.size());
  for (int i = 0; i < 4; ++i, size >>= 8) out.push_back(static_cast<char>(size & 0xff));
  out.append(bytes);
}

bool fits_together(const EvaluationVector& vector) {
  if (vector.n <= 0 || vector.correct.size() != (static_cast<std::uint64_t>(vector.n) + 7) / 8) return false;
  const int used = static_cast<int>((vector.n - 1) % 8) + 1;
  return static_cast<unsigned char>(vector.correct.back()) >> used == 0;
}

int bits(char byte) {
  return std::popcount(static_cast<unsigned char>(byte));
}

}  // namespace

std::string class_name(std::string_view text) {
  const auto number = as_number(text);
  return number && std::isfinite(*number) ? fmt::format("{}", *number) : std::string(text);
}

bool is_right(std::string_view label, std::string_view prediction) {
  const auto number = as_number(prediction);
  if (number && std::isnan(*number)) return false;
  if (label == prediction) return true;
  if (!number || !std::isfinite(*number)) return false;
  return as_number(label) == number;
}

std::int64_t EvaluationVector::right() const {
  std::int64_t sum = 0;
  for (const char byte : correct) sum += bits(byte);
  return sum;
}

// Words to codes in order of appearance, and in the end to codes in order of the words.
class EvaluationBuilder::Dictionary {
 public:
  explicit Dictionary(std::size_t max_words = SIZE_MAX) : max_words_(max_words) {}

  void add(std::string_view word) {
    if (overflown_) return;
    auto it = codes_of_.find(word);
    if (it == codes_of_.end())
      it = codes_of_.emplace(std::string(word), static_cast<std::uint32_t>(codes_of_.size())).first;
    codes_.push_back(it->second);
    if (codes_of_.size() <= max_words_) return;
    overflown_ = true;
    codes_of_.clear();
    codes_ = {};
  }
  bool overflown() const { return overflown_; }

  // Sorted words; codes() are positions in them from here on.
  std::vector<std::string> take_names() {
    std::vector<std::string> names;
    std::vector<std::uint32_t> position(codes_of_.size());
    for (const auto& [word, code] : codes_of_) {
      position[code] = static_cast<std::uint32_t>(names.size());
      names.push_back(word);
    }
    for (std::uint32_t& code : codes_) code = position[code];
    codes_of_.clear();
    return names;
  }
  const std::vector<std::uint32_t>& codes() const { return codes_; }

 private:
  std::size_t max_words_;
  bool overflown_ = false;
  std::map<std::string, std::uint32_t, std::less<>> codes_of_;
  std::vector<std::uint32_t> codes_;
};

EvaluationBuilder::EvaluationBuilder(std::string where, std::string unit, std::vector<std::string> numbers,
                                     std::vector<WordField> words, bool classes, bool unlabelled)
    : where_(std::move(where)),
      unit_(std::move(unit)),
      number_names_(std::move(numbers)),
      numbers_(number_names_.size()),
      classes_(classes ? std::make_unique<Dictionary>() : nullptr),
      unlabelled_(unlabelled) {
  for (WordField& field : words) {
    words_.push_back(field.wanted ? std::make_unique<Dictionary>() : std::make_unique<Dictionary>(kFewWords));
    word_names_.push_back(std::move(field.name));
  }
}

EvaluationBuilder::~EvaluationBuilder() = default;

Result<void> EvaluationBuilder::add(std::string_view id, std::string_view label, std::string_view prediction,
                                    std::uint64_t place, std::span<const std::string_view> numbers,
                                    std::span<const std::string_view> words) {
  id = trim(id);
  label = trim(label);
  prediction = trim(prediction);
  if (id.empty()) return error("the id is empty", place);
  if (label.empty() && !unlabelled_) return error("the label is empty", place);
  if (prediction.empty()) return error("the prediction is empty", place);
  if (examples_.size() == kMaxExamples)
    return error(fmt::format("more than {} examples", kMaxExamples), place);
  add_columns(place, numbers, words);
  if (classes_) {
    classes_->add(class_name(label));
    classes_->add(class_name(prediction));
  }
  examples_.push_back({.text = text_.size(),
                       .place = place,
                       .id_size = static_cast<std::uint32_t>(id.size()),
                       .label_size = static_cast<std::uint32_t>(label.size()),
                       .row = static_cast<std::uint32_t>(examples_.size()),
                       .right = !label.empty() && is_right(label, prediction)});
  text_.append(id).append(label);
  return {};
}

void EvaluationBuilder::add_columns(std::uint64_t place, std::span<const std::string_view> numbers,
                                    std::span<const std::string_view> words) {
  PAWL_CHECK(numbers.size() == numbers_.size() && words.size() == words_.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto number = as_number(trim(numbers[i]));
    if (number && std::isfinite(*number)) {
      numbers_[i].push_back(*number);
    } else {
      const std::string cell = sanitize_for_terminal(numbers[i].substr(0, 40));
      unreadable_.try_emplace(
          number_names_[i],
          error(fmt::format("{} is \"{}\", not a finite number", number_names_[i], cell), place).to_string());
    }
  }
  for (std::size_t i = 0; i < words.size(); ++i) words_[i]->add(trim(words[i]));
}

Result<EvaluationVector> EvaluationBuilder::finish() {
  if (examples_.empty()) return Error(ErrorCode::invalid, "there are no examples", where_);
  std::sort(examples_.begin(), examples_.end(), [this](const Example& a, const Example& b) {
    const int order = id_of(a).compare(id_of(b));
    return order != 0 ? order < 0 : a.place < b.place;
  });
  for (std::size_t i = 1; i < examples_.size(); ++i) {
    if (id_of(examples_[i - 1]) != id_of(examples_[i])) continue;
    return error(
        fmt::format("the id \"{}\" was already on {} {}",
                    sanitize_for_terminal(id_of(examples_[i]).substr(0, 80)), unit_, examples_[i - 1].place),
        examples_[i].place);
  }
  EvaluationVector vector;
  vector.by_labels = testset_digest(true);
  vector.by_ids = testset_digest(false);
  vector.testset = unlabelled_ ? vector.by_ids : vector.by_labels;
  vector.n = static_cast<std::int64_t>(examples_.size());
  vector.correct.resize((examples_.size() + 7) / 8);
  for (std::size_t i = 0; i < examples_.size(); ++i) {
    if (examples_[i].right) vector.correct[i / 8] |= static_cast<char>(1 << i % 8);
    if (examples_[i].label_size == 0) vector.unlabelled.emplace_back(id_of(examples_[i]));
  }
  finish_columns(vector);
  return vector;
}

void EvaluationBuilder::finish_columns(EvaluationVector& vector) {
  const std::size_t n = examples_.size();
  vector.unreadable = unreadable_;
  for (std::size_t i = 0; i < numbers_.size(); ++i) {
    if (unreadable_.contains(number_names_[i])) continue;
    std::vector<double>& sorted = vector.numbers[number_names_[i]];
    sorted.reserve(n);
    for (const Example& example : examples_) sorted.push_back(numbers_[i][example.row]);
  }
  for (std::size_t i = 0; i < words_.size(); ++i) {
    if (words_[i]->overflown()) continue;
    WordColumn& sorted = vector.words[word_names_[i]];
    sorted.names = words_[i]->take_names();
    sorted.codes.reserve(n);
    for (const Example& example : examples_) sorted.codes.push_back(words_[i]->codes()[example.row]);
  }
  if (!classes_) return;
  Classes& classes = vector.classes;
  classes.names = classes_->take_names();
  // The empty label is among the words, as the first, and is no class.
  const std::uint32_t first = classes.names.front().empty() ? 1 : 0;
  classes.names.erase(classes.names.begin(), classes.names.begin() + first);
  for (const Example& example : examples_) {
    const std::uint32_t* const codes = &classes_->codes()[2 * std::size_t{example.row}];
    classes.labels.push_back(example.label_size == 0 ? kNoLabel : codes[0] - first);
    classes.predictions.push_back(codes[1] - first);
  }
}

std::string_view EvaluationBuilder::id_of(const Example& example) const {
  return std::string_view(text_).substr(example.text, example.id_size);
}

std::string_view EvaluationBuilder::label_of(const Example& example) const {
  return std::string_view(text_).substr(example.text + example.id_size, example.label_size);
}

std::string EvaluationBuilder::testset_digest(bool with_labels) const {
  constexpr std::size_t kBuffer = 1 << 16;
  Sha256 hash;
  std::string buffer = with_labels ? "pawl test set 1\n" : "pawl test set 1, ids\n";
  for (const Example& example : examples_) {
    append_sized(buffer, id_of(example));
    if (with_labels) append_sized(buffer, label_of(example));
    if (buffer.size() < kBuffer) continue;
    hash.update(buffer);
    buffer.clear();
  }
  hash.update(buffer);
  return hash.hex();
}

Error EvaluationBuilder::error(std::string message, std::uint64_t place) const {
  return {ErrorCode::invalid, std::move(message), fmt::format("{}: {} {}", where_, unit_, place)};
}

Result<PairedCounts> compare(const EvaluationVector& candidate, const EvaluationVector& baseline) {
  if (!fits_together(candidate) || !fits_together(baseline)) {
    return Error(ErrorCode::invalid, "the evaluation vector is damaged");
  }
  if (candidate.testset != baseline.testset || candidate.n != baseline.n) {
    return Error(ErrorCode::conflict,
                 candidate.n == baseline.n
                     ? fmt::format("test set changed: {} examples, but other ids or labels", candidate.n)
                     : fmt::format("test set changed: {} examples, were {}", candidate.n, baseline.n));
  }
  for (const EvaluationVector* vector : {&candidate, &baseline}) {
    if (vector->unlabelled.empty()) continue;
    return Error(ErrorCode::invalid,
                 fmt::format("{} of {} examples have no label", vector->unlabelled.size(), vector->n));
  }
  PairedCounts counts{.n = candidate.n, .b = 0, .c = 0};
  for (std::size_t i = 0; i < candidate.correct.size(); ++i) {
    counts.b += bits(static_cast<char>(candidate.correct[i] & ~baseline.correct[i]));
    counts.c += bits(static_cast<char>(~candidate.correct[i] & baseline.correct[i]));
  }
  return counts;
}

}  // namespace pawl::gate
