#include "engine/cli/usage.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "engine/base/text.h"

namespace pawl::cli {
namespace {

// The commands that were understood, outermost first: `baseline`, `pin`.
std::vector<const CLI::App*> understood(const CLI::App* app) {
  std::vector<const CLI::App*> out = {app};
  for (auto inner = app->get_subcommands(); !inner.empty(); inner = inner[0]->get_subcommands()) {
    out.push_back(inner[0]);
  }
  return out;
}

std::vector<std::string> commands_of(const CLI::App* app) {
  std::vector<std::string> out;
  for (const CLI::App* command :
       app->get_subcommands([](const CLI::App* c) { return !c->get_group().empty(); })) {
    out.push_back(command->get_name());
  }
  return out;
}

std::string mend_option(const std::vector<const CLI::App*>& apps, std::string_view word) {
  std::vector<std::string> known;
  for (const CLI::App* app : apps) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
  }
  return did_you_mean(word.substr(0, word.find('=')), known);
}

}  // namespace

std::string usage_message(const CLI::App* app, const CLI::Error& error) {
  std::string text = error.what();
  std::vector<const CLI::App*> apps = understood(app);
  std::vector<std::string> commands = commands_of(apps.back());
  for (const std::string& word : app->remaining(true)) {
    bool is_option = word.starts_with("--");
    if (!is_option && commands.empty()) continue;
    if (!is_option) text = fmt::format("There is no command '{}'", sanitize_for_terminal(word));
    std::string near = is_option ? mend_option(apps, word) : did_you_mean(word, commands);
    if (!near.empty()) text += fmt::format(": did you mean {}?", near);
    break;
  }
  return text + "\nRun with --help or --help-all for more information.\n";
}

}  // namespace pawl::cli
