// JSON lines over the Unix stream socket `sock` of an attempt: the server side for the supervisor, connecting
// and cutting into lines for its clients.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/loop.h"

namespace pawl::supervise {

// Cuts a byte stream into lines. A line of more than 1 MiB is an error, and so is everything after it.
class LineBuffer {
 public:
  Result<std::vector<std::string>> add(std::string_view bytes);

 private:
  std::string rest_;
};

// Error not_found or unavailable when nobody listens. Works for paths longer than a socket address can hold.
// The descriptor is blocking.
Result<UniqueFd> connect_line_socket(const std::string& folder);

// Serves the processes of the same user (and root). Never blocks and never waits for a reader: one that does
// not take 4 MiB is disconnected. Loop thread only.
class LineServer {
 public:
  struct Handlers {
    std::function<std::string()> greeting;  // what a new client is told first: whole lines
    std::function<std::string(std::string_view)>
        on_line;  // the answer to a line of a client: whole lines, or ""
  };

  // Replaces a socket file that a killed predecessor left. Call under the attempt's lock.
  static Result<std::unique_ptr<LineServer>> listen(EventLoop& loop, const std::string& folder,
                                                    Handlers handlers);
  ~LineServer();  // removes the socket file
  LineServer(const LineServer&) = delete;
  LineServer& operator=(const LineServer&) = delete;

  void broadcast(std::string_view lines);
  // Gives clients up to `patience_ms` to take what is still unsent. Blocks; for the end of the process.
  void drain(int64_t patience_ms);

 private:
  struct Client {
    UniqueFd fd;
    LineBuffer input;
    std::string output;
    EventLoop::Id read_watch = 0;
    EventLoop::Id write_watch = 0;
  };

  LineServer(EventLoop& loop, UniqueFd folder, UniqueFd socket, Handlers handlers);
  void accept_one();
  void read_from(int id);
  bool send(int id, std::string_view lines);  // false: the client is gone
  void flush(Client& client);
  void drop(int id);

  EventLoop& loop_;
  UniqueFd folder_;
  UniqueFd socket_;
  Handlers handlers_;
  EventLoop::Id accept_watch_ = 0;
  std::map<int, Client> clients_;
  int next_client_ = 0;
};

}  // namespace pawl::supervise
