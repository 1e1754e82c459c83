// Where ranks run. The supervisor knows no more of a machine than this.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/subprocess.h"

namespace pawl::runners {

struct RankSpec {
  int rank = 0;
  std::vector<std::string> argv;  // argv[0] is looked up in PATH of `env` when it has no slash
  std::map<std::string, std::string> env;
  std::string cwd;
};

enum class Stream : uint8_t { out = 1, err = 2 };

// What is left to say when every process of the attempt is gone.
struct Ending {
  std::set<std::string> leftovers;     // names of processes that outlived their ranks and were ended
  std::vector<std::string> survivors;  // "python3 (4711)": could not be ended
};

// Called on the loop's thread, never from inside a call of ours. Per rank the order is output..., exit;
// output may still follow the exit. `ended` comes last, exactly once after a successful launch.
struct RunnerEvents {
  std::function<void(int rank, Stream stream, std::string_view bytes)> output;
  std::function<void(int rank, Stream stream)> output_end;
  std::function<void(int rank, ExitStatus status)> exit;
  std::function<void(Ending ending)> ended;
};

class Runner {
 public:
  virtual ~Runner() = default;
  // Starts all ranks, or none and says why. At most once.
  virtual Result<void> launch(const std::vector<RankSpec>& ranks) = 0;
  // Asks every process of the attempt to end (TERM), and ends it after the grace (KILL). A second call can
  // only shorten the grace. Harmless before launch and after the end.
  virtual void terminate(int64_t grace_ms) = 0;
};

}  // namespace pawl::runners
