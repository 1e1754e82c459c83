// pawl version: what a bug report needs.

#include <fmt/format.h>
#include <sqlite3.h>

#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/cli/commands.h"
#include "engine/cli/output.h"
#include "engine/store/database.h"
#include "hooks/capture/wire.h"

namespace pawl::cli {

int version(const Global& global) {
  if (global.json) {
    print_json({{"version", PAWL_VERSION},
                {"revision", PAWL_REVISION},
                {"compiler", __VERSION__},
                {"sqlite", sqlite3_libversion()},
                {"schema_version", store::schema_version()},
                {"trace_format", wire::kFormatVersion}});
  } else {
    print(fmt::format("pawl {} ({})\n", PAWL_VERSION, PAWL_REVISION));
  }
  return 0;
}

}  // namespace pawl::cli
