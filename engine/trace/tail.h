// Follows the segment files of a running attempt: <trace_dir>/rank-%05u/%06u.seg.
//
// Nothing in the folder is trusted: only names of exactly this form count, symbolic links are not followed,
// what is no regular file is not opened, and what is inside is counted when it is damaged (Anomalies), never
// fatal. Segments of a rank are read in the order of their numbers; one is left when a later one exists.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/trace/format.h"

namespace pawl::trace {

struct RankRecord {
  uint32_t rank = 0;  // of the folder
  Record record;
};

// One that has been read to its end, and that nobody writes any more.
struct FinishedSegment {
  uint32_t rank = 0;
  uint32_t number = 0;
  uint64_t bytes = 0;
};

// Not thread-safe.
class TraceTail {
 public:
  // The folder has to exist; it may be empty. Ranks and segments may appear at any time.
  static Result<TraceTail> open(const std::string& trace_dir);

  // Becomes readable when there may be something new; poll() makes it quiet again. -1 when the machine has no
  // inotify watches left (or the folder had none from the start): then call poll() from a timer.
  int fd() const { return inotify_.get(); }

  struct Batch {
    std::vector<RankRecord> records;  // in order for each rank
    bool more = false;                // stopped at max_bytes: call again without waiting
  };
  // What was written since the last call; reads at most about `max_bytes`, shared fairly among the ranks.
  Batch poll(size_t max_bytes = 4u << 20);

  // Segments that poll() has left for a later one since the last call; those of a rank in their order.
  std::vector<FinishedSegment> take_finished();

  // Deletes the file. One that is not there any more, or cannot be deleted, is left at that.
  void remove(const FinishedSegment& segment);

  // Whether the last poll() has read all that was there of this rank; true of one that has no folder.
  bool is_drained(uint32_t rank) const;

  // A rank whose process has ended: what it had recorded when it was killed is put into its segments, for
  // poll() to find (hooks/capture/recovery.h). Nothing happens while another process records the rank.
  void recover_rank(uint32_t rank);
  // The same of all ranks, when no process records any more; what stays behind is counted.
  void recover();

  // Nobody writes any more and poll() has said that there is no more: what is still good inside incomplete
  // records at the ends of the segments, which are now counted as damage.
  std::vector<RankRecord> finish();

  // Of all segments so far, the unfinished ones included.
  Anomalies anomalies() const;

 private:
  struct RankFiles {
    UniqueFd dir;
    UniqueFd segment;
    uint32_t number = 0;       // of the open segment; 0 before the first
    uint32_t next_number = 0;  // of the one after it; 0 when there was none when last looked
    uint64_t offset = 0;
    bool drained = false;
    Decoder decoder;
  };

  explicit TraceTail(UniqueFd dir) : dir_(std::move(dir)) {}
  void watch(const UniqueFd& dir, uint32_t events);
  void drain_inotify();
  UniqueFd open_rank(uint32_t rank) const;
  void find_ranks();
  void find_next_segment(RankFiles& files);
  void finish_segment(uint32_t rank, RankFiles& files, std::vector<RankRecord>& out);
  bool open_next_segment(RankFiles& files);
  size_t read_rank(uint32_t rank, RankFiles& files, size_t max_bytes, std::vector<RankRecord>& out);
  size_t read_segment(uint32_t rank, RankFiles& files, size_t max_bytes, std::vector<RankRecord>& out);

  UniqueFd dir_;
  UniqueFd inotify_;
  bool names_changed_ = true;  // files or folders may have appeared
  std::map<uint32_t, RankFiles> ranks_;
  Anomalies finished_;  // of the segments left behind
  uint64_t unrecovered_rings_ = 0;
  std::vector<FinishedSegment> left_;
  std::vector<uint8_t> chunk_;
};

}  // namespace pawl::trace
