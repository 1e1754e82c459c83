// Random choices that are a function of their address (counter_rng.h): the `index`-th choice of a replicate
// is the same on every machine and in every order.
#pragma once

#include <cstdint>

#include "engine/gate/counter_rng.h"

namespace pawl::gate {

// A number below `bound`, 0 < bound < 2^32, index < 2^32; none is favoured by more than bound / 2^32.
constexpr std::uint64_t draw_below(std::uint64_t bound, std::uint64_t seed, std::uint64_t replicate,
                                   std::uint64_t index) {
  constexpr std::uint32_t kPurpose = 0x70657266;  // apart from the bootstrap's weights of the same seed
  const PhiloxCounter bits =
      philox4x32({static_cast<std::uint32_t>(replicate), static_cast<std::uint32_t>(replicate >> 32),
                  static_cast<std::uint32_t>(index), kPurpose},
                 philox_key(seed));
  return (bits[0] * bound) >> 32;
}

}  // namespace pawl::gate
