// A rank that records a trace as a training would: trace_writer STEPS [bad STEP RANK] [lr_only] [deaf]
//   bad STEP RANK: the gradient of that step on that rank has a NaN; afterwards every rank waits to be ended,
//   as a
//                  training does whose peer is stuck.
//   lr_only:       no loss, no gradient
//   deaf:          ignores SIGTERM
#include <fcntl.h>
#include <pawl/capture.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

struct Plan {
  uint64_t steps = 0;
  uint64_t bad_step = UINT64_MAX;
  uint32_t bad_rank = 0;
  bool lr_only = false;
};

Plan parse(int argc, char** argv) {
  Plan plan;
  plan.steps = std::strtoull(argv[1], nullptr, 10);
  for (int i = 2; i < argc; ++i) {
    std::string word = argv[i];
    if (word == "bad" && i + 2 < argc) {
      plan.bad_step = std::strtoull(argv[++i], nullptr, 10);
      plan.bad_rank = static_cast<uint32_t>(std::atoi(argv[++i]));
    } else if (word == "lr_only") {
      plan.lr_only = true;
    } else if (word == "deaf") {
      signal(SIGTERM, SIG_IGN);
    }
  }
  return plan;
}

// Keeps the ranks in step, as an all-reduce does: nobody begins a step before all have come to it.
class Lockstep {
 public:
  Lockstep(uint32_t rank, uint32_t world_size) : rank_(rank), world_size_(world_size) {
    std::string path = std::string(std::getenv("PAWL_OUTPUT_DIR")) + "/lockstep";
    int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    size_t size = world_size * sizeof(std::atomic<uint64_t>);
    if (fd < 0 || ftruncate(fd, static_cast<off_t>(size)) != 0) std::abort();
    void* map = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) std::abort();
    arrived_ = static_cast<std::atomic<uint64_t>*>(map);
    close(fd);
  }
  void meet(uint64_t step) {
    arrived_[rank_].store(step + 1);
    for (uint32_t other = 0; other < world_size_; ++other) {
      while (arrived_[other].load() < step + 1) sched_yield();
    }
  }

 private:
  uint32_t rank_;
  uint32_t world_size_;
  std::atomic<uint64_t>* arrived_ = nullptr;
};

uint32_t number(const char* name) {
  return static_cast<uint32_t>(std::atoi(std::getenv(name)));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  Plan plan = parse(argc, argv);
  pawl_capture_options options{};
  options.struct_size = sizeof options;
  options.rank = number("RANK");
  options.world_size = number("WORLD_SIZE");
  options.trace_dir = std::getenv("PAWL_TRACE_DIR");
  options.control_path = std::getenv("PAWL_CONTROL_FILE");
  options.producer = "test";
  pawl_capture* capture = nullptr;
  if (pawl_capture_open(&options, &capture) != PAWL_OK) {
    std::fprintf(stderr, "%s\n", pawl_capture_last_error(nullptr));
    return 1;
  }
  uint32_t loss = 0;
  uint32_t rate = 0;
  uint32_t gradient = 0;
  int64_t shape[] = {4, 4};
  pawl_capture_series(capture, "loss", PAWL_LOSS, PAWL_F64, nullptr, 0, &loss);
  pawl_capture_series(capture, "lr", PAWL_SCALAR, PAWL_F64, nullptr, 0, &rate);
  pawl_capture_series(capture, "fc1.weight", PAWL_GRADIENT, PAWL_F32, shape, 2, &gradient);
  Lockstep lockstep(options.rank, options.world_size);
  for (uint64_t step = 0; step < plan.steps; ++step) {
    lockstep.meet(step);
    float values[16];
    for (int i = 0; i < 16; ++i) values[i] = 0.01f * static_cast<float>(i + 1);
    bool bad = step == plan.bad_step;
    if (bad && options.rank == plan.bad_rank) values[3] = NAN;
    pawl_capture_step_begin(capture, step, 0);
    pawl_capture_scalar(capture, rate, 0.1);
    if (!plan.lr_only) {
      pawl_capture_scalar(capture, loss, 2.0 / (1.0 + 0.01 * static_cast<double>(step)));
      pawl_capture_tensor(capture, gradient, values, PAWL_F32, 16);
    }
    pawl_capture_step_end(capture);
    if (bad) {
      pawl_capture_flush(capture);
      while (true) pause();
    }
  }
  pawl_capture_close(capture);
  return 0;
}
