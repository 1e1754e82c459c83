// JUnit XML, as Jenkins, GitLab and others read it: one suite, a test case for each gated metric (classname
// "gate"), each stage ("stage") and each rule that fired ("rule"). What is worse than allowed is a failure;
// what could not be judged (no baseline, a missing metric, infrastructure) is an error; a metric or stage
// that was not reached is skipped. A red run has at least one failure or error, whatever its reasons. Names
// within a class are unique.
#pragma once

#include <string>

#include "engine/report/run_report.h"

namespace pawl::report {

// Valid XML 1.0 in UTF-8 for whatever bytes the report holds.
std::string to_junit(const RunReport& report);

}  // namespace pawl::report
