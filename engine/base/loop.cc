#include "engine/base/loop.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "engine/base/clock.h"

namespace pawl {
namespace {

int64_t now_ms() {
  return SystemClock().monotonic_ms();
}

}  // namespace

EventLoop::EventLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  PAWL_CHECK(epoll_ && wake_);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 0;
  PAWL_CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) == 0);
}

EventLoop::~EventLoop() {
  for (const auto& [id, watch] : watches_) close(watch->fd);
}

EventLoop::Id EventLoop::watch_readable(int fd, Callback callback) {
  return add_watch(fd, EPOLLIN | EPOLLRDHUP, std::move(callback));
}

EventLoop::Id EventLoop::watch_writable(int fd, Callback callback) {
  return add_watch(fd, EPOLLOUT, std::move(callback));
}

// epoll knows a descriptor once; a second watch on it works on a duplicate, owned by the watch.
EventLoop::Id EventLoop::add_watch(int fd, uint32_t events, Callback callback) {
  Id id = next_id_++;
  int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  PAWL_CHECK(own >= 0);
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  PAWL_CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, own, &event) == 0);
  watches_.emplace(id, std::make_shared<Watch>(Watch{own, events, std::move(callback)}));
  return id;
}

EventLoop::Id EventLoop::call_after(int64_t delay_ms, Callback callback) {
  return add_timer(delay_ms, 0, std::move(callback));
}

EventLoop::Id EventLoop::call_every(int64_t period_ms, Callback callback) {
  return add_timer(period_ms, std::max<int64_t>(period_ms, 1), std::move(callback));
}

EventLoop::Id EventLoop::add_timer(int64_t delay_ms, int64_t period_ms, Callback callback) {
  Id id = next_id_++;
  timers_.emplace(id, std::make_shared<Timer>(Timer{now_ms() + delay_ms, period_ms, std::move(callback)}));
  return id;
}

void EventLoop::remove(Id id) {
  if (auto it = watches_.find(id); it != watches_.end()) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, it->second->fd, nullptr);
    close(it->second->fd);
    watches_.erase(it);
  }
  timers_.erase(id);
}

void EventLoop::post(Callback callback) {
  posted_.lock()->push_back(std::move(callback));
  uint64_t one = 1;
  (void)!write(wake_.get(), &one, sizeof one);  // a full counter already means "awake"
}

void EventLoop::stop() {
  post([this] { stopped_ = true; });
}

void EventLoop::run_posted() {
  std::vector<Callback> work;
  work.swap(*posted_.lock());
  for (Callback& callback : work) callback();
}

void EventLoop::run_due_timers() {
  int64_t now = now_ms();
  std::vector<std::pair<int64_t, Id>> due;
  for (const auto& [id, timer] : timers_) {
    if (timer->due_ms <= now) due.emplace_back(timer->due_ms, id);
  }
  std::sort(due.begin(), due.end());
  for (auto [due_ms, id] : due) {
    auto it = timers_.find(id);
    if (it == timers_.end()) continue;  // removed by an earlier callback
    std::shared_ptr<Timer> timer = it->second;
    if (timer->period_ms == 0) {
      timers_.erase(it);
    } else {
      timer->due_ms = now + timer->period_ms;
    }
    timer->callback();
  }
}

int EventLoop::wait_ms() const {
  if (timers_.empty()) return -1;
  int64_t earliest = INT64_MAX;
  for (const auto& [id, timer] : timers_) earliest = std::min(earliest, timer->due_ms);
  return static_cast<int>(std::clamp<int64_t>(earliest - now_ms(), 0, 3'600'000));
}

void EventLoop::run() {
  stopped_ = false;
  while (!stopped_) {
    epoll_event events[64];
    int n = epoll_wait(epoll_.get(), events, 64, wait_ms());
    if (n < 0) PAWL_CHECK(errno == EINTR);
    for (int i = 0; i < n; ++i) {
      if (events[i].data.u64 == 0) {
        uint64_t count = 0;
        (void)!read(wake_.get(), &count, sizeof count);
        continue;
      }
      auto it = watches_.find(events[i].data.u64);
      if (it == watches_.end()) continue;  // removed by an earlier callback of this round
      std::shared_ptr<Watch> watch = it->second;
      watch->callback();
    }
    run_posted();
    run_due_timers();
  }
}

}  // namespace pawl
