#include "hooks/capture/recorder.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <utility>

#include "hooks/capture/fork_guard.h"

namespace pawl::capture {

using wire::RecordType;

namespace {

constexpr size_t kDefaultRing = 4u << 20;
constexpr size_t kSmallestRing = 16u << 10;
constexpr uint64_t kDefaultSegment = 64u << 20;
constexpr size_t kStepReserve = 1024;  // of the ring, for begin and end of steps only
constexpr uint32_t kMaxSeries = 1u << 20;
constexpr uint32_t kAsked = 0, kOwnDecision = 1;  // origins of a request
constexpr auto kRetry = std::chrono::seconds(1);
constexpr auto kFlushWait = std::chrono::seconds(1);
constexpr auto kOpenWait = std::chrono::seconds(5);
constexpr auto kCloseWait = std::chrono::seconds(5);
constexpr size_t kMaxBatches = 8;  // on the way from GPUs
constexpr auto kCudaWait = std::chrono::seconds(5);
constexpr auto kCudaLook = std::chrono::microseconds(100);

uint64_t now_ns(clockid_t clock) {
  struct timespec now;
  ::clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

uint64_t wall_ns() {
  return now_ns(CLOCK_REALTIME);
}
uint64_t mono_ns() {
  return now_ns(CLOCK_MONOTONIC);
}

// No signal handler of the program runs on our thread, and one that would be ours (SIGXFSZ when a file-size
// limit is reached) stays pending instead of ending the program: the write fails, that is all.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

wire::FixedFrame<wire::StatsPayload> stats_frame(uint32_t series, const pawl_stats& stats) {
  wire::StatsPayload payload{series,    0,         stats.count, stats.nan,     stats.inf,        stats.zero,
                             stats.min, stats.max, stats.sum,   stats.abs_sum, stats.square_sum, {}};
  std::memcpy(payload.magnitude, stats.magnitude, sizeof payload.magnitude);
  return wire::make_frame(RecordType::stats, payload);
}

wire::FrameHeader header_of(const uint8_t* frame) {
  wire::FrameHeader header;
  std::memcpy(&header, frame, sizeof header);
  return header;
}

RecordType type_of(const uint8_t* frame) {
  return static_cast<RecordType>(header_of(frame).type);
}

size_t frame_size(const uint8_t* frame) {
  return wire::kFrameHeaderSize + header_of(frame).length;
}

bool is_of_step(const uint8_t* frame) {
  return type_of(frame) == RecordType::step_begin || type_of(frame) == RecordType::step_end;
}

}  // namespace

// What the writer thread takes in one go.
struct Recorder::Batch {
  std::vector<uint8_t> declarations;
  std::array<Ring::Span, 2> spans;  // records in the ring
  std::vector<uint8_t> after;       // dropped count, end record
  uint64_t from = 0;                // of the ring
  uint64_t to = 0;
  uint64_t records = 0;
  size_t declarations_begin = 0;
  size_t declarations_end = 0;
  uint64_t dropped = 0;
  uint64_t flush = 0;
  bool new_segment = false;
  bool last = false;
};

Recorder::Recorder(const pawl_capture_options& options, uint64_t segment_bytes)
    : fork_generation_(fork_generation()),
      rank_(options.rank),
      world_size_(options.world_size),
      segment_bytes_(segment_bytes),
      start_ns_(wall_ns()),
      producer_(
          std::string_view(options.producer != nullptr ? options.producer : "").substr(0, wire::kMaxName)) {}

pawl_status Recorder::open(const pawl_capture_options& options, std::unique_ptr<Recorder>& out,
                           ErrorText& error) {
  const size_t ring = options.ring_bytes != 0 ? options.ring_bytes : kDefaultRing;
  const uint64_t segment = options.segment_bytes != 0 ? options.segment_bytes : kDefaultSegment;
  std::unique_ptr<Recorder> recorder(new Recorder(options, segment));
  watch_forks(&recorder->directory_);
  const pawl_status locked = recorder->directory_.lock(options.trace_dir, options.rank, error);
  if (locked != PAWL_OK) return locked;
  if (options.control_path != nullptr) recorder->control_.open(options.control_path);
  recorder->open_ring(std::bit_ceil(std::max(ring, kSmallestRing)));
  recorder->start();
  // The thread writes the header, as our signal mask shields no caller; a directory that cannot be written is
  // known at once all the same. A slow one (timeout) is given time.
  if (recorder->wait_written(kOpenWait) == PAWL_E_IO && *recorder->last_error() != '\0') {
    error.set("%s", recorder->last_error());
    close(std::move(recorder));
    return PAWL_E_IO;
  }
  out = std::move(recorder);
  return PAWL_OK;
}

void Recorder::open_ring(size_t bytes) {
  ring_.map(bytes, directory_.create_ring(Ring::file_size(bytes)));
  announce_nothing(0);
}

void Recorder::start() {
  const AllSignalsBlocked inherited_by_the_thread;
  thread_ = std::thread(&Recorder::run, this);
  ::pthread_setname_np(thread_.native_handle(), "pawl-capture");
}

Recorder::~Recorder() {
  unwatch_forks(&directory_);
}

void Recorder::close(std::unique_ptr<Recorder> recorder) {
  {
    const std::lock_guard lock(recorder->cuda_mutex_);
    recorder->let_go(kCudaWait, 0);
    const std::lock_guard frames(recorder->mutex_);
    while (!recorder->held_.empty()) recorder->let_go_front(false);
  }
  bool stopped;
  {
    std::unique_lock lock(recorder->mutex_);
    recorder->closing_ = true;
    recorder->wake();
    stopped = recorder->done_.wait_for(lock, kCloseWait, [&] { return recorder->stopped_; });
  }
  if (stopped) {
    recorder->thread_.join();
    return;
  }
  recorder->thread_.detach();
  recorder.release();
}

bool Recorder::in_forked_child() const {
  return fork_generation_ != fork_generation();
}

pawl_status Recorder::declare(std::string_view name, pawl_kind kind, pawl_dtype dtype, const int64_t* shape,
                              uint32_t dims, uint32_t* id) {
  std::string key(name);
  key.push_back(static_cast<char>(kind));
  const std::lock_guard lock(mutex_);
  if (const auto known = ids_.find(key); known != ids_.end()) {
    *id = known->second;
    return PAWL_OK;
  }
  if (ids_.size() >= kMaxSeries) return PAWL_E_MEMORY;
  const auto next = static_cast<uint32_t>(ids_.size());
  const wire::SeriesPayload payload{next, static_cast<uint16_t>(kind), static_cast<uint16_t>(dtype), dims,
                                    static_cast<uint32_t>(name.size())};
  std::vector<uint8_t> frame;  // apart, so that running out of memory leaves no half frame
  wire::append_frame(
      frame, RecordType::series,
      {{&payload, sizeof payload}, {shape, dims * sizeof(int64_t)}, {name.data(), name.size()}});
  declarations_.insert(declarations_.end(), frame.begin(), frame.end());
  ids_.emplace(std::move(key), next);
  keep_declarations();
  *id = next;
  return PAWL_OK;
}

pawl_status Recorder::available(std::string_view name, pawl_kind kind) {
  std::string key(name);
  key.push_back(static_cast<char>(kind));
  const std::lock_guard lock(mutex_);
  if (available_.contains(key)) return PAWL_OK;
  if (available_.size() >= kMaxSeries) return PAWL_E_MEMORY;
  const wire::AvailablePayload payload{static_cast<uint16_t>(kind), 0, static_cast<uint32_t>(name.size())};
  std::vector<uint8_t> frame;
  wire::append_frame(frame, RecordType::available, {{&payload, sizeof payload}, {name.data(), name.size()}});
  declarations_.insert(declarations_.end(), frame.begin(), frame.end());
  available_.insert(std::move(key));
  keep_declarations();
  return PAWL_OK;
}

// Those that could not be kept when they came are, with the next or with a batch.
void Recorder::keep_declarations() {
  const uint64_t kept = ring_.declared();
  const uint64_t all = declarations_.size();
  if (kept == all || all > wire::kMaxDeclared) return;
  const uint64_t offset = Ring::file_size(ring_.capacity()) + kept;
  if (directory_.write_ring(declarations_.data() + kept, all - kept, offset)) ring_.set_declared(all);
}

pawl_status Recorder::take_request(std::string& text, uint64_t& generation) {
  const uint64_t before = control_.generation();
  if (before == 0 || !control_.read_request(text) || control_.generation() != before) return PAWL_E_BUSY;
  generation = before;
  push_request(before, kAsked, text);
  return PAWL_OK;
}

pawl_status Recorder::note_request(std::string_view text) {
  return push_request(std::max<uint64_t>(control_.generation(), 1), kOwnDecision, text);
}

pawl_status Recorder::push_request(uint64_t generation, uint32_t origin, std::string_view text) {
  const wire::RequestPayload payload{generation, static_cast<uint32_t>(text.size()), origin};
  std::vector<uint8_t> frame;
  wire::append_frame(frame, RecordType::request, {{&payload, sizeof payload}, {text.data(), text.size()}});
  const std::lock_guard lock(mutex_);
  return push(frame.data(), frame.size());
}

pawl_status Recorder::begin_step(uint64_t step, uint32_t mode) {
  const auto frame =
      wire::make_frame(RecordType::step_begin, wire::StepBeginPayload{step, mode, 0, wall_ns(), mono_ns()});
  const std::lock_guard lock(mutex_);
  current_step_ = step;
  step_open_ = true;
  return push(frame.data(), frame.size());
}

pawl_status Recorder::end_step() {
  let_go_of_what_has_arrived();
  const std::lock_guard lock(mutex_);
  if (!step_open_) return PAWL_E_ARGUMENT;
  step_open_ = false;
  const auto frame =
      wire::make_frame(RecordType::step_end, wire::StepEndPayload{current_step_, wall_ns(), mono_ns()});
  const pawl_status status = push(frame.data(), frame.size());
  // A step that records nothing can wait until the writer looks by itself: on a busy machine a thread that is
  // woken pushes the training aside.
  if (std::exchange(observed_, false)) wake();
  return status;
}

pawl_status Recorder::scalar(uint32_t series, double value) {
  const auto frame = wire::make_frame(RecordType::scalar, wire::ScalarPayload{series, 0, value});
  return push_observation(series, frame.data(), frame.size());
}

pawl_status Recorder::stats(uint32_t series, const pawl_stats& stats) {
  const auto frame = stats_frame(series, stats);
  return push_observation(series, frame.data(), frame.size());
}

pawl_status Recorder::values(uint32_t series, std::string_view head, const void* data, uint64_t size) {
  const uint64_t total = head.size() + std::min(size, wire::kMaxRawTensor);  // more is refused below
  const uint64_t pieces = (total + wire::kRawPiece - 1) / wire::kRawPiece;
  const uint64_t framed = total + pieces * (wire::kFrameHeaderSize + sizeof(wire::RawTensorPayload));
  const std::lock_guard lock(mutex_);
  if (series >= ids_.size()) return PAWL_E_ARGUMENT;
  const bool fits = held_.empty() ? ring_.free() >= framed + kStepReserve : can_hold(framed);
  if (total > wire::kMaxRawTensor || framed > ring_.capacity() / 2 || !fits) return drop(PAWL_E_FULL);
  observed_ = true;
  const auto* elements = static_cast<const uint8_t*>(data);
  std::vector<uint8_t> frame;
  for (uint64_t at = 0; at < total;) {
    // The head is short: it lies in the first piece.
    const std::string_view front = at == 0 ? head : std::string_view();
    const uint64_t bytes = std::min<uint64_t>(wire::kRawPiece, total - at);
    const wire::RawTensorPayload payload{series, static_cast<uint32_t>(bytes), total, at};
    frame.clear();
    wire::append_frame(frame, RecordType::raw_tensor,
                       {{&payload, sizeof payload},
                        {front.data(), front.size()},
                        {elements + (at + front.size() - head.size()), bytes - front.size()}});
    const pawl_status status = push(frame.data(), frame.size());
    if (status != PAWL_OK) return status;
    at += bytes;
  }
  return PAWL_OK;
}

pawl_status Recorder::span(uint32_t series, uint64_t begin_ns, uint64_t end_ns) {
  const auto frame = wire::make_frame(RecordType::span, wire::SpanPayload{series, 0, begin_ns, end_ns});
  return push_observation(series, frame.data(), frame.size());
}

pawl_status Recorder::batch(uint32_t series, uint64_t digest, uint64_t examples, const uint64_t* label_counts,
                            uint32_t classes) {
  const wire::BatchPayload payload{series, classes, digest, examples};
  std::vector<uint8_t> frame;
  wire::append_frame(frame, RecordType::batch,
                     {{&payload, sizeof payload}, {label_counts, classes * sizeof *label_counts}});
  return push_observation(series, frame.data(), frame.size());
}

pawl_status Recorder::hash(uint32_t series, uint64_t digest) {
  const auto frame = wire::make_frame(RecordType::hash, wire::HashPayload{series, 0, digest});
  return push_observation(series, frame.data(), frame.size());
}

pawl_status Recorder::fine_histogram(uint32_t series, const pawl_fine_histogram& histogram) {
  const wire::FineHistogramPayload payload{series, wire::kFineBins, histogram.sampled};
  std::vector<uint8_t> frame;
  wire::append_frame(frame, RecordType::fine_histogram,
                     {{&payload, sizeof payload}, {histogram.bins, sizeof histogram.bins}});
  return push_observation(series, frame.data(), frame.size());
}

pawl_status Recorder::push_observation(uint32_t series, const uint8_t* frame, size_t size) {
  const std::lock_guard lock(mutex_);
  if (series >= ids_.size()) return PAWL_E_ARGUMENT;
  observed_ = true;
  return push(frame, size);
}

pawl_status Recorder::push(const uint8_t* frame, size_t size) {
  if (held_.empty()) return put_in_ring(frame, size);
  if (!is_of_step(frame) && !can_hold(size)) return drop(PAWL_E_FULL);
  held_.back().after.insert(held_.back().after.end(), frame, frame + size);
  held_bytes_ += size;
  return PAWL_OK;
}

// What is held back has its room in the ring, and leaves the rest of it to the statistics that it waits for.
bool Recorder::can_hold(uint64_t size) const {
  return held_bytes_ + size + kStepReserve <= std::min(ring_.free(), ring_.capacity() / 2);
}

pawl_status Recorder::put_in_ring(const uint8_t* frame, size_t size) {
  const bool begins_step = type_of(frame) == RecordType::step_begin;
  if (begins_step) step_lost_ = false;
  if (write_failed_) {
    step_lost_ = true;
    return drop(PAWL_E_IO);
  }
  const size_t reserve = is_of_step(frame) ? 0 : kStepReserve;
  if (step_lost_ || ring_.free() < size + reserve) {
    step_lost_ = step_lost_ || begins_step;
    return drop(PAWL_E_FULL);
  }
  ring_.write(frame, size);
  ++ring_records_;
  if (ring_.used() > ring_.capacity() / 4) wake();
  return PAWL_OK;
}

pawl_status Recorder::cuda_tensors(const pawl_tensor* tensors, size_t count, int device, void* stream) {
  if (count == 0) return PAWL_OK;
  const std::lock_guard cuda(cuda_mutex_);
  let_go(kCudaWait, kMaxBatches - 1);
  Held held{nullptr, {}};
  {
    const std::lock_guard lock(mutex_);
    for (size_t i = 0; i < count; ++i) {
      if (tensors[i].series >= ids_.size()) return PAWL_E_ARGUMENT;
    }
    if (held_.size() >= kMaxBatches) {
      count_dropped(count);
      return PAWL_E_FULL;
    }
  }
  held.batch = cuda_.launch(tensors, count, device, stream);
  if (held.batch == nullptr) {
    cuda_error_.remember(cuda_.error());
    return PAWL_E_CUDA;
  }
  const std::lock_guard lock(mutex_);
  observed_ = true;
  held_.push_back(std::move(held));
  holds_.store(true, std::memory_order_relaxed);
  return PAWL_OK;
}

void Recorder::let_go_of_what_has_arrived() {
  if (!holds_.load(std::memory_order_relaxed)) return;
  const std::unique_lock cuda(cuda_mutex_, std::try_to_lock);  // somebody else does it
  if (cuda) let_go(std::chrono::nanoseconds(0), 0);
}

// From the oldest, what has arrived; waits as long as `patience` while more than `at_most` are left.
void Recorder::let_go(std::chrono::nanoseconds patience, size_t at_most) {
  using Progress = cuda::Statistics::Progress;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!held_.empty()) {
    const Progress progress = cuda_.look(*held_.front().batch);
    if (progress == Progress::running) {
      if (held_.size() <= at_most || std::chrono::steady_clock::now() >= deadline) return;
      std::this_thread::sleep_for(kCudaLook);
      continue;
    }
    if (progress == Progress::failed) cuda_error_.remember(cuda_.error());
    const std::lock_guard lock(mutex_);
    let_go_front(progress == Progress::done);
  }
}

void Recorder::let_go_front(bool arrived) {
  using cuda::Statistics;
  const Held held = std::move(held_.front());
  held_.pop_front();
  holds_.store(!held_.empty(), std::memory_order_relaxed);
  const size_t count = Statistics::size(*held.batch);
  if (!arrived) count_dropped(count);
  for (size_t i = 0; arrived && i < count; ++i) {
    const auto frame = stats_frame(Statistics::series(*held.batch, i), Statistics::stats(*held.batch, i));
    if (ring_.free() < held_bytes_ + frame.size() + kStepReserve) {
      drop(PAWL_E_FULL);
    } else {
      put_in_ring(frame.data(), frame.size());
    }
  }
  if (arrived) cuda_.finish(*held.batch);
  held_bytes_ -= held.after.size();
  for (size_t at = 0; at < held.after.size(); at += frame_size(held.after.data() + at)) {
    put_in_ring(held.after.data() + at, frame_size(held.after.data() + at));
  }
  wake();
}

pawl_status Recorder::drop(pawl_status status) {
  count_dropped(1);
  return status;
}

void Recorder::count_dropped(uint64_t records) {
  ring_.set_dropped(dropped_.fetch_add(records, std::memory_order_relaxed) + records);
}

void Recorder::wake() {
  if (wake_) return;
  wake_ = true;
  work_.notify_one();
}

void Recorder::wait_for_work(std::unique_lock<std::mutex>& lock) {
  work_.wait_for(lock, kRetry, [&] { return wake_ || closing_; });
  lock.unlock();
  let_go_of_what_has_arrived();
  lock.lock();
  wake_ = false;
}

pawl_status Recorder::flush() {
  let_go_of_what_has_arrived();
  return wait_written(kFlushWait);
}

pawl_status Recorder::wait_written(std::chrono::seconds limit) {
  std::unique_lock lock(mutex_);
  const uint64_t ticket = ++flush_asked_;
  wake();
  const bool done = done_.wait_for(lock, limit, [&] { return flush_done_ >= ticket || stopped_; });
  return done && !write_failed_ ? PAWL_OK : PAWL_E_IO;
}

void Recorder::run() {
  ErrorText error;
  try {
    write_batches();
  } catch (...) {
    error.set("out of memory in the writer thread");
  }
  const std::lock_guard lock(mutex_);
  if (!error.empty()) {
    write_failed_ = true;
    error_.remember(error);
  }
  stopped_ = true;
  done_.notify_all();
}

void Recorder::write_batches() {
  std::unique_lock lock(mutex_);
  for (bool last = false; !last;) {
    wait_for_work(lock);
    const Batch batch = take_batch(!directory_.has_segment() || directory_.segment_size() >= segment_bytes_);
    lock.unlock();
    ErrorText error;
    const bool written = write_batch(batch, error);
    lock.lock();
    write_failed_ = !written;
    if (written) {
      ring_.consume(batch.to - batch.from);
      ring_records_ -= batch.records;
      declarations_written_ = batch.declarations_end;
      dropped_written_ = batch.dropped;
    } else {
      error_.remember(error);
      if (!batch.last) give_up_ring();
    }
    flush_done_ = batch.flush;
    done_.notify_all();
    last = batch.last;
  }
  // What was not written in the end stays for whoever completes the segments, as that of a killed process.
  if (!write_failed_ || ring_.head() == 0) directory_.remove_ring();
}

// Of the records behind the batch that could not be written too: their step began in it.
void Recorder::give_up_ring() {
  announce_nothing(ring_.head());
  ring_.consume(ring_.used());
  count_dropped(std::exchange(ring_records_, 0));
  step_lost_ = true;
}

Recorder::Batch Recorder::take_batch(bool new_segment) {
  keep_declarations();
  Batch batch;
  batch.new_segment = new_segment;
  batch.declarations_begin = new_segment ? 0 : declarations_written_;
  batch.declarations_end = declarations_.size();
  batch.declarations.assign(declarations_.begin() + static_cast<ptrdiff_t>(batch.declarations_begin),
                            declarations_.end());
  batch.spans = ring_.readable();
  batch.from = ring_.tail();
  batch.to = ring_.head();
  batch.records = ring_records_;
  batch.dropped = dropped();
  if (batch.dropped != dropped_written_) {
    const wire::DroppedPayload payload{batch.dropped};
    wire::append_frame(batch.after, RecordType::dropped, {{&payload, sizeof payload}});
  }
  if (closing_) {
    const wire::EndPayload payload{wall_ns(), mono_ns(), batch.dropped};
    wire::append_frame(batch.after, RecordType::end, {{&payload, sizeof payload}});
  }
  batch.flush = flush_asked_;
  batch.last = closing_;
  return batch;
}

bool Recorder::write_batch(const Batch& batch, ErrorText& error) {
  std::vector<uint8_t> before;
  if (batch.new_segment) before = header(directory_.segment() + 1);
  announce(batch, before);
  const auto part = [](const uint8_t* data, size_t size) { return iovec{const_cast<uint8_t*>(data), size}; };
  const struct iovec parts[] = {
      part(before.data(), before.size()), part(batch.declarations.data(), batch.declarations.size()),
      part(batch.spans[0].data, batch.spans[0].size), part(batch.spans[1].data, batch.spans[1].size),
      part(batch.after.data(), batch.after.size())};
  return (!batch.new_segment || directory_.open_segment(error)) &&
         directory_.append(parts, static_cast<int>(std::size(parts)), error);
}

void Recorder::announce(const Batch& batch, const std::vector<uint8_t>& before) {
  wire::RingBatch& out = ring_.next_batch();
  out.segment = batch.new_segment ? directory_.segment() + 1 : directory_.segment();
  out.segment_size = batch.new_segment ? 0 : directory_.segment_size();
  out.declared_from = batch.declarations_begin;
  out.declared_to = batch.declarations_end;
  out.from = batch.from;
  out.to = batch.to;
  out.dropped = batch.dropped;
  out.before_bytes = static_cast<uint32_t>(before.size());
  out.after_bytes = static_cast<uint32_t>(batch.after.size());
  std::copy(before.begin(), before.end(), out.before);
  std::copy(batch.after.begin(), batch.after.end(), out.after);
  ring_.announce();
}

// What is in the ring up to there is written, or lost; what follows belongs into a new segment, whose header
// is made of the one that is left here.
void Recorder::announce_nothing(uint64_t position) {
  wire::RingBatch& out = ring_.next_batch();
  const std::vector<uint8_t> kept = header(0);
  out = {};
  out.from = out.to = position;
  out.dropped = dropped_written_;
  out.before_bytes = static_cast<uint32_t>(kept.size());
  std::copy(kept.begin(), kept.end(), out.before);
  ring_.announce();
}

std::vector<uint8_t> Recorder::header(uint32_t segment) const {
  const wire::HeaderPayload payload{wire::kFormatVersion,
                                    rank_,
                                    world_size_,
                                    static_cast<uint32_t>(::getpid()),
                                    start_ns_,
                                    wall_ns(),
                                    mono_ns(),
                                    segment,
                                    static_cast<uint32_t>(producer_.size())};
  std::vector<uint8_t> out;
  wire::append_frame(out, RecordType::header,
                     {{&payload, sizeof payload}, {producer_.data(), producer_.size()}});
  return out;
}

}  // namespace pawl::capture
