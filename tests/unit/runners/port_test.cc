#include "runners/port.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <set>

namespace pawl::runners {
namespace {

// Binds as servers do. `family` AF_INET6 takes both address families, as torch's TCPStore does.
UniqueFd listen_on(int family, int port) {
  UniqueFd server(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int yes = 1;
  setsockopt(server.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (family == AF_INET6) {
    auto* address = reinterpret_cast<sockaddr_in6*>(&storage);
    address->sin6_family = AF_INET6;
    address->sin6_port = htons(static_cast<uint16_t>(port));
    size = sizeof *address;
  } else {
    auto* address = reinterpret_cast<sockaddr_in*>(&storage);
    address->sin_family = AF_INET;
    address->sin_port = htons(static_cast<uint16_t>(port));
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    size = sizeof *address;
  }
  if (bind(server.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0 || listen(server.get(), 8) != 0)
    return {};
  return server;
}

bool can_connect(int port) {
  UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

TEST(PortReservation, TheRankThatAsksForItGetsIt) {
  auto reservation = PortReservation::create();
  ASSERT_TRUE(reservation.ok());
  ASSERT_GT(reservation->port(), 0);
  EXPECT_FALSE(can_connect(reservation->port()));
  UniqueFd server = listen_on(AF_INET, reservation->port());
  ASSERT_TRUE(server) << strerror(errno);
  EXPECT_TRUE(can_connect(reservation->port()));
}

TEST(PortReservation, AnIpv6ServerGetsItToo) {
  UniqueFd probe(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!probe) return;  // a machine without IPv6 has no such servers
  auto reservation = PortReservation::create();
  ASSERT_TRUE(reservation.ok());
  UniqueFd server = listen_on(AF_INET6, reservation->port());
  ASSERT_TRUE(server) << strerror(errno);
  EXPECT_TRUE(can_connect(reservation->port()));
}

TEST(PortReservation, NobodyElseIsGivenIt) {
  std::vector<PortReservation> held;
  std::set<int> ports;
  for (int i = 0; i < 500; ++i) {
    auto reservation = PortReservation::create();
    ASSERT_TRUE(reservation.ok());
    ports.insert(reservation->port());
    held.push_back(std::move(*reservation));
  }
  EXPECT_EQ(ports.size(), 500u);
}

}  // namespace
}  // namespace pawl::runners
