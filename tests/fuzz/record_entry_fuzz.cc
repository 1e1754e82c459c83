// Entries of a record come from whoever may write to it: any bytes give an entry or an error, and an entry
// can be written again and is the same then.
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/digest.h"
#include "engine/base/error.h"
#include "engine/record/entry.h"

// The first line of the input is the entry's name; the digest is put right, so that what is behind it is
// reached.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pawl::record;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = input.find('\n');
  const std::string_view name = input.substr(0, line);
  const std::string body(line == std::string_view::npos ? std::string_view() : input.substr(line + 1));
  (void)read_entry(name, body);
  const auto entry = read_entry(name, "pawl-record-1 sha256:" + pawl::sha256_hex(body) + "\n" + body);
  if (!entry.ok()) return 0;
  const std::string text = write_entry(*entry);
  const auto again = read_entry(name_of(*entry), text);
  PAWL_CHECK(again.ok() && write_entry(*again) == text);
  PAWL_CHECK(is_project(project_of(*entry)));
  return 0;
}
