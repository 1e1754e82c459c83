// What a rank left in its ring comes from outside: any bytes are completed or refused, and once that is done,
// doing it again changes nothing. The first two bytes are the length of the segment that is there, which
// comes behind them; the rest is the page of the ring, then the ring itself and the declarations.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "hooks/capture/boot_id.h"
#include "hooks/capture/recovery.h"
#include "hooks/capture/ring_file.h"

namespace {

void put(int dir, const char* name, const std::string& bytes) {
  const pawl::UniqueFd file(::openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  PAWL_CHECK(pawl::write_all(file.get(), bytes).ok());
}

// Whether the page was made for this boot is not what is to be found out.
void use_this_boot(std::string& ring) {
  constexpr size_t kAt = offsetof(pawl::wire::RingPage, boot);
  const pawl::capture::BootId boot = pawl::capture::boot_id();
  if (ring.size() >= kAt + boot.size()) std::memcpy(ring.data() + kAt, boot.data(), boot.size());
}

size_t size_of_segments(const std::string& folder) {
  size_t size = 0;
  for (const auto& entry : pawl::list_dir(folder).value()) {
    struct stat status;
    PAWL_CHECK(::lstat((folder + "/" + entry.name).c_str(), &status) == 0);
    if (entry.name.ends_with(".seg")) size += static_cast<size_t>(status.st_size);
  }
  return size;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t segment = std::min<size_t>(data[0] | data[1] << 8, size - 2);
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::string page = bytes.substr(segment);
  std::string rest;
  if (page.size() > sizeof(pawl::wire::RingPage)) {
    rest = page.substr(sizeof(pawl::wire::RingPage));
    page.resize(pawl::wire::kRingOffset);
  }
  use_this_boot(page);

  const pawl::TempDir folder = pawl::TempDir::create("pawl-ring-fuzz").value();
  const pawl::UniqueFd dir(::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  put(dir.get(), "000001.seg", bytes.substr(0, segment));
  put(dir.get(), pawl::wire::kRingName, page + rest);
  pawl::capture::complete_rank(dir.get());
  const size_t completed = size_of_segments(folder.path());
  PAWL_CHECK(completed >= segment && completed <= segment + 2 * (pawl::wire::kRingOffset + size));
  const bool complete = pawl::capture::complete_rank(dir.get());
  PAWL_CHECK(complete == !pawl::path_exists(folder.path() + "/" + pawl::wire::kDamagedRingName));
  PAWL_CHECK(!pawl::path_exists(folder.path() + "/" + pawl::wire::kRingName));
  PAWL_CHECK(size_of_segments(folder.path()) == completed);
  return 0;
}
