#include "hooks/capture/recovery.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <bit>
#include <cerrno>
#include <memory>
#include <new>

#include "hooks/capture/boot_id.h"
#include "hooks/capture/file_limit.h"
#include "hooks/capture/frame.h"
#include "hooks/capture/ring_file.h"
#include "hooks/capture/segment_name.h"

namespace pawl::capture {

namespace {

constexpr size_t kChunk = 64u << 10;
constexpr uint64_t kSaneSize = uint64_t{1} << 60;  // sums of a few of these do not overflow

enum class Outcome { done, damaged, refused };

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

bool exists(int dir, const char* name) {
  struct stat status;
  return ::fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

// What keeps an entry of the folder from being opened: itself, or the file system at the moment.
Outcome why_not(int error) {
  return error == ELOOP || error == EISDIR || error == ENXIO ? Outcome::damaged : Outcome::refused;
}

// Of a regular file; -1 for anything else.
int64_t size_of(int fd) {
  struct stat status;
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? status.st_size : -1;
}

uint64_t size_of(const wire::RingBatch& batch) {
  return batch.before_bytes + (batch.declared_to - batch.declared_from) + (batch.to - batch.from) +
         batch.after_bytes;
}

class Recovery {
 public:
  Recovery(int dir, int ring) : dir_(dir), ring_(ring) {}

  Outcome run() {
    const int64_t size = size_of(ring_);
    if (size < 0) return Outcome::damaged;
    if (!within_file_limit(sizeof page_)) return Outcome::refused;
    if (static_cast<uint64_t>(size) < sizeof page_) return Outcome::done;  // it was only just created
    if (!read(0, &page_, sizeof page_)) return Outcome::refused;
    if (page_.magic == 0) return Outcome::done;
    if (!is_valid(static_cast<uint64_t>(size))) return Outcome::damaged;
    if (const Outcome outcome = complete(); outcome != Outcome::done) return outcome;
    if (!announce_rest()) return Outcome::refused;
    return complete();
  }

 private:
  // A part of the ring file.
  struct Extent {
    uint64_t offset;
    uint64_t size;
  };

  wire::RingBatch& batch() { return page_.batches[page_.announced % 2]; }

  bool is_valid(uint64_t size) {
    const wire::RingBatch& last = batch();
    return page_.magic == wire::kRingMagic && page_.version == wire::kRingVersion &&
           std::memcmp(page_.boot, boot_id().data(), sizeof page_.boot) == 0 &&
           std::has_single_bit(page_.capacity) && page_.capacity <= wire::kMaxRing &&
           page_.declared <= wire::kMaxDeclared &&
           size >= wire::kRingOffset + page_.capacity + page_.declared &&
           last.before_bytes <= sizeof last.before && last.after_bytes <= sizeof last.after &&
           last.declared_from <= last.declared_to && last.declared_to <= kSaneSize && last.from <= last.to &&
           last.to <= page_.head && page_.head - last.to <= page_.capacity &&
           last.to - last.from <= page_.capacity && last.segment_size <= kSaneSize;
  }

  // Appends what is missing of the announced batch.
  Outcome complete() {
    const wire::RingBatch& last = batch();
    if (last.segment == 0) return Outcome::done;
    const int64_t highest = highest_segment(dir_);
    if (highest < 0) return Outcome::refused;
    char name[kSegmentName];
    segment_name(name, last.segment);
    struct stat segment{};
    const bool is_new = last.segment_size == 0 && last.segment == highest + 1;
    if (!is_new && ::fstatat(dir_, name, &segment, AT_SYMLINK_NOFOLLOW) != 0) {
      return errno == ENOENT ? Outcome::damaged : Outcome::refused;
    }
    if (!is_new && !S_ISREG(segment.st_mode)) return Outcome::damaged;
    const auto there = static_cast<uint64_t>(segment.st_size);
    const uint64_t all = size_of(last);
    if (there < last.segment_size || there - last.segment_size > all) return Outcome::damaged;
    const uint64_t written = there - last.segment_size;
    if (written == all) return Outcome::done;
    if (!has_the_rest(last, written)) return Outcome::damaged;
    if (highest > last.segment) return Outcome::damaged;  // another process has gone on
    if (!within_file_limit(last.segment_size + all)) return Outcome::refused;
    const int flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    const Fd file(::openat(dir_, name, is_new ? flags | O_CREAT : flags, 0666));
    return file.get() < 0 ? why_not(errno) : append(file.get(), last, written);
  }

  // Whether the ring file still holds what is not written of a batch. Declarations that could not be kept
  // there do no harm once the segment has them.
  bool has_the_rest(const wire::RingBatch& of, uint64_t written) const {
    const uint64_t declarations_end = of.before_bytes + (of.declared_to - of.declared_from);
    const bool needs_declarations = of.declared_from < of.declared_to && written < declarations_end;
    return page_.head - of.from <= page_.capacity &&
           (!needs_declarations || of.declared_to <= page_.declared);
  }

  std::array<Extent, 5> extents(const wire::RingBatch& of) const {
    const uint64_t place = offsetof(wire::RingPage, batches) + (page_.announced % 2) * sizeof of;
    const uint64_t at = of.from & (page_.capacity - 1);
    const uint64_t first = std::min(of.to - of.from, page_.capacity - at);
    return {Extent{place + offsetof(wire::RingBatch, before), of.before_bytes},
            Extent{wire::kRingOffset + page_.capacity + of.declared_from, of.declared_to - of.declared_from},
            Extent{wire::kRingOffset + at, first}, Extent{wire::kRingOffset, of.to - of.from - first},
            Extent{place + offsetof(wire::RingBatch, after), of.after_bytes}};
  }

  Outcome append(int file, const wire::RingBatch& of, uint64_t skip) {
    for (const Extent& extent : extents(of)) {
      const uint64_t skipped = std::min(skip, extent.size);
      skip -= skipped;
      for (uint64_t at = skipped; at < extent.size;) {
        const size_t size = static_cast<size_t>(std::min<uint64_t>(extent.size - at, sizeof chunk_));
        if (!read(extent.offset + at, chunk_, size)) return Outcome::refused;
        if (!write_all(file, chunk_, size)) return Outcome::refused;
        at += size;
      }
    }
    return Outcome::done;
  }

  // The last batch is in its segment. What was recorded after it becomes one of its own, so that this too can
  // be interrupted at any time.
  bool announce_rest() {
    const wire::RingBatch& last = batch();
    wire::RingBatch& rest = page_.batches[(page_.announced + 1) % 2];
    rest.declared_from = last.declared_to;
    rest.declared_to = std::max(last.declared_to, page_.declared);
    rest.from = last.to;
    rest.to = page_.head;
    rest.before_bytes = rest.after_bytes = 0;
    rest.dropped = page_.dropped;
    if (rest.dropped != last.dropped) tell_dropped(rest);
    const bool empty = size_of(rest) == 0;
    rest.segment = empty ? 0 : last.segment;
    rest.segment_size = last.segment_size + size_of(last);
    if (!empty && last.segment == 0 && !begin_segment(last, rest)) return false;
    const uint64_t next = page_.announced + 1;
    const uint64_t place = offsetof(wire::RingPage, batches) + (next % 2) * sizeof rest;
    if (!write(place, &rest, sizeof rest)) return false;
    if (!write(offsetof(wire::RingPage, announced), &next, sizeof next)) return false;
    page_.announced = next;
    return true;
  }

  static void tell_dropped(wire::RingBatch& rest) {
    const auto frame = wire::make_frame(wire::RecordType::dropped, wire::DroppedPayload{rest.dropped});
    static_assert(sizeof frame <= sizeof rest.after);
    std::memcpy(rest.after, frame.data(), sizeof frame);
    rest.after_bytes = sizeof frame;
  }

  // `rest` will be a new segment, with the header that is kept for that.
  bool begin_segment(const wire::RingBatch& last, wire::RingBatch& rest) const {
    const int64_t highest = highest_segment(dir_);
    if (highest < 0 || highest >= UINT32_MAX - 1) return false;
    rest.segment = static_cast<uint32_t>(highest) + 1;
    rest.segment_size = 0;
    constexpr size_t kLeast = wire::kFrameHeaderSize + sizeof(wire::HeaderPayload);
    if (last.before_bytes < kLeast) return true;
    rest.before_bytes = last.before_bytes;
    std::memcpy(rest.before, last.before, last.before_bytes);
    std::memcpy(rest.before + wire::kFrameHeaderSize + offsetof(wire::HeaderPayload, segment), &rest.segment,
                sizeof rest.segment);
    wire::seal_frame(rest.before, wire::RecordType::header,
                     rest.before_bytes - static_cast<uint32_t>(wire::kFrameHeaderSize));
    return true;
  }

  bool read(uint64_t offset, void* into, size_t size) const {
    for (auto* at = static_cast<uint8_t*>(into); size > 0;) {
      const ssize_t got = ::pread(ring_, at, size, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      at += got, offset += static_cast<uint64_t>(got), size -= static_cast<size_t>(got);
    }
    return true;
  }

  bool write(uint64_t offset, const void* data, size_t size) const {
    return ::pwrite(ring_, data, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
  }

  static bool write_all(int file, const uint8_t* data, size_t size) {
    while (size > 0) {
      const ssize_t written = ::write(file, data, size);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      data += written, size -= static_cast<size_t>(written);
    }
    return true;
  }

  int dir_;
  int ring_;
  wire::RingPage page_;
  uint8_t chunk_[kChunk];
};

Outcome recover(int dir) {
  const Fd ring(::openat(dir, wire::kRingName, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (ring.get() < 0) return why_not(errno);
  const std::unique_ptr<Recovery> recovery(new (std::nothrow) Recovery(dir, ring.get()));
  return recovery != nullptr ? recovery->run() : Outcome::refused;
}

bool is_complete(int dir) {
  return !exists(dir, wire::kRingName) && !exists(dir, wire::kDamagedRingName);
}

}  // namespace

bool complete_locked_rank(int rank_dir) {
  if (exists(rank_dir, wire::kRingName)) {
    const Outcome outcome = recover(rank_dir);
    if (outcome == Outcome::done) ::unlinkat(rank_dir, wire::kRingName, 0);
    if (outcome == Outcome::damaged) {
      ::renameat(rank_dir, wire::kRingName, rank_dir, wire::kDamagedRingName);
    }
  }
  return is_complete(rank_dir);
}

bool complete_rank(int rank_dir) {
  if (!exists(rank_dir, wire::kRingName)) return is_complete(rank_dir);
  const Fd lock(::openat(rank_dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666));
  if (lock.get() < 0 || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return false;
  return complete_locked_rank(rank_dir);
}

}  // namespace pawl::capture
