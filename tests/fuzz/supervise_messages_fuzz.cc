// The JSON a supervisor and its clients exchange, and the files of an attempt: whatever the bytes, a value or
// an error.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "engine/supervise/command.h"
#include "engine/supervise/intent.h"
#include "engine/supervise/live.h"
#include "engine/supervise/result.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  // What is accepted can be written again.
  if (auto intent = pawl::supervise::parse_intent(text, "intent.json"); intent.ok()) {
    (void)pawl::dump_json(pawl::supervise::to_json(*intent));
  }
  if (auto result = pawl::supervise::parse_result(text, "result.json"); result.ok()) {
    (void)pawl::dump_json(pawl::supervise::to_json(*result));
  }
  if (auto message = pawl::supervise::parse_live_line(text); message.ok()) {
    (void)pawl::supervise::live_line(*message);
  }
  if (auto command = pawl::supervise::parse_command(text); command.ok())
    (void)pawl::supervise::command_line(*command);
  if (auto answer = pawl::supervise::parse_capture_answer(text); answer.ok())
    (void)pawl::supervise::capture_line(*answer);
  if (auto capture = pawl::pipeline::parse_capture_request(text); capture.ok()) {
    // What is read is written so that it is read the same.
    const auto again = pawl::pipeline::parse_capture_request(pawl::pipeline::capture_request(*capture));
    if (!again.ok() || *again != *capture) __builtin_trap();
  }
  (void)pawl::supervise::parse_started(text, "supervisor.json");
  return 0;
}
