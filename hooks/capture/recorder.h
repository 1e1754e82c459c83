// One open trace: what is behind a pawl_capture handle.
//
// Callers put whole frames into a ring; one thread ("pawl-capture") takes everything there is, outside the
// lock, and appends it to the segment file with one system call. It is woken by the end of a step that
// recorded something, by a ring a quarter full, by flush and close. Otherwise it looks once a second: waking
// a thread at the end of an empty step would cost more than all else of it. Series declarations do not go
// through the ring: they are kept, written before the records that follow them, and repeated at the start of
// every segment, so that none is ever dropped and every segment can be read alone.
//
// The ring is a file where the file system allows it, with the declarations behind it (ring_file.h): a
// process that is killed loses nothing that is there, as whoever comes next completes its segments
// (recovery.h).
//
// When the ring is full a record is dropped and counted. Room for the begin and the end of a step is kept
// free; should even the begin not fit, the whole step is dropped: no record is ever read as another step's.
// When the file system refuses, records are dropped, and a new segment is tried every second.
//
// Statistics that a GPU computes arrive later than they are asked for. Until they are there, what is recorded
// after them is held back in the order it came, so that every record is read as one of its own step, and a
// step ends in the trace when it is whole. Every end of a step and every look of the writer thread lets go
// what has arrived. Until then it is memory of the process, and not in the ring: a process that is killed
// loses it.
//
// Threads: every public method may be called from any thread of the process that opened it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "hooks/capture/control.h"
#include "hooks/capture/cuda.h"
#include "hooks/capture/error_text.h"
#include "hooks/capture/frame.h"
#include "hooks/capture/include/pawl/capture.h"
#include "hooks/capture/rank_directory.h"
#include "hooks/capture/ring.h"

namespace pawl::capture {

class Recorder {
 public:
  // REQUIRES: a whole struct with a trace_dir and rank < world_size. May throw std::bad_alloc,
  // std::system_error.
  static pawl_status open(const pawl_capture_options& options, std::unique_ptr<Recorder>& out,
                          ErrorText& error);
  // Writes what is left and the end record; waits a few seconds at most, then leaves the rest (and the
  // memory) to the writer thread.
  static void close(std::unique_ptr<Recorder> recorder);
  ~Recorder();

  bool in_forked_child() const;

  pawl_status declare(std::string_view name, pawl_kind kind, pawl_dtype dtype, const int64_t* shape,
                      uint32_t dims, uint32_t* id);
  pawl_status available(std::string_view name, pawl_kind kind);
  pawl_status begin_step(uint64_t step, uint32_t mode);
  pawl_status end_step();
  pawl_status scalar(uint32_t series, double value);
  pawl_status stats(uint32_t series, const pawl_stats& stats);
  // A tensor's safetensors document: its head, then `size` bytes of elements.
  pawl_status values(uint32_t series, std::string_view head, const void* data, uint64_t size);
  pawl_status span(uint32_t series, uint64_t begin_ns, uint64_t end_ns);
  pawl_status batch(uint32_t series, uint64_t digest, uint64_t examples, const uint64_t* label_counts,
                    uint32_t classes);
  pawl_status hash(uint32_t series, uint64_t digest);
  pawl_status fine_histogram(uint32_t series, const pawl_fine_histogram& histogram);
  // REQUIRES: each cuda::is_readable(). PAWL_E_CUDA: nothing is recorded, cuda_error() says why.
  pawl_status cuda_tensors(const pawl_tensor* tensors, size_t count, int device, void* stream);
  pawl_status flush();

  uint64_t request_generation() const { return control_.generation(); }
  // The text of the control file, which is recorded as what holds from here on. PAWL_E_BUSY while it changes.
  pawl_status take_request(std::string& text, uint64_t& generation);
  // The process has changed the request by itself.
  pawl_status note_request(std::string_view text);
  bool stop_requested() const { return control_.stop_requested(); }
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }
  const char* last_error() const { return error_.c_str(); }
  const char* cuda_error() const { return cuda_error_.c_str(); }

 private:
  // What waits for a GPU: a batch, and the frames that were recorded after it and before the next one.
  struct Held {
    cuda::Statistics::Batch* batch;
    std::vector<uint8_t> after;
  };

  Recorder(const pawl_capture_options& options, uint64_t segment_bytes);

  void open_ring(size_t bytes);
  void start();
  void keep_declarations();  // mutex_ held
  pawl_status wait_written(std::chrono::seconds limit);
  pawl_status push(const uint8_t* frame, size_t size);         // mutex_ held
  pawl_status put_in_ring(const uint8_t* frame, size_t size);  // mutex_ held
  pawl_status push_observation(uint32_t series, const uint8_t* frame, size_t size);
  pawl_status push_request(uint64_t generation, uint32_t origin, std::string_view text);
  bool can_hold(uint64_t size) const;    // mutex_ held, something else is held back already
  pawl_status drop(pawl_status status);  // mutex_ held
  void count_dropped(uint64_t records);  // mutex_ held
  void wake();
  void wait_for_work(std::unique_lock<std::mutex>& lock);
  void let_go(std::chrono::nanoseconds patience, size_t at_most);  // cuda_mutex_ held
  void let_go_front(bool arrived);                                 // cuda_mutex_ and mutex_ held
  void let_go_of_what_has_arrived();

  void run();
  void write_batches();
  struct Batch;
  Batch take_batch(bool new_segment);                      // mutex_ held
  bool write_batch(const Batch& batch, ErrorText& error);  // mutex_ not held
  void announce(const Batch& batch, const std::vector<uint8_t>& before);
  void announce_nothing(uint64_t position);
  void give_up_ring();  // mutex_ held
  std::vector<uint8_t> header(uint32_t segment) const;

  // Constant after opening.
  const uint64_t fork_generation_;
  const uint32_t rank_;
  const uint32_t world_size_;
  const uint64_t segment_bytes_;
  const uint64_t start_ns_;
  const std::string producer_;
  ControlMap control_;

  // The writer thread's own, once there is one.
  RankDirectory directory_;
  std::thread thread_;

  std::atomic<uint64_t> dropped_{0};

  // Taken before mutex_, never after it.
  std::mutex cuda_mutex_;
  cuda::Statistics cuda_;  // under cuda_mutex_
  FirstError cuda_error_;  // set under cuda_mutex_
  std::atomic<bool> holds_{false};

  // Under mutex_; what is held is also added and removed under cuda_mutex_ only.
  std::mutex mutex_;
  std::deque<Held> held_;
  size_t held_bytes_ = 0;
  std::condition_variable work_;  // the writer waits
  std::condition_variable done_;  // flush and close wait
  Ring ring_;
  uint64_t ring_records_ = 0;
  std::unordered_map<std::string, uint32_t> ids_;  // name + kind
  std::unordered_set<std::string> available_;      // likewise
  std::vector<uint8_t> declarations_;              // frames of all series, recorded or available
  size_t declarations_written_ = 0;                // of the current segment
  uint64_t dropped_written_ = 0;
  uint64_t current_step_ = 0;
  bool step_open_ = false;
  bool step_lost_ = false;  // the begin put in the ring last was dropped: nothing goes there until the next
  bool write_failed_ = false;
  bool observed_ = false;  // since the last end of a step
  bool wake_ = false;
  bool closing_ = false;
  bool stopped_ = false;  // the writer thread has left its loop
  uint64_t flush_asked_ = 0;
  uint64_t flush_done_ = 0;
  FirstError error_;
};

}  // namespace pawl::capture
