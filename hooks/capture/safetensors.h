// The head of a safetensors document that holds one tensor, called "value": u64 length of the JSON, the JSON.
// The elements follow as they lie in memory. (The format: huggingface/safetensors, README, "Format".)
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "hooks/capture/include/pawl/capture.h"

namespace pawl::capture {

// REQUIRES: a known dtype.
inline std::string safetensors_head(pawl_dtype dtype, const int64_t* shape, uint32_t dims, uint64_t bytes) {
  constexpr const char* kNames[] = {"F32", "F64", "F16", "BF16", "I8", "I16", "I32", "I64", "U8", "BOOL"};
  std::string json = "{\"value\":{\"dtype\":\"";
  json += kNames[dtype];
  json += "\",\"shape\":[";
  for (uint32_t i = 0; i < dims; ++i) {
    if (i > 0) json += ',';
    json += std::to_string(shape[i]);
  }
  json += "],\"data_offsets\":[0," + std::to_string(bytes) + "]}}";
  json.resize((json.size() + 7) / 8 * 8, ' ');  // so that the elements are aligned
  const uint64_t length = json.size();
  std::string head(sizeof length, '\0');
  std::memcpy(head.data(), &length, sizeof length);
  return head + json;
}

}  // namespace pawl::capture
