// What the hooks have done to stay within the budget of a stage, for its report.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "engine/trace/steps.h"

namespace pawl::supervise {

// Follows the requests of the ranks as the trace has them. A rank decides for itself; the note is about the
// lowest one that has, as ranks of one training decide much alike. Requests come from the ranks: one
// that cannot be read is passed over.
class BudgetNote {
 public:
  // `asked`: what the ranks were started with, as in PAWL_CAPTURE.
  explicit BudgetNote(std::string asked) : asked_(std::move(asked)) {}

  void add(const trace::Step& step);
  // Nothing when the last request of every rank is what somebody asked for.
  std::optional<std::string> text() const;

 private:
  struct Stretched {
    int64_t asked = 0;
    int64_t every = 0;
    uint64_t since = 0;  // the step from which on that holds
  };
  struct Rank {
    std::optional<std::string> asked;            // nothing: what it was started with
    std::optional<double> share;                 // as the request has it
    std::map<std::string, Stretched> stretched;  // of each collection
  };

  std::string asked_;
  std::map<uint32_t, Rank> ranks_;
};

}  // namespace pawl::supervise
