// The environment of a rank: what docs/contract.md promises to a stage. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runners/attempt_spec.h"

namespace pawl::runners {

using Environment = std::map<std::string, std::string>;

// What a rank may inherit from the process that starts it: who and where the user is (PATH, HOME, USER, LANG,
// LC_*, TZ, TMPDIR, ...), which Python (VIRTUAL_ENV, CONDA_*, PYENV_*, PYTHONPATH), which libraries
// (LD_LIBRARY_PATH, CUDA_HOME, ...), caches and proxies. Everything else (tokens of the daemon above all)
// stays behind; what a stage needs beyond this stands in `env:` of the pipeline.
Environment inherited_environment(const Environment& all);

// The environment of rank `rank`: `base` (see above), under the user's `env`, under the torchrun contract and
// PAWL_*, which nobody overrides. Exceptions: OMP_NUM_THREADS is the user's if set; PYTHONPATH gets our
// folders in front of the user's, PATH that of our programs behind them.
Environment rank_environment(const AttemptSpec& spec, const Environment& base, int rank, int master_port);

// PAWL_DATA_<this>: upper case, whatever is no ASCII letter or digit becomes '_'.
std::string variable_name(std::string_view name);

// The command line of every rank: bash -e -o pipefail -c '<setup>\n<command>'. argv[0] is found in PATH.
std::vector<std::string> rank_command(const AttemptSpec& spec);

}  // namespace pawl::runners
