// Pawl's hook when this is built by Pawl (the Makefile adds its include folder), else one that does nothing:
// the example builds and trains without Pawl too.
#pragma once

#if __has_include(<pawl/pawl.hpp>)
#include <pawl/pawl.hpp>
#else
#include <ATen/core/Tensor.h>

#include <string>

namespace pawl {
struct Hook {
  template <class... Any>
  explicit Hook(const Any&...) {}
  void loss(const at::Tensor&) {}
  void scalar(const std::string&, double) {}
  void step() {}
};
}  // namespace pawl
#endif
