#include "engine/http/target.h"

#include "engine/base/text.h"

namespace pawl::http {
namespace {

constexpr size_t kMaxQueryFields = 64;

bool is_safe_segment(std::string_view segment) {
  return segment != "." && segment != ".." &&
         segment.find_first_of(std::string_view("/\0", 2)) == segment.npos;
}

}  // namespace

std::optional<Target> parse_target(std::string_view raw) {
  if (!raw.starts_with('/') || raw.find('#') != raw.npos) return std::nullopt;
  size_t question = std::min(raw.find('?'), raw.size());
  Target target;
  for (std::string_view piece : split(raw.substr(1, question - 1), '/')) {
    auto segment = percent_decode(piece);
    if (!segment || !is_safe_segment(*segment)) return std::nullopt;
    target.path += '/';
    target.path += *segment;
    target.segments.push_back(std::move(*segment));
  }
  if (question < raw.size()) {
    auto query = parse_form(raw.substr(question + 1), kMaxQueryFields);
    if (!query) return std::nullopt;
    target.query = std::move(*query);
  }
  return target;
}

}  // namespace pawl::http
