// What a verdict costs on a million examples: gate::judge() with real policies, on files of predictions that
// were read as a stage leaves them.
#pragma once

#include "engine/base/error.h"

namespace pawl::bench {

inline constexpr unsigned kJudgeExamples = 1'000'000;
inline constexpr unsigned kJudgeThreads = 2;  // of the bootstrap

struct GateCost {
  double read_predictions_s = 0;  // one file of a million rows, 11 columns of numbers and one of slices
  double decomposable_s = 0;      // 10 metrics, whole and in 50 slices each; one thread
  double bootstrap_s = 0;         // AUC by DeLong, average precision of two columns and macro F1 by bootstrap
  double bootstrap_cpu_s = 0;     // of all threads in it
  double bootstrap_sliced_s = 0;  // the same in 50 slices too
};

Result<GateCost> measure_gate_cost();

}  // namespace pawl::bench
