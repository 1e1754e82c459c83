#include "stages/evaluate/npz.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "engine/base/text.h"

namespace pawl::evaluate {
namespace {

constexpr std::size_t kEndSize = 22;         // end of central directory, without its comment
constexpr std::size_t kMaxComment = 0xffff;  // which follows it
constexpr std::size_t kEntrySize = 46;       // entry of the central directory, without name, extra, comment
constexpr std::size_t kLocalSize = 30;
constexpr unsigned kStored = 0;
constexpr unsigned kDeflated = 8;

template <class T>
T load(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// Exactly `size` bytes out of a raw deflate stream; false for anything else. Memory grows with what the
// stream really holds (a byte of it gives at most 1032).
bool inflate_raw(std::string_view packed, std::size_t size, std::string& out) {
  constexpr std::size_t kMaxRatio = 1032;
  if (size / kMaxRatio > packed.size()) return false;
  out.resize(size);
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(size);
  const int status = inflate(&stream, Z_FINISH);
  const bool exact = status == Z_STREAM_END && stream.avail_out == 0;
  inflateEnd(&stream);
  return exact;
}

}  // namespace

Result<Npz> Npz::open(std::string_view bytes, std::string_view where) {
  Npz out(bytes, where);
  PAWL_RETURN_IF_ERROR(out.read_directory());
  return out;
}

std::vector<std::string> Npz::names() const {
  std::vector<std::string> out;
  for (const auto& [name, member] : members_) out.push_back(name);
  return out;
}

Result<void> Npz::read_directory() {
  constexpr std::string_view kEnd("PK\x05\x06", 4);
  constexpr std::string_view kEntry("PK\x01\x02", 4);
  if (bytes_.size() > UINT32_MAX) return error("is larger than 4 GiB");
  const std::size_t tail_begin = bytes_.size() - std::min(bytes_.size(), kEndSize + kMaxComment);
  const std::size_t end = bytes_.rfind(kEnd);
  if (end == std::string_view::npos || end < tail_begin || bytes_.size() - end < kEndSize)
    return error("this is no ZIP archive, or it is cut off");
  const std::size_t count = load<std::uint16_t>(bytes_, end + 10);
  std::size_t at = load<std::uint32_t>(bytes_, end + 16);
  for (std::size_t i = 0; i < count; ++i) {
    if (at + kEntrySize > end || bytes_.substr(at, 4) != kEntry)
      return error("the archive's directory is damaged");
    const std::size_t name_size = load<std::uint16_t>(bytes_, at + 28);
    const std::size_t further =
        std::size_t{load<std::uint16_t>(bytes_, at + 30)} + load<std::uint16_t>(bytes_, at + 32);
    if (at + kEntrySize + name_size + further > end) return error("the archive's directory is damaged");
    std::string name(bytes_.substr(at + kEntrySize, name_size));
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    const Member member{load<std::uint16_t>(bytes_, at + 10), load<std::uint32_t>(bytes_, at + 16),
                        load<std::uint32_t>(bytes_, at + 20), load<std::uint32_t>(bytes_, at + 24),
                        load<std::uint32_t>(bytes_, at + 42)};
    if (!members_.emplace(name, member).second)
      return error(fmt::format("holds '{}' twice", sanitize_for_terminal(name.substr(0, 80))));
    at += kEntrySize + name_size + further;
  }
  return {};
}

// The bytes of a member as they lie in the archive, behind its local header, whose name and extra field may
// differ in size from those of the directory.
Result<std::string_view> Npz::packed(const Member& member, const std::string& place) const {
  constexpr std::string_view kLocal("PK\x03\x04", 4);
  const Error damaged(ErrorCode::invalid, "is damaged", place);
  if (std::size_t{member.offset} + kLocalSize > bytes_.size() || bytes_.substr(member.offset, 4) != kLocal)
    return damaged;
  const std::size_t begin = std::size_t{member.offset} + kLocalSize +
                            load<std::uint16_t>(bytes_, member.offset + 26) +
                            load<std::uint16_t>(bytes_, member.offset + 28);
  if (begin > bytes_.size() || member.packed_size > bytes_.size() - begin) return damaged;
  return bytes_.substr(begin, member.packed_size);
}

Result<Array> Npz::read(const std::string& name) const {
  const auto found = members_.find(name);
  if (found == members_.end()) {
    return Error(ErrorCode::not_found,
                 fmt::format("has no array '{}', but: {}", name, sanitize_for_terminal(join(names(), ", "))),
                 where_);
  }
  const Member& member = found->second;
  const std::string place = fmt::format("{}[{}]", where_, sanitize_for_terminal(name));
  const Error damaged(ErrorCode::invalid, "is damaged", place);
  PAWL_ASSIGN(std::string_view bytes, packed(member, place));
  std::string unpacked;
  if (member.method == kDeflated) {
    if (!inflate_raw(bytes, member.size, unpacked)) return damaged;
    bytes = unpacked;
  } else if (member.method != kStored) {
    return Error(ErrorCode::invalid,
                 fmt::format("is packed by method {}, which is not supported", member.method), place);
  }
  const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  if (bytes.size() != member.size || crc != member.crc) return damaged;
  return parse_npy(bytes, place);
}

}  // namespace pawl::evaluate
