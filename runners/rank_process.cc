#include "runners/rank_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/text.h"

namespace pawl::runners {
namespace {

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> make_pipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return errno_error("cannot create a pipe", "", errno);
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<std::string> find_program(const RankSpec& spec) {
  const std::string& name = spec.argv.front();
  if (name.find('/') != std::string::npos) return name;
  auto path = spec.env.find("PATH");
  std::string folders = path == spec.env.end() ? "/usr/bin:/bin" : path->second;
  for (std::string_view folder : split(folders, ':')) {
    std::string candidate = fmt::format("{}/{}", folder, name);
    if (!folder.empty() && access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return Error(ErrorCode::not_found, "is not in PATH (" + folders + ")", name);
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& text : strings) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

enum class Step : int { folder, input, execute };

struct Failure {
  Step step;
  int error;
};

// What the child needs, laid out before the fork.
struct ChildPlan {
  const char* program;
  char* const* argv;
  char* const* env;
  const char* cwd;
  int out;
  int err;
  int failure;  // write end of a close-on-exec pipe: says what went wrong, or closes on success
  pid_t parent;
};

[[noreturn]] void fail_child(const ChildPlan& plan, Step step) {
  Failure failure{step, errno};
  (void)!write(plan.failure, &failure, sizeof failure);
  _exit(127);
}

// Between fork and exec: async-signal-safe calls only, no allocation.
[[noreturn]] void run_child(const ChildPlan& plan) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != plan.parent) _exit(127);  // the parent died before the line above
  setsid();
  for (int signal_number = 1; signal_number < NSIG; ++signal_number) signal(signal_number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (chdir(plan.cwd) != 0) fail_child(plan, Step::folder);
  int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (input < 0 || dup2(input, 0) < 0 || dup2(plan.out, 1) < 0 || dup2(plan.err, 2) < 0) {
    fail_child(plan, Step::input);
  }
  // Everything of ours is close-on-exec already; this catches what a library opened carelessly.
  syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
  execve(plan.program, plan.argv, plan.env);
  fail_child(plan, Step::execute);
}

Error describe(const Failure& failure, const RankSpec& spec, const std::string& program) {
  switch (failure.step) {
    case Step::folder:
      return errno_error("cannot enter the working directory", spec.cwd, failure.error);
    case Step::input:
      return errno_error("cannot set up standard streams", "", failure.error);
    case Step::execute:
      break;
  }
  if (failure.error == E2BIG) {
    return Error(ErrorCode::invalid,
                 "command and environment are too long for the kernel (128 KiB per string)", program);
  }
  return errno_error("cannot execute", program, failure.error);
}

}  // namespace

Result<RankProcess> start_rank_process(const RankSpec& spec) {
  PAWL_CHECK(!spec.argv.empty());
  PAWL_ASSIGN(std::string program, find_program(spec));
  PAWL_ASSIGN(Pipe out, make_pipe());
  PAWL_ASSIGN(Pipe err, make_pipe());
  PAWL_ASSIGN(Pipe failure, make_pipe());
  std::vector<std::string> argv = spec.argv;
  std::vector<std::string> env;
  for (const auto& [name, value] : spec.env) env.push_back(name + "=" + value);
  std::vector<char*> argv_pointers = pointers(argv);
  std::vector<char*> env_pointers = pointers(env);
  ChildPlan plan{program.c_str(),     argv_pointers.data(), env_pointers.data(),     spec.cwd.c_str(),
                 out.write_end.get(), err.write_end.get(),  failure.write_end.get(), getpid()};
  pid_t pid = fork();
  if (pid < 0) return errno_error("cannot fork for rank", std::to_string(spec.rank), errno);
  if (pid == 0) run_child(plan);
  failure.write_end.reset();
  Failure what{};
  ssize_t n = 0;
  do {
    n = read(failure.read_end.get(), &what, sizeof what);
  } while (n < 0 && errno == EINTR);
  if (n != 0) {
    waitpid(pid, nullptr, 0);
    return describe(what, spec, program);
  }
  fcntl(out.read_end.get(), F_SETFL, O_NONBLOCK);
  fcntl(err.read_end.get(), F_SETFL, O_NONBLOCK);
  return RankProcess{pid, std::move(out.read_end), std::move(err.read_end)};
}

}  // namespace pawl::runners
