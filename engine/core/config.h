// config.yml of a home: where the daemon listens, its token, its projects. Holds secrets, so it is written
// with mode 0600 and never logged.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/base/error.h"

namespace pawl::core {

struct ForgeConfig {
  std::string kind;        // github, gitea, or empty: no statuses are written
  std::string api_url;     // empty: derived from the project's url
  std::string repository;  // "owner/name"; empty: derived from the project's url
  std::string token;
};

struct Project {
  std::string name;
  std::string url;                   // what the mirror fetches from
  std::string target = "main";       // the branch whose green runs are the baselines
  std::vector<std::string> secrets;  // any of them signs a webhook; several while one is being rotated
  std::string username;              // for https clones
  std::string token;
  ForgeConfig forge;
  std::map<std::string, std::string> data;  // dataset -> folder on this machine, over the path in .pawl.yml
};

struct Config {
  std::string listen = "127.0.0.1:8480";
  std::string token;               // of the API
  std::string public_url;          // for links in statuses; empty: no link
  int64_t reconcile_ms = 60'000;   // how often branch heads are compared with what the record knows
  int64_t data_poll_ms = 2'000;    // how often watched datasets are looked at
  int64_t data_quiet_ms = 30'000;  // how long a changed one must not change any more before it starts a run
  std::map<std::string, Project> projects;
};

// A missing file is an empty configuration. Mistakes come with file, line and caret in the message.
Result<Config> load_config(const std::string& path);
Result<void> save_config(const std::string& path, const Config& config);
std::string config_text(const Config& config);  // what save_config writes; parse_config reads it back
Result<Config> parse_config(std::string_view text, const std::string& file);

// Letters, digits, '-', '_' and '.', not starting with '.' or '-', at most 100: it becomes a file and URL
// name.
bool valid_project_name(std::string_view name);

// "https://host/o/fashion-mnist.git" -> "fashion-mnist".
std::string project_name_from_url(std::string_view url);

}  // namespace pawl::core
