// Deliveries of webhooks: stored before they are answered, worked off afterwards, never twice.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/sqlite.h"

namespace pawl::store {

struct Delivery {
  int64_t id = 0;
  std::string project;
  std::string delivery_id;
  std::string forge;
  std::string event;
  std::string body;
  int64_t received_ms = 0;
  std::string state = "pending";
  int64_t tries = 0;
  std::string note;
};

// True: stored. False: this delivery id is known for the project, nothing was done.
Result<bool> insert_delivery(Db& db, const Delivery& delivery);
Result<std::vector<Delivery>> pending_deliveries(Db& db, std::string_view project,
                                                 int64_t limit);  // oldest first
Result<void> settle_delivery(Db& db, int64_t id, std::string_view state, std::string_view note);
Result<void> count_delivery_try(Db& db, int64_t id, std::string_view note);
// Without bodies, newest first.
Result<std::vector<Delivery>> list_deliveries(Db& db, std::string_view project, int64_t limit);

}  // namespace pawl::store
