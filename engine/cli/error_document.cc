#include "engine/cli/error_document.h"

#include <nlohmann/json.hpp>

#include "engine/cli/output.h"

namespace pawl::cli {
namespace {

bool wanted = false;
bool printed = false;

}  // namespace

void want_error_document() {
  wanted = true;
}

void note_output() {
  printed = true;
}

void print_error_document(std::string_view code, std::string_view message) {
  if (wanted && !printed) print_json({{"error", {{"code", code}, {"message", message}}}});
}

}  // namespace pawl::cli
