// Stands in for the pawl binary: supervise_tool supervise <attempt_dir>
#include <cstdio>
#include <cstring>

#include "engine/supervise/supervisor.h"

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "supervise") == 0) return pawl::supervise::supervise_main(argv[2]);
  std::fprintf(stderr, "usage: %s supervise <attempt_dir>\n", argv[0]);
  return 2;
}
