#include "runners/port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace pawl::runners {

Result<PortReservation> PortReservation::create() {
  UniqueFd holder(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!holder) return errno_error("cannot create a socket", "", errno);
  int yes = 1;
  setsockopt(holder.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (bind(holder.get(), raw, size) != 0 || getsockname(holder.get(), raw, &size) != 0) {
    return errno_error("cannot reserve a port", "127.0.0.1", errno);
  }
  return PortReservation(std::move(holder), ntohs(address.sin_port));
}

}  // namespace pawl::runners
