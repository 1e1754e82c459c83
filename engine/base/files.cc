#include "engine/base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>

#include "engine/base/ids.h"
#include "engine/base/text.h"

namespace pawl {

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

Result<std::string> read_file(const std::string& path, uint64_t max_bytes) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // O_NONBLOCK: a FIFO must not hang us
  if (!fd) return errno_error("cannot open", path, errno);
  struct stat st{};
  if (fstat(fd.get(), &st) != 0) return errno_error("cannot stat", path, errno);
  if (!S_ISREG(st.st_mode)) return Error(ErrorCode::invalid, "is not a regular file", path);
  auto too_large = [&] {
    return Error(ErrorCode::invalid, fmt::format("is larger than the limit of {}", format_bytes(max_bytes)),
                 path);
  };
  if (static_cast<uint64_t>(st.st_size) > max_bytes) return too_large();
  std::string out;
  out.resize(static_cast<size_t>(st.st_size) + 1);
  size_t size = 0;
  while (true) {
    if (size == out.size()) out.resize(out.size() * 2);
    ssize_t n = read(fd.get(), out.data() + size, out.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("cannot read", path, errno);
    if (n == 0) break;
    size += static_cast<size_t>(n);
    if (size > max_bytes) return too_large();
  }
  out.resize(size);
  return out;
}

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("cannot write", "", errno);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

Result<void> write_file_atomic(const std::string& path, std::string_view bytes, unsigned mode) {
  std::string temporary = fmt::format("{}.{}.tmp", path, random_hex(6));
  UniqueFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd) return errno_error("cannot create", temporary, errno);
  auto fail = [&](Error error) {
    unlink(temporary.c_str());
    return error;
  };
  if (auto written = write_all(fd.get(), bytes); !written.ok()) {
    return fail(std::move(written).error().wrap("cannot write " + path));
  }
  if (fsync(fd.get()) != 0) return fail(errno_error("cannot fsync", temporary, errno));
  fd.reset();
  if (rename(temporary.c_str(), path.c_str()) != 0) return fail(errno_error("cannot rename to", path, errno));
  UniqueFd folder(open(parent_path(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || fsync(folder.get()) != 0) return errno_error("cannot fsync the folder of", path, errno);
  return {};
}

bool path_exists(const std::string& path) {
  struct stat st{};
  return lstat(path.c_str(), &st) == 0;
}

Result<void> make_dirs(const std::string& path, unsigned mode) {
  for (size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    std::string prefix = path.substr(0, at);
    if (mkdir(prefix.c_str(), mode) != 0 && errno != EEXIST)
      return errno_error("cannot create", prefix, errno);
  }
  struct stat st{};
  if (stat(path.c_str(), &st) != 0) return errno_error("cannot create", path, errno);
  if (!S_ISDIR(st.st_mode)) return Error(ErrorCode::io, "is in the way and not a folder", path);
  return {};
}

namespace {

Result<void> remove_children(UniqueFd folder, const std::string& path) {
  DIR* stream = fdopendir(folder.get());
  if (stream == nullptr) return errno_error("cannot list", path, errno);
  int fd = folder.release();
  Result<void> result;
  while (dirent* entry = readdir(stream)) {
    std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT) continue;
    UniqueFd child(openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!child) {
      result = errno_error("cannot remove", path + "/" + entry->d_name, errno);
      break;
    }
    result = remove_children(std::move(child), path + "/" + entry->d_name);
    if (!result.ok()) break;
    if (unlinkat(fd, entry->d_name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
      result = errno_error("cannot remove", path + "/" + entry->d_name, errno);
      break;
    }
  }
  closedir(stream);
  return result;
}

}  // namespace

Result<void> remove_tree(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  UniqueFd folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) return errno_error("cannot remove", path, errno);
  PAWL_RETURN_IF_ERROR(remove_children(std::move(folder), path));
  if (rmdir(path.c_str()) != 0 && errno != ENOENT) return errno_error("cannot remove", path, errno);
  return {};
}

Result<std::vector<DirEntry>> list_dir(const std::string& path) {
  DIR* stream = opendir(path.c_str());
  if (stream == nullptr) return errno_error("cannot list", path, errno);
  std::vector<DirEntry> out;
  while (dirent* entry = readdir(stream)) {
    std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat st{};
    if (fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone meanwhile
    auto type = S_ISREG(st.st_mode)   ? DirEntry::Type::file
                : S_ISDIR(st.st_mode) ? DirEntry::Type::directory
                : S_ISLNK(st.st_mode) ? DirEntry::Type::symlink
                                      : DirEntry::Type::other;
    out.push_back({std::move(name), type});
  }
  closedir(stream);
  std::sort(out.begin(), out.end(), [](const DirEntry& a, const DirEntry& b) { return a.name < b.name; });
  return out;
}

Result<FileStat> stat_file(const std::string& path) {
  struct stat st{};
  if (stat(path.c_str(), &st) != 0) return errno_error("cannot stat", path, errno);
  auto ns = [](const timespec& t) { return static_cast<int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec; };
  return FileStat{static_cast<uint64_t>(st.st_size), ns(st.st_mtim), ns(st.st_ctim), st.st_ino};
}

Result<FileLock> FileLock::try_acquire(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) return errno_error("cannot open", path, errno);
  while (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) return Error(ErrorCode::conflict, "is locked by another process", path);
    return errno_error("cannot lock", path, errno);
  }
  return FileLock(std::move(fd));
}

Result<bool> FileLock::is_held(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) return false;
    return errno_error("cannot open", path, errno);
  }
  // A shared lock would be refused only by an exclusive holder, and two probes do not disturb each other.
  if (flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return false;
  if (errno == EWOULDBLOCK) return true;
  return errno_error("cannot test the lock of", path, errno);
}

Result<TempDir> TempDir::create(std::string_view prefix) {
  const char* base = std::getenv("TMPDIR");
  std::string path = fmt::format("{}/{}XXXXXX", base != nullptr && *base != '\0' ? base : "/tmp", prefix);
  if (mkdtemp(path.data()) == nullptr) return errno_error("cannot create a temporary folder", path, errno);
  return TempDir(std::move(path));
}

TempDir::~TempDir() {
  if (!path_.empty()) (void)remove_tree(path_);
}

Result<std::string> executable_path() {
  char buffer[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", buffer, sizeof buffer);
  if (n < 0) return errno_error("cannot read", "/proc/self/exe", errno);
  return std::string(buffer, static_cast<size_t>(n));
}

std::string parent_path(std::string_view path) {
  size_t at = path.find_last_of('/');
  if (at == std::string_view::npos) return ".";
  return std::string(at == 0 ? "/" : path.substr(0, at));
}

std::string join_path(std::string_view base, std::string_view path) {
  if (!path.empty() && path.front() == '/') return std::string(path);
  return fmt::format("{}/{}", base, path);
}

}  // namespace pawl
