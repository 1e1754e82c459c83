#include "engine/cli/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/output.h"

namespace pawl::cli {
namespace {

constexpr int64_t kPlainPeriodMs = 2'000;
constexpr int kBarWidth = 20;

std::string number_or_text(const Json& state, const char* key) {
  auto it = state.find(key);
  if (it == state.end() || it->is_null()) return {};
  if (it->is_string()) return it->get<std::string>();  // "NaN"
  return it->is_number() ? fmt::format("{:.4f}", it->get<double>()) : std::string();
}

}  // namespace

std::string progress_text(const Json& state) {
  std::string out = sanitize_for_terminal(json_string(state, "stage", "?"));
  int64_t step = json_int(state, "step", -1);
  int64_t total = json_int(state, "steps_total", 0);
  if (step >= 0 && step < total) {  // a total from an earlier run may be too small: then it is unknown
    double share = std::clamp(static_cast<double>(step + 1) / static_cast<double>(total), 0.0, 1.0);
    int filled = static_cast<int>(share * kBarWidth);
    out +=
        fmt::format("  [{}{}]  step {}/{}  {:.0f} %", std::string(static_cast<size_t>(filled), '#'),
                    std::string(static_cast<size_t>(kBarWidth - filled), '.'), step + 1, total, share * 100);
  } else if (step >= 0) {
    out += fmt::format("  step {} of unknown", step + 1);
  } else {
    out += fmt::format("  {}", sanitize_for_terminal(json_string(state, "phase")));
  }
  if (double rate = json_double(state, "steps_per_s"); rate > 0) out += fmt::format("  {:.1f} steps/s", rate);
  if (std::string loss = number_or_text(state, "loss"); !loss.empty()) out += "  loss " + loss;
  if (auto eta = state.find("eta_s"); eta != state.end() && eta->is_number()) {
    out += fmt::format("  {} left", format_duration(static_cast<int64_t>(eta->get<double>() * 1000)));
  } else if (double elapsed = json_double(state, "elapsed_s"); elapsed > 0) {
    out += fmt::format("  {} so far", format_duration(static_cast<int64_t>(elapsed * 1000)));
  }
  return out;
}

std::string finding_text(const Json& event) {
  Json finding = event.value("finding", Json::object());
  return paint(fmt::format("rule {} fired: {}", json_string(finding, "rule"),
                           sanitize_for_terminal(json_string(finding, "message"))),
               json_string(finding, "severity") == "warn" ? Tone::warn : Tone::bad);
}

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  clear();
}

void ProgressLine::update(const Json& state, int64_t now_ms) {
  std::string stage = json_string(state, "stage");
  bool finished = json_string(state, "phase") == "finished";
  if (terminal_) {
    std::string text =
        progress_text(state).substr(0, static_cast<size_t>(std::max(terminal_width() - 1, 20)));
    std::fprintf(stderr, "\r\x1b[2K%s", text.c_str());
    drawn_ = true;
  } else if (stage != last_stage_ || finished || now_ms - last_ms_ >= kPlainPeriodMs) {
    std::fprintf(stderr, "%s\n", progress_text(state).c_str());
    last_ms_ = now_ms;
  }
  last_stage_ = stage;
  std::fflush(stderr);
}

void ProgressLine::clear() {
  if (!drawn_) return;
  std::fputs("\r\x1b[2K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace pawl::cli
