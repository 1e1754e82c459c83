// The routes below /api/v1/record: the daemon's record for `pawl run --record https://...`. Reading goes
// through read-only connections on the pool; entries are checked there too and put on record by the engine
// thread; pieces of files are written on the pool.
#pragma once

#include "engine/base/loop.h"
#include "engine/base/pool.h"
#include "engine/core/engine.h"
#include "engine/http/router.h"

namespace pawl::http {

// All of them must outlive the router's server.
void add_record_routes(Router& router, core::Engine& engine, EventLoop& engine_loop, WorkerPool& pool);

}  // namespace pawl::http
