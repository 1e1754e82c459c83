// Files of predictions come from the user's program: any bytes give a vector or an error, and the way the
// bytes are cut into chunks does not matter. The first byte chooses the format and the size of the chunks.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "engine/base/error.h"
#include "engine/gate/predictions.h"

using pawl::gate::EvaluationVector;

static void check(const EvaluationVector& vector) {
  PAWL_CHECK(vector.right() <= vector.n);
  const auto counts = pawl::gate::compare(vector, vector);
  PAWL_CHECK(counts.ok() && counts->b == 0 && counts->c == 0);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t choice = data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (choice == 0x93 || choice == 'N') {
    const auto vector = pawl::gate::parse_predictions_npy(bytes, "predictions.npy");
    if (vector) check(*vector);
    return 0;
  }
  const auto whole = pawl::gate::parse_predictions_csv(bytes, "predictions.csv");
  pawl::gate::PredictionsReader reader("predictions.csv");
  pawl::Result<void> fed;
  for (std::string_view rest = bytes; fed && !rest.empty();
       rest.remove_prefix(std::min(choice + 1, rest.size()))) {
    fed = reader.feed(rest.substr(0, choice + 1));
  }
  if (!fed) {
    PAWL_CHECK(!whole && whole.error().to_string() == fed.error().to_string());
    return 0;
  }
  const auto chunked = reader.finish();
  PAWL_CHECK(chunked.ok() == whole.ok());
  if (!whole) return 0;
  PAWL_CHECK(*chunked == *whole);
  check(*whole);
  return 0;
}
