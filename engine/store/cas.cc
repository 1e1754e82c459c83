#include "engine/store/cas.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/digest.h"
#include "engine/base/files.h"
#include "engine/base/ids.h"

namespace pawl::store {
namespace {

constexpr std::string_view kPrefix = "sha256:";

std::string file_name(const std::string& root, std::string_view hex) {
  return root + "/" + std::string(hex.substr(0, 2)) + "/" + std::string(hex);
}

bool is_digest(std::string_view text) {
  std::string_view hex = text.substr(std::min(text.size(), kPrefix.size()));
  return text.starts_with(kPrefix) && hex.size() == 64 &&
         hex.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Copies and hashes in one pass.
Result<Cas::Stored> copy_hashed(int from, int to, const std::string& path) {
  Sha256 hash;
  uint64_t bytes = 0;
  std::string buffer(1 << 18, '\0');
  while (true) {
    ssize_t n = read(from, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("cannot read", path, errno);
    if (n == 0) break;
    std::string_view chunk(buffer.data(), static_cast<size_t>(n));
    hash.update(chunk);
    bytes += chunk.size();
    PAWL_RETURN_IF_ERROR(write_all(to, chunk));
  }
  if (fsync(to) != 0) return errno_error("cannot fsync the copy of", path, errno);
  return Cas::Stored{std::string(kPrefix) + hash.hex(), bytes};
}

}  // namespace

Result<Cas::Stored> Cas::put_file(const std::string& path) const {
  UniqueFd from(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!from) return errno_error("cannot open", path, errno);
  struct stat st {};
  if (fstat(from.get(), &st) != 0 || !S_ISREG(st.st_mode)) {
    return Error(ErrorCode::invalid, "is not a regular file", path);
  }
  PAWL_RETURN_IF_ERROR(make_dirs(root_));
  std::string temporary = root_ + "/" + random_hex(12) + ".tmp";
  UniqueFd to(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!to) return errno_error("cannot create", temporary, errno);
  auto stored = copy_hashed(from.get(), to.get(), path);
  if (!stored.ok()) {
    unlink(temporary.c_str());
    return stored;
  }
  std::string target = file_name(root_, std::string_view(stored->digest).substr(kPrefix.size()));
  if (auto made = make_dirs(parent_path(target));
      !made.ok() || rename(temporary.c_str(), target.c_str()) != 0) {
    int saved = errno;
    unlink(temporary.c_str());
    return errno_error("cannot store", target, saved);
  }
  return stored;
}

Result<void> Cas::copy_to(std::string_view digest, const std::string& path) const {
  PAWL_ASSIGN(std::string stored, path_of(digest));
  UniqueFd from(open(stored.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from) return errno_error("cannot open", stored, errno);
  UniqueFd to(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!to) return errno_error("cannot create", path, errno);
  PAWL_ASSIGN(Stored copied, copy_hashed(from.get(), to.get(), stored));
  if (copied.digest == digest) return {};
  return Error(ErrorCode::invalid, "is damaged: its content has another digest", stored);
}

Result<std::string> Cas::path_of(std::string_view digest) const {
  if (!is_digest(digest)) return Error(ErrorCode::invalid, "is not a digest", std::string(digest));
  std::string path = file_name(root_, digest.substr(kPrefix.size()));
  if (path_exists(path)) return path;
  if (!source_) return Error(ErrorCode::not_found, "is not in the store", std::string(digest));
  PAWL_RETURN_IF_ERROR(bring(std::string(digest)));
  return path;
}

bool Cas::has(std::string_view digest) const {
  return is_digest(digest) && path_exists(file_name(root_, digest.substr(kPrefix.size())));
}

Result<void> Cas::bring(const std::string& digest) const {
  PAWL_RETURN_IF_ERROR(make_dirs(root_));
  const std::string temporary = root_ + "/" + random_hex(12) + ".new";
  auto body = [&]() -> Result<void> {
    PAWL_RETURN_IF_ERROR(source_(digest, temporary));
    PAWL_ASSIGN(Stored stored, put_file(temporary));
    if (stored.digest == digest) return {};
    return Error(ErrorCode::io, "is damaged where it is kept: its content is another", digest);
  };
  auto brought = body();
  unlink(temporary.c_str());
  return brought;
}

}  // namespace pawl::store
