#include "engine/http/session.h"

#include <gtest/gtest.h>

#include <string>

namespace pawl::http {
namespace {

constexpr int64_t kNow = 1'800'000'000;

std::string value_of(const std::string& cookie) {
  return cookie.substr(0, cookie.find(';'));
}
bool accepted(const std::string& cookies, int64_t now = kNow) {
  return has_session({"", "token"}, {{"Cookie", cookies}}, now);
}

TEST(Session, LastsItsTimeAndNotLonger) {
  const std::string cookie = value_of(session_cookie("token", kNow, true));
  EXPECT_TRUE(accepted(cookie));
  EXPECT_TRUE(accepted("theme=dark; " + cookie + "; x=y"));
  EXPECT_TRUE(accepted("pawl_session=1.2; " + cookie));
  EXPECT_TRUE(accepted(cookie, kNow + kSessionSeconds - 1));
  EXPECT_FALSE(accepted(cookie, kNow + kSessionSeconds));
}

TEST(Session, NeedsTheTokenAndTheWholeSignature) {
  const std::string cookie = value_of(session_cookie("token", kNow, true));
  EXPECT_FALSE(accepted(value_of(session_cookie("another", kNow, true))));
  EXPECT_FALSE(accepted(value_of(session_cookie("", kNow, true)))) << "an empty token never counts";
  EXPECT_FALSE(has_session({}, {{"Cookie", cookie}}, kNow));
  EXPECT_FALSE(accepted(cookie.substr(0, cookie.size() - 1)));
  EXPECT_FALSE(accepted(cookie + "0"));
  std::string later = cookie;
  later[later.find('=') + 1] = '9';
  EXPECT_FALSE(accepted(later)) << "the end is signed";
}

TEST(Session, NonsenseIsNoSession) {
  for (const char* cookies : {"", ";", "pawl_session", "pawl_session=", "pawl_session=.", "pawl_session=-1.",
                              "pawl_session=99999999999999999999.00", "pawl_sessionx=1.2", "=;=;="}) {
    EXPECT_FALSE(accepted(cookies)) << cookies;
  }
  EXPECT_FALSE(has_session({"token"}, {}, kNow));
}

TEST(Session, IsForPagesOnlyAndHiddenFromScripts) {
  const std::string cookie = session_cookie("token", kNow, true);
  for (const char* part : {"; Path=/runs/", "; HttpOnly", "; SameSite=Lax", "; Secure"})
    EXPECT_NE(cookie.find(part), cookie.npos) << part;
  EXPECT_EQ(session_cookie("token", kNow, false).find("Secure"), cookie.npos) << "plain HTTP on loopback";
}

}  // namespace
}  // namespace pawl::http
