// Event files that a training wrote: the frames of raw bytes, however they are cut, and, since a CRC keeps
// random bytes out, the message in them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "engine/trace/event_reader.h"

namespace {

using pawl::trace::TfRecordDecoder;

std::vector<std::string> messages(std::string_view bytes, size_t chunk, bool passes_over = false) {
  TfRecordDecoder decoder;
  std::vector<std::string> out;
  for (size_t at = 0; at < bytes.size();) {
    decoder.feed(bytes.substr(at, chunk));
    at += std::min(chunk, bytes.size() - at);
    while (auto message = decoder.next()) out.push_back(std::move(*message));
    if (passes_over) at += decoder.pass_over(bytes.size() - at);
  }
  return out;
}

void parse(std::string_view message) {
  const auto event = pawl::trace::parse_event(message);
  if (!event.ok()) return;
  for (const auto& value : event->values) {
    const auto series = pawl::trace::series_of_event("runs", value.tag);
    if (series.name.size() != value.tag.size() + 5) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  parse(bytes);
  const auto whole = messages(bytes, size + 1);
  for (const std::string& message : whole) parse(message);
  if (messages(bytes, 1) != whole || messages(bytes, 13) != whole || messages(bytes, 13, true) != whole)
    std::abort();
  return 0;
}
