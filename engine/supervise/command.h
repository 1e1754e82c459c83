// What a client may ask of a supervisor on its socket, one JSON object a line, and what it answers:
//   {"cmd":"stop","reason":"cancelled by ..."}                 no answer, the state follows
//   {"cmd":"capture","collection":"gradients","ranks":[1],"every":1,...}
//                                                              {"type":"capture","generation":2,"request":"..."}
//   anything else                                              {"type":"error","message":"..."}
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "engine/base/error.h"
#include "pipelines/capture.h"

namespace pawl::supervise {

struct StopCommand {
  std::string reason;
};
using Command = std::variant<StopCommand, pipeline::CaptureChange>;

// With the newline.
std::string command_line(const Command& command);
// An error says what is wrong with the line. Ranks and steps are not negative, `every` is at least 1; the
// regular expression is one line.
Result<Command> parse_command(std::string_view line);

struct CaptureAnswer {
  uint64_t generation = 0;
  std::string request;  // that holds from the next step of each rank on
};
std::string capture_line(const CaptureAnswer& answer);
std::string error_line(std::string_view message);
// The answer in a line of the supervisor's. Error invalid: the command was refused, the message says why.
// Error not_found: the line is no answer.
Result<CaptureAnswer> parse_capture_answer(std::string_view line);

}  // namespace pawl::supervise
