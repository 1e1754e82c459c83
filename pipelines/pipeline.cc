#include "pipelines/pipeline.h"

namespace pawl::pipeline {

std::vector<std::string> stage_programs() {
  return {"evaluate"};
}

std::string env_suffix(std::string_view name) {
  std::string out;
  for (char c : name) {
    bool lower = c >= 'a' && c <= 'z';
    bool keep = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    out += lower ? static_cast<char>(c - 'a' + 'A') : keep ? c : '_';
  }
  return out;
}

}  // namespace pawl::pipeline
