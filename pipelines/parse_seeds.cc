// `seeds:` of a gated metric.
#include "pipelines/sections.h"

namespace pawl::pipeline {

gate::SeedsTest read_seeds_test(Reader& reader, const Node& node) {
  using Mode = gate::PairedTest::Mode;
  gate::SeedsTest test;
  if (!reader.is_map(node, "seeds")) return test;
  reader.fields(
      node, "seeds",
      {inside_field(reader, "probability", 0.5, 1, test.probability, ""),
       inside_field(reader, "alpha", 0, 0.5, test.alpha, "the one-sided error rate: 0.05"),
       reader.choice_field<Mode>("mode", {{"lenient", Mode::lenient}, {"strict", Mode::strict}}, test.mode)});
  return test;
}

}  // namespace pawl::pipeline
