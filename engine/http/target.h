// The request target, taken apart.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/url.h"

namespace pawl::http {

struct Target {
  std::string path;                   // decoded
  std::vector<std::string> segments;  // of the path, each decoded: "/a/b%20c" -> {"a", "b c"}; "/" -> {""}
  FormFields query;
};

// No value for anything but an absolute path with an optional query: broken escapes, a NUL or an escaped
// slash in a segment, "." and ".." segments, a fragment, more than 64 query fields. What comes out can be
// matched and joined segment by segment without meaning another path.
std::optional<Target> parse_target(std::string_view raw);

}  // namespace pawl::http
