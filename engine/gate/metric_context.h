// What judge() gives to the judges of one gated metric. Nothing is owned.
#pragma once

#include "engine/gate/comparison.h"
#include "engine/gate/parallel_for.h"
#include "engine/gate/verdict.h"

namespace pawl::gate {

struct MetricContext {
  const Policy& policy;
  const MetricRule& rule;
  const Inputs& inputs;
  const Baseline* baseline = nullptr;  // of this metric; there may be none
  // Of the rule's paired test over all examples; nullptr when there is no such test, or no predictions of the
  // run or of its baseline.
  const Result<Comparison>* compared = nullptr;
  const ParallelFor& parallel_for;
};

}  // namespace pawl::gate
