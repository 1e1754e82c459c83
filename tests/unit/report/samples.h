// Reports of runs as they happen, judged by the real gate.
#pragma once

#include "engine/report/run_report.h"

namespace pawl::report {

RunReport green_run();     // compared with run 1, no finding
RunReport worse_model();   // the gate is red
RunReport exploded_run();  // a rule stopped both ranks
RunReport waived_run();    // a rule fired and the model is worse, both waived
RunReport first_run();     // no baseline yet, bootstrapped
RunReport hostile_run();   // every string tries to break out of every format

}  // namespace pawl::report
