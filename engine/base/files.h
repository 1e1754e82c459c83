// Files: owned descriptors, whole-file reads with a cap, writes that are either there or not, locks, trees.
// Every descriptor is opened close-on-exec.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/error.h"

namespace pawl {

// Owns a file descriptor; closes it at the end of its life.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// The whole file, at most `max_bytes`: a larger one (or something that is no regular file) is an error, and
// is not read.
Result<std::string> read_file(const std::string& path, uint64_t max_bytes);

// Replaces `path` in one step: temporary file in the same folder, fsync, rename, fsync of the folder. A
// reader sees the old bytes or the new ones, after a crash too. `mode` are the permission bits.
Result<void> write_file_atomic(const std::string& path, std::string_view bytes, unsigned mode = 0644);

Result<void> write_all(int fd, std::string_view bytes);

bool path_exists(const std::string& path);  // does not follow a final symbolic link
Result<void> make_dirs(const std::string& path, unsigned mode = 0755);
// Deletes a tree without following symbolic links; a missing path is fine.
Result<void> remove_tree(const std::string& path);

struct DirEntry {
  std::string name;
  enum class Type { file, directory, symlink, other } type = Type::other;
};
// Sorted by name, without . and ..
Result<std::vector<DirEntry>> list_dir(const std::string& path);

struct FileStat {
  uint64_t size = 0;
  int64_t mtime_ns = 0;
  int64_t ctime_ns = 0;
  uint64_t inode = 0;
};
Result<FileStat> stat_file(const std::string& path);

// An exclusive flock on a file, held for the life of the object (and of every process that inherited it:
// none, since the descriptor is close-on-exec).
class FileLock {
 public:
  // Error conflict when somebody else holds it. Creates the file if missing.
  static Result<FileLock> try_acquire(const std::string& path);
  // Whether somebody holds the lock now. A missing file is not held.
  static Result<bool> is_held(const std::string& path);

 private:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// A new private folder under $TMPDIR (or /tmp), removed with its contents at the end of life.
class TempDir {
 public:
  static Result<TempDir> create(std::string_view prefix);
  TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TempDir& operator=(TempDir&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~TempDir();
  const std::string& path() const { return path_; }

 private:
  explicit TempDir(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// The folder of the running program's file, from /proc/self/exe.
Result<std::string> executable_path();
std::string parent_path(std::string_view path);
// `path` if absolute, else joined to `base`.
std::string join_path(std::string_view base, std::string_view path);

}  // namespace pawl
