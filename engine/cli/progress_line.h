// The live state of a run on a terminal: one line, redrawn in place. Where standard error is no terminal, a
// line now and then instead, so that a CI log shows that it moves.
#pragma once

#include <cstdint>
#include <string>

#include "engine/base/json.h"

namespace pawl::cli {

// "train  [#####.....]  step 420/940  45 %  82.1 steps/s  loss 0.4123  6.3s left" of a `progress` event of
// type state. The bar and the time left are missing while the total is unknown.
std::string progress_text(const Json& state);

// "rule non_finite fired: <evidence>" of a `progress` event of type finding.
std::string finding_text(const Json& event);

class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void update(const Json& state, int64_t now_ms);
  void clear();  // before other output

 private:
  bool terminal_;
  bool drawn_ = false;
  std::string last_stage_;
  int64_t last_ms_ = 0;
};

}  // namespace pawl::cli
