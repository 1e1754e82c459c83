// Child processes. argv arrays only, never a shell line; every descriptor that is not asked for is closed in
// the child; a child is always waited for.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/files.h"

namespace pawl {

// How a process ended. Made from waitpid's status; the raw word never leaves this class.
class ExitStatus {
 public:
  static ExitStatus from_wait(int wait_status);
  static ExitStatus exited(int code) { return ExitStatus(code, 0); }
  static ExitStatus killed(int signal) { return ExitStatus(-1, signal); }

  bool success() const { return signal_ == 0 && code_ == 0; }
  bool signaled() const { return signal_ != 0; }
  int code() const { return code_; }      // -1 when killed by a signal
  int signal() const { return signal_; }  // 0 when exited
  std::string to_string() const;          // "exit code 3", "signal 9 (Killed)"
  bool operator==(const ExitStatus&) const = default;

 private:
  ExitStatus(int code, int signal) : code_(code), signal_(signal) {}
  int code_;
  int signal_;
};

struct SpawnOptions {
  std::vector<std::string> argv;                          // argv[0] is looked up in PATH when it has no slash
  std::optional<std::map<std::string, std::string>> env;  // absent: this process's environment
  std::string cwd;                                        // empty: this process's
  int stdin_fd = -1;                                      // -1: /dev/null
  int stdout_fd = -1;                                     // -1: /dev/null
  int stderr_fd = -1;                                     // -1: /dev/null
  bool new_session = false;                               // setsid: detached from the terminal
};

struct Child {
  pid_t pid = -1;
  UniqueFd pidfd;  // readable when the process has ended
};

// Starts a process (posix_spawn: no copy of our memory). Signal mask and dispositions are reset in the child.
Result<Child> spawn(const SpawnOptions& options);

// Waits for the end and reaps. Blocks.
ExitStatus wait_for(const Child& child);

struct CommandResult {
  ExitStatus status = ExitStatus::exited(0);
  std::string out;  // standard output
  std::string err;  // standard error, at most 64 KiB
};

struct CommandOptions {
  std::vector<std::string> argv;
  std::optional<std::map<std::string, std::string>> env;
  std::string cwd;
  std::string_view input;               // written to standard input
  int64_t timeout_ms = 10 * 60 * 1000;  // then killed: error timeout
  size_t max_output_bytes = 64u << 20;  // more is an error
};

// Runs to the end and collects the output. A non-zero exit is no error here: look at `status`.
Result<CommandResult> run_command(const CommandOptions& options);

// The environment of this process.
std::map<std::string, std::string> current_environment();

}  // namespace pawl
