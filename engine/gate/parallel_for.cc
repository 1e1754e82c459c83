#include "engine/gate/parallel_for.h"

namespace pawl::gate {

void serial_for(std::size_t count, const std::function<void(std::size_t)>& task) {
  for (std::size_t i = 0; i < count; ++i) task(i);
}

}  // namespace pawl::gate
