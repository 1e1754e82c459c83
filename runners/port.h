// A TCP port on the loopback address for the rendezvous of the ranks.
#pragma once

#include "engine/base/error.h"
#include "engine/base/files.h"

namespace pawl::runners {

// Holds a port that was free. While it lives the kernel gives the port to nobody who asks for "any port", so
// two attempts never meet; the rank that asks for exactly this port gets it, if it sets SO_REUSEADDR before
// bind as servers do (torch's TCPStore, Python's socketserver, Asio): a bound socket that does not listen is
// no obstacle then.
class PortReservation {
 public:
  static Result<PortReservation> create();
  int port() const { return port_; }

 private:
  PortReservation(UniqueFd socket, int port) : socket_(std::move(socket)), port_(port) {}
  UniqueFd socket_;
  int port_;
};

}  // namespace pawl::runners
