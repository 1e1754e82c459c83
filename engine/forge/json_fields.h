// A few values out of a large JSON document, in one pass and without building it.
//
// A webhook body may be 25 MiB of commits of which a dozen short fields matter. Building the tree costs tens
// of times the text in memory; reading it as a stream costs nothing but the wanted values, whatever the
// sender put around them.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "engine/base/error.h"

namespace pawl::forge {

class JsonFields {
 public:
  // Reads the values at `paths` ("repository.full_name": keys of nested objects; elements of arrays cannot be
  // addressed). The whole text must be JSON, at most 64 levels deep, with an object at the top; a wanted path
  // that occurs twice is an error, since two readers could disagree on it. `where` names the text in errors.
  static Result<JsonFields> read(std::string_view text, std::string_view where,
                                 std::span<const std::string_view> paths);

  // Absent and null are the same: not there. A value of another type is an error (invalid).
  Result<std::string> text(std::string_view path) const;           // must be there
  Result<std::string> optional_text(std::string_view path) const;  // "" when not there
  Result<bool> optional_bool(std::string_view path) const;         // false when not there
  Result<int64_t> integer(std::string_view path) const;            // must be there

 private:
  friend class JsonFieldsReader;
  struct Other {};  // an object, an array, a number that is no 64-bit integer
  using Value = std::variant<std::monostate, bool, int64_t, std::string, Other>;

  const Value& value(std::string_view path) const;
  Error wrong(std::string_view path, std::string_view expected) const;

  std::string where_;
  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace pawl::forge
