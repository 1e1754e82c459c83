// Files of datasets that are compared row by row: any bytes give rows or none. The first byte chooses the
// format.
#include <cstdint>
#include <fstream>
#include <string_view>

#include "engine/base/files.h"
#include "engine/trigger/row_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static const pawl::TempDir dir = pawl::TempDir::create("pawl-rows-fuzz").value();
  const std::string path = dir.path() + (data[0] == 'n' ? "/a.npy" : data[0] == 'i' ? "/a.idx" : "/a.csv");
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(data) + 1, static_cast<std::streamsize>(size - 1));
  std::uint64_t last = 0;
  const auto read = pawl::trigger::read_rows(path, [&](const pawl::trigger::Row& row) {
    PAWL_CHECK(row.bytes.size() >= pawl::trigger::kMinRowBytes && row.bytes.size() < size &&
               row.number > last);
    last = row.number;
  });
  PAWL_CHECK(read.ok());
  return 0;
}
