#include "pipelines/glob.h"

#include <fmt/format.h>

#include "engine/base/text.h"

namespace pawl::pipeline {
namespace {

constexpr size_t kMaxPattern = 512;

// The pattern as states of a nondeterministic automaton: state i waits to match tokens[i].
struct Token {
  enum class Kind {
    literal,  // this byte
    one,      // one character, no '/'
    star,     // any run without '/'
    all,      // any run
    folders,  // nothing, or any run up to and with a '/': the next two tokens say what the run is
  };
  Kind kind;
  char byte = 0;
};

std::vector<Token> tokenize(std::string_view pattern) {
  using Kind = Token::Kind;
  std::vector<Token> tokens;
  for (size_t i = 0; i < pattern.size(); ++i) {
    bool segment_start = i == 0 || pattern[i - 1] == '/';
    if (pattern[i] == '?') {
      tokens.push_back({Kind::one});
    } else if (pattern.substr(i).starts_with("**/") && segment_start) {
      tokens.push_back({Kind::folders});
      tokens.push_back({Kind::all});
      tokens.push_back({Kind::literal, '/'});
      i += 2;
    } else if (pattern.substr(i).starts_with("**")) {
      tokens.push_back({Kind::all});
      ++i;
    } else if (pattern[i] == '*') {
      tokens.push_back({Kind::star});
    } else {
      tokens.push_back({Kind::literal, pattern[i]});
    }
  }
  return tokens;
}

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

class Matcher {
 public:
  explicit Matcher(std::string_view pattern)
      : tokens_(tokenize(pattern)), now_(tokens_.size() + 1), next_(tokens_.size() + 1) {}

  bool matches(std::string_view text) {
    enter(now_, 0);
    for (size_t i = 0; i < text.size(); ++i) {
      next_.assign(next_.size(), false);
      bool character_ends = i + 1 == text.size() || !is_continuation(text[i + 1]);
      for (size_t state = 0; state < tokens_.size(); ++state) {
        if (now_[state]) step(state, text[i], character_ends);
      }
      now_.swap(next_);
    }
    return now_[tokens_.size()];
  }

 private:
  void step(size_t state, char c, bool character_ends) {
    switch (tokens_[state].kind) {
      case Token::Kind::literal:
        if (c == tokens_[state].byte) enter(next_, state + 1);
        break;
      case Token::Kind::one:
        if (c != '/') enter(next_, character_ends ? state + 1 : state);
        break;
      case Token::Kind::star:
        if (c != '/') enter(next_, state);
        break;
      case Token::Kind::all:
        enter(next_, state);
        break;
      case Token::Kind::folders:
        break;
    }
  }

  // The state, and all it reaches without reading anything.
  void enter(std::vector<bool>& states, size_t state) {
    while (!states[state]) {
      states[state] = true;
      if (state == tokens_.size()) return;
      Token::Kind kind = tokens_[state].kind;
      if (kind == Token::Kind::literal || kind == Token::Kind::one) return;
      if (kind == Token::Kind::folders) enter(states, state + 3);
      ++state;
    }
  }

  std::vector<Token> tokens_;
  std::vector<bool> now_;
  std::vector<bool> next_;
};

Error bad(std::string_view pattern, std::string_view why) {
  return Error(ErrorCode::invalid, fmt::format("pattern '{}' {}", pattern, why));
}

}  // namespace

Result<void> check_glob(std::string_view pattern) {
  if (pattern.empty()) return Error(ErrorCode::invalid, "an empty pattern matches nothing");
  if (pattern.size() > kMaxPattern) return bad(pattern.substr(0, 40), "is longer than 512 bytes");
  if (size_t at = pattern.find_first_of("[]{}\\"); at != std::string_view::npos)
    return bad(pattern, fmt::format("holds '{}': only *, ** and ? have a meaning", pattern[at]));
  if (pattern.find("***") != std::string_view::npos) return bad(pattern, "holds '***'; write '**'");
  if (pattern.starts_with('/')) return bad(pattern, "must not start with '/': patterns are relative");
  if (pattern.ends_with('/')) return bad(pattern, fmt::format("matches nothing; write '{}**'", pattern));
  for (std::string_view segment : split(pattern, '/')) {
    if (segment.empty()) return bad(pattern, "holds '//'");
    if (segment == "." || segment == "..")
      return bad(pattern, fmt::format("holds the segment '{}'", segment));
  }
  return {};
}

bool glob_matches(std::string_view pattern, std::string_view text) {
  return Matcher(pattern).matches(text);
}

bool any_glob_matches(const std::vector<std::string>& patterns, std::string_view text) {
  bool in = patterns.empty();
  for (std::string_view pattern : patterns) {
    bool removes = pattern.starts_with('!');
    if (removes) pattern.remove_prefix(1);
    if (in == removes && glob_matches(pattern, text)) in = !removes;
  }
  return in;
}

}  // namespace pawl::pipeline
