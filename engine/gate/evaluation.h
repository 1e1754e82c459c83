// The evaluation vector: per-example outcomes of one model on one test set, the input of every paired test.
//
// It is kept in a canonical form, sorted by id: the test set is identified by a digest over its (id, label)
// pairs, and one bit per example says whether the model was right. Two vectors of the same digest align
// example by example. Further columns are kept only when asked for.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/gate/paired.h"

namespace pawl::gate {

// What somebody will ask of a prediction file beyond right and wrong.
struct WantedColumns {
  std::set<std::string> numbers;  // scores and per-example losses: every cell a finite number
  std::set<std::string> words;    // slices
  bool few_words = false;         // every other column too that has at most kFewWords different words
  bool classes = false;           // the labels and predictions themselves
  bool unlabelled = false;        // a label may be empty: nobody has looked at that example yet

  bool operator==(const WantedColumns&) const = default;
};

inline constexpr std::size_t kFewWords = 100;

// Words as codes: example i has names[codes[i]]. Names are sorted and each occurs.
struct WordColumn {
  std::vector<std::string> names;
  std::vector<std::uint32_t> codes;

  bool operator==(const WordColumn&) const = default;
};

inline constexpr std::uint32_t kNoLabel = std::numeric_limits<std::uint32_t>::max();

// Labels and predictions over one list of classes. A class that is a number goes by one spelling ("3.0" is
// "3").
struct Classes {
  std::vector<std::string> names;     // sorted
  std::vector<std::uint32_t> labels;  // kNoLabel where there is none
  std::vector<std::uint32_t> predictions;

  bool operator==(const Classes&) const = default;
};

struct EvaluationVector {
  // SHA-256 in hex, whatever the order in the file: by_labels of the ids with their labels, by_ids of the ids
  // alone. `testset` is by_labels or, where a label may be empty, by_ids: a test set stays itself while it is
  // being labelled.
  std::string testset;
  std::string by_labels = {};
  std::string by_ids = {};
  std::int64_t n = 0;
  std::string
      correct;  // (n + 7) / 8 bytes; bit i % 8 (1 = lowest) of byte i / 8 is example i in order of ids

  // Of the wanted columns those the file has, in order of ids.
  Classes classes = {};
  std::map<std::string, std::vector<double>> numbers = {};
  std::map<std::string, WordColumn> words = {};
  std::map<std::string, std::string> unreadable = {};  // columns of numbers with a cell that is none: which
  std::vector<std::string> unlabelled = {};            // ids of the examples without a label, in order

  // All of these count an example without a label as wrong.
  std::int64_t right() const;
  bool is_right(std::size_t example) const { return (correct[example / 8] >> example % 8 & 1) != 0; }
  double accuracy() const { return static_cast<double>(right()) / static_cast<double>(n); }
  bool operator==(const EvaluationVector&) const = default;
};

// Collects examples in any order. One thread at a time.
class EvaluationBuilder {
 public:
  static constexpr std::size_t kMaxExamples = 20'000'000;

  struct WordField {
    std::string name;
    bool wanted = true;  // false: only while it has few words
  };

  // `where` names the file in errors, `unit` what `place` counts ("line", "row"). `numbers` and `words` name
  // the further columns in the order in which add() gets them. `classes`, `unlabelled`: as in WantedColumns.
  EvaluationBuilder(std::string where, std::string unit, std::vector<std::string> numbers = {},
                    std::vector<WordField> words = {}, bool classes = false, bool unlabelled = false);
  ~EvaluationBuilder();
  EvaluationBuilder(const EvaluationBuilder&) = delete;
  EvaluationBuilder& operator=(const EvaluationBuilder&) = delete;

  // Surrounding space is not part of a field. A prediction is right when it is spelled like the label or is
  // the same finite number ("3" and "3.0"); "nan" is never right. Refuses an empty id, prediction or, unless
  // `unlabelled`, label. A column of numbers with a cell that is none, or not finite, is named in
  // `unreadable` and not kept.
  Result<void> add(std::string_view id, std::string_view label, std::string_view prediction,
                   std::uint64_t place, std::span<const std::string_view> numbers = {},
                   std::span<const std::string_view> words = {});

  // Refuses no examples at all and an id given twice. The builder is used up.
  Result<EvaluationVector> finish();

 private:
  struct Example {
    std::uint64_t text;  // offset of the id in text_, the label follows it
    std::uint64_t place;
    std::uint32_t id_size;
    std::uint32_t label_size;
    std::uint32_t row;  // in order of add(): where the columns have its cells
    bool right;
  };
  class Dictionary;

  std::string_view id_of(const Example& example) const;
  std::string_view label_of(const Example& example) const;
  std::string testset_digest(bool with_labels) const;
  void add_columns(std::uint64_t place, std::span<const std::string_view> numbers,
                   std::span<const std::string_view> words);
  void finish_columns(EvaluationVector& vector);
  Error error(std::string message, std::uint64_t place) const;

  std::string where_;
  std::string unit_;
  std::string text_;
  std::vector<Example> examples_;
  std::vector<std::string> number_names_;
  std::vector<std::vector<double>> numbers_;
  std::map<std::string, std::string> unreadable_;
  std::vector<std::string> word_names_;
  std::vector<std::unique_ptr<Dictionary>> words_;
  std::unique_ptr<Dictionary> classes_;  // label, prediction, label, ... of each row; null: not wanted
  bool unlabelled_;
};

// The spelling under which a label or prediction is among the classes.
std::string class_name(std::string_view text);

// Whether an answer is the label, as the builder has it: "nan" never is.
bool is_right(std::string_view label, std::string_view prediction);

// Counts of the paired tests. Error `conflict`: the test sets differ, the message says so. Error `invalid`: a
// vector whose fields do not fit together (from a damaged record), or with an example that has no label.
Result<PairedCounts> compare(const EvaluationVector& candidate, const EvaluationVector& baseline);

}  // namespace pawl::gate
