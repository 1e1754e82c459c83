#include "engine/base/subprocess.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "engine/base/clock.h"
#include "engine/base/text.h"

extern char** environ;

namespace pawl {

ExitStatus ExitStatus::from_wait(int wait_status) {
  if (WIFSIGNALED(wait_status)) return killed(WTERMSIG(wait_status));
  return exited(WEXITSTATUS(wait_status));
}

std::string ExitStatus::to_string() const {
  if (signal_ != 0) return fmt::format("signal {} ({})", signal_, strsignal(signal_));
  return fmt::format("exit code {}", code_);
}

std::map<std::string, std::string> current_environment() {
  std::map<std::string, std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    std::string_view text = *entry;
    size_t equals = text.find('=');
    if (equals != std::string_view::npos) out.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

namespace {

struct FileActions {
  posix_spawn_file_actions_t raw;
  FileActions() { posix_spawn_file_actions_init(&raw); }
  ~FileActions() { posix_spawn_file_actions_destroy(&raw); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  void use(int fd, int target, int flags) {
    if (fd >= 0) {
      posix_spawn_file_actions_adddup2(&raw, fd, target);
    } else {
      posix_spawn_file_actions_addopen(&raw, target, "/dev/null", flags, 0);
    }
  }
};

struct Attributes {
  posix_spawnattr_t raw;
  explicit Attributes(bool new_session) {
    posix_spawnattr_init(&raw);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&raw, &none);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigdefault(&raw, &all);
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (new_session) flags |= POSIX_SPAWN_SETSID;
    posix_spawnattr_setflags(&raw, static_cast<short>(flags));
  }
  ~Attributes() { posix_spawnattr_destroy(&raw); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
};

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& s : strings) out.push_back(s.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

Result<Child> spawn(const SpawnOptions& options) {
  PAWL_CHECK(!options.argv.empty());
  FileActions actions;
  actions.use(options.stdin_fd, 0, O_RDONLY);
  actions.use(options.stdout_fd, 1, O_WRONLY);
  actions.use(options.stderr_fd, 2, O_WRONLY);
  posix_spawn_file_actions_addclosefrom_np(&actions.raw, 3);
  if (!options.cwd.empty()) posix_spawn_file_actions_addchdir_np(&actions.raw, options.cwd.c_str());
  Attributes attributes(options.new_session);

  std::vector<std::string> argv = options.argv;
  std::vector<std::string> env;
  if (options.env) {
    for (const auto& [name, value] : *options.env) env.push_back(name + "=" + value);
  }
  std::vector<char*> env_pointers = pointers(env);
  Child child;
  int error = posix_spawnp(&child.pid, argv[0].c_str(), &actions.raw, &attributes.raw, pointers(argv).data(),
                           options.env ? env_pointers.data() : environ);
  if (error != 0) return errno_error("cannot start", argv[0], error);
  // The child is ours and not yet reaped, so its pid cannot have been reused.
  child.pidfd.reset(static_cast<int>(syscall(SYS_pidfd_open, child.pid, 0)));
  if (!child.pidfd) {
    int saved = errno;
    kill(child.pid, SIGKILL);
    (void)wait_for(child);
    return errno_error("cannot open a pidfd for", argv[0], saved);
  }
  return child;
}

ExitStatus wait_for(const Child& child) {
  int status = 0;
  while (waitpid(child.pid, &status, 0) < 0) {
    if (errno != EINTR) return ExitStatus::exited(255);  // not our child (any more): nothing to learn
  }
  return ExitStatus::from_wait(status);
}

namespace {

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
  static Result<Pipe> create() {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) return errno_error("cannot create a pipe", "", errno);
    return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
  }
};

// Reads what is there; false at the end of the stream.
bool drain_once(int fd, std::string& into, size_t keep) {
  char buffer[65536];
  ssize_t n = read(fd, buffer, sizeof buffer);
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  if (n == 0) return false;
  into.append(buffer, std::min(static_cast<size_t>(n), keep - std::min(keep, into.size())));
  return true;
}

bool feed_once(int fd, std::string_view& input) {
  ssize_t n = write(fd, input.data(), input.size());
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  input.remove_prefix(static_cast<size_t>(n));
  return !input.empty();
}

}  // namespace

Result<CommandResult> run_command(const CommandOptions& options) {
  PAWL_ASSIGN(Pipe in, Pipe::create());
  PAWL_ASSIGN(Pipe out, Pipe::create());
  PAWL_ASSIGN(Pipe err, Pipe::create());
  SpawnOptions spawn_options;
  spawn_options.argv = options.argv;
  spawn_options.env = options.env;
  spawn_options.cwd = options.cwd;
  spawn_options.stdin_fd = in.read_end.get();
  spawn_options.stdout_fd = out.write_end.get();
  spawn_options.stderr_fd = err.write_end.get();
  PAWL_ASSIGN(Child child, spawn(spawn_options));
  in.read_end.reset();
  out.write_end.reset();
  err.write_end.reset();
  fcntl(in.write_end.get(), F_SETFL, O_NONBLOCK);
  signal(SIGPIPE, SIG_IGN);  // a command that does not read its input must not kill us

  constexpr size_t kMaxErr = 64 << 10;
  SystemClock clock;
  int64_t deadline = clock.monotonic_ms() + options.timeout_ms;
  CommandResult result;
  std::string_view input = options.input;
  if (input.empty()) in.write_end.reset();
  auto fail = [&](Error error) {
    kill(child.pid, SIGKILL);
    (void)wait_for(child);
    return error;
  };
  while (out.read_end || err.read_end) {
    pollfd fds[3] = {
        {out.read_end.get(), POLLIN, 0}, {err.read_end.get(), POLLIN, 0}, {in.write_end.get(), POLLOUT, 0}};
    int64_t left = deadline - clock.monotonic_ms();
    if (left <= 0) {
      return fail(Error(ErrorCode::timeout, "did not end within " + format_duration(options.timeout_ms),
                        options.argv[0]));
    }
    if (poll(fds, 3, static_cast<int>(std::min<int64_t>(left, 60'000))) < 0) {
      if (errno == EINTR) continue;
      return fail(errno_error("poll failed for", options.argv[0], errno));
    }
    if (fds[0].revents != 0 && !drain_once(fds[0].fd, result.out, options.max_output_bytes + 1))
      out.read_end.reset();
    if (fds[1].revents != 0 && !drain_once(fds[1].fd, result.err, kMaxErr)) err.read_end.reset();
    if (fds[2].revents != 0 && !feed_once(fds[2].fd, input)) in.write_end.reset();
    if (result.out.size() > options.max_output_bytes) {
      return fail(Error(ErrorCode::invalid, "wrote more than " + format_bytes(options.max_output_bytes),
                        options.argv[0]));
    }
  }
  in.write_end.reset();
  pollfd ended{child.pidfd.get(), POLLIN, 0};
  while (poll(&ended, 1, static_cast<int>(std::max<int64_t>(deadline - clock.monotonic_ms(), 0))) <= 0) {
    if (clock.monotonic_ms() >= deadline) {
      return fail(Error(ErrorCode::timeout, "did not end within " + format_duration(options.timeout_ms),
                        options.argv[0]));
    }
  }
  result.status = wait_for(child);
  return result;
}

}  // namespace pawl
