// From nodes to values: reads maps by a table of fields, checks types and ranges, and collects every mistake
// with its place. A value that is wrong is reported and left as it was, so that reading goes on.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipelines/document.h"

namespace pawl::pipeline {

// One key of a map: what to do with its value.
struct Field {
  std::string_view name;
  std::function<void(const Node&)> read;
  bool required = false;
};

struct Text {
  std::string value;
  Span span;
};

class Reader {
 public:
  // Both must outlive the reader.
  Reader(const Source& source, std::vector<Diagnostic>& diagnostics);

  const Source& source() const { return source_; }
  void error(Span at, std::string message, std::string hint = {});
  void warning(Span at, std::string message, std::string hint = {});
  // "unknown <kind> '<word>'", with the candidate that is nearest.
  void unknown(Span at, std::string_view kind, std::string_view word,
               const std::vector<std::string>& candidates);
  // "'<name>' must be <wanted>, not <what the node is>"
  void wrong_type(const Node& node, std::string_view name, std::string_view wanted, std::string hint = {});

  bool is_map(const Node& node, std::string_view name);
  // Gives each entry to the field of its name; reports unknown keys and missing required ones. `what` names
  // the map: "stage 'train'".
  void fields(const Node& map, std::string_view what, const std::vector<Field>& table);

  std::optional<std::string> text(const Node& node, std::string_view name);  // not empty
  std::optional<int64_t> integer(const Node& node, std::string_view name, int64_t min, int64_t max);
  std::optional<double> number(const Node& node, std::string_view name);  // finite
  std::optional<bool> boolean(const Node& node, std::string_view name);
  // A list of texts; one text alone is a list of one.
  std::vector<Text> texts(const Node& node, std::string_view name);
  // texts() without duplicates.
  std::vector<Text> distinct(const Node& node, std::string_view name);
  std::vector<std::string> globs(const Node& node, std::string_view name, bool may_negate);
  std::optional<std::string> regex(const Node& node, std::string_view name);

  // Fields that put what they read into a variable, which must outlive the field.
  Field text_field(std::string_view name, std::string& out);
  template <class Integer>
  Field integer_field(std::string_view name, int64_t min, int64_t max, Integer& out) {
    return {name, [this, name, min, max, &out](const Node& node) {
              if (auto value = integer(node, name, min, max)) out = static_cast<Integer>(*value);
            }};
  }
  template <class Number>
  Field number_field(std::string_view name, Number& out) {
    return {name, [this, name, &out](const Node& node) {
              if (auto value = number(node, name)) out = *value;
            }};
  }
  Field boolean_field(std::string_view name, bool& out);
  Field globs_field(std::string_view name, bool may_negate, std::vector<std::string>& out);
  Field regex_field(std::string_view name, std::string& out);
  // One word out of a few.
  template <class Enum>
  Field choice_field(std::string_view name, std::vector<std::pair<std::string, Enum>> choices, Enum& out) {
    return {name, [this, name, choices = std::move(choices), &out](const Node& node) {
              std::vector<std::string> words;
              for (const auto& [word, value] : choices) words.push_back(word);
              if (auto index = choice(node, name, words)) out = choices[*index].second;
            }};
  }
  std::optional<size_t> choice(const Node& node, std::string_view name,
                               const std::vector<std::string>& words);

 private:
  bool is_full();  // reports once that it is

  const Source& source_;
  std::vector<Diagnostic>& diagnostics_;
};

// The plain or quoted word, as in `debug: off`.
bool is_word(const Node& node, std::string_view word);

// "[a-z][a-z0-9_-]*", at most 63 bytes: names of stages and datasets, which become names of folders and
// variables.
bool is_name(std::string_view text);

}  // namespace pawl::pipeline
