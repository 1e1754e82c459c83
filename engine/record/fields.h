// The fields of a JSON object from outside: each is asked for with what it must be, and the first that is not
// ends the reading.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/json.h"

namespace pawl::record {

inline constexpr std::size_t kMaxText = 16 << 10;           // of a field for people
inline constexpr int64_t kMaxTimeMs = 253'402'300'799'999;  // the end of the year 9999

class Fields {
 public:
  // `problem` is shared by an object and what is in it. All three must outlive this.
  Fields(const Json& object, std::string place, std::optional<Error>& problem);

  // At most `max` bytes, without control characters but newline and tab.
  std::string text(const char* key, std::size_t max = kMaxText);
  // One that `holds` says yes to.
  std::string text_that(const char* key, const std::function<bool(std::string_view)>& holds,
                        const char* what);
  std::string word(const char* key, std::initializer_list<std::string_view> known);
  std::string digest(const char* key);  // "sha256:<hex>"
  int64_t integer(const char* key, int64_t least = 0, int64_t most = std::numeric_limits<int64_t>::max());
  int64_t time(const char* key) { return integer(key, 0, kMaxTimeMs); }
  double number(const char* key);  // with NaN and the infinities, as number_to_json writes them
  bool boolean(const char* key);

  // null is nothing.
  bool has(const char* key);
  std::optional<int64_t> optional_integer(const char* key);
  std::optional<int64_t> optional_time(const char* key);
  std::optional<double> optional_number(const char* key);

  // The JSON text of an object, or of an array; null is the empty text.
  std::string object_text(const char* key);
  std::string array_text(const char* key);

  // Calls read(Fields&) for the object.
  void object(const char* key, const std::function<void(Fields&)>& read);
  // Calls read(Fields&, index) for each object of the array.
  void each(const char* key, const std::function<void(Fields&, std::size_t)>& read);
  // The value itself, null when it is missing.
  const Json& raw(const char* key);

  void refuse(std::string_view key, std::string_view what);

 private:
  const Json* find(const char* key);
  std::string json_text(const char* key, bool array);

  const Json& object_;
  std::string place_;
  std::optional<Error>& problem_;
};

}  // namespace pawl::record
