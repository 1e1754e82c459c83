// pawl project: the repositories a daemon serves.

#include <fmt/format.h>
#include <limits.h>
#include <sys/stat.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/ids.h"
#include "engine/base/subprocess.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/output.h"
#include "engine/core/config.h"
#include "engine/core/home.h"

namespace pawl::cli {
namespace {

Result<std::string> secret_from_environment(const std::string& variable) {
  if (variable.empty()) return std::string();
  const char* value = std::getenv(variable.c_str());
  if (value == nullptr || *value == '\0') {
    return Error(ErrorCode::usage, fmt::format("the environment variable {} is not set", variable));
  }
  return std::string(value);
}

Result<void> git_config(const std::string& repository, const std::string& key, const std::string& value) {
  CommandOptions options;
  options.argv = {"git", "-c", "safe.directory=*", "--git-dir=" + repository, "config", key, value};
  PAWL_ASSIGN(CommandResult result, run_command(options));
  if (!result.status.success()) return Error(ErrorCode::io, "git config failed: " + result.err, repository);
  return {};
}

// hooks/post-receive of a bare repository on this machine calls the product's own hook, which reads where to
// send from the repository's configuration.
Result<void> install_hook(const core::Home& home, const core::Install& install, const std::string& repository,
                          const std::string& webhook, const std::string& secret) {
  if (!path_exists(repository + "/HEAD")) {
    return Error(ErrorCode::usage, "--install-hook needs a bare repository on this machine", repository);
  }
  std::string hook = repository + "/hooks/post-receive";
  auto present = read_file(hook, 1 << 20);
  bool ours = present.ok() && present->find(" hook post-receive\n") != std::string::npos;
  if (path_exists(hook) && !ours) {
    return Error(ErrorCode::conflict, "is there already: call `pawl hook post-receive` from it yourself",
                 hook);
  }
  PAWL_RETURN_IF_ERROR(make_dirs(repository + "/hooks"));
  PAWL_RETURN_IF_ERROR(git_config(repository, "pawl.webhook", webhook));
  PAWL_RETURN_IF_ERROR(git_config(repository, "pawl.home", home.root));
  PAWL_RETURN_IF_ERROR(git_config(repository, "pawl.secret", secret));
  if (chmod((repository + "/config").c_str(), 0600) != 0)
    return errno_error("cannot protect", repository, errno);
  return write_file_atomic(
      hook, fmt::format("#!/bin/sh\nexec {} hook post-receive\n", shell_quote(install.pawl)), 0755);
}

// Under the public name; else where the daemon listens, or will.
std::string webhook_url(const core::Home& home, const core::Config& config, const std::string& name) {
  std::string base = config.public_url;
  if (auto endpoint = read_file(home.endpoint(), 1 << 16); base.empty() && endpoint.ok()) {
    base = json_string(parse_json(*endpoint, home.endpoint()).value_or(Json::object()), "url");
  }
  return fmt::format("{}/hooks/{}", base.empty() ? "http://" + config.listen : base, name);
}

Result<int> add(const Global& global, const ProjectAddOptions& options) {
  PAWL_ASSIGN(core::Home home, core::find_home(global.home));
  PAWL_ASSIGN(core::Install install, core::find_install());
  PAWL_RETURN_IF_ERROR(make_dirs(home.root, 0700));
  PAWL_ASSIGN(core::Config config, core::load_config(home.config()));
  core::Project project;
  project.url = options.url;
  if (options.url.find("://") == std::string::npos && path_exists(options.url)) {
    char resolved[PATH_MAX];
    if (realpath(options.url.c_str(), resolved) != nullptr) project.url = resolved;
  }
  project.name = options.name.empty() ? core::project_name_from_url(project.url) : options.name;
  if (!core::valid_project_name(project.name)) {
    return Error(ErrorCode::usage, fmt::format("'{}' cannot be a project's name", project.name));
  }
  if (config.projects.contains(project.name)) {
    return Error(ErrorCode::conflict,
                 fmt::format("there is a project '{}' already: choose another --name", project.name));
  }
  project.target = options.target;
  project.username = options.username;
  PAWL_ASSIGN(project.token, secret_from_environment(options.token_env));
  project.forge.kind = options.forge;
  project.forge.api_url = options.forge_api;
  project.forge.repository = options.forge_repository;
  PAWL_ASSIGN(project.forge.token, secret_from_environment(options.forge_token_env));
  project.data = options.data;
  project.secrets = {random_hex(32)};
  if (config.token.empty()) config.token = random_hex(32);
  std::string webhook = webhook_url(home, config, project.name);
  if (options.install_hook) {
    PAWL_RETURN_IF_ERROR(install_hook(home, install, project.url, webhook, project.secrets[0]));
  }
  config.projects[project.name] = project;
  PAWL_RETURN_IF_ERROR(core::save_config(home.config(), config));
  if (global.json) {
    print_json({{"name", project.name},
                {"url", project.url},
                {"target", project.target},
                {"webhook", webhook},
                {"secret", project.secrets[0]}});
    return 0;
  }
  print(fmt::format("project {} added to {}\n", project.name, home.config()));
  if (options.install_hook) {
    print(fmt::format("its repository calls {} after every push\n", webhook));
  } else {
    print(fmt::format(
        "In the forge's settings of the repository, add a webhook:\n  URL           {}\n  secret        {}\n"
        "  content type  application/json\n  events        pushes, pull requests\n",
        webhook, project.secrets[0]));
  }
  return 0;
}

Result<int> list(const Global& global) {
  PAWL_ASSIGN(core::Home home, core::find_home(global.home));
  PAWL_ASSIGN(core::Config config, core::load_config(home.config()));
  Json out = Json::array();
  std::vector<std::vector<Cell>> rows;
  for (const auto& [name, project] : config.projects) {
    out.push_back({{"name", name},
                   {"url", project.url},
                   {"target", project.target},
                   {"forge", project.forge.kind},
                   {"webhook", webhook_url(home, config, name)},
                   {"data", project.data}});
    rows.push_back({{name}, {project.target}, {project.url}});
  }
  if (global.json) {
    print_json({{"projects", out}});
  } else {
    print(rows.empty() ? "no projects: add one with `pawl project add URL`\n"
                       : render_table({"project", "target", "repository"}, rows));
  }
  return 0;
}

Result<int> remove(const Global& global, const std::string& name) {
  PAWL_ASSIGN(core::Home home, core::find_home(global.home));
  PAWL_ASSIGN(core::Config config, core::load_config(home.config()));
  if (config.projects.erase(name) == 0) {
    std::vector<std::string> names;
    for (const auto& [known, project] : config.projects) names.push_back(known);
    std::string near = did_you_mean(name, names);
    return Error(ErrorCode::not_found, fmt::format("there is no project '{}'{}", sanitize_for_terminal(name),
                                                   near.empty() ? "" : ": did you mean '" + near + "'?"));
  }
  PAWL_RETURN_IF_ERROR(core::save_config(home.config(), config));
  if (global.json) {
    print_json({{"removed", name}});
  } else {
    print(fmt::format("project {} removed; its runs stay in the record\n", name));
  }
  return 0;
}

int finish(Result<int> result) {
  return result.ok() ? *result : fail(result.error());
}

}  // namespace

int project_add(const Global& global, const ProjectAddOptions& options) {
  return finish(add(global, options));
}
int project_list(const Global& global) {
  return finish(list(global));
}
int project_remove(const Global& global, const std::string& name) {
  return finish(remove(global, name));
}

}  // namespace pawl::cli
