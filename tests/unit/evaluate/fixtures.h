// Files that other programs wrote, and bytes in memory.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <initializer_list>
#include <string>

#include "engine/base/files.h"

namespace pawl::evaluate {

inline std::string fixture(const std::string& name) {
  auto bytes = read_file(std::string(PAWL_EVALUATE_FIXTURES) + "/" + name, 1 << 20);
  EXPECT_TRUE(bytes.ok()) << name;
  return std::move(bytes).value_or("");
}

inline std::string bytes_of(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

template <class T>
std::string message_of(const Result<T>& result) {
  return result.ok() ? "accepted" : result.error().to_string();
}

// What parse(bytes) says of every file cut short.
template <class Parse>
void expect_prefixes_refused(const std::string& whole, Parse parse) {
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(parse(whole.substr(0, size)).ok()) << "the first " << size << " bytes";
}

}  // namespace pawl::evaluate
