#include "engine/forge/git_ref.h"

#include <algorithm>
#include <string>

namespace pawl::forge {
namespace {

constexpr size_t kMaxRefBytes = 1024;

bool valid_component(std::string_view component) {
  return !component.empty() && component.front() != '.' && !component.ends_with(".lock");
}

bool forbidden(char c) {
  auto byte = static_cast<unsigned char>(c);
  return byte <= 0x20 || byte == 0x7f || std::string_view("~^:?*[\\").find(c) != std::string_view::npos;
}

}  // namespace

bool valid_ref_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxRefBytes || name.front() == '-' || name.back() == '.') return false;
  if (std::any_of(name.begin(), name.end(), forbidden)) return false;
  if (name.find("..") != std::string_view::npos || name.find("@{") != std::string_view::npos) return false;
  int components = 0;
  for (size_t begin = 0; begin <= name.size(); ++components) {
    size_t end = std::min(name.find('/', begin), name.size());
    if (!valid_component(name.substr(begin, end - begin))) return false;
    begin = end + 1;
  }
  return components >= 2;
}

bool valid_branch_name(std::string_view name) {
  return !name.starts_with('-') && name != "HEAD" && valid_ref_name("refs/heads/" + std::string(name));
}

bool is_object_id(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_zero_id(std::string_view text) {
  return is_object_id(text) && text.find_first_not_of('0') == std::string_view::npos;
}

}  // namespace pawl::forge
