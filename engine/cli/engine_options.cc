#include "engine/cli/engine_options.h"

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>

#include "runners/gpu.h"

namespace pawl::cli {

schedule::Machine this_machine() {
  schedule::Machine machine;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) machine.cpus = std::max(CPU_COUNT(&set), 1);
  runners::GpuInventory inventory = runners::gpu_inventory();
  for (const runners::Gpu& gpu : inventory.gpus) machine.gpus.push_back(gpu.uuid);
  machine.gpu_description = runners::describe(inventory);
  return machine;
}

Result<std::string> absolute_path(const std::string& path) {
  char cwd[PATH_MAX];
  if (getcwd(cwd, sizeof cwd) == nullptr) return errno_error("cannot read the working directory", "", errno);
  return join_path(cwd, path);
}

namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  return set;
}

}  // namespace

StopSignals::LetThrough::LetThrough() {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

StopSignals::LetThrough::~LetThrough() {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

StopSignals::StopSignals() {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  fd_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  PAWL_CHECK(fd_);
}

int StopSignals::take() {
  signalfd_siginfo info{};
  return read(fd_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

}  // namespace pawl::cli
