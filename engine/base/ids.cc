#include "engine/base/ids.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <vector>

#include "engine/base/error.h"

namespace pawl {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";  // Crockford base 32

void fill_random(unsigned char* out, size_t size) {
  size_t done = 0;
  while (done < size) {
    ssize_t n = getrandom(out + done, size - done, 0);
    if (n < 0 && errno == EINTR) continue;
    PAWL_CHECK(n > 0);
    done += static_cast<size_t>(n);
  }
}

struct UlidState {
  int64_t last_ms = -1;
  std::array<unsigned char, 10> random{};
};

// Adds one to the 80-bit random part; a carry out of it would need 2^80 ids in a millisecond.
void increment(std::array<unsigned char, 10>& random) {
  for (size_t i = random.size(); i-- > 0;) {
    if (++random[i] != 0) return;
  }
}

}  // namespace

std::string new_ulid(int64_t unix_ms) {
  static std::mutex mutex;
  static UlidState state;
  std::lock_guard lock(mutex);
  if (unix_ms > state.last_ms) {
    state.last_ms = unix_ms;
    fill_random(state.random.data(), state.random.size());
    state.random[0] &= 0x7f;  // head room for increments
  } else {
    increment(state.random);
  }

  std::string out(26, '0');
  auto time = static_cast<uint64_t>(state.last_ms);
  for (size_t i = 10; i-- > 0;) {
    out[i] = kAlphabet[time & 31];
    time >>= 5;
  }
  uint32_t buffer = 0;
  int bits = 0;
  size_t at = 10;
  for (unsigned char byte : state.random) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out[at++] = kAlphabet[(buffer >> bits) & 31];
    }
  }
  return out;
}

bool is_ulid(std::string_view text) {
  return text.size() == 26 && text[0] <= '7' && std::all_of(text.begin(), text.end(), [](char c) {
           return kAlphabet.find(c) != std::string_view::npos;
         });
}

std::string random_hex(size_t bytes) {
  std::vector<unsigned char> raw(bytes);
  fill_random(raw.data(), raw.size());
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (unsigned char b : raw) {
    out += kHex[b >> 4];
    out += kHex[b & 15];
  }
  return out;
}

}  // namespace pawl
