#include "engine/forge/event.h"

#include <gtest/gtest.h>

#include <string>

#include "engine/base/text.h"

namespace pawl::forge {
namespace {

const std::string kOld = "28e1879d029cb852e4844d9c718537df08844e03";
const std::string kNew = "bffeb74224043ba2feb48d137756c8a9331c449a";
const std::string kZero(40, '0');

// The fields that matter of GitHub's push event, with the clutter of the real one in the shape that could
// confuse.
std::string github_push(const std::string& ref, const std::string& before, const std::string& after,
                        const std::string& extra = "") {
  return R"({"ref":")" + ref + R"(","before":")" + before + R"(","after":")" + after + R"(",
    "created":false,"deleted":false,"forced":true,"base_ref":null,
    "commits":[{"id":"x","message":"wrong","author":{"name":"wrong"}}],
    "head_commit":{"id":"y","message":"Fix the thing\n\nBecause."},
    "repository":{"id":1,"full_name":"octo/Hello-World","clone_url":"https://github.com/octo/Hello-World.git",
                  "owner":{"login":"octo"}},
    "pusher":{"name":"monalisa","email":"m@example.com"},
    "sender":{"login":"monalisa","id":2})" +
         extra + "}";
}

Result<Event> parse(std::string event, std::string payload, Forge forge = Forge::github) {
  return parse_event({forge, "id-1", std::move(event), std::move(payload)});
}

PushEvent push_of(const std::string& payload, Forge forge = Forge::github) {
  auto event = parse("push", payload, forge);
  EXPECT_TRUE(event.ok()) << event.error().to_string();
  if (!event.ok() || !std::holds_alternative<PushEvent>(*event)) {
    ADD_FAILURE() << "no push event";
    return {};
  }
  return std::get<PushEvent>(*event);
}

TEST(PushEventTest, Github) {
  PushEvent push = push_of(github_push("refs/heads/feature/x", kOld, kNew));
  EXPECT_EQ(push.kind, PushEvent::Kind::branch);
  EXPECT_EQ(push.ref, "refs/heads/feature/x");
  EXPECT_EQ(push.name, "feature/x");
  EXPECT_EQ(push.before, kOld);
  EXPECT_EQ(push.after, kNew);
  EXPECT_FALSE(push.created);
  EXPECT_FALSE(push.deleted);
  EXPECT_TRUE(push.forced);
  EXPECT_EQ(push.repository, "octo/Hello-World");
  EXPECT_EQ(push.clone_url, "https://github.com/octo/Hello-World.git");
  EXPECT_EQ(push.sender, "monalisa");
  EXPECT_EQ(push.commit_message, "Fix the thing\n\nBecause.");
}

TEST(PushEventTest, Gitea) {
  PushEvent push =
      push_of(R"({"ref":"refs/heads/develop","before":")" + kOld + R"(","after":")" + kNew + R"(",
    "compare_url":"http://localhost:3000/gitea/webhooks/compare/a...b","commits":[],"total_commits":0,
    "repository":{"id":140,"owner":{"login":"gitea","username":"gitea"},"name":"webhooks",
                  "full_name":"gitea/webhooks","clone_url":"http://localhost:3000/gitea/webhooks.git"},
    "pusher":{"id":1,"login":"gitea","username":"gitea"},"sender":{"id":1,"username":"gitea"}})",
              Forge::gitea);
  EXPECT_EQ(push.name, "develop");
  EXPECT_EQ(push.repository, "gitea/webhooks");
  EXPECT_EQ(push.sender, "gitea");
  EXPECT_EQ(push.commit_message, "");
  EXPECT_FALSE(push.forced);
}

TEST(PushEventTest, CreationDeletionAndTags) {
  PushEvent created = push_of(github_push("refs/heads/new", kZero, kNew));
  EXPECT_TRUE(created.created);
  EXPECT_FALSE(created.deleted);
  PushEvent deleted = push_of(github_push("refs/heads/old", kOld, kZero));
  EXPECT_TRUE(deleted.deleted);
  PushEvent tag = push_of(github_push("refs/tags/v1.0", kZero, kNew));
  EXPECT_EQ(tag.kind, PushEvent::Kind::tag);
  EXPECT_EQ(tag.name, "v1.0");
}

TEST(PushEventTest, DeleteOfGithubHasNoHeadCommit) {
  PushEvent push = push_of(R"({"ref":"refs/heads/old","before":")" + kOld + R"(","after":")" + kZero +
                           R"(","deleted":true,"head_commit":null,"repository":{"full_name":"a/b"}})");
  EXPECT_TRUE(push.deleted);
  EXPECT_EQ(push.sender, "");
}

TEST(PushEventTest, Sha256Repositories) {
  std::string before(64, 'a');
  std::string after(64, 'b');
  EXPECT_EQ(push_of(github_push("refs/heads/main", before, after)).after, after);
  EXPECT_FALSE(parse("push", github_push("refs/heads/main", kOld, after)).ok());
}

TEST(PushEventTest, GiteasTestDeliveryIsAPing) {
  EXPECT_TRUE(std::holds_alternative<PingEvent>(*parse("push", github_push("refs/heads/main", kNew, kNew))));
  EXPECT_TRUE(
      std::holds_alternative<PingEvent>(*parse("push", github_push("refs/heads/main", kZero, kZero))));
}

TEST(PushEventTest, OtherNamespacesAreIgnored) {
  auto event = parse("push", github_push("refs/notes/commits", kOld, kNew));
  ASSERT_TRUE(event.ok());
  EXPECT_TRUE(std::holds_alternative<IgnoredEvent>(*event));
}

TEST(PushEventTest, HostileFieldsAreErrors) {
  const std::string bad_refs[] = {"refs/heads/--upload-pack=x",
                                  "refs/heads/a..b",
                                  "refs/heads/../../x",
                                  "main",
                                  "",
                                  "refs/heads/a b",
                                  "refs/heads/HEAD"};
  for (const std::string& ref : bad_refs)
    EXPECT_FALSE(parse("push", github_push(ref, kOld, kNew)).ok()) << ref;
  const std::string bad_ids[] = {"", "main", "-x", kNew.substr(1), kNew + "0", std::string(40, 'G')};
  for (const std::string& id : bad_ids) {
    EXPECT_FALSE(parse("push", github_push("refs/heads/main", kOld, id)).ok()) << id;
    EXPECT_FALSE(parse("push", github_push("refs/heads/main", id, kNew)).ok()) << id;
  }
  for (const char* name : {"", "noslash", "/x", "x/", "a/../b", "a/b?c", "a/b c", "a/\\u001b[0m", "a/b%2f"}) {
    std::string payload = replace_all(github_push("refs/heads/main", kOld, kNew), "octo/Hello-World\"",
                                      std::string(name) + "\"");
    EXPECT_FALSE(parse("push", payload).ok()) << name;
  }
  EXPECT_FALSE(parse("push", "{}").ok());
  EXPECT_FALSE(parse("push", "not json").ok());
  EXPECT_FALSE(parse("push", github_push("refs/heads/main", kOld, kNew, ",\"ref\":\"refs/heads/x\"")).ok());
}

TEST(PushEventTest, LongMessagesAreCutAtACharacter) {
  std::string message;
  for (int i = 0; i < 3000; ++i) message += "\xc3\xa9";
  std::string payload = replace_all(github_push("refs/heads/main", kOld, kNew), "Fix the thing", message);
  std::string cut = push_of(payload).commit_message;
  EXPECT_LE(cut.size(), 4096u);
  EXPECT_EQ(cut.size() % 2, 0u);
}

std::string pull_request(const std::string& action, const std::string& head_repo,
                         const std::string& base_repo = R"({"full_name":"octo/app"})") {
  return R"({"action":")" + action + R"(","number":7,"pull_request":{"number":7,"title":"t",
    "user":{"login":"author"},
    "head":{"ref":"topic","sha":")" +
         kNew + R"(","repo":)" + head_repo + R"(},
    "base":{"ref":"main","sha":")" +
         kOld + R"(","repo":)" + base_repo + R"(}},
    "repository":{"full_name":"octo/app"},"sender":{"login":"maintainer"}})";
}

PullRequestEvent pull_of(const std::string& payload) {
  auto event = parse("pull_request", payload);
  EXPECT_TRUE(event.ok()) << event.error().to_string();
  if (!event.ok()) return {};
  return std::get<PullRequestEvent>(*event);
}

TEST(PullRequestEventTest, SameRepository) {
  PullRequestEvent pull = pull_of(pull_request("opened", R"({"full_name":"octo/app","fork":false})"));
  EXPECT_EQ(pull.action, PullRequestEvent::Action::opened);
  EXPECT_EQ(pull.number, 7);
  EXPECT_EQ(pull.head_sha, kNew);
  EXPECT_EQ(pull.head_ref, "topic");
  EXPECT_EQ(pull.base_ref, "main");
  EXPECT_EQ(pull.repository, "octo/app");
  EXPECT_FALSE(pull.is_fork);
  EXPECT_EQ(pull.author, "author");
}

TEST(PullRequestEventTest, ForksAreRecognised) {
  EXPECT_TRUE(pull_of(pull_request("opened", R"({"full_name":"someone/app"})")).is_fork);
  // A fork that was deleted, and a payload that does not say where the head lives (as Gitea's review events
  // once did).
  EXPECT_TRUE(pull_of(pull_request("closed", "null")).is_fork);
  EXPECT_TRUE(pull_of(pull_request("opened", "{}")).is_fork);
  // That the base repository is itself a fork of something does not matter.
  EXPECT_FALSE(pull_of(pull_request("opened", R"({"full_name":"octo/app","fork":true})")).is_fork);
}

TEST(PullRequestEventTest, ActionsOfBothForges) {
  using Action = PullRequestEvent::Action;
  const std::string repo = R"({"full_name":"octo/app"})";
  EXPECT_EQ(pull_of(pull_request("synchronize", repo)).action, Action::updated);
  EXPECT_EQ(pull_of(pull_request("synchronized", repo)).action, Action::updated);
  EXPECT_EQ(pull_of(pull_request("reopened", repo)).action, Action::reopened);
  EXPECT_EQ(pull_of(pull_request("closed", repo)).action, Action::closed);
  EXPECT_EQ(pull_of(pull_request("edited", repo)).action, Action::edited);
  EXPECT_EQ(pull_of(pull_request("labeled", repo)).action, Action::other);
}

TEST(PullRequestEventTest, IncompleteIsAnError) {
  EXPECT_FALSE(parse("pull_request", "{}").ok());
  EXPECT_FALSE(parse("pull_request", pull_request("opened", "{}", "null")).ok());
  EXPECT_FALSE(parse("pull_request", pull_request("opened", R"({"full_name":5})")).ok());
  std::string negative = replace_all(pull_request("opened", "null"), "\"number\":7", "\"number\":-1");
  EXPECT_FALSE(parse("pull_request", negative).ok());
}

TEST(EventTest, PingAndUnknownStartNothing) {
  EXPECT_TRUE(std::holds_alternative<PingEvent>(*parse("ping", R"({"zen":"x","hook_id":1})")));
  EXPECT_TRUE(std::holds_alternative<IgnoredEvent>(*parse("issues", "{}")));
}

}  // namespace
}  // namespace pawl::forge
