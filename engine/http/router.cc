#include "engine/http/router.h"

#include <algorithm>
#include <optional>

#include "engine/base/text.h"

namespace pawl::http {
namespace {

bool is_parameter(std::string_view segment) {
  return segment.starts_with('{') && segment.ends_with('}');
}
bool is_rest(std::string_view segment) {
  return is_parameter(segment) && segment.ends_with("...}");
}

std::string_view parameter_name(std::string_view segment) {
  return segment.substr(1, segment.size() - (is_rest(segment) ? 5 : 2));
}

// 0 literal, 1 one segment, 2 the rest: the order in which they are tried.
int looseness(std::string_view segment) {
  return is_rest(segment) ? 2 : is_parameter(segment) ? 1 : 0;
}

bool more_specific(const Route& a, const Route& b) {
  return std::lexicographical_compare(
      a.pattern.begin(), a.pattern.end(), b.pattern.begin(), b.pattern.end(),
      [](const std::string& x, const std::string& y) { return looseness(x) < looseness(y); });
}

using Params = std::vector<std::pair<std::string, std::string>>;

std::optional<Params> match_pattern(const std::vector<std::string>& pattern,
                                    const std::vector<std::string>& segments) {
  Params params;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (i >= segments.size()) return std::nullopt;
    if (!is_parameter(pattern[i])) {
      if (pattern[i] != segments[i]) return std::nullopt;
      continue;
    }
    if (segments[i].empty()) return std::nullopt;
    std::string value = segments[i];
    if (is_rest(pattern[i]))
      value = join({segments.begin() + static_cast<ptrdiff_t>(i), segments.end()}, "/");
    params.emplace_back(parameter_name(pattern[i]), std::move(value));
    if (is_rest(pattern[i])) return params;
  }
  if (pattern.size() != segments.size()) return std::nullopt;
  return params;
}

}  // namespace

void Router::add(std::string_view method, std::string_view pattern, Handler handler, RouteOptions options) {
  PAWL_CHECK(pattern.starts_with('/'));
  Route route{std::string(method), {}, std::move(handler), options};
  for (std::string_view segment : split(pattern.substr(1), '/')) route.pattern.emplace_back(segment);
  for (const Route& other : routes_)
    PAWL_CHECK(other.method != route.method || other.pattern != route.pattern);
  routes_.insert(std::upper_bound(routes_.begin(), routes_.end(), route, more_specific), std::move(route));
}

Router::Match Router::match(std::string_view method, const std::vector<std::string>& segments) const {
  std::string_view wanted = method == "HEAD" ? "GET" : method;
  Match match;
  std::vector<std::string> methods;
  for (const Route& route : routes_) {
    std::optional<Params> params = match_pattern(route.pattern, segments);
    if (!params) continue;
    if (route.method == wanted) {
      match.route = &route;
      match.params = std::move(*params);
      return match;
    }
    methods.push_back(route.method);
    if (route.method == "GET") methods.push_back("HEAD");
  }
  std::sort(methods.begin(), methods.end());
  methods.erase(std::unique(methods.begin(), methods.end()), methods.end());
  match.allow = join(methods, ", ");
  return match;
}

}  // namespace pawl::http
