// Follows the event files that a training writes for TensorBoard, and records their scalars in its trace.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/loop.h"
#include "engine/supervise/intent.h"
#include "engine/trace/event_reader.h"
#include "engine/trace/segment_writer.h"

namespace pawl::supervise {

// Twice a second it looks for files whose name holds `tfevents` at the places that Intent::event_files names,
// and takes what is new in them to segments of the rank: rules and trace.db see it as what a hook records. It
// is part of the supervisor rather than a process of its own: it has nothing to wait for, holds little in
// memory, and the end of the ranks is the moment at which the rest has to be read.
//
// What was there before the ranks started is of an earlier attempt, and is not read. A rank that a hook (or
// `pawl log`) records is left alone. The lock of a rank is held only while something is written, so that a
// hook may still come; the trace is closed after each time, so that nobody waits for the next. Nothing that a
// file holds ends an attempt: it is counted and stands in notes().
//
// Loop thread only.
class EventFiles {
 public:
  // REQUIRES: the trace folder of the attempt is there, and no rank has started. `intent` has to live as
  // long.
  EventFiles(EventLoop& loop, const Intent& intent);
  ~EventFiles();
  EventFiles(const EventFiles&) = delete;
  EventFiles& operator=(const EventFiles&) = delete;

  // Records all that has been written until now, up to a bound that notes() tell of.
  void read_all();
  std::vector<std::string> notes() const;

 private:
  // The files of one rank.
  struct Source {
    uint32_t rank = 0;
    std::string pattern;
    std::string base;         // the folders that it begins with
    bool went_back = false;   // a file said that training began again: it does at the next step that is read
    bool left_alone = false;  // somebody else records the rank
  };
  struct File {
    uint64_t inode = 0;
    uint64_t offset = 0;
    trace::TfRecordDecoder decoder;
    uint64_t strange = 0;      // messages that are no event, names that are too long
    bool is_followed = false;  // something has come since the ranks started
  };

  bool poll();  // true: there is more to read at once
  // Paths are relative to the checkout.
  std::vector<std::string> find(const std::string& base);
  void walk(const std::string& folder, int depth, std::vector<std::string>& out);
  // The folders between the one that the pattern names and the file; nothing for a file of others.
  static std::optional<std::string> run_of(const Source& source, const std::string& path);
  File* grown(const std::string& path, uint64_t inode, uint64_t size);  // null: there is nothing to read
  void read(const std::string& path, const std::string& run, Source& source, size_t& budget);
  void take(const trace::ScalarEvent& event, const std::string& run, File& file, Source& source);
  void record(Source& source);
  Result<void> write(const Source& source, trace::SegmentWriter& writer);

  EventLoop& loop_;
  const Intent& intent_;
  std::vector<Source> sources_;
  std::map<std::string, File> files_;     // by path
  std::vector<trace::LoggedStep> batch_;  // of the source that is read, a value each
  size_t visited_ = 0;                    // files and folders in this walk
  bool too_many_ = false;                 // to look at all of them
  size_t followed_ = 0;                   // files
  bool too_many_followed_ = false;
  bool too_much_ = false;  // was left at the end
  std::string first_error_;
  EventLoop::Id timer_ = 0;
};

}  // namespace pawl::supervise
