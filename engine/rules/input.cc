#include "engine/rules/input.h"

#include <algorithm>
#include <unordered_map>

namespace pawl::rules {
namespace {

// Collects the observations of one rank after the other.
class Builder {
 public:
  explicit Builder(const trace::Step& step) : table_(*step.series) {
    input_.step = step.step;
    if (!step.more) add_ranks(step);
    input_.tensors.reserve(step.observations.size());
  }

  void add(const trace::Observation& observation) {
    if (observation.rank != rank_) {
      rank_ = observation.rank;
      position_ = 0;
      seen_.clear();
    }
    ++position_;
    const trace::SeriesInfo& info = table_[observation.series];
    if (const trace::TensorStats* stats = observation.stats()) {
      add_tensor(observation.series, info, stats);
    } else if (const double* number = observation.scalar()) {
      if (info.kind == trace::Kind::loss) add_loss(observation.series, info, *number);
      if (info.kind == trace::Kind::scalar) add_scalar(observation.series, info.name, *number);
    }
  }

  Input take() { return std::move(input_); }

 private:
  struct Seen {
    size_t index;  // in losses or tensors
    double count;
  };

  void add_ranks(const trace::Step& step) {
    for (const trace::RankTime& rank : step.ranks) {
      input_.ranks.push_back({rank.rank, rank.end_s, std::nullopt, false, false});
    }
  }

  void add_tensor(uint32_t series, const trace::SeriesInfo& info, const trace::TensorStats* stats) {
    auto [seen, added] = seen_.try_emplace(series, Seen{input_.tensors.size(), 1});
    if (!added) {
      input_.tensors[seen->second.index].stats = stats;
      return;
    }
    input_.tensors.push_back({rank_, series, position_, info.kind, info.name, info.shape, stats});
  }

  void add_loss(uint32_t series, const trace::SeriesInfo& info, double value) {
    auto [seen, added] = seen_.try_emplace(series, Seen{input_.losses.size(), 1});
    if (!added) {
      double& mean = input_.losses[seen->second.index].value;
      mean += (value - mean) / ++seen->second.count;
      return;
    }
    input_.losses.push_back({rank_, series, position_, info.name, value});
  }

  void add_scalar(uint32_t series, const std::string& name, double value) {
    auto [seen, added] = seen_.try_emplace(series, Seen{input_.scalars.size(), 1});
    if (added) input_.scalars.push_back({rank_, series, name, value});
    input_.scalars[seen->second.index].value = value;
    if (name != "lr" && name != "loss_scale" && name != "amp.skipped") return;
    auto rank = std::ranges::find(input_.ranks, rank_, &RankSample::rank);
    if (rank == input_.ranks.end()) return;
    if (name == "lr") rank->lr = value;
    if (name == "loss_scale") rank->mixed_precision = true;
    if (name == "amp.skipped") rank->scaler_skipped = value > 0;
  }

  const trace::SeriesTable& table_;
  Input input_;
  uint32_t rank_ = UINT32_MAX;
  uint32_t position_ = 0;
  std::unordered_map<uint32_t, Seen> seen_;  // of this rank, by series
};

}  // namespace

Input make_input(const trace::Step& step) {
  Builder builder(step);
  for (const trace::Observation& observation : step.observations) builder.add(observation);
  return builder.take();
}

}  // namespace pawl::rules
