// The log of several ranks as lines that say whose they are.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/supervise/log_index.h"

namespace pawl::cli {

// For people: "[rank 1] " in front of every line. Takes the pieces of a log in their order. A line that
// another rank interrupts is broken there, and what follows of it says its rank again. States of a progress
// bar become lines: ranks that write over each other's would be worse.
class RankPrefix {
 public:
  std::string add(uint16_t rank, std::string_view piece);

 private:
  int open_ = -1;  // the rank whose line has not ended
};

// For programs: whole lines of each rank and stream, without their ends, in the order in which they began.
struct RankLine {
  uint16_t rank = 0;
  std::string text;
};
class RankLines {
 public:
  void add(const supervise::LogEntry& entry, std::string_view piece);
  const std::vector<RankLine>& lines() const { return lines_; }

 private:
  std::vector<RankLine> lines_;
  std::map<std::pair<uint16_t, uint8_t>, size_t> open_;  // rank, stream -> a line that has not ended
};

}  // namespace pawl::cli
