// One thread that waits for many things: readable descriptors, timers, work posted by other threads.
// Callbacks run on the thread that called run(), one at a time, so what they share needs no lock.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "engine/base/files.h"
#include "engine/base/sync.h"

namespace pawl {

class EventLoop {
 public:
  using Callback = std::function<void()>;
  using Id = uint64_t;  // never reused; 0 is no id

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Calls back whenever `fd` is readable, at its end, or broken; `on_writable` when it can be written. The
  // loop does not own the descriptor: remove the watch before closing it. Loop thread only.
  Id watch_readable(int fd, Callback callback);
  Id watch_writable(int fd, Callback callback);

  // Calls back once, `delay_ms` from now (a steady clock), or every `delay_ms`. Loop thread only.
  Id call_after(int64_t delay_ms, Callback callback);
  Id call_every(int64_t period_ms, Callback callback);

  // Removes a watch or a timer; harmless for an id that is gone. From inside any callback too.
  void remove(Id id);

  // Runs `callback` on the loop thread soon, in order of posting. From any thread, at any time.
  void post(Callback callback);

  // Runs until stop(). Work posted before stop() is done first.
  void run();
  // From any thread, or from a callback.
  void stop();

 private:
  struct Watch {
    int fd;
    uint32_t events;
    Callback callback;
  };
  struct Timer {
    int64_t due_ms;
    int64_t period_ms;  // 0: once
    Callback callback;
  };

  Id add_watch(int fd, uint32_t events, Callback callback);
  Id add_timer(int64_t delay_ms, int64_t period_ms, Callback callback);
  void run_posted();
  void run_due_timers();
  int wait_ms() const;

  UniqueFd epoll_;
  UniqueFd wake_;
  Id next_id_ = 1;
  bool stopped_ = false;
  std::map<Id, std::shared_ptr<Watch>> watches_;
  std::map<Id, std::shared_ptr<Timer>> timers_;
  Sync<std::vector<Callback>> posted_;
};

}  // namespace pawl
