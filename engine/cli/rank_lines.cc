#include "engine/cli/rank_lines.h"

#include <fmt/format.h>

namespace pawl::cli {
namespace {

// The first line of `text`, which is taken away from it.
struct Line {
  std::string_view text;  // without its end
  bool ended = false;
  bool overwritten = false;  // by a carriage return alone: a progress bar
};
Line take_line(std::string_view& text) {
  size_t end = text.find_first_of("\r\n");
  Line out{text.substr(0, end), end != std::string_view::npos};
  text.remove_prefix(out.text.size());
  out.overwritten = text.starts_with('\r') && !text.starts_with("\r\n");
  if (out.ended) text.remove_prefix(text.starts_with("\r\n") ? 2 : 1);
  return out;
}

}  // namespace

std::string RankPrefix::add(uint16_t rank, std::string_view piece) {
  std::string out;
  if (open_ >= 0 && open_ != rank) {
    out += '\n';
    open_ = -1;
  }
  while (!piece.empty()) {
    Line line = take_line(piece);
    if (open_ < 0 && line.overwritten && line.text.empty()) continue;
    if (open_ < 0) out += fmt::format("[rank {}] ", rank);
    out += line.text;
    if (line.ended) out += '\n';
    open_ = line.ended ? -1 : rank;
  }
  return out;
}

void RankLines::add(const supervise::LogEntry& entry, std::string_view piece) {
  while (!piece.empty()) {
    auto [open, fresh] = open_.try_emplace({entry.rank, entry.stream}, lines_.size());
    if (fresh) lines_.push_back({entry.rank, {}});
    Line line = take_line(piece);
    lines_[open->second].text += line.text;
    if (line.ended) open_.erase(open);
  }
}

}  // namespace pawl::cli
