// The words of the tables, the same in HTML and Markdown. Plain text, not yet escaped.
#pragma once

#include <string>
#include <vector>

#include "engine/report/run_report.h"

namespace pawl::report {

struct GateRow {
  std::string metric;  // with the slice: "accuracy of lang=de"
  std::string check;   // "floor", "max drop", "paired test", ...
  std::string result;
  gate::Status status = gate::Status::pass;
  std::string value;
  std::string baseline;
  std::string limit;
  std::string evidence;
  std::string slice = "";
};

// The checks of metrics; rules and stages have tables of their own.
std::vector<GateRow> gate_rows(const gate::Verdict& verdict);

// Which test a check made and its p: "DeLong's test, one-sided p = 0.02 for no difference". Empty when it
// made none, or its sentence has all that.
std::string describe_test(const gate::Reason& reason);

// "Compared with run 131 of commit 3f2a91c (main), finished 2026-11-18 11:06 UTC, 3 days before this run."
// Empty when nothing was compared.
std::string compared_with(const RunReport& report);

// "step 340, rank 1, gradient of fc1.weight".
std::string where_of(const Finding& finding);

// "63.2, limit 50".
std::string measured(const Finding& finding);

// "+0.012" in the units of the metric; empty without a baseline, or when the gate says that it cannot be
// compared with: the change would be one of the test set, too.
std::string difference(const RunReport& report, const Metric& metric);

// "1: 0.861, 2: 0.878"; empty without seeds.
std::string seed_values(const Metric& metric);
bool has_seeds(const RunReport& report);

// The outcome of the last attempt, or "not started".
std::string outcome(const Stage& stage);
bool succeeded(const Stage& stage);
double seconds_of(const Stage& stage);

// "48.0s", "3m07s".
std::string duration(double seconds);

// Red for the build.
bool is_red(gate::Status status);

// A waiver names a rule, so that all findings of the rule are waived or none.
bool is_waived(const RunReport& report, const Finding& finding);

// "2026-11-21 03:04 UTC".
std::string minute(std::int64_t unix_ms);

// What started the run: "data (fashion-mnist changed)", "push by Ada".
std::string origin(const RunReport& report);

// "run 12" or, without a number, "run 01KEX4Q2ZB".
std::string run_name(const RunReport& report);

}  // namespace pawl::report
