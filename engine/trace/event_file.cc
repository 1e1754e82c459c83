#include "engine/trace/event_file.h"

#include <fcntl.h>
#include <tensorboard_event.pb.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "hooks/capture/crc32c.h"

namespace pawl::trace {
namespace {

constexpr size_t kMaxBuffer = 1u << 20;

template <class Integer>
void append_number(std::string& out, Integer value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

uint32_t masked_crc(const void* data, size_t size) {
  const uint32_t crc = wire::crc32c(data, size);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

tensorboard::Event event_of(double wall_time, uint64_t step) {
  tensorboard::Event event;
  event.set_wall_time(wall_time);
  event.set_step(static_cast<int64_t>(std::min<uint64_t>(step, INT64_MAX)));
  return event;
}

// C++ leaves a conversion that overflows undefined.
float to_float(double value) {
  constexpr float kMax = std::numeric_limits<float>::max();
  if (value > kMax) return std::numeric_limits<float>::infinity();
  if (value < -kMax) return -std::numeric_limits<float>::infinity();
  return static_cast<float>(value);
}

void set_histogram(tensorboard::Histogram& out, const EventHistogram& histogram) {
  double num = 0;
  for (double count : histogram.counts) num += count;
  out.set_min(histogram.min);
  out.set_max(histogram.max);
  out.set_num(num);
  out.mutable_bucket_limit()->Add(histogram.limits.begin(), histogram.limits.end());
  out.mutable_bucket()->Add(histogram.counts.begin(), histogram.counts.end());
}

}  // namespace

void append_tfrecord(std::string& out, std::string_view message) {
  const uint64_t length = message.size();
  append_number(out, length);
  append_number(out, masked_crc(&length, sizeof length));
  out.append(message);
  append_number(out, masked_crc(message.data(), message.size()));
}

Result<EventFile> EventFile::create(const std::string& path, double wall_time) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return errno_error("cannot replace", path, errno);
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644));
  if (!fd) return errno_error("cannot create", path, errno);
  EventFile file(std::move(fd));
  tensorboard::Event event = event_of(wall_time, 0);
  event.set_file_version("brain.Event:2");
  PAWL_RETURN_IF_ERROR(file.append(event.SerializeAsString()));
  return file;
}

Result<void> EventFile::add(double wall_time, uint64_t step, std::span<const EventValue> values) {
  tensorboard::Event event = event_of(wall_time, step);
  tensorboard::Summary& summary = *event.mutable_summary();
  for (const EventValue& value : values) {
    tensorboard::Summary::Value& added = *summary.add_value();
    added.set_tag(value.tag);
    if (const double* number = std::get_if<double>(&value.value)) {
      added.set_simple_value(to_float(*number));
    } else {
      set_histogram(*added.mutable_histo(), std::get<EventHistogram>(value.value));
    }
  }
  return append(event.SerializeAsString());
}

Result<void> EventFile::restart(double wall_time, uint64_t step) {
  tensorboard::Event event = event_of(wall_time, step);
  event.mutable_session_log()->set_status(tensorboard::SessionLog::START);
  return append(event.SerializeAsString());
}

Result<void> EventFile::append(std::string_view message) {
  append_tfrecord(buffer_, message);
  return buffer_.size() < kMaxBuffer ? Result<void>() : flush();
}

Result<void> EventFile::flush() {
  PAWL_RETURN_IF_ERROR(write_all(fd_.get(), std::exchange(buffer_, {})));
  return {};
}

}  // namespace pawl::trace
