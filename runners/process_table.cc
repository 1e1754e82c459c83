#include "runners/process_table.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <memory>
#include <string_view>

#include "engine/base/files.h"
#include "engine/base/text.h"

namespace pawl::runners {
namespace {

// Files of /proc have no size to go by; "" when the process is gone.
std::string read_proc_file(pid_t pid, const char* name) {
  constexpr size_t kMax = 8 << 20;  // far over the kernel's limit for an environment
  UniqueFd fd(open(fmt::format("/proc/{}/{}", pid, name).c_str(), O_RDONLY | O_CLOEXEC));
  std::string out;
  if (!fd) return out;
  char buffer[16384];
  while (out.size() < kMax) {
    ssize_t n = read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    out.append(buffer, static_cast<size_t>(n));
  }
  return out;
}

template <class T>
T number(std::string_view text) {
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// proc(5): "pid (comm) state ppid pgrp session ..."; comm may hold spaces and parentheses.
Result<Process> parse_stat(pid_t pid, std::string_view stat) {
  Error gone(ErrorCode::not_found, fmt::format("there is no process {}", pid));
  size_t open_at = stat.find('(');
  size_t close_at = stat.rfind(')');
  if (open_at == std::string_view::npos || close_at == std::string_view::npos) return gone;
  std::vector<std::string_view> fields = split(stat.substr(close_at + 2), ' ');
  if (fields.size() < 20) return gone;
  bool dead = fields[0] == "Z" || fields[0] == "X";
  if (dead && number<int>(fields[17]) <= 1) return gone;
  Process process;
  process.pid = pid;
  process.parent = number<pid_t>(fields[1]);
  process.session = number<pid_t>(fields[3]);
  process.start_ticks = number<uint64_t>(fields[19]);
  process.name = stat.substr(open_at + 1, close_at - open_at - 1);
  return process;
}

}  // namespace

Result<Process> find_process(pid_t pid) {
  return parse_stat(pid, read_proc_file(pid, "stat"));
}

Result<std::vector<Process>> live_processes() {
  std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc"), closedir);
  if (!folder) return errno_error("cannot list processes", "/proc", errno);
  std::vector<Process> out;
  while (dirent* entry = readdir(folder.get())) {
    pid_t pid = number<pid_t>(entry->d_name);
    if (pid <= 0) continue;
    if (auto process = find_process(pid); process.ok()) out.push_back(std::move(*process));
  }
  return out;
}

bool environment_has(pid_t pid, const std::string& assignment) {
  std::string environment = read_proc_file(pid, "environ");
  for (std::string_view entry : split(environment, '\0')) {
    if (entry == assignment) return true;
  }
  return false;
}

}  // namespace pawl::runners
