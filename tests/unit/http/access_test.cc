#include "engine/http/access.h"

#include <gtest/gtest.h>

#include <string>

namespace pawl::http {
namespace {

const AccessPolicy kPolicy{{"right", "also-right", ""}, {"ci.example.com", "192.168.1.5", ""}};

bool host_ok(const std::string& host) {
  return check_host(kPolicy, {{"Host", host}}).ok();
}
bool origin_ok(const std::string& host, const std::string& origin) {
  return check_host(kPolicy, {{"Host", host}, {"Origin", origin}}).ok();
}
bool token_ok(const std::string& value) {
  return check_token(kPolicy, {{"authorization", value}}).ok();
}

TEST(Access, OurNames) {
  for (const char* host : {"localhost", "localhost:8080", "LOCALHOST", "127.0.0.1", "127.0.0.1:1", "[::1]",
                           "[::1]:8080", "ci.example.com", "CI.Example.com:443", "192.168.1.5:8080"}) {
    EXPECT_TRUE(host_ok(host)) << host;
  }
}

TEST(Access, OtherNamesAreRebinding) {
  for (const char* host :
       {"", "evil.example", "localhost.evil.example", "evil.localhost", "127.0.0.2", "0.0.0.0", "::1", "[::1",
        "ci.example.com.", "ci.example.com@evil", ":8080", "192.168.1.55"}) {
    EXPECT_FALSE(host_ok(host)) << host;
  }
  EXPECT_FALSE(check_host(kPolicy, {}).ok());
  EXPECT_FALSE(check_host(kPolicy, {{"Host", "localhost"}, {"host", "evil"}}).ok());
}

TEST(Access, PagesOfOtherSitesAreRefused) {
  EXPECT_TRUE(origin_ok("localhost:8080", "http://localhost:8080"));
  EXPECT_TRUE(origin_ok("ci.example.com", "https://ci.example.com"));
  EXPECT_TRUE(origin_ok("ci.example.com:443", "https://ci.example.com"));
  EXPECT_TRUE(origin_ok("localhost:80", "http://localhost"));
  EXPECT_TRUE(origin_ok("[::1]:8080", "http://[::1]:8080"));
  EXPECT_FALSE(origin_ok("localhost:8080", "http://localhost:3000"));
  EXPECT_FALSE(origin_ok("localhost:8080", "http://127.0.0.1:8080"));
  EXPECT_FALSE(origin_ok("localhost:8080", "http://evil.example"));
  EXPECT_FALSE(origin_ok("localhost:8080", "null"));
  EXPECT_FALSE(origin_ok("localhost:8080", ""));
  EXPECT_FALSE(origin_ok("localhost:443", "http://localhost"));
}

TEST(Access, Tokens) {
  EXPECT_TRUE(token_ok("Bearer right"));
  EXPECT_TRUE(token_ok("bearer also-right"));
  for (const char* value : {"", "right", "Bearer", "Bearer ", "Bearer wrong", "Bearer righ", "Bearer rightt",
                            "Bearer RIGHT", "Basic cmlnaHQ=", "Bearer right, Bearer wrong"}) {
    EXPECT_FALSE(token_ok(value)) << value;
  }
  EXPECT_FALSE(check_token(kPolicy, {}).ok());
  EXPECT_FALSE(
      check_token(kPolicy, {{"Authorization", "Bearer right"}, {"Authorization", "Bearer wrong"}}).ok());
  EXPECT_FALSE(check_token({}, {{"Authorization", "Bearer "}}).ok());
}

}  // namespace
}  // namespace pawl::http
