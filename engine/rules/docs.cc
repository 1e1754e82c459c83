#include <fmt/format.h>

#include "engine/rules/table.h"

namespace pawl::rules {
namespace {

constexpr std::string_view kIntroduction =
    R"(<!-- Generated from engine/rules/table.cc: run `PAWL_WRITE_DOCS=1 build/dev/tests/rules_test` after a change there. -->
# Rules

A rule watches the training while it runs. All rules are on by default; nothing has to be written down. A finding
names the rule, the step, the rank and the tensor, and says in one sentence what was seen.

```yaml
stages:
  train:
    run: python3 train.py
    rules:
      exploding_tensor: {growth: 50, on_fire: fail, required: true}
      frozen_parameter: {include: '^decoder\.'}   # a regular expression of series names
      loss_plateau: off
```

- `on_fire: stop` stops all ranks at once and the stage fails; `fail` lets the training finish and then fails the
  stage; `warn` only records the finding.
- `required: true` makes a rule that could not be evaluated (its data was never captured) fail the stage. Without it
  such a rule is listed as not evaluated, with the reason.
- Losses and scalars are recorded in every step, statistics of tensors in every `debug.every`-th step. Parameters
  called steps always count training steps. What has to last for some steps is judged on the captured ones among
  them, and on a few captures at least.
- Every rank is judged by itself. When several tensors or ranks are concerned in the same step, the finding names the
  first in the order in which they were recorded, and counts the others. A rule reports once per attempt: where it
  fired first, then how often and until when.
- Steps in evaluation mode count as a sign of life and for nothing else.
- When training begins again within an attempt (a restart from a checkpoint, a second training), the rules begin
  again too.
- A sample that is NaN or infinite never enters a running statistic.
- One more rule, `worse_than_green`, is not configured here: [`gate.early`](gate.md#stopping-early) compares a curve with
  those of earlier green runs, and stops the training.

| rule | default | watches for |
|---|---|---|
)";

std::string inputs_text(const RuleDef& rule) {
  if (rule.inputs.empty()) {
    return fmt::format("Looks at: {}.",
                       rule.optional_inputs.empty() ? "the time since the last step" : rule.optional_inputs);
  }
  std::string needs = fmt::format("Needs: {}.", fmt::join(rule.inputs, ", "));
  return rule.optional_inputs.empty() ? needs : fmt::format("{} Uses also: {}.", needs, rule.optional_inputs);
}

std::string section(const RuleDef& rule) {
  std::string out =
      fmt::format("\n## {}\n\n{} (default: `{}`)\n\nFires when {}.\n\n{}\n\n{}\n\n", rule.name, rule.summary,
                  to_string(rule.default_action), rule.condition, inputs_text(rule), rule.hint);
  out += "| parameter | default | meaning |\n|---|---|---|\n";
  for (const ParamDef& param : rule.params) {
    out += fmt::format("| `{}` | {} | {} |\n", param.name, param.default_value, param.doc);
  }
  return out;
}

}  // namespace

std::string rules_markdown() {
  std::string out(kIntroduction);
  for (const RuleDef& rule : rule_table()) {
    out +=
        fmt::format("| [{0}](#{0}) | {1} | {2} |\n", rule.name, to_string(rule.default_action), rule.summary);
  }
  for (const RuleDef& rule : rule_table()) out += section(rule);
  return out;
}

}  // namespace pawl::rules
