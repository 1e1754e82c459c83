// Content-addressed files: cas/<first two hex>/<sha256 hex>. Written once, never changed; two writers of the
// same content do no harm.
#pragma once

#include <functional>
#include <string>

#include "engine/base/error.h"

namespace pawl::store {

// Writes the content of a digest to a new file, from wherever it is kept. Error not_found when it is not
// there either.
using BlobSource = std::function<Result<void>(const std::string& digest, const std::string& to)>;

class Cas {
 public:
  // What is not here is asked of `source`, if there is one, and kept.
  explicit Cas(std::string root, BlobSource source = {})
      : root_(std::move(root)), source_(std::move(source)) {}

  struct Stored {
    std::string digest;  // "sha256:<hex>"
    uint64_t bytes = 0;
  };
  // Copies a regular file in (a link, folder or device is refused); durable when it returns.
  Result<Stored> put_file(const std::string& path) const;

  // A copy of its own at `path`, which somebody may write to; replaces what is there.
  Result<void> copy_to(std::string_view digest, const std::string& path) const;

  // Where a digest lies. Error invalid for anything that is no digest, not_found when it is not here; what
  // the source says, and io when it gave something else than what was asked for.
  Result<std::string> path_of(std::string_view digest) const;
  bool has(std::string_view digest) const;  // here, whatever the source has

 private:
  Result<void> bring(const std::string& digest) const;

  std::string root_;
  BlobSource source_;
};

}  // namespace pawl::store
