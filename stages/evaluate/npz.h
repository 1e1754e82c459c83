// NumPy's .npz: a ZIP archive of .npy files, stored (savez) or deflated (savez_compressed).
//
// Read from the central directory at the end, as APPNOTE.TXT 6.3 describes it. No encryption, no archives of
// several parts, none of ZIP64: members and the archive are below 4 GiB. Pure; bytes come from outside, so
// that every offset and size is checked against what is there.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "stages/evaluate/array.h"

namespace pawl::evaluate {

class Npz {
 public:
  // `bytes` must outlive the object. Error `invalid`, naming `where`.
  static Result<Npz> open(std::string_view bytes, std::string_view where);

  std::vector<std::string> names() const;  // of the arrays, without ".npy", sorted

  // Error `not_found`: no such array, the message lists those there are; `invalid`: damaged, or no .npy.
  Result<Array> read(const std::string& name) const;

 private:
  struct Member {
    unsigned method = 0;
    std::uint32_t crc = 0;
    std::uint32_t packed_size = 0;
    std::uint32_t size = 0;
    std::uint32_t offset = 0;  // of the local header
  };
  Npz(std::string_view bytes, std::string_view where) : bytes_(bytes), where_(where) {}
  Error error(std::string message) const { return {ErrorCode::invalid, std::move(message), where_}; }
  Result<void> read_directory();
  Result<std::string_view> packed(const Member& member, const std::string& place) const;

  std::string_view bytes_;
  std::string where_;
  std::map<std::string, Member> members_;
};

}  // namespace pawl::evaluate
