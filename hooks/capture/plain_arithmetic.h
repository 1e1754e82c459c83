// The caller may have switched on flush-to-zero or floating-point traps: neither may change what is counted,
// and our arithmetic on its NaNs must not end its process. While one of these lives the thread rounds to
// nearest, keeps denormals and masks all traps; then the caller's state is back, flags included.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace pawl::capture {

class PlainArithmetic {
 public:
#if defined(__x86_64__)
  PlainArithmetic() : saved_(_mm_getcsr()) { _mm_setcsr(0x1f80); }
  ~PlainArithmetic() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#elif defined(__aarch64__)
  PlainArithmetic() {
    asm volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(control_), "=r"(flags_));
    asm volatile("msr fpcr, %0" : : "r"(uint64_t{0}) : "memory");
  }
  ~PlainArithmetic() {
    asm volatile("msr fpcr, %0\n\tmsr fpsr, %1" : : "r"(control_), "r"(flags_) : "memory");
  }

 private:
  uint64_t control_, flags_;
#else
  PlainArithmetic() = default;
#endif
  PlainArithmetic(const PlainArithmetic&) = delete;
  PlainArithmetic& operator=(const PlainArithmetic&) = delete;
};

}  // namespace pawl::capture
