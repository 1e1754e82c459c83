// Numbers for made-up examples: out of a counter, so the same on every machine.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "engine/gate/counter_rng.h"

namespace pawl::bench {

// A stream of numbers out of the counter.
class Stream {
 public:
  explicit Stream(std::uint32_t number) : number_(number) {}

  std::uint32_t word() {
    if (used_ == bits_.size()) {
      bits_ = gate::philox4x32(
          {static_cast<std::uint32_t>(block_), static_cast<std::uint32_t>(block_ >> 32), number_, 0},
          gate::philox_key(1));
      ++block_;
      used_ = 0;
    }
    return bits_[used_++];
  }
  double uniform() { return (word() + 0.5) * 0x1p-32; }
  double normal() { return std::sqrt(-2 * std::log(uniform())) * std::cos(2 * M_PI * uniform()); }

 private:
  std::uint32_t number_;
  std::uint64_t block_ = 0;
  gate::PhiloxCounter bits_{};
  std::size_t used_ = bits_.size();
};

}  // namespace pawl::bench
