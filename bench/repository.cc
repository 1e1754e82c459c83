#include "bench/repository.h"

#include <fmt/format.h>

#include "bench/daemon.h"
#include "engine/base/subprocess.h"
#include "engine/base/text.h"

namespace pawl::bench {
namespace {

std::string pipeline_text(const std::string& started) {
  return fmt::format(
      "version: 1\n"
      "on: {{push: {{branches: [main]}}}}\n"
      "env: {{LC_ALL: C}}\n"
      "stages:\n"
      "  train:\n"
      "    run: |\n"
      "      t=$EPOCHREALTIME\n"
      "      read -r number < number\n"
      "      echo \"$t\" > {}/$number\n"
      "    debug: off\n"
      "gate: off\n",
      shell_quote(started));
}

std::string sized_data(std::string_view text) {
  return fmt::format("data {}\n{}\n", text.size(), text);
}

// A chain of commits, each with a reference of its own, as git-fast-import(1) reads them.
std::string fast_import_stream(const std::string& pipeline, size_t commits) {
  std::string out;
  for (size_t i = 0; i < commits; ++i) {
    out += fmt::format("commit refs/bench/{}\nmark :{}\ncommitter Ada <ada@example.com> {} +0000\n", i, i + 1,
                       1'700'000'000 + i);
    out += sized_data(fmt::format("change {}", i));
    if (i > 0) out += fmt::format("from :{}\n", i);
    out += "M 100644 inline .pawl.yml\n" + sized_data(pipeline);
    out += "M 100644 inline number\n" + sized_data(fmt::format("{}\n", i));
  }
  return out;
}

}  // namespace

Result<Repository> Repository::create(const std::string& path, const std::string& started, size_t commits) {
  Repository repository(path);
  PAWL_ASSIGN(std::string made, repository.git({"init", "--quiet", "--bare", "--initial-branch=main", path}));
  PAWL_ASSIGN(made, repository.git({"--git-dir=" + path, "fast-import", "--quiet"},
                                   fast_import_stream(pipeline_text(started), commits)));
  for (size_t i = 0; i < commits; ++i) {
    PAWL_ASSIGN(std::string sha,
                repository.git({"--git-dir=" + path, "rev-parse", fmt::format("refs/bench/{}", i)}));
    repository.commits_.emplace_back(trim(sha));
  }
  return repository;
}

Result<void> Repository::move_main(size_t number) {
  auto moved = git({"--git-dir=" + path_, "update-ref", "refs/heads/main", commits_[number]});
  if (!moved.ok()) return std::move(moved).error();
  return {};
}

Result<std::string> Repository::git(const std::vector<std::string>& words, std::string_view input) const {
  CommandOptions options;
  options.argv = {"git"};
  options.argv.insert(options.argv.end(), words.begin(), words.end());
  options.env = clean_environment();
  options.input = input;
  options.timeout_ms = kPatienceMs;
  PAWL_ASSIGN(CommandResult result, run_command(options));
  if (!result.status.success()) return Error(ErrorCode::io, "git: " + result.err, path_);
  return std::move(result.out);
}

}  // namespace pawl::bench
