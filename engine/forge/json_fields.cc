#include "engine/forge/json_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

namespace pawl::forge {

// Follows the parser through the document. `path_` is the place of the value that comes next, as long as
// something wanted can lie there; elsewhere ("off the path") only the depth is counted, so hostile keys cost
// nothing.
class JsonFieldsReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonFieldsReader(JsonFields& fields, std::span<const std::string_view> paths)
      : fields_(fields), paths_(paths) {}

  const std::string& error() const { return error_; }

  bool null() override { return put(std::monostate()); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(static_cast<int64_t>(value)); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<number_unsigned_t>(std::numeric_limits<int64_t>::max()))
      return put(JsonFields::Other());
    return put(static_cast<int64_t>(value));
  }
  bool number_float(number_float_t, const string_t&) override { return put(JsonFields::Other()); }
  bool string(string_t& value) override { return wanted() ? put(std::move(value)) : at_top(); }
  bool binary(binary_t&) override { return fail("binary values are not JSON"); }

  bool start_object(std::size_t) override { return enter(on_path_ && leads_somewhere()); }
  bool start_array(std::size_t) override {
    if (levels_.empty()) return fail("an object is expected at the top");
    return enter(false);
  }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }

  bool key(string_t& name) override {
    if (!levels_.back().on_path) return true;
    path_.resize(levels_.back().prefix);
    on_path_ = name.find('.') == std::string::npos && name.size() <= kMaxKey;
    if (!on_path_) return true;
    if (!path_.empty()) path_ += '.';
    path_ += name;
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& e) override {
    std::string what = e.what();
    size_t text = what.find("] ");
    return fail("is not JSON: " + (text == std::string::npos ? what : what.substr(text + 2)));
  }

 private:
  static constexpr size_t kMaxDepth = 64;
  static constexpr size_t kMaxKey = 128;

  struct Level {
    bool on_path;   // keys of this object can lead to something wanted
    size_t prefix;  // length of path_ at this object
  };

  bool fail(std::string message) {
    error_ = std::move(message);
    return false;
  }

  bool at_top() { return !levels_.empty() || fail("an object is expected at the top"); }

  bool wanted() const {
    return on_path_ && std::find(paths_.begin(), paths_.end(), std::string_view(path_)) != paths_.end();
  }

  bool leads_somewhere() const {
    return path_.empty() || std::any_of(paths_.begin(), paths_.end(), [this](std::string_view path) {
             return path.size() > path_.size() && path.starts_with(path_) && path[path_.size()] == '.';
           });
  }

  bool put(JsonFields::Value value) {
    if (!at_top()) return false;
    if (!wanted()) return true;
    bool is_new = fields_.values_.emplace(path_, std::move(value)).second;
    return is_new || fail(fmt::format("'{}' occurs twice", path_));
  }

  bool enter(bool on_path) {
    if (!levels_.empty() && wanted() && !put(JsonFields::Other())) return false;
    if (levels_.size() == kMaxDepth) return fail(fmt::format("is nested deeper than {} levels", kMaxDepth));
    levels_.push_back({on_path, path_.size()});
    on_path_ = on_path;
    return true;
  }

  bool leave() {
    levels_.pop_back();
    if (!levels_.empty()) on_path_ = levels_.back().on_path;
    return true;
  }

  JsonFields& fields_;
  std::span<const std::string_view> paths_;
  std::vector<Level> levels_;
  std::string path_;
  bool on_path_ = true;
  std::string error_;
};

Result<JsonFields> JsonFields::read(std::string_view text, std::string_view where,
                                    std::span<const std::string_view> paths) {
  JsonFields fields;
  fields.where_ = where;
  JsonFieldsReader reader(fields, paths);
  if (!nlohmann::json::sax_parse(text, &reader))
    return Error(ErrorCode::invalid, reader.error(), fields.where_);
  return fields;
}

const JsonFields::Value& JsonFields::value(std::string_view path) const {
  static const Value kAbsent;
  auto it = values_.find(path);
  return it == values_.end() ? kAbsent : it->second;
}

Error JsonFields::wrong(std::string_view path, std::string_view expected) const {
  bool absent = std::holds_alternative<std::monostate>(value(path));
  return Error(ErrorCode::invalid,
               fmt::format("'{}' {} {}", path, absent ? "is missing:" : "must be", expected), where_);
}

Result<std::string> JsonFields::text(std::string_view path) const {
  if (const auto* found = std::get_if<std::string>(&value(path))) return *found;
  return wrong(path, "a string");
}

Result<std::string> JsonFields::optional_text(std::string_view path) const {
  if (std::holds_alternative<std::monostate>(value(path))) return std::string();
  return text(path);
}

Result<bool> JsonFields::optional_bool(std::string_view path) const {
  if (std::holds_alternative<std::monostate>(value(path))) return false;
  if (const auto* found = std::get_if<bool>(&value(path))) return *found;
  return wrong(path, "true or false");
}

Result<int64_t> JsonFields::integer(std::string_view path) const {
  if (const auto* found = std::get_if<int64_t>(&value(path))) return *found;
  return wrong(path, "an integer");
}

}  // namespace pawl::forge
