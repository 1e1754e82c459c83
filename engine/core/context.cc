#include "engine/core/context.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "engine/base/log.h"

namespace pawl::core {

void Context::publish_json(std::string topic, const std::string& run_id, const Json& body) const {
  if (publish) publish({std::move(topic), run_id, dump_json(body)});
}

void must_record(const Result<void>& written, const char* what) {
  if (written.ok()) return;
  log_error("the record cannot be written ({}): {}; stopping, so that state and record cannot differ", what,
            written.error().to_string());
  // Supervisors go on; the next start picks up from the files. No destructor may act on state that was not
  // recorded.
  _exit(3);
}

}  // namespace pawl::core
