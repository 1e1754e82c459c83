#include "engine/schedule/dag.h"

#include <algorithm>
#include <map>
#include <set>

namespace pawl::schedule {
namespace {

bool settled_badly(StageState state) {
  return state == StageState::failed || state == StageState::skipped || state == StageState::cancelled;
}

}  // namespace

std::string_view to_string(StageState state) {
  switch (state) {
    case StageState::waiting:
      return "waiting";
    case StageState::running:
      return "running";
    case StageState::succeeded:
      return "succeeded";
    case StageState::failed:
      return "failed";
    case StageState::skipped:
      return "skipped";
    case StageState::cancelled:
      return "cancelled";
  }
  return "failed";
}

StageState parse_stage_state(std::string_view text) {
  for (StageState state : {StageState::waiting, StageState::running, StageState::succeeded,
                           StageState::skipped, StageState::cancelled}) {
    if (to_string(state) == text) return state;
  }
  return StageState::failed;
}

std::vector<std::string> ready_stages(const std::vector<StageNode>& nodes) {
  std::set<std::string_view> succeeded;
  for (const StageNode& node : nodes) {
    if (node.state == StageState::succeeded) succeeded.insert(node.name);
  }
  std::vector<std::string> out;
  for (const StageNode& node : nodes) {
    bool ready = std::all_of(node.needs.begin(), node.needs.end(),
                             [&](const std::string& need) { return succeeded.contains(need); });
    if (node.state == StageState::waiting && ready) out.push_back(node.name);
  }
  return out;
}

std::vector<std::string> doomed_stages(const std::vector<StageNode>& nodes) {
  std::set<std::string_view> bad;
  for (const StageNode& node : nodes) {
    if (settled_badly(node.state)) bad.insert(node.name);
  }
  std::vector<std::string> out;
  // Stages need not be in topological order: repeat until nothing changes.
  for (bool changed = true; changed;) {
    changed = false;
    for (const StageNode& node : nodes) {
      if (node.state != StageState::waiting || bad.contains(node.name)) continue;
      bool doomed = std::any_of(node.needs.begin(), node.needs.end(),
                                [&](const std::string& n) { return bad.contains(n); });
      if (!doomed) continue;
      bad.insert(node.name);
      out.push_back(node.name);
      changed = true;
    }
  }
  return out;
}

bool all_settled(const std::vector<StageNode>& nodes) {
  return std::none_of(nodes.begin(), nodes.end(), [](const StageNode& node) {
    return node.state == StageState::waiting || node.state == StageState::running;
  });
}

bool all_succeeded(const std::vector<StageNode>& nodes) {
  return std::all_of(nodes.begin(), nodes.end(),
                     [](const StageNode& node) { return node.state == StageState::succeeded; });
}

}  // namespace pawl::schedule
