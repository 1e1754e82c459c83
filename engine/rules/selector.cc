#include <re2/re2.h>

#include "engine/base/error.h"
#include "engine/rules/rule.h"

namespace pawl::rules {

Result<Selector> Selector::create(const std::string& include) {
  Selector selector;
  if (include.empty()) return selector;
  auto regex = std::make_shared<const RE2>(include, RE2::Quiet);
  if (!regex->ok()) return Error(ErrorCode::invalid, "wrong regular expression: " + regex->error(), include);
  selector.regex_ = std::move(regex);
  return selector;
}

bool Selector::selects(uint32_t series, std::string_view name) {
  if (!regex_) return true;
  auto [known, added] = known_.try_emplace(series, false);
  if (added) known->second = RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), *regex_);
  return known->second;
}

}  // namespace pawl::rules
