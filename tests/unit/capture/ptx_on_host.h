// The kernels as the driver gets them, on the CPU: their PTX, made C++ of by ptx_to_cc.py.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "hooks/capture/cuda_kernel.h"

namespace pawl::capture::cuda::ptx {

// The bits of a register as a `To`, the low ones where that is smaller.
template <class To, class From>
To as(From from) {
  static_assert(sizeof(To) <= sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

// A register takes the bits of a value; a smaller one is extended by its sign.
template <class To, class From>
void set(To& to, From from) {
  if constexpr (sizeof(To) == sizeof(From)) {
    std::memcpy(&to, &from, sizeof to);
  } else {
    to = static_cast<To>(from);
  }
}

template <class T>
T read(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
void write(char* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

inline char* global(uint64_t address) {
  return reinterpret_cast<char*>(address);
}

inline float half(uint16_t bits) {
  return float_of_half(bits);
}

template <class T>
T bits(T from, T at, T count) {
  using Unsigned = std::make_unsigned_t<T>;
  const int left = static_cast<int>(sizeof(T) * 8) - static_cast<int>(at + count);
  return static_cast<T>(static_cast<T>(static_cast<Unsigned>(from) << left) >> (left + static_cast<int>(at)));
}

template <class T>
T least(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a != a ? b : b < a ? b : a;
  return std::min(a, b);
}

template <class T>
T most(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a != a ? b : b > a ? b : a;
  return std::max(a, b);
}

#include "cuda_kernel_ptx.inc"

// All threads to a barrier, then to the next.
template <class Kernel>
void run(const Work& work, uint32_t blocks, uint32_t threads, size_t shared_bytes) {
  std::vector<char> shared(shared_bytes);
  for (uint32_t block = 0; block < blocks; ++block) {
    std::vector<Kernel> all(threads);
    for (bool done = false; !done;) {
      done = true;
      for (uint32_t thread = 0; thread < threads; ++thread) {
        done = all[thread].run(thread, block, reinterpret_cast<const char*>(&work), shared.data()) && done;
      }
    }
  }
}

}  // namespace pawl::capture::cuda::ptx
