// Resamples of a test set, as weights: how often each example counts in each replicate of a bootstrap.
//
// The ordinary bootstrap draws n examples with replacement, one after the other. Here each example draws its
// own weight from Poisson(1), which is the same but for the total, which varies around n; metrics are ratios
// and do not mind. The draw is a function of (seed, key of the example, replicate) alone (counter_rng.h), so
// a resample does not depend on the order of the examples or on threads, and both models, given the same
// keys, see the same one. Sums over parts of a test set add up to those over the whole.
//
// Small classes: a class of 3 examples is missing from 5 % of such resamples, and metrics by class jump when
// it is. When any class has fewer than kSmallClass examples, every class keeps its size in every resample:
// the Poisson weights of a class are conditioned on their total. Given the total T they are multinomial; T
// short of the class's size n_c, n_c - T more examples are drawn with replacement, T beyond it, T - n_c of
// the drawn ones are taken back at random. The result is exactly n_c draws with replacement within the class,
// for a few more random numbers. (Only then does a weight depend on other examples: on those of its class.)
//
// Weights come kLanes replicates at a time: a metric walks the examples in the order of their scores, and one
// fetch from a random place of memory serves all lanes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace pawl::gate {

inline constexpr std::size_t kLanes = 16;

struct alignas(kLanes) LaneWeights {
  std::uint8_t of[kLanes];
};

// A key for an example that is known by a name: FNV-1a, 64 bits. Keys need to be distinct, not random.
std::uint64_t example_key(std::string_view id);

// Immutable once created; any thread.
class Resampling {
 public:
  static constexpr std::size_t kSmallClass = 10;
  static constexpr std::size_t kJackknifeGroups = 200;

  // `keys`: one for each example; examples with the same key are always drawn together. `classes`: their
  // class codes, or empty where the metric has no classes. Error `invalid`: no examples.
  static Result<Resampling> create(std::vector<std::uint64_t> keys, std::span<const std::uint32_t> classes);

  std::size_t size() const { return keys_.size(); }
  bool stratified() const { return !strata_.empty(); }

  // Weights of the replicates block * kLanes and following; `out` has size() elements.
  void draw(std::uint64_t seed, std::uint32_t block, std::span<LaneWeights> out) const;

  // The jackknife leaves out one group at a time. Up to kJackknifeGroups examples, each is a group of its
  // own. Beyond, they are dealt to kJackknifeGroups groups in the order of (class, hash of the key), so that
  // groups differ by at most one example, in the whole and in each class: leaving out one of a million each
  // would cost n^2 and improve an acceleration that is next to 0 by then.
  std::size_t jackknife_groups() const;

  // Lane i leaves out group block * kLanes + i and counts everything else once.
  void leave_out(std::size_t block, std::span<LaneWeights> out) const;

 private:
  struct Stratum {
    std::uint32_t code;
    std::vector<std::uint32_t> members;  // examples in ascending order of their keys
  };

  void keep_size(const Stratum& stratum, std::uint64_t seed, std::uint32_t block,
                 std::span<LaneWeights> weights) const;

  std::vector<std::uint64_t> keys_;
  std::vector<std::uint8_t> group_of_;
  std::vector<Stratum> strata_;  // empty unless stratified
};

}  // namespace pawl::gate
