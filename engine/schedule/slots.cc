#include "engine/schedule/slots.h"

#include <fmt/format.h>

#include <algorithm>

namespace pawl::schedule {

int Slots::cpus_for(const Demand& demand) const {
  return std::clamp(demand.cpus, 1, machine_.cpus);
}

// `auto` shares all GPUs evenly; with fewer GPUs than ranks it takes none, since communication libraries
// (NCCL) refuse two ranks on one device.
int Slots::gpus_for_each_rank(const Demand& demand) const {
  if (!demand.gpus_auto) return demand.gpus_per_rank;
  return static_cast<int>(machine_.gpus.size()) / std::max(demand.ranks, 1);
}

std::vector<std::string> Slots::free_gpus() const {
  std::vector<std::string> out;
  std::copy_if(machine_.gpus.begin(), machine_.gpus.end(), std::back_inserter(out),
               [&](const std::string& uuid) { return !used_gpus_.contains(uuid); });
  return out;
}

Result<void> Slots::check(const Demand& demand) const {
  size_t needed = static_cast<size_t>(gpus_for_each_rank(demand)) * static_cast<size_t>(demand.ranks);
  if (needed <= machine_.gpus.size()) return {};
  return Error(ErrorCode::usage,
               fmt::format("asks for {} GPU{} for each of {} rank{} ({} in all); this machine has {}",
                           demand.gpus_per_rank, demand.gpus_per_rank == 1 ? "" : "s", demand.ranks,
                           demand.ranks == 1 ? "" : "s", needed, machine_.gpu_description));
}

std::optional<Grant> Slots::try_take(const Demand& demand) {
  if (!why_waiting(demand).empty()) return std::nullopt;
  Grant grant;
  grant.cpus = cpus_for(demand);
  int each = gpus_for_each_rank(demand);
  if (each > 0) {
    std::vector<std::string> free = free_gpus();
    auto next = free.begin();
    for (int rank = 0; rank < demand.ranks; ++rank, next += each) grant.gpus.emplace_back(next, next + each);
  }
  take(grant);
  return grant;
}

void Slots::take(const Grant& grant) {
  used_cpus_ += grant.cpus;
  for (const auto& rank : grant.gpus) used_gpus_.insert(rank.begin(), rank.end());
}

void Slots::give_back(const Grant& grant) {
  used_cpus_ -= grant.cpus;
  for (const auto& rank : grant.gpus) {
    for (const std::string& uuid : rank) used_gpus_.erase(uuid);
  }
}

std::string Slots::why_waiting(const Demand& demand) const {
  int cpus = cpus_for(demand);
  if (cpus > free_cpus()) {
    return fmt::format("needs {} CPU slot{}, {} of {} free", cpus, cpus == 1 ? "" : "s",
                       std::max(free_cpus(), 0), machine_.cpus);
  }
  size_t gpus = static_cast<size_t>(gpus_for_each_rank(demand)) * static_cast<size_t>(demand.ranks);
  size_t free = free_gpus().size();
  if (gpus > free)
    return fmt::format("needs {} GPU{}, {} of {} free", gpus, gpus == 1 ? "" : "s", free,
                       machine_.gpus.size());
  return {};
}

}  // namespace pawl::schedule
