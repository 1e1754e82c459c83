#include "engine/gate/condition.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "engine/base/error.h"

namespace pawl::gate {
namespace {

constexpr std::array<std::string_view, 3> kNames{"n", "o", "d"};

// Estimates are ratios of counts, thresholds are decimals: a difference of this size is rounding.
constexpr double kRounding = 1e-12;

// What people write instead, and what to write.
struct Slip {
  std::string_view text;
  std::string_view hint;
};
constexpr Slip kSlips[] = {
    {">=", "write '>': within the tolerance there is no difference"},
    {"<=", "write '<': within the tolerance there is no difference"},
    {"=", "write two clauses, one with '>' and one with '<'"},
    {"\u2265", "write '>'"},
    {"\u2264", "write '<'"},
    {"\u00b1", "write '+/-'"},
    {"\u2212", "write '-', the minus of the keyboard"},
    {"\u2227", "write '/\\'"},
    {"&", "write '/\\'"},
    {"and", "write '/\\'"},
    {"AND", "write '/\\'"},
    {"/", "clauses are joined by '/\\' (in a shell, quote the condition with '...'); there is no division"},
    {"|", "there is no 'or'"},
    {"or", "there is no 'or'"},
    {"(", "there are no parentheses: write 2*n - 2*o for 2*(n - o)"},
};

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

// The values the left side can have, its variables being in [0, 1].
struct Range {
  double low = 0;
  double high = 0;
};

Range range_of(const Clause& clause) {
  Range range;
  for (double coefficient : clause.coefficients) {
    (coefficient < 0 ? range.low : range.high) += coefficient;
  }
  return range;
}

// Recursive descent without recursion. Every function returns false after the first mistake, which is in
// error().
class Parser {
 public:
  Parser(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {}

  bool parse(Condition& condition) {
    if (text_.size() > kMaxConditionBytes) {
      return fail(kMaxConditionBytes, fmt::format("a condition has at most {} bytes", kMaxConditionBytes));
    }
    do {
      Clause clause;
      if (!parse_clause(clause)) return false;
      condition.clauses.push_back(clause);
    } while (take("/\\"));
    return at_ == text_.size() || fail_expected("'/\\' or the end");
  }

  Diagnostic error() && { return std::move(*error_); }

 private:
  bool parse_clause(Clause& clause) {
    skip_blanks();
    const std::size_t start = at_;
    if (!parse_expression(clause) || !check_coefficients(clause, start)) return false;
    if (take(">")) {
      clause.comparison = Clause::Comparison::greater;
    } else if (take("<")) {
      clause.comparison = Clause::Comparison::less;
    } else {
      return fail_expected("'>' or '<'");
    }
    std::size_t place = 0;
    if (!parse_constant(clause.threshold, place) || !check_threshold(clause, place)) return false;
    if (!take("+/-")) return fail_expected("'+/-' and a tolerance");
    return parse_constant(clause.tolerance, place) && check_tolerance(clause, place);
  }

  bool parse_expression(Clause& clause) {
    double sign = take_sign().value_or(1);
    for (;;) {
      if (!parse_term(sign, clause)) return false;
      const auto next = take_sign();
      if (!next) return true;
      sign = *next;
    }
  }

  bool parse_term(double coefficient, Clause& clause) {
    std::optional<Variable> variable;
    skip_blanks();
    const std::size_t start = at_;
    do {
      if (const auto name = take_variable()) {
        if (variable) return fail(at_ - 1, "n, o and d are multiplied by constants only");
        variable = name;
      } else {
        double factor = 0;
        std::size_t place = 0;
        if (!parse_constant(factor, place, "n, o, d or a number")) return false;
        coefficient *= factor;
      }
    } while (take("*"));
    if (!variable) {
      return fail(start, "a number on the left side multiplies n, o or d",
                  "write 1.1*o; move what is added to the right side");
    }
    clause.coefficients[static_cast<std::size_t>(*variable)] += coefficient;
    return true;
  }

  bool parse_constant(double& value, std::size_t& place, std::string_view expected = "a number") {
    skip_blanks();
    place = at_;
    const auto sign = take_sign();
    const std::string_view number = number_here();
    if (number.empty()) return fail_expected(sign ? "a number" : expected);
    double magnitude = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), magnitude);
    if (error == std::errc::result_out_of_range) {
      return fail(at_, fmt::format("'{}' is out of range", number));
    }
    if (error != std::errc() || end != number.data() + number.size()) {
      return fail(at_, fmt::format("'{}' is not a decimal number", number),
                  kNames.end() != std::find(kNames.begin(), kNames.end(), number.substr(number.size() - 1))
                      ? "a product is written with '*': 1.1*o"
                      : "");
    }
    at_ += number.size();
    value = sign.value_or(1) * magnitude + 0.0;  // no negative zero
    return true;
  }

  bool check_coefficients(const Clause& clause, std::size_t place) {
    bool any = false;
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      const double size = std::abs(clause.coefficients[i]);
      any = any || size != 0;
      if (size != 0 && !(size >= kMinCoefficient && size <= kMaxCoefficient)) {
        return fail(place, fmt::format("the factor of {} is {}, not between {} and {}", kNames[i], size,
                                       kMinCoefficient, kMaxCoefficient));
      }
    }
    return any || fail(place, "the left side is always 0");
  }

  bool check_threshold(const Clause& clause, std::size_t place) {
    const Range range = range_of(clause);
    if (clause.threshold >= range.low && clause.threshold <= range.high) return true;
    return fail(place,
                fmt::format("{} is out of reach: the left side is between {} and {}", clause.threshold,
                            range.low, range.high),
                "n, o and d are fractions: 0.8, not 80");
  }

  bool check_tolerance(const Clause& clause, std::size_t place) {
    const Range range = range_of(clause);
    if (!(clause.tolerance >= kMinTolerance)) {
      return fail(place,
                  fmt::format("the tolerance must be {:f} or more, not {}", kMinTolerance, clause.tolerance));
    }
    if (clause.tolerance < range.high - range.low) return true;
    return fail(place,
                fmt::format("a tolerance of {} decides nothing: the left side is between {} and {}",
                            clause.tolerance, range.low, range.high),
                "n, o and d are fractions: 0.01 is one point");
  }

  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }

  bool starts_with(std::string_view token) {
    skip_blanks();
    return text_.substr(at_).starts_with(token);
  }

  bool take(std::string_view token) {
    if (!starts_with(token)) return false;
    // ">=" is a mistake of its own, not '>' before a bad number.
    if ((token == ">" || token == "<") && text_.substr(at_ + 1).starts_with('=')) return false;
    at_ += token.size();
    skip_blanks();
    return true;
  }

  std::optional<double> take_sign() {
    if (take("-")) return -1;
    if (!starts_with("+/-") && take("+")) return 1;
    return std::nullopt;
  }

  std::optional<Variable> take_variable() {
    const std::string_view word = word_here();
    const auto* const name = std::find(kNames.begin(), kNames.end(), word);
    if (name == kNames.end()) return std::nullopt;
    at_ += word.size();
    return static_cast<Variable>(name - kNames.begin());
  }

  std::string_view word_here() {
    skip_blanks();
    std::size_t end = at_;
    while (end < text_.size() && is_word(text_[end])) ++end;
    return text_.substr(at_, end - at_);
  }

  // What starts like a number, as far as its author may have meant it: "0x1p3" and "1.1o" are one mistake.
  std::string_view number_here() {
    skip_blanks();
    std::size_t end = at_;
    if (end == text_.size() || !(is_digit(text_[end]) || text_[end] == '.')) return {};
    while (end < text_.size()) {
      const bool exponent_sign = (text_[end] == '-' || text_[end] == '+') &&
                                 (text_[end - 1] == 'e' || text_[end - 1] == 'E') && end + 1 < text_.size() &&
                                 is_digit(text_[end + 1]);
      if (!is_word(text_[end]) && text_[end] != '.' && !exponent_sign) break;
      ++end;
    }
    return text_.substr(at_, end - at_);
  }

  const Slip* slip_here() {
    const std::string_view rest = text_.substr(at_);
    const std::string_view word = word_here();
    for (const Slip& slip : kSlips) {
      if (rest.starts_with(slip.text) && (word.empty() || word == slip.text)) return &slip;
    }
    return nullptr;
  }

  // The word or the character at the cursor.
  std::string_view found() {
    std::size_t end = at_ + std::max<std::size_t>(word_here().size(), 1);
    while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xC0) == 0x80) ++end;
    return text_.substr(at_, end - at_);
  }

  bool fail_expected(std::string_view expected) {
    skip_blanks();
    if (at_ == text_.size()) return fail(at_, fmt::format("expected {}, found the end", expected));
    const Slip* const slip = slip_here();
    std::string_view hint;
    if (slip != nullptr) {
      hint = slip->hint;
    } else if (!word_here().empty() && !is_digit(text_[at_])) {
      hint = "n is the new model's share of right answers, o the old one's, d how often they differ";
    }
    return fail(at_, fmt::format("expected {}, found '{}'", expected, slip != nullptr ? slip->text : found()),
                std::string(hint));
  }

  bool fail(std::size_t place, std::string message, std::string hint = {}) {
    const std::string_view before = text_.substr(0, place);
    const std::size_t newline = before.rfind('\n');
    const std::size_t start = newline == std::string_view::npos ? 0 : newline + 1;
    Diagnostic diagnostic;
    diagnostic.file = file_;
    diagnostic.line = 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
    diagnostic.column = 1 + static_cast<int>(place - start);
    diagnostic.message = std::move(message);
    const std::size_t end = std::min(text_.find('\n', place), kMaxConditionBytes);
    diagnostic.source_line = text_.substr(start, end - start);
    diagnostic.hint = std::move(hint);
    error_ = std::move(diagnostic);
    return false;
  }

  std::string_view text_;
  std::string file_;
  std::size_t at_ = 0;
  std::optional<Diagnostic> error_;
};

}  // namespace

std::string_view to_string(Variable variable) {
  return kNames[static_cast<std::size_t>(variable)];
}

tl::expected<Condition, Diagnostic> parse_condition(std::string_view text, std::string file) {
  Parser parser(text, std::move(file));
  Condition condition;
  if (!parser.parse(condition)) return tl::unexpected<Diagnostic>(std::move(parser).error());
  return condition;
}

std::string term_to_string(double factor, std::string_view name) {
  return factor == 1 ? std::string(name) : fmt::format("{}*{}", factor, name);
}

std::string to_string(const Clause& clause) {
  std::string out;
  for (double sign : {1.0, -1.0}) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      const double size = sign * clause.coefficients[i];
      if (size <= 0) continue;
      if (out.empty()) {
        out = (sign < 0 ? "-" : "") + term_to_string(size, kNames[i]);
      } else {
        out += (sign < 0 ? " - " : " + ") + term_to_string(size, kNames[i]);
      }
    }
  }
  const char comparison = clause.comparison == Clause::Comparison::greater ? '>' : '<';
  return fmt::format("{} {} {} +/- {}", out, comparison, clause.threshold, clause.tolerance);
}

std::string to_string(const Condition& condition) {
  std::string out;
  for (const Clause& clause : condition.clauses) {
    if (!out.empty()) out += " /\\ ";
    out += to_string(clause);
  }
  return out;
}

std::string_view to_string(Truth truth) {
  switch (truth) {
    case Truth::no:
      return "false";
    case Truth::yes:
      return "true";
    case Truth::unknown:
      return "unknown";
  }
  PAWL_CHECK(false);
}

double left_side(const Clause& clause, const Estimates& estimates) {
  for (double share : {estimates.n, estimates.o, estimates.d}) PAWL_CHECK(share >= 0 && share <= 1);
  return clause.coefficient(Variable::n) * estimates.n + clause.coefficient(Variable::o) * estimates.o +
         clause.coefficient(Variable::d) * estimates.d;
}

Truth evaluate(const Clause& clause, const Estimates& estimates) {
  const double distance = left_side(clause, estimates) - clause.threshold;
  if (std::abs(distance) <= clause.tolerance + kRounding) return Truth::unknown;
  const bool above = distance > 0;
  return above == (clause.comparison == Clause::Comparison::greater) ? Truth::yes : Truth::no;
}

Truth evaluate(const Condition& condition, const Estimates& estimates) {
  Truth all = Truth::yes;
  for (const Clause& clause : condition.clauses) {
    const Truth one = evaluate(clause, estimates);
    if (one == Truth::no) return one;
    if (one == Truth::unknown) all = one;
  }
  return all;
}

bool compares(const Condition& condition) {
  return std::any_of(condition.clauses.begin(), condition.clauses.end(), [](const Clause& clause) {
    return clause.coefficient(Variable::o) != 0 || clause.coefficient(Variable::d) != 0;
  });
}

bool is_about_differences(const Condition& condition) {
  return std::all_of(condition.clauses.begin(), condition.clauses.end(), [](const Clause& clause) {
    return clause.coefficient(Variable::n) == -clause.coefficient(Variable::o);
  });
}

std::string_view to_string(ConditionMode mode) {
  return mode == ConditionMode::fp_free ? "fp-free" : "fn-free";
}

bool accepts(Truth truth, ConditionMode mode) {
  return truth == Truth::yes || (truth == Truth::unknown && mode == ConditionMode::fn_free);
}

}  // namespace pawl::gate
