#include "engine/supervise/client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/text.h"
#include "engine/supervise/intent.h"
#include "runners/process_table.h"

namespace pawl::supervise {

constexpr int64_t kAnswerMs = 5000;

Result<Child> start_supervisor(const std::string& pawl_binary, const std::string& attempt_dir) {
  std::string log_path = attempt_dir + "/supervisor.log";
  UniqueFd log(open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!log) return errno_error("cannot create", log_path, errno);
  SpawnOptions options;
  options.argv = {pawl_binary, "supervise", attempt_dir};
  options.cwd = std::string("/");  // a literal trips -Wrestrict in g++ 12
  options.stdout_fd = log.get();
  options.stderr_fd = log.get();
  options.new_session = true;
  return spawn(options);
}

Result<Probe> probe(const std::string& attempt_dir) {
  PAWL_ASSIGN(bool held, FileLock::is_held(attempt_dir + "/lock"));
  if (held) return Probe{Probe::State::running, std::nullopt};
  auto result = read_result(attempt_dir);
  if (result.ok()) return Probe{Probe::State::finished, std::move(*result)};
  if (result.error().code() == ErrorCode::not_found) return Probe{Probe::State::gone, std::nullopt};
  return std::move(result).error();
}

Result<UniqueFd> open_supervisor(const std::string& attempt_dir) {
  PAWL_ASSIGN(Started started, read_started(attempt_dir));
  Error gone(ErrorCode::not_found, "the supervisor is gone", attempt_dir);
  PAWL_ASSIGN(std::string boot_id, read_file("/proc/sys/kernel/random/boot_id", 128));
  if (trim(boot_id) != started.boot_id) return gone;
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, static_cast<pid_t>(started.pid), 0)));
  if (!pidfd) return gone;
  auto process = runners::find_process(static_cast<pid_t>(started.pid));
  if (!process.ok() || process->start_ticks != started.start_ticks) return gone;
  return pidfd;
}

Result<LiveConnection> LiveConnection::connect(const std::string& attempt_dir) {
  PAWL_ASSIGN(UniqueFd fd, connect_line_socket(attempt_dir));
  fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  return LiveConnection(std::move(fd));
}

Result<std::vector<LiveMessage>> LiveConnection::read() {
  std::vector<LiveMessage> messages;
  char buffer[65536];
  while (!ended_) {
    ssize_t n = ::read(fd_.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n <= 0) {
      ended_ = true;
      break;
    }
    PAWL_ASSIGN(std::vector<std::string> lines, lines_.add(std::string_view(buffer, static_cast<size_t>(n))));
    for (const std::string& line : lines) {
      if (auto message = parse_live_line(line); message.ok()) messages.push_back(std::move(*message));
    }
  }
  return messages;
}

namespace {

Result<UniqueFd> say(const std::string& attempt_dir, const Command& command) {
  PAWL_ASSIGN(UniqueFd fd, connect_line_socket(attempt_dir));
  std::string line = command_line(command);
  if (send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(line.size())) return fd;
  return errno_error("cannot write to", attempt_dir + "/sock", errno);
}

}  // namespace

Result<CaptureAnswer> change_capture(const std::string& attempt_dir, const pipeline::CaptureChange& change) {
  PAWL_ASSIGN(UniqueFd fd, say(attempt_dir, change));
  SystemClock clock;
  const int64_t deadline_ms = clock.monotonic_ms() + kAnswerMs;
  LineBuffer lines;
  while (true) {
    const int64_t left_ms = deadline_ms - clock.monotonic_ms();
    pollfd readable{fd.get(), POLLIN, 0};
    if (left_ms <= 0 || poll(&readable, 1, static_cast<int>(left_ms)) == 0)
      return Error(ErrorCode::unavailable, "the supervisor does not answer", attempt_dir);
    char buffer[16384];
    ssize_t n = recv(fd.get(), buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Error(ErrorCode::unavailable, "the stage has just ended", attempt_dir);
    PAWL_ASSIGN(std::vector<std::string> got, lines.add(std::string_view(buffer, static_cast<size_t>(n))));
    for (const std::string& line : got) {
      auto answer = parse_capture_answer(line);
      if (answer.ok() || answer.error().code() != ErrorCode::not_found) return answer;
    }
  }
}

Result<void> request_stop(const std::string& attempt_dir, const std::string& reason) {
  PAWL_ASSIGN(UniqueFd fd, say(attempt_dir, StopCommand{reason}));
  return {};
}

}  // namespace pawl::supervise
