// The readers of the file's sections, for parse.cc. Each reports what is wrong and returns what it could
// read; references between sections are the caller's to check.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipelines/pipeline.h"
#include "pipelines/reader.h"

namespace pawl::pipeline {

struct TriggerSection {
  Triggers on;
  std::vector<Text> data;  // on.data with places
};
TriggerSection read_triggers(Reader& reader, const Node& node);

struct DataSection {
  std::vector<Dataset> data;
  std::vector<Text> disjoint;  // what their disjoint_from names, with places
};
DataSection read_data(Reader& reader, const Node& node);

std::map<std::string, std::string> read_env(Reader& reader, const Node& node);

// `uses: evaluate`.
struct EvaluateSection {
  std::string command;       // for bash
  std::optional<Text> data;  // a dataset
  std::optional<Text> from;  // the stage that left the model
};
EvaluateSection read_evaluate(Reader& reader, const Node& with);

struct StageSection {
  Stage stage;
  Span span;                     // of the name
  std::vector<Text> needs;       // with places
  std::optional<Text> data;      // a dataset that a stage program is told to read
  bool needs_a_dataset = false;  // it takes the only one there is when `data` says nothing
};
std::vector<StageSection> read_stages(Reader& reader, const Node& node);

// What the hooks record of a stage of `world_size` ranks, and Stage::event_files.
Capture read_debug(Reader& reader, const Node& node, int world_size, std::string& event_files);

// The rules of a stage: the table's defaults, changed by `node` (nullptr: the file says nothing).
std::vector<rules::RuleConfig> read_rules(Reader& reader, const Node* node, const Capture& capture);

struct GateSection {
  gate::Policy policy;
  std::vector<Span> metric_spans;  // of the names, one for each metric
  Span stage_span;                 // of the value of `stage`
  Span early_span;                 // of the value of `early`
  Span conditions_span;
  bool off = false;  // `gate: off`
};
GateSection read_gate(Reader& reader, const Node& node);

gate::BaselineRule read_baseline(Reader& reader, const Node& node);
gate::SustainedRule read_sustained(Reader& reader, const Node& node);
std::optional<gate::EarlyRule> read_early(Reader& reader, const Node& node);

// The paired test and the slices of a metric; `what` names it in messages: "metric 'accuracy'".
gate::SeedsTest read_seeds_test(Reader& reader, const Node& node);
gate::PairedTest read_paired(Reader& reader, const Node& node, const std::string& what);
std::vector<gate::SliceRule> read_slices(Reader& reader, const Node& node, const std::string& what);
std::vector<gate::ConditionRule> read_conditions(Reader& reader, const Node& node);
// The path of a file of per-example results.
void read_predictions(Reader& reader, const Node& node, std::string& out);
// A number that must lie within an open interval.
Field inside_field(Reader& reader, std::string_view name, double above, double below, double& out,
                   std::string hint);

}  // namespace pawl::pipeline
