#include "engine/forge/status.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "engine/base/json.h"

namespace pawl::forge {
namespace {

const std::string kSha(40, 'a');
constexpr int64_t kNow = 1'700'000'000;

StatusTarget target(Forge forge) {
  return {forge, forge == Forge::github ? "https://api.github.com" : "https://git.example.com/api/v1/",
          "octo/app", kSha, "t0ken"};
}

Json body_of(const HttpRequest& request) {
  return *parse_json(request.body, "body");
}

TEST(StatusRequest, Github) {
  auto request =
      status_request(target(Forge::github), {CommitState::failure, "pawl", "accuracy fell", "https://ci/1"});
  ASSERT_TRUE(request.ok()) << request.error().to_string();
  EXPECT_EQ(request->method, "POST");
  EXPECT_EQ(request->url, "https://api.github.com/repos/octo/app/statuses/" + kSha);
  EXPECT_EQ(*request->headers.find("Authorization"), "Bearer t0ken");
  EXPECT_EQ(body_of(*request), Json({{"state", "failure"},
                                     {"context", "pawl"},
                                     {"description", "accuracy fell"},
                                     {"target_url", "https://ci/1"}}));
}

TEST(StatusRequest, Gitea) {
  auto request = status_request(target(Forge::gitea), {CommitState::pending, "pawl", "", ""});
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->url, "https://git.example.com/api/v1/repos/octo/app/statuses/" + kSha);
  EXPECT_EQ(*request->headers.find("Authorization"), "token t0ken");
  EXPECT_EQ(body_of(*request)["state"], "pending");
  EXPECT_FALSE(body_of(*request).contains("target_url"));
}

TEST(StatusRequest, DescriptionIsOneShortLineOfUtf8) {
  std::string text = std::string(136, 'a') + "\xc3\xa9\xc3\xa9\xc3\xa9";
  auto request = status_request(target(Forge::github), {CommitState::success, "pawl", text, ""});
  std::string cut = body_of(*request)["description"];
  EXPECT_EQ(cut, std::string(136, 'a') + "...");

  auto fits =
      status_request(target(Forge::github), {CommitState::success, "pawl", std::string(140, 'a'), ""});
  EXPECT_EQ(body_of(*fits)["description"], std::string(140, 'a'));
  auto odd = status_request(target(Forge::github), {CommitState::success, "pawl", "a\nb\tc\x1b[31m\xff", ""});
  EXPECT_EQ(body_of(*odd)["description"], "a b c\xef\xbf\xbd");
}

TEST(StatusRequest, IncompleteTargetsAreErrors) {
  CommitStatus status{CommitState::success, "pawl", "", ""};
  EXPECT_FALSE(status_request(target(Forge::pawl), status).ok());
  StatusTarget no_token = target(Forge::github);
  no_token.token.clear();
  EXPECT_FALSE(status_request(no_token, status).ok());
  StatusTarget short_sha = target(Forge::github);
  short_sha.sha = "abc123";
  EXPECT_FALSE(status_request(short_sha, status).ok());
}

TEST(LocateRepository, FormsOfCloneUrls) {
  auto at = [](Forge forge, std::string_view url) {
    auto found = locate_repository(forge, url);
    return found.ok() ? found->api_url + " " + found->repository : "error";
  };
  EXPECT_EQ(at(Forge::github, "https://github.com/octo/app.git"), "https://api.github.com octo/app");
  EXPECT_EQ(at(Forge::github, "git@github.com:octo/app.git"), "https://api.github.com octo/app");
  EXPECT_EQ(at(Forge::github, "https://ghe.example.com/octo/app"), "https://ghe.example.com/api/v3 octo/app");
  EXPECT_EQ(at(Forge::gitea, "http://git.lan:3000/team/model.git/"), "http://git.lan:3000/api/v1 team/model");
  EXPECT_EQ(at(Forge::gitea, "ssh://git@git.lan:2222/team/model.git"), "https://git.lan/api/v1 team/model");
  for (const char* bad :
       {"", "/srv/git/x.git", "https://github.com", "https://github.com/", "https://github.com/x"}) {
    EXPECT_EQ(at(Forge::github, bad), "error") << bad;
  }
}

StatusOutcome classify(int status, HttpHeaders headers = {}, std::string body = "") {
  return classify_answer(HttpResponse{status, std::move(headers), std::move(body)}, kNow);
}

TEST(ClassifyAnswer, Written) {
  EXPECT_EQ(classify(201).kind, StatusOutcome::Kind::written);
  EXPECT_EQ(classify(200).kind, StatusOutcome::Kind::written);
}

TEST(ClassifyAnswer, RetryWithTheTimeTheForgeNames) {
  using Kind = StatusOutcome::Kind;
  EXPECT_EQ(classify(500).kind, Kind::retry);
  EXPECT_EQ(classify(502).retry_after_s, 0);
  EXPECT_EQ(classify(408).kind, Kind::retry);
  EXPECT_EQ(classify(429, {{"retry-after", "17"}}).retry_after_s, 17);
  EXPECT_EQ(classify(503, {{"Retry-After", "Tue, 14 Nov 2023 22:15:20 GMT"}}).retry_after_s, 120);
  EXPECT_EQ(classify(503, {{"Retry-After", "Tue, 14 Nov 2023 22:00:00 GMT"}}).retry_after_s, 1);
  EXPECT_EQ(classify(503, {{"Retry-After", "999999999"}}).retry_after_s, 24 * 3600);
  EXPECT_EQ(classify(503, {{"Retry-After", "soon"}}).retry_after_s, 0);
}

TEST(ClassifyAnswer, GithubRateLimitsAreNoRefusal) {
  using Kind = StatusOutcome::Kind;
  EXPECT_EQ(classify(403).kind, Kind::rejected);
  EXPECT_EQ(classify(403, {{"Retry-After", "60"}}).kind, Kind::retry);
  StatusOutcome quota =
      classify(403, {{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", std::to_string(kNow + 300)}});
  EXPECT_EQ(quota.kind, Kind::retry);
  EXPECT_EQ(quota.retry_after_s, 300);
  EXPECT_EQ(classify(403, {{"X-RateLimit-Remaining", "9"}, {"X-RateLimit-Reset", "1700000300"}}).kind,
            Kind::rejected);
}

TEST(ClassifyAnswer, RejectionsCarryTheForgesWords) {
  using Kind = StatusOutcome::Kind;
  StatusOutcome full =
      classify(422, {}, R"({"message":"This SHA and context has reached the maximum\u001b[31m"})");
  EXPECT_EQ(full.kind, Kind::rejected);
  EXPECT_EQ(full.text, "HTTP 422: This SHA and context has reached the maximum");
  EXPECT_EQ(classify(401, {}, "<html>").text, "HTTP 401");
  EXPECT_EQ(classify(404, {}, "[]").text, "HTTP 404");
  EXPECT_EQ(classify(302).kind, Kind::rejected);
}

TEST(ClassifyAnswer, NoAnswer) {
  using Kind = StatusOutcome::Kind;
  EXPECT_EQ(classify_answer(Error(ErrorCode::unavailable, "refused"), kNow).kind, Kind::retry);
  EXPECT_EQ(classify_answer(Error(ErrorCode::timeout, "slow"), kNow).kind, Kind::retry);
  EXPECT_EQ(classify_answer(Error(ErrorCode::invalid, "not a URL"), kNow).kind, Kind::rejected);
}

}  // namespace
}  // namespace pawl::forge
