// SHA-256 and HMAC (OpenSSL), hex, and comparison that takes the same time whatever differs.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/base/error.h"

namespace pawl {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(std::string_view bytes);
  std::string hex();  // finishes; call once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_hex(std::string_view bytes);
Result<std::string> sha256_file_hex(const std::string& path);
std::string hmac_sha256_hex(std::string_view key, std::string_view message);
std::string to_hex(std::string_view bytes);
bool constant_time_equal(std::string_view a, std::string_view b);

}  // namespace pawl
