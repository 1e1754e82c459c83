#include "results.h"

#include <cmath>
#include <fstream>
#include <stdexcept>

namespace {

// JSON has no NaN and no infinities: they are written as strings.
std::string json_number(double value) {
  if (std::isnan(value)) return "\"NaN\"";
  if (std::isinf(value)) return value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  return std::to_string(value);
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  if (!file) throw std::runtime_error(path + " cannot be written");
}

}  // namespace

double Evaluation::accuracy() const {
  size_t right = 0;
  for (size_t i = 0; i < labels.size(); ++i) right += predictions[i] == labels[i];
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

void write_results(const std::string& folder, const Evaluation& evaluation) {
  const std::string n = std::to_string(evaluation.labels.size());
  write_file(folder + "/metrics.json", "{\"accuracy\": {\"value\": " + json_number(evaluation.accuracy()) +
                                           ", \"direction\": \"higher\", \"n\": " + n +
                                           "},\n \"test_loss\": {\"value\": " + json_number(evaluation.loss) +
                                           ", \"direction\": \"lower\", \"n\": " + n + "}}\n");

  std::string rows = "id,label,prediction\n";
  for (size_t i = 0; i < evaluation.labels.size(); ++i) {
    rows += std::to_string(i) + "," + std::to_string(evaluation.labels[i]) + "," +
            std::to_string(evaluation.predictions[i]) + "\n";
  }
  write_file(folder + "/predictions.csv", rows);
}
