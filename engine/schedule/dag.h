// Which stages of a run may start now. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pawl::schedule {

enum class StageState { waiting, running, succeeded, failed, skipped, cancelled };

std::string_view to_string(StageState state);
StageState parse_stage_state(
    std::string_view text);  // as stored; anything unknown is `failed`: never green by accident

struct StageNode {
  std::string name;
  std::vector<std::string> needs;
  StageState state = StageState::waiting;
};

// Waiting stages whose needs have all succeeded, in order.
std::vector<std::string> ready_stages(const std::vector<StageNode>& nodes);

// Waiting stages that can never start, since something they need (directly or not) did not succeed.
std::vector<std::string> doomed_stages(const std::vector<StageNode>& nodes);

// No stage is waiting or running any more.
bool all_settled(const std::vector<StageNode>& nodes);

// Every stage succeeded.
bool all_succeeded(const std::vector<StageNode>& nodes);

}  // namespace pawl::schedule
