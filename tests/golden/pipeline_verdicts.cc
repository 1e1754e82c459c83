// For schema_agrees.py: reads one pipeline file per line of its input (in JSON, which is YAML), and answers
// each with one line of JSON: {"ok": true} or {"ok": false, "errors": [...]}.
#include <iostream>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "pipelines/parse.h"

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    pawl::pipeline::ParseResult result = pawl::pipeline::parse_pipeline(line, "input");
    pawl::Json errors = pawl::Json::array();
    for (const pawl::Diagnostic& diagnostic : result.diagnostics) {
      if (diagnostic.level == pawl::Diagnostic::Level::error) errors.push_back(diagnostic.message);
    }
    std::cout << pawl::dump_json({{"ok", result.ok()}, {"errors", errors}}) << "\n";
  }
}
