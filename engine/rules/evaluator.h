// Runs the rules of one attempt over its steps. Pure and deterministic: the same configuration and the same
// steps give the same findings, live or replayed (only `hang` looks at the time, which is handed in). Bounded
// state: a few hundred bytes a tensor, a rank and a rule, nothing a step.
//
// Threads: confined to one.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/rules/green_band.h"
#include "engine/rules/input.h"
#include "engine/rules/table.h"
#include "engine/trace/steps.h"

namespace pawl::rules {

class Rule;
class Firings;

// A rule that fired. There is one for each rule of an attempt: where it was first seen (rank, tensor, value,
// limit, message), and how often since.
struct Finding {
  std::string rule;
  Action action = Action::fail;
  Severity severity = Severity::fail;
  uint64_t first_step = 0;
  uint64_t last_step = 0;
  uint64_t count = 0;  // steps in which it fired
  uint32_t rank = 0;
  std::string tensor;   // name of the series; empty when none is concerned
  std::string kind;     // its kind: "gradient", "loss", ...; empty when none is concerned
  double value = 0;     // what was measured; may be NaN or infinite
  double limit = 0;     // what it was compared with
  std::string message;  // one sentence of evidence
};

enum class Outcome { pass, fired, not_evaluated };
std::string_view to_string(Outcome outcome);

struct RuleOutcome {
  std::string rule;
  Outcome outcome = Outcome::pass;
  bool required = false;
  std::string reason;  // why it was not evaluated
};

struct Summary {
  std::vector<RuleOutcome> rules;  // every enabled rule, in the order of the table
  std::vector<Finding> findings;   // in the order in which they fired
  bool failed = false;             // a finding of severity fail, or a required rule not evaluated
};

struct EvaluatorOptions {
  std::optional<uint64_t> total_steps;            // once a rank has completed as many, its silence is no hang
  bool resumed = false;                           // the attempt begins from a checkpoint
  std::optional<GreenBand> green = std::nullopt;  // what gate_rule() compares with; nullopt: it does not run
};

class Evaluator {
 public:
  // Error invalid: unknown rule, rule named twice, unknown parameter or one out of range, wrong regex.
  static Result<Evaluator> create(std::vector<RuleConfig> rules, EvaluatorOptions options = {});
  Evaluator(Evaluator&&) noexcept;
  Evaluator& operator=(Evaluator&&) noexcept;
  ~Evaluator();

  // Steps come in the order of the assembler. Returns the findings of rules that fire for the first time;
  // what they do later is in findings(). Steps in evaluation mode are ignored. In a new incarnation (a
  // restart, a second training in the same stage) the rules begin anew: its losses and weights have nothing
  // to do with the last ones.
  std::vector<Finding> on_step(const trace::Step& step);
  std::vector<Finding> on_input(const Input& input);  // the same, for a step that is taken apart already

  // For what depends on time alone. `now_ms`: the clock that was handed to the assembler. Call about once a
  // second. `last_output_ms`: by the same clock, when any rank printed something; nullopt: none did yet.
  std::vector<Finding> on_tick(int64_t now_ms, std::span<const trace::RankProgress> progress,
                               std::optional<int64_t> last_output_ms);

  // `completed`: the training came to its own end. What it returns includes everything; nothing may follow.
  Summary finish(bool completed);

  const std::vector<Finding>& findings() const { return findings_; }

 private:
  struct Entry {
    RuleConfig config;
    std::function<std::unique_ptr<Rule>()> make;
    std::unique_ptr<Rule> rule;
    std::optional<size_t> finding;  // index
    bool evaluated = false;         // in an earlier incarnation
  };
  explicit Evaluator(EvaluatorOptions options);
  void add(RuleConfig config, std::function<std::unique_ptr<Rule>()> make);
  void begin_anew();
  void record(Entry& entry, const Firings& firings, uint64_t step, std::vector<Finding>& news);

  EvaluatorOptions options_;
  std::vector<Entry> entries_;
  std::vector<Finding> findings_;
  uint64_t incarnation_ = 0;
  uint64_t last_step_ = 0;
};

}  // namespace pawl::rules
