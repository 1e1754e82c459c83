// Ends every process of an attempt, however it tried to get away.
//
// Three nets, each for what slips through the others:
//  - descent: the supervisor is a child subreaper, so a process that forked twice and left its session still
//  is
//    its descendant, whatever its environment;
//  - cookie: PAWL_COOKIE in /proc/<pid>/environ finds what is left when the supervisor itself was killed;
//  - session: a rank leads its own session, so a process in a session with a cookie bearer belongs to the
//  attempt
//    even if it cleaned its environment.
// Not found: a process that cleaned its environment, left the session and lost its parent, after the
// supervisor was killed. Processes are signalled through a pidfd, checked against their start time: never a
// stranger that got a recycled pid.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "runners/process_table.h"

namespace pawl::runners {

struct TreeQuery {
  std::string cookie;  // value of PAWL_COOKIE; empty: not searched by cookie
  pid_t root = 0;      // its descendants belong to the tree, it itself does not; 0: none
};

struct Tree {
  std::vector<Process> members;  // never the calling process
  // /proc is no snapshot: false when a process changed under the look so that a bearer of the cookie may have
  // been missed. Only a look that is certain proves that nothing is left.
  bool certain = true;
};

// The tree as it is now.
Result<Tree> find_tree(const TreeQuery& query);

struct KillReport {
  int signalled = 0;               // distinct processes that were found
  std::set<std::string> names;     // what they were called, at most 16
  std::vector<Process> survivors;  // could not be ended: in uninterruptible sleep, or another user's
};

// One killing in progress: TERM (and CONT, a stopped process cannot react), after the grace KILL, again and
// again until nothing is found, at most kPatienceMs after the first KILL. Does not block: call step() when
// fd() is readable or due_ms() has come. One thread.
class TreeKill {
 public:
  static constexpr int64_t kPatienceMs = 5000;

  // grace_ms 0: KILL at once. `now_ms` is a monotonic clock's, here and below.
  TreeKill(TreeQuery query, int64_t grace_ms, int64_t now_ms);

  // True when it is over: report() is final then.
  Result<bool> step(int64_t now_ms);
  // Less patience than before; never more.
  void shorten(int64_t grace_ms, int64_t now_ms);

  int fd() const { return epoll_.get(); }  // readable when a signalled process has ended
  int64_t due_ms() const;
  const KillReport& report() const { return report_; }

 private:
  void forget_ended();
  void signal_all(const std::vector<Process>& tree, int64_t now_ms);
  void note(const Process& process);

  TreeQuery query_;
  int64_t deadline_ms_;  // of the grace, then of the patience
  bool killing_;
  int64_t look_again_ms_ = INT64_MAX;  // set when a target could not be watched
  UniqueFd epoll_;
  std::map<int, UniqueFd> targets_;  // pidfds of signalled processes still alive
  std::set<std::pair<pid_t, uint64_t>> seen_;
  KillReport report_;
};

// The same, blocking.
Result<KillReport> kill_tree(const TreeQuery& query, int64_t grace_ms);

// After a crash of the supervisor: ends whatever carries its cookie, and returns when nothing does. An error
// (conflict) when something could not be ended: the attempt must not be started again then.
Result<KillReport> sweep_leftovers(const std::string& cookie);

}  // namespace pawl::runners
