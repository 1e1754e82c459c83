// Command line and environment of the training program.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

struct Options {
  int64_t seed = 1;
  int64_t steps = 0;               // 0: as in Settings
  int64_t checkpoint_every = 200;  // steps
  std::string data;                // folder with the IDX files
  std::string output;              // folder for the results
  std::string checkpoints;         // folder; empty: none are written
};

inline std::string env_or(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? value : otherwise;
}

inline int64_t parse_number(const std::string& option, const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1)
    throw std::runtime_error(option + " needs a whole number from 1 on, not '" + text + "'");
  return number;
}

inline Options parse_options(int argc, char** argv) {
  Options options;
  options.data = env_or("PAWL_DATA_FASHION_MNIST", "/usr/share/datasets/fashion-mnist");
  options.output = env_or("PAWL_OUTPUT_DIR", ".");
  options.checkpoints = env_or("PAWL_CHECKPOINT_DIR", "");
  for (int i = 1; i < argc; i += 2) {
    const std::string option = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
    if (option == "--seed")
      options.seed = parse_number(option, value);
    else if (option == "--steps")
      options.steps = parse_number(option, value);
    else if (option == "--checkpoint-every")
      options.checkpoint_every = parse_number(option, value);
    else if (option == "--data")
      options.data = value;
    else if (option == "--output")
      options.output = value;
    else if (option == "--checkpoints")
      options.checkpoints = value;
    else
      throw std::runtime_error("no option " + option +
                               "; there are --seed --steps --checkpoint-every --data --output --checkpoints");
  }
  return options;
}
