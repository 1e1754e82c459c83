// What a built-in rule is made of. A rule is pure: samples in, firings out; it has no clock and does no I/O,
// so that replaying a trace gives the findings of the live run, bit for bit.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "engine/base/error.h"
#include "engine/rules/green_band.h"
#include "engine/rules/input.h"
#include "engine/rules/table.h"

namespace re2 {
class RE2;
}

namespace pawl::rules {

// One place where a condition holds. `tensor` and `kind` are empty when no series is concerned.
struct Firing {
  uint32_t rank = 0;
  uint32_t position = 0;
  std::string tensor;
  std::string kind;
  double value = 0;
  double limit = 0;
  std::string message;
};

// The firings of one rule in one step: the first in order of (position, rank), and how many there are.
class Firings {
 public:
  // `message` is called only if this firing is the first so far.
  template <class Message>
  void add(uint32_t rank, uint32_t position, std::string_view tensor, std::string_view kind, double value,
           double limit, Message message) {
    ++count_;
    if (first_ && std::tie(first_->position, first_->rank) <= std::tie(position, rank)) return;
    first_ = Firing{rank, position, std::string(tensor), std::string(kind), value, limit, message()};
  }
  const std::optional<Firing>& first() const { return first_; }
  uint64_t count() const { return count_; }

 private:
  std::optional<Firing> first_;
  uint64_t count_ = 0;
};

// The series a rule looks at: those whose name matches `include`.
class Selector {
 public:
  static Result<Selector> create(const std::string& include);
  bool selects(uint32_t series, std::string_view name);

 private:
  std::shared_ptr<const re2::RE2> regex_;  // null: all
  std::unordered_map<uint32_t, bool> known_;
};

// How long a condition has held: from the first of a row of captures in which it did.
class Streak {
 public:
  void hold(uint64_t step) {
    if (captures_++ == 0) since_ = step;
    last_ = step;
  }
  void reset() { captures_ = 0; }
  uint64_t captures() const { return captures_; }
  uint64_t since() const { return since_; }
  bool lasted(double steps, uint64_t min_captures) const {
    return captures_ >= min_captures && static_cast<double>(last_ - since_ + 1) >= steps;
  }

 private:
  uint64_t captures_ = 0;
  uint64_t since_ = 0;
  uint64_t last_ = 0;
};

class Rule {
 public:
  explicit Rule(Selector selector) : selector_(std::move(selector)) {}
  virtual ~Rule() = default;
  Rule(const Rule&) = delete;
  Rule& operator=(const Rule&) = delete;

  virtual void on_step(const Input&, Firings&) {}
  virtual void on_tick(int64_t /*now_ms*/, std::span<const trace::RankProgress>,
                       std::optional<int64_t> /*last_output_ms*/, Firings&) {}
  // The training has come to its own end; not called when it was stopped or failed.
  virtual void at_end(Firings&) {}

  // Why the rule could not have fired so far; empty when it could.
  virtual std::string not_evaluated() const = 0;

 protected:
  template <class Sample>
  bool selects(const Sample& sample) {
    return selector_.selects(sample.series, sample.name);
  }

 private:
  Selector selector_;
};

// Key of per-series state.
constexpr uint64_t series_key(uint32_t rank, uint32_t series) {
  return uint64_t{series} << 32 | rank;
}

// One function per rule, each in the file of its name.
std::unique_ptr<Rule> make_non_finite(const RuleConfig& config, Selector selector);
std::unique_ptr<Rule> make_exploding_tensor(const RuleConfig& config, Selector selector);
std::unique_ptr<Rule> make_vanishing_gradient(const RuleConfig& config, Selector selector);
std::unique_ptr<Rule> make_loss_divergence(const RuleConfig& config, Selector selector);
std::unique_ptr<Rule> make_loss_at_chance(const RuleConfig& config, Selector selector);
std::unique_ptr<Rule> make_frozen_parameter(const RuleConfig& config, Selector selector);
std::unique_ptr<Rule> make_hang(const RuleConfig& config, Selector selector);
std::unique_ptr<Rule> make_loss_plateau(const RuleConfig& config, Selector selector);
std::unique_ptr<Rule> make_dead_relu(const RuleConfig& config, Selector selector);
std::unique_ptr<Rule> make_worse_than_green(const GreenBand& band);

}  // namespace pawl::rules
