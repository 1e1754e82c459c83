// Datasets come from anywhere: any bytes give examples or an error. The first byte chooses the format.
#include <cstdint>
#include <string_view>
#include <vector>

#include "stages/evaluate/csv_table.h"
#include "stages/evaluate/image.h"
#include "stages/evaluate/npz.h"

using pawl::evaluate::Array;

static void check(const pawl::Result<Array>& array) {
  if (!array) return;
  const std::size_t elements = array->examples() * array->per_example();
  PAWL_CHECK(elements > 0 && elements * size_of(array->element) == array->bytes.size());
  std::vector<float> values(elements);
  copy_floats(*array, 0, values);
}

static void check_npz(std::string_view bytes) {
  const auto archive = pawl::evaluate::Npz::open(bytes, "a.npz");
  if (!archive) return;
  for (const std::string& name : archive->names()) check(archive->read(name));
}

static void check_csv(std::string_view bytes) {
  const auto table = pawl::evaluate::parse_csv(bytes, "a.csv", {});
  if (!table) return;
  check(table->features);
  PAWL_CHECK(table->labels.size() == table->features.examples());
  PAWL_CHECK(table->ids.empty() || table->ids.size() == table->labels.size());
}

static void check_image(std::string_view bytes) {
  const auto image = pawl::evaluate::decode_image(bytes, "a.png");
  if (image) PAWL_CHECK(image->pixels.size() == image->width * image->height * image->channels);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'i':
      check(pawl::evaluate::parse_idx(bytes, "a.idx"));
      break;
    case 'n':
      check(pawl::evaluate::parse_npy(bytes, "a.npy"));
      break;
    case 'z':
      check_npz(bytes);
      break;
    case 'c':
      check_csv(bytes);
      break;
    default:
      check_image(bytes);
  }
  return 0;
}
