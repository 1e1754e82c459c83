#include "tests/unit/gate/fixtures.h"

#include "engine/base/files.h"

namespace pawl::gate {

std::string fixture_text(const std::string& file) {
  return read_file(PAWL_GATE_FIXTURES_DIR "/" + file, 1 << 20).value();
}

}  // namespace pawl::gate
