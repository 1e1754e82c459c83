#include "engine/gate/resampling.h"

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>
#include <tuple>

#include "engine/gate/counter_rng.h"

namespace pawl::gate {
namespace {

// The last word of a counter says what the numbers are for.
constexpr std::uint32_t kForWeights = 0;
constexpr std::uint32_t kForSizes = 1;
constexpr std::uint32_t kForGroups = 2;

constexpr std::uint32_t low_word(std::uint64_t value) {
  return static_cast<std::uint32_t>(value);
}
constexpr std::uint32_t high_word(std::uint64_t value) {
  return static_cast<std::uint32_t>(value >> 32);
}

// Poisson(1) in units of 2^-16: how many of the 65536 values of 16 random bits give the weights 0, 1, ...
// Rounded such that the mean and the variance are exactly 1; a weight of 9 or more has probability 1e-6 and
// is left out.
constexpr std::uint16_t kPoisson[] = {24109, 24109, 12056, 4018, 1005, 200, 33, 5, 1};
constexpr std::size_t kMaxWeight = std::size(kPoisson) - 1;

constexpr auto kThresholds = [] {
  std::array<std::uint16_t, kMaxWeight> thresholds{};
  std::uint32_t below = 0;
  for (std::size_t k = 0; k < kMaxWeight; ++k) {
    below += kPoisson[k];
    thresholds[k] = static_cast<std::uint16_t>(below);
  }
  return thresholds;
}();

// Vectors of the compiler's, on any machine: there are two billion weights in a bootstrap of a million
// examples.
constexpr std::size_t kWeightsPerCall = 8;  // 16 of the 128 bits each
using Words = std::uint16_t __attribute__((vector_size(2 * kWeightsPerCall)));

Words weights_of(const PhiloxCounter& bits) {
  static_assert(std::endian::native == std::endian::little, "or the halves of a word change places");
  const auto random = std::bit_cast<Words>(bits);
  Words weights{};
  for (const std::uint16_t threshold : kThresholds) weights -= Words(random >= threshold);  // true is -1
  return weights;
}

}  // namespace

std::uint64_t example_key(std::string_view id) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : id) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return hash;
}

Result<Resampling> Resampling::create(std::vector<std::uint64_t> keys,
                                      std::span<const std::uint32_t> classes) {
  PAWL_CHECK(classes.empty() || classes.size() == keys.size());
  if (keys.empty()) return Error(ErrorCode::invalid, "there are no examples to resample");
  Resampling out;
  out.keys_ = std::move(keys);
  const auto class_of = [&](std::uint32_t i) { return classes.empty() ? 0 : classes[i]; };

  struct Place {
    std::uint32_t class_code;
    std::uint64_t hash;
    std::uint32_t example;
  };
  std::vector<Place> order(out.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    const std::uint64_t key = out.keys_[i];
    const PhiloxCounter bits = philox4x32({low_word(key), high_word(key), 0, kForGroups}, philox_key(0));
    order[i] = {class_of(i), std::uint64_t{bits[1]} << 32 | bits[0], i};
  }
  std::sort(order.begin(), order.end(), [](const Place& a, const Place& b) {
    return std::tie(a.class_code, a.hash) < std::tie(b.class_code, b.hash);
  });
  out.group_of_.resize(out.size());
  const std::size_t groups = out.jackknife_groups();
  for (std::size_t i = 0; i < order.size(); ++i) {
    out.group_of_[order[i].example] = static_cast<std::uint8_t>(i % groups);
  }
  if (classes.empty()) return out;

  std::map<std::uint32_t, std::size_t> sizes;
  for (const std::uint32_t code : classes) ++sizes[code];
  if (std::none_of(sizes.begin(), sizes.end(), [](const auto& it) { return it.second < kSmallClass; })) {
    return out;
  }
  // `order` is grouped by class, and within one sorted by something that does not depend on the examples'
  // order.
  for (const Place& place : order) {
    if (out.strata_.empty() || out.strata_.back().code != place.class_code) {
      out.strata_.push_back({place.class_code, {}});
    }
    out.strata_.back().members.push_back(place.example);
  }
  return out;
}

void Resampling::draw(std::uint64_t seed, std::uint32_t block, std::span<LaneWeights> out) const {
  PAWL_CHECK(out.size() == size());
  static_assert(kLanes == 2 * kWeightsPerCall);
  const PhiloxKey rng_key = philox_key(seed);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint32_t low = low_word(keys_[i]);
    const std::uint32_t high = high_word(keys_[i]);
    const Words first = weights_of(philox4x32({low, high, 2 * block, kForWeights}, rng_key));
    const Words second = weights_of(philox4x32({low, high, 2 * block + 1, kForWeights}, rng_key));
    for (std::size_t lane = 0; lane < kWeightsPerCall; ++lane) {
      out[i].of[lane] = static_cast<std::uint8_t>(first[lane]);
      out[i].of[kWeightsPerCall + lane] = static_cast<std::uint8_t>(second[lane]);
    }
  }
  for (const Stratum& stratum : strata_) keep_size(stratum, seed, block, out);
}

void Resampling::keep_size(const Stratum& stratum, std::uint64_t seed, std::uint32_t block,
                           std::span<LaneWeights> weights) const {
  const std::size_t size = stratum.members.size();
  std::size_t totals[kLanes] = {};
  for (const std::uint32_t member : stratum.members) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) totals[lane] += weights[member].of[lane];
  }
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const auto replicate = static_cast<std::uint32_t>(block * kLanes + lane);
    std::size_t& total = totals[lane];
    for (std::uint32_t attempt = 0; total != size; ++attempt) {
      const PhiloxCounter bits = philox4x32({attempt, stratum.code, replicate, kForSizes}, philox_key(seed));
      const std::uint64_t place = (std::uint64_t{bits[1]} << 32 | bits[0]) % size;
      std::uint8_t& weight = weights[stratum.members[place]].of[lane];
      if (total < size) {
        ++weight;  // far from overflow: a few more among many, or at most `size` where there are few
        ++total;
      } else if (bits[2] % kMaxWeight < weight) {  // an example drawn twice is twice as likely to lose one
        --weight;
        --total;
      }
    }
  }
}

std::size_t Resampling::jackknife_groups() const {
  return std::min(size(), kJackknifeGroups);
}

void Resampling::leave_out(std::size_t block, std::span<LaneWeights> out) const {
  PAWL_CHECK(out.size() == size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      out[i].of[lane] = group_of_[i] != block * kLanes + lane;
    }
  }
}

}  // namespace pawl::gate
