// YAML text as a tree of our own, with the place of every node. The only door to the YAML library: what comes
// out holds text, sequences and maps, no tags, no aliases, no types guessed from spelling; the reader of the
// tree decides whether `10` is a number or a name.
//
// The text is hostile. Refused: more than kMaxTextBytes, nesting beyond kMaxDepth, more than kMaxNodes nodes
// or kMaxExpandedBytes of text after aliases are expanded, duplicate keys, merge keys, tags, several
// documents, control characters, invalid UTF-8.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/base/diagnostic.h"
#include "pipelines/source.h"

namespace pawl::pipeline {

inline constexpr size_t kMaxTextBytes = 1 << 20;
inline constexpr size_t kMaxDepth = 64;
inline constexpr size_t kMaxNodes = 100'000;
inline constexpr size_t kMaxExpandedBytes = 4 << 20;

struct Entry;

struct Node {
  enum class Kind { null, scalar, sequence, map };
  Kind kind = Kind::null;
  Span span;
  bool quoted = false;         // a scalar in quotes or a block: never a number or a boolean
  std::string text;            // scalar
  std::vector<Node> items;     // sequence
  std::vector<Entry> entries;  // map, in the order of the file, keys unique
};

struct Entry {
  std::string key;
  Span key_span;
  Node value;
};

// The tree, or nothing after a syntax error. Duplicate keys are reported and dropped, so that the rest of
// the file can still be looked at: a tree may come with errors.
std::optional<Node> parse_document(const Source& source, std::vector<Diagnostic>& errors);

}  // namespace pawl::pipeline
