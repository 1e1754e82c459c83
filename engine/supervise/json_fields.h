// Reading a JSON file of ours into a struct: what nlohmann/json throws becomes an error that names the file.
// Only for .cc files.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "engine/base/json.h"

namespace pawl::supervise {

// Parses `text` and calls read(json), which may use at() and get() freely.
template <class T, class Read>
Result<T> parse_fields(std::string_view text, std::string_view where, Read read) {
  PAWL_ASSIGN(Json json, parse_json(text, where));
  try {
    Result<T> value = read(json);
    if (value.ok()) return value;
    return Error(value.error().code(), value.error().message(), std::string(where));
  } catch (const Json::exception& e) {
    std::string what = e.what();  // "[json.exception.out_of_range.403] key 'run_id' not found"
    if (size_t at = what.find("] "); at != std::string::npos) what.erase(0, at + 2);
    return Error(ErrorCode::invalid, what, std::string(where));
  }
}

}  // namespace pawl::supervise
