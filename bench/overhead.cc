// The cost of the hooks in a training step is measured by a program that trains: overhead.py, with PyTorch.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/bench.h"

namespace pawl::bench {

int bench_overhead(bool json) {
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe");
  std::vector<std::string> argv = {"/usr/bin/python3", PAWL_BENCH_DIR "/overhead.py",
                                   self.parent_path().parent_path()};
  if (json) argv.push_back("--json");
  if (const char* peer = std::getenv("PAWL_BENCH_PEER")) argv.insert(argv.end(), {"--peer", peer});
  std::vector<char*> words;
  for (std::string& word : argv) words.push_back(word.data());
  words.push_back(nullptr);
  ::execv(words[0], words.data());
  std::perror("pawl-bench: cannot start /usr/bin/python3");
  return 3;
}

}  // namespace pawl::bench
