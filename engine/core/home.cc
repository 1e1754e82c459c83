#include "engine/core/home.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/files.h"

namespace pawl::core {
namespace {

std::string environment(const char* name) {
  const char* value = getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

Result<Home> find_home(const std::string& flag) {
  std::string root = flag;
  if (root.empty()) root = environment("PAWL_HOME");
  if (root.empty() && !environment("XDG_DATA_HOME").empty()) root = environment("XDG_DATA_HOME") + "/pawl";
  if (root.empty() && !environment("HOME").empty()) root = environment("HOME") + "/.local/share/pawl";
  if (root.empty()) return Error(ErrorCode::usage, "no home for the record: set PAWL_HOME or give --home");
  if (root[0] != '/') {
    char cwd[PATH_MAX];
    if (getcwd(cwd, sizeof cwd) == nullptr)
      return errno_error("cannot read the working directory", "", errno);
    root = join_path(cwd, root);
  }
  while (root.size() > 1 && root.back() == '/') root.pop_back();
  return Home{root};
}

Result<Install> find_install() {
  PAWL_ASSIGN(std::string self, executable_path());
  Install install;
  install.bin_dir = parent_path(self);
  std::string prefix = parent_path(install.bin_dir);
  install.pawl = self;
  install.python_dir = prefix + "/share/pawl/python";
  install.lib_dir = prefix + "/lib";
  install.capture_lib = install.lib_dir + "/libpawl_capture.so";
  install.include_dir = prefix + "/include";
  return install;
}

}  // namespace pawl::core
