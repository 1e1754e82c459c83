// What the gate reads: metrics.json and predictions.csv in the output folder. No torch in here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

struct Evaluation {
  std::vector<uint8_t> labels;       // of the test set, in its order
  std::vector<int64_t> predictions;  // the class with the highest score
  double loss = 0;                   // mean cross entropy

  double accuracy() const;
};

// Throws std::runtime_error when the folder cannot be written.
void write_results(const std::string& folder, const Evaluation& evaluation);
