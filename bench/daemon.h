// A real `pawl serve` for a benchmark: its own home, loopback, one project; and the time it is measured with.
#pragma once

#include <time.h>

#include <map>
#include <string>

#include "engine/base/error.h"
#include "engine/base/subprocess.h"

namespace pawl::bench {

inline constexpr int64_t kPatienceMs = 60'000;  // for any one thing a benchmark waits for

double now_s(clockid_t clock);

// False when `fd` is not readable before `deadline_s` of CLOCK_MONOTONIC.
bool wait_readable(int fd, double deadline_s);

// This process's, without what would change what git or pawl do.
std::map<std::string, std::string> clean_environment();

// Supervisors outlive a daemon on purpose, but not this object: the process becomes a subreaper, so whatever
// was started on its behalf is its descendant, and stop() ends all of them.
class Daemon {
 public:
  // The `pawl` next to this program, home and log in `dir`, the project `bench` of this repository. Returns
  // when it serves.
  static Result<Daemon> start(const std::string& dir, const std::string& repository);
  Daemon(Daemon&&) = default;
  ~Daemon() { stop(); }

  void stop();  // also every descendant of this process; again is harmless

  const std::string& url() const { return url_; }
  std::string webhook() const { return url_ + "/hooks/bench"; }
  const std::string& token() const { return token_; }    // of the API
  const std::string& secret() const { return secret_; }  // of webhooks
  Result<double> rss_mb() const;
  std::string log() const;

 private:
  Daemon() = default;
  Result<void> write_config(const std::string& home, const std::string& repository);
  Result<std::string> first_line(int fd) const;

  std::string url_, token_, secret_, log_path_;
  Child child_;
};

}  // namespace pawl::bench
