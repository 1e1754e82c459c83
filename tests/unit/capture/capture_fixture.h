// A temporary attempt directory, recording into it, and reading back what is there.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/base/files.h"
#include "engine/trace/tail.h"
#include "pawl/capture.h"

namespace pawl::capture {

inline pawl_stats make_stats() {
  pawl_stats stats{};
  stats.struct_size = sizeof stats;
  return stats;
}

class CaptureTest : public testing::Test {
 protected:
  CaptureTest() : dir_(TempDir::create("pawl-capture").value()) {}

  std::string trace_dir() const { return dir_.path() + "/trace"; }
  std::string rank_dir() const { return trace_dir() + "/rank-00000"; }

  // Keeps its strings in this object: one set of options at a time.
  pawl_capture_options options() {
    trace_dir_ = trace_dir();
    pawl_capture_options options{};
    options.struct_size = sizeof options;
    options.world_size = 1;
    options.trace_dir = trace_dir_.c_str();
    options.producer = "test";
    return options;
  }

  pawl_capture* open(const pawl_capture_options& options) {
    pawl_capture* capture = nullptr;
    EXPECT_EQ(pawl_capture_open(&options, &capture), PAWL_OK) << pawl_capture_last_error(nullptr);
    return capture;
  }
  pawl_capture* open() { return open(options()); }

  static uint32_t series(pawl_capture* capture, const char* name, pawl_kind kind = PAWL_SCALAR) {
    uint32_t id = UINT32_MAX;
    EXPECT_EQ(pawl_capture_series(capture, name, kind, PAWL_F32, nullptr, 0, &id), PAWL_OK);
    return id;
  }

  // Until it is written, however slow the machine is. Not for what cannot be written.
  static void flush(pawl_capture* capture) {
    while (pawl_capture_flush(capture) != PAWL_OK && *pawl_capture_last_error(capture) == '\0') {
    }
    ASSERT_STREQ(pawl_capture_last_error(capture), "");
  }

  // Everything in the trace, of all ranks.
  std::vector<trace::Record> read_all(trace::Anomalies* anomalies = nullptr) const {
    auto tail = trace::TraceTail::open(trace_dir()).value();
    std::vector<trace::Record> records;
    const auto take = [&](std::vector<trace::RankRecord> more) {
      for (auto& record : more) records.push_back(std::move(record.record));
    };
    for (bool more = true; more;) {
      auto batch = tail.poll();
      more = batch.more;
      take(std::move(batch.records));
    }
    take(tail.finish());
    if (anomalies != nullptr) *anomalies = tail.anomalies();
    return records;
  }

  template <class T>
  static std::vector<T> only(const std::vector<trace::Record>& records) {
    std::vector<T> out;
    for (const auto& record : records) {
      if (const T* value = std::get_if<T>(&record)) out.push_back(*value);
    }
    return out;
  }

  TempDir dir_;

 private:
  std::string trace_dir_;
};

}  // namespace pawl::capture
