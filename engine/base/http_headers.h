// Header fields of an HTTP message, in the order they came; names compare without regard to case.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/text.h"

namespace pawl {

class HttpHeaders {
 public:
  using Field = std::pair<std::string, std::string>;

  HttpHeaders() = default;
  HttpHeaders(std::initializer_list<Field> fields) : fields_(fields) {}

  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }

  // The first field of that name, or null.
  const std::string* find(std::string_view name) const {
    for (const Field& field : fields_) {
      if (iequals(field.first, name)) return &field.second;
    }
    return nullptr;
  }

  size_t count(std::string_view name) const {
    size_t n = 0;
    for (const Field& field : fields_) n += iequals(field.first, name) ? 1 : 0;
    return n;
  }

  size_t size() const { return fields_.size(); }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

}  // namespace pawl
