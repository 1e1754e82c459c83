#include "bench/daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "engine/base/ids.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "runners/process_tree.h"

namespace pawl::bench {

double now_s(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

bool wait_readable(int fd, double deadline_s) {
  while (true) {
    double left_s = deadline_s - now_s(CLOCK_MONOTONIC);
    if (left_s <= 0) return false;
    pollfd readable{fd, POLLIN, 0};
    int n = poll(&readable, 1, static_cast<int>(left_s * 1000) + 1);
    if (n > 0) return true;
    if (n < 0 && errno != EINTR) return false;
  }
}

std::map<std::string, std::string> clean_environment() {
  auto out = current_environment();
  std::erase_if(out, [](const auto& entry) {
    return entry.first.starts_with("PAWL_") || entry.first.starts_with("GIT_");
  });
  out["GIT_CONFIG_NOSYSTEM"] = "1";
  out["GIT_CONFIG_GLOBAL"] = "/dev/null";
  return out;
}

Result<Daemon> Daemon::start(const std::string& dir, const std::string& repository) {
  PAWL_ASSIGN(std::string self, executable_path());
  const std::string home = dir + "/home";
  Daemon daemon;
  daemon.log_path_ = dir + "/daemon.log";
  PAWL_RETURN_IF_ERROR(daemon.write_config(home, repository));
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return errno_error("cannot become a subreaper", "", errno);
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return errno_error("cannot create a pipe", "", errno);
  UniqueFd output(fds[0]), input(fds[1]);
  UniqueFd log(open(daemon.log_path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  SpawnOptions options;
  options.argv = {parent_path(parent_path(self)) + "/bin/pawl", "--home", home, "--json", "serve"};
  options.env = clean_environment();
  options.stdout_fd = input.get();
  options.stderr_fd = log.get();
  PAWL_ASSIGN(daemon.child_, spawn(options));
  input.reset();
  PAWL_ASSIGN(std::string line, daemon.first_line(output.get()));
  PAWL_ASSIGN(Json endpoint, parse_json(line, "the daemon's first line"));
  daemon.url_ = json_string(endpoint, "url");
  return daemon;
}

// Branch heads are compared so rarely that every start comes from its webhook.
Result<void> Daemon::write_config(const std::string& home, const std::string& repository) {
  token_ = random_hex(32);
  secret_ = random_hex(32);
  PAWL_RETURN_IF_ERROR(make_dirs(home, 0700));
  return write_file_atomic(home + "/config.yml",
                           fmt::format("listen: \"127.0.0.1:0\"\n"
                                       "token: \"{}\"\n"
                                       "reconcile: 1d\n"
                                       "projects:\n"
                                       "  bench:\n"
                                       "    url: \"{}\"\n"
                                       "    secrets: [\"{}\"]\n",
                                       token_, repository, secret_),
                           0600);
}

Result<std::string> Daemon::first_line(int fd) const {
  std::string line;
  double deadline = now_s(CLOCK_MONOTONIC) + kPatienceMs / 1e3;
  while (!line.ends_with('\n')) {
    char byte;
    if (!wait_readable(fd, deadline)) return Error(ErrorCode::timeout, "the daemon does not start");
    if (read(fd, &byte, 1) != 1) return Error(ErrorCode::unavailable, "the daemon ended:\n" + log());
    line += byte;
  }
  return line;
}

void Daemon::stop() {
  if (!child_.pidfd) return;
  kill(child_.pid, SIGTERM);
  if (!wait_readable(child_.pidfd.get(), now_s(CLOCK_MONOTONIC) + 10)) kill(child_.pid, SIGKILL);
  (void)wait_for(child_);
  child_.pidfd.reset();
  (void)runners::kill_tree({"", getpid()}, 0);
}

std::string Daemon::log() const {
  return sanitize_for_terminal(read_file(log_path_, 64u << 20).value_or("no log\n"));
}

Result<double> Daemon::rss_mb() const {
  const std::string path = fmt::format("/proc/{}/status", child_.pid);
  PAWL_ASSIGN(std::string status, read_file(path, 1 << 16));
  for (std::string_view line : split(status, '\n')) {
    if (!line.starts_with("VmRSS:") || !line.ends_with(" kB")) continue;
    PAWL_ASSIGN(int64_t kib, parse_int(trim(line.substr(6, line.size() - 9))));
    return static_cast<double>(kib) / 1024;
  }
  return Error(ErrorCode::io, "has no VmRSS", path);
}

}  // namespace pawl::bench
