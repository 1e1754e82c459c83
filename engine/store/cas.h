// Content-addressed files: cas/<first two hex>/<sha256 hex>. Written once, never changed; two writers of the
// same content do no harm.
#pragma once

#include <string>

#include "engine/base/error.h"

namespace pawl::store {

class Cas {
 public:
  explicit Cas(std::string root) : root_(std::move(root)) {}

  struct Stored {
    std::string digest;  // "sha256:<hex>"
    uint64_t bytes = 0;
  };
  // Copies a regular file in (a link, folder or device is refused); durable when it returns.
  Result<Stored> put_file(const std::string& path) const;

  // A copy of its own at `path`, which somebody may write to; replaces what is there.
  Result<void> copy_to(std::string_view digest, const std::string& path) const;

  // Where a digest lies. Error invalid for anything that is no digest, not_found when it is not here.
  Result<std::string> path_of(std::string_view digest) const;

 private:
  std::string root_;
};

}  // namespace pawl::store
