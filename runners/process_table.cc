#include "runners/process_table.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <memory>
#include <optional>
#include <string_view>

#include "engine/base/files.h"
#include "engine/base/text.h"

namespace pawl::runners {
namespace {

constexpr unsigned kKernelThread = 0x00200000;  // PF_KTHREAD

UniqueFd open_proc_file(pid_t pid, const char* name) {
  return UniqueFd(open(fmt::format("/proc/{}/{}", pid, name).c_str(), O_RDONLY | O_CLOEXEC));
}

// Files of /proc have no size to go by; "" when the process is gone.
std::string read_proc_file(const UniqueFd& fd) {
  constexpr size_t kMax = 8 << 20;  // far over the kernel's limit for an environment
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

struct Stat {
  Process process;
  bool zombie = false;                        // the first thread has ended; others may live
  std::optional<uint64_t> environment_bytes;  // nothing: not set up yet, or not for us to see
};

// proc(5): "pid (comm) state ppid pgrp session ..."; comm may hold spaces and parentheses.
Result<Stat> read_stat(pid_t pid) {
  Error gone(ErrorCode::not_found, fmt::format("there is no process {}", pid));
  const std::string text = read_proc_file(open_proc_file(pid, "stat"));
  std::string_view stat = text;
  size_t open_at = stat.find('(');
  size_t close_at = stat.rfind(')');
  if (open_at == std::string_view::npos || close_at == std::string_view::npos) return gone;
  std::vector<std::string_view> fields = split(stat.substr(close_at + 2), ' ');
  if (fields.size() < 49) return gone;
  Stat out;
  out.zombie = fields[0] == "Z" || fields[0] == "X";
  if (out.zombie && number<int>(fields[17]) <= 1) return gone;
  if ((number<unsigned>(fields[6]) & kKernelThread) != 0) return gone;
  out.process.pid = pid;
  out.process.parent = number<pid_t>(fields[1]);
  out.process.session = number<pid_t>(fields[3]);
  out.process.start_ticks = number<uint64_t>(fields[19]);
  out.process.name = stat.substr(open_at + 1, close_at - open_at - 1);
  uint64_t environment_start = number<uint64_t>(fields[47]);
  uint64_t environment_end = number<uint64_t>(fields[48]);
  if (environment_end != 0) out.environment_bytes = environment_end - environment_start;
  return out;
}

Marked has_mark(pid_t pid, const std::string& mark) {
  UniqueFd fd = open_proc_file(pid, "environ");
  if (!fd) return errno == EACCES || errno == EPERM ? Marked::no : Marked::unknown;
  std::string environment = read_proc_file(fd);
  for (std::string_view entry : split(environment, '\0')) {
    if (entry == mark) return Marked::yes;
  }
  // Asked after the reading: an exec in between makes the two differ, or leaves nothing to read.
  auto stat = read_stat(pid);
  if (!stat.ok()) return Marked::unknown;
  bool whole =
      stat->environment_bytes ? environment.size() == *stat->environment_bytes : !environment.empty();
  return whole || stat->zombie ? Marked::no : Marked::unknown;
}

}  // namespace

Result<Process> find_process(pid_t pid) {
  PAWL_ASSIGN(Stat stat, read_stat(pid));
  return std::move(stat.process);
}

Result<std::vector<Process>> live_processes(const std::string& mark) {
  std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc"), closedir);
  if (!folder) return errno_error("cannot list processes", "/proc", errno);
  std::vector<Process> out;
  while (dirent* entry = readdir(folder.get())) {
    pid_t pid = number<pid_t>(entry->d_name);
    if (pid <= 0) continue;
    auto process = find_process(pid);
    if (!process.ok()) continue;
    if (!mark.empty()) process->marked = has_mark(pid, mark);
    out.push_back(std::move(*process));
  }
  return out;
}

}  // namespace pawl::runners
