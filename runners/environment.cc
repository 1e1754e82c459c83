#include "runners/environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/base/error.h"
#include "engine/base/text.h"

namespace pawl::runners {
namespace {

constexpr std::array kInheritedNames = {
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONUNBUFFERED",
    "LD_LIBRARY_PATH",
    "CUDA_HOME",
    "CUDA_PATH",
    "TORCH_HOME",
    "HF_HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
};
constexpr std::array kInheritedPrefixes = {"LC_", "CONDA_", "PYENV_", "NCCL_", "GLOO_", "CCACHE_"};

bool inherits(std::string_view name) {
  return std::ranges::find(kInheritedNames, name) != kInheritedNames.end() ||
         std::ranges::any_of(kInheritedPrefixes,
                             [&](const char* prefix) { return name.starts_with(prefix); });
}

void set_torchrun_variables(Environment& env, const AttemptSpec& spec, int rank, int master_port) {
  std::string rank_text = std::to_string(rank);
  std::string world_text = std::to_string(spec.ranks);
  env["RANK"] = env["LOCAL_RANK"] = env["ROLE_RANK"] = rank_text;
  env["WORLD_SIZE"] = env["LOCAL_WORLD_SIZE"] = env["ROLE_WORLD_SIZE"] = world_text;
  env["GROUP_RANK"] = "0";
  env["MASTER_ADDR"] = "127.0.0.1";
  env["MASTER_PORT"] = std::to_string(master_port);
  // A torchrun inside the stage takes its own flags from PET_*; without this every torchrun of the machine
  // meets at port 29500 and two stages become one job.
  env["PET_MASTER_PORT"] = env["MASTER_PORT"];
  env["TORCHELASTIC_RUN_ID"] = fmt::format("{}-{}-{}", spec.run_id, spec.stage, spec.attempt);
  env["TORCHELASTIC_RESTART_COUNT"] = env["TORCHELASTIC_MAX_RESTARTS"] = std::to_string(spec.attempt - 1);
  env.emplace("OMP_NUM_THREADS", std::to_string(std::max(1, spec.cpus / std::max(1, spec.ranks))));
  if (!spec.gpu_uuids.empty()) {
    PAWL_CHECK(spec.gpu_uuids.size() == static_cast<size_t>(spec.ranks));
    env["CUDA_VISIBLE_DEVICES"] = join(spec.gpu_uuids[static_cast<size_t>(rank)], ",");
  }
}

void set_pawl_variables(Environment& env, const AttemptSpec& spec) {
  env["PAWL"] = "1";
  env["PAWL_RUN_ID"] = spec.run_id;
  env["PAWL_STAGE"] = spec.stage;
  env["PAWL_ATTEMPT"] = std::to_string(spec.attempt);
  env["PAWL_COOKIE"] = spec.cookie;
  if (spec.seed) env["PAWL_SEED"] = std::to_string(*spec.seed);
  env["PAWL_SOURCE_DIR"] = spec.source_dir;
  env["PAWL_OUTPUT_DIR"] = spec.attempt_dir + "/out";
  env["PAWL_TRACE_DIR"] = spec.attempt_dir + "/trace";
  env["PAWL_CONTROL_FILE"] = spec.attempt_dir + "/control";
  env["PAWL_CHECKPOINT_DIR"] = spec.checkpoint_dir;
  env["PAWL_CAPTURE"] = spec.capture;
  env["PAWL_CAPTURE_LIB"] = spec.capture_lib;
  env["PAWL_INCLUDE_DIR"] = spec.include_dir;
  env["PAWL_LIB_DIR"] = spec.lib_dir;
  for (const auto& [name, path] : spec.data_dirs) env["PAWL_DATA_" + variable_name(name)] = path;
  for (const auto& [name, path] : spec.needs_dirs) {
    env[fmt::format("PAWL_STAGE_{}_DIR", variable_name(name))] = path;
  }
  // At the end: our programs must not hide the user's.
  const auto path = env.find("PATH");
  if (path != env.end() && !spec.bin_dir.empty()) path->second += ":" + spec.bin_dir;
  if (!spec.python_dir.empty()) {
    std::string& modules = env["PYTHONPATH"];
    modules = fmt::format("{0}/site:{0}{1}{2}", spec.python_dir, modules.empty() ? "" : ":", modules);
  }
}

}  // namespace

std::string make_cookie(const std::string& run_id, const std::string& stage, int attempt, int64_t fence) {
  return fmt::format("{}/{}/{}/{}", run_id, stage, attempt, fence);
}

Environment inherited_environment(const Environment& all) {
  Environment out;
  std::ranges::copy_if(all, std::inserter(out, out.end()),
                       [](const auto& item) { return inherits(item.first); });
  return out;
}

Environment rank_environment(const AttemptSpec& spec, const Environment& base, int rank, int master_port) {
  Environment env = base;
  for (const auto& [name, value] : spec.env) env[name] = value;
  set_torchrun_variables(env, spec, rank, master_port);
  set_pawl_variables(env, spec);
  return env;
}

std::string variable_name(std::string_view name) {
  std::string out;
  for (char c : name) {
    bool lower = c >= 'a' && c <= 'z';
    bool kept = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    out += lower ? static_cast<char>(c - 'a' + 'A') : kept ? c : '_';
  }
  return out;
}

std::vector<std::string> rank_command(const AttemptSpec& spec) {
  std::string script = spec.setup.empty() ? spec.command : spec.setup + "\n" + spec.command;
  return {"bash", "-e", "-o", "pipefail", "-c", script};
}

}  // namespace pawl::runners
