// ULIDs: 26 characters, sortable by creation time, unique across machines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pawl {

// A new ULID for the given wall-clock time. Within one process ids are strictly increasing even when the
// clock stands still or steps back. Thread-safe.
std::string new_ulid(int64_t unix_ms);

bool is_ulid(std::string_view text);

// `bytes` random bytes from the kernel as lower-case hex: secrets and tokens.
std::string random_hex(size_t bytes);

}  // namespace pawl
