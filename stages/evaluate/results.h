// The files of the stage contract (docs/contract.md).
#pragma once

#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/gate/metrics.h"
#include "stages/evaluate/quality.h"

namespace pawl::evaluate {

std::string metrics_json(const std::vector<gate::Metric>& metrics);

// `ids` name the examples; empty: they are numbered.
std::string predictions_csv(const std::vector<std::string>& ids, const PredictionRows& rows);

// {"classes": [names], "counts": [[...], ...]}: a row for each label, a column for each prediction.
std::string confusion_json(const Confusion& confusion);

// metrics.json, predictions.csv and, where there is a confusion matrix, confusion.json into `folder`, which
// is made. Each file appears whole or not at all.
Result<void> write_results(const std::string& folder, const std::vector<std::string>& ids,
                           const Quality& quality);

}  // namespace pawl::evaluate
