// Sends queued commit statuses to the forges: one at a time, again after a pause that grows when a forge does
// not answer. Engine thread; the sending itself is on the pool.
#pragma once

#include <memory>

#include "engine/core/context.h"

namespace pawl::core {

class StatusSender : public std::enable_shared_from_this<StatusSender> {
 public:
  explicit StatusSender(Context& context) : context_(context) {}

  // There may be something to send.
  void wake();

 private:
  struct Job;
  void send(Job job);

  Context& context_;
  bool busy_ = false;
  EventLoop::Id timer_ = 0;
};

}  // namespace pawl::core
