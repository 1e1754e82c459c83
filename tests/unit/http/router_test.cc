#include "engine/http/router.h"

#include <gtest/gtest.h>

#include "engine/http/target.h"

namespace pawl::http {
namespace {

// A router whose routes answer nothing: only which one is chosen matters.
class RouterTest : public ::testing::Test {
 protected:
  void add(std::string_view method, std::string_view pattern) {
    router_.add(method, pattern, [](const Request&, const Responder&) {});
  }

  // "GET a/{id} id=7", or "allow: ..." or "none".
  std::string match(std::string_view method, std::string_view path) {
    auto target = parse_target(path);
    if (!target) return "malformed";
    Router::Match match = router_.match(method, target->segments);
    if (match.route == nullptr) return match.allow.empty() ? "none" : "allow: " + match.allow;
    std::string out = match.route->method + " " + join(match.route->pattern, "/");
    for (const auto& [name, value] : match.params) out += " " + name + "=" + value;
    return out;
  }

  Router router_;
};

TEST_F(RouterTest, LiteralsParametersAndRest) {
  add("GET", "/api/v1/runs/{id}");
  add("GET", "/api/v1/runs/{id}/artifacts/{path...}");
  add("GET", "/api/v1/runs");
  add("GET", "/");
  EXPECT_EQ(match("GET", "/api/v1/runs"), "GET api/v1/runs");
  EXPECT_EQ(match("GET", "/api/v1/runs/01J"), "GET api/v1/runs/{id} id=01J");
  EXPECT_EQ(match("GET", "/api/v1/runs/a%20b"), "GET api/v1/runs/{id} id=a b");
  EXPECT_EQ(match("GET", "/api/v1/runs/7/artifacts/a/b.txt"),
            "GET api/v1/runs/{id}/artifacts/{path...} id=7 path=a/b.txt");
  EXPECT_EQ(match("GET", "/"), "GET ");
  EXPECT_EQ(match("HEAD", "/"), "GET ");
}

TEST_F(RouterTest, WhatDoesNotMatch) {
  add("GET", "/a/{id}");
  add("GET", "/files/{path...}");
  EXPECT_EQ(match("GET", "/a"), "none");
  EXPECT_EQ(match("GET", "/a/"), "none");
  EXPECT_EQ(match("GET", "/a/b/"), "none");
  EXPECT_EQ(match("GET", "/a/b/c"), "none");
  EXPECT_EQ(match("GET", "/A/b"), "none");
  EXPECT_EQ(match("GET", "//b"), "none");
  EXPECT_EQ(match("GET", "/files"), "none");
  EXPECT_EQ(match("GET", "/files/"), "none");
}

TEST_F(RouterTest, ALiteralIsPreferredWhateverTheOrder) {
  add("GET", "/a/{rest...}");
  add("GET", "/a/{id}");
  add("GET", "/a/b");
  add("GET", "/{x}/b");
  EXPECT_EQ(match("GET", "/a/b"), "GET a/b");
  EXPECT_EQ(match("GET", "/a/c"), "GET a/{id} id=c");
  EXPECT_EQ(match("GET", "/a/c/d"), "GET a/{rest...} rest=c/d");
  EXPECT_EQ(match("GET", "/z/b"), "GET {x}/b x=z");
}

TEST_F(RouterTest, OtherMethodsSayWhatIsAllowed) {
  add("POST", "/a/b");
  add("GET", "/a/{id}");
  add("DELETE", "/a/{id}");
  EXPECT_EQ(match("PUT", "/a/b"), "allow: DELETE, GET, HEAD, POST");
  EXPECT_EQ(match("GET", "/a/b"), "GET a/{id} id=b");  // the literal has no GET
  EXPECT_EQ(match("get", "/a/b"), "allow: DELETE, GET, HEAD, POST");
  EXPECT_EQ(match("BREW", "/none"), "none");
}

TEST(TargetTest, PathAndQuery) {
  auto target = parse_target("/a/b%2Bc?x=1&y=a+b%26&z");
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(target->path, "/a/b+c");
  EXPECT_EQ(target->segments, (std::vector<std::string>{"a", "b+c"}));
  EXPECT_EQ(target->query, (FormFields{{"x", "1"}, {"y", "a b&"}, {"z", ""}}));
  EXPECT_EQ(parse_target("/a?")->query.size(), 0u);
  EXPECT_EQ(parse_target("/")->path, "/");
}

TEST(TargetTest, WhatCouldMeanAnotherPathIsRefused) {
  for (std::string_view raw :
       {"", "a", "*", "http://localhost/a", "/..", "/a/../b", "/a/%2e%2e/b", "/a/.", "/%2E", "/a%2fb",
        "/a%2Fb", "/a%00b", "/a%", "/a%4", "/a%zz", "/a#b", "/a?x=%", "?a=1"}) {
    EXPECT_FALSE(parse_target(raw).has_value()) << raw;
  }
  EXPECT_TRUE(parse_target("/...").has_value());
  EXPECT_TRUE(parse_target("/a..b/.hidden").has_value());
  std::string many = "/?";
  for (int i = 0; i < 65; ++i) many += "a=1&";
  EXPECT_FALSE(parse_target(many).has_value());
}

}  // namespace
}  // namespace pawl::http
