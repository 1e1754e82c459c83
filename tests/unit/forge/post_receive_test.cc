#include "engine/forge/post_receive.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/forge/event.h"
#include "engine/forge/webhook.h"

namespace pawl::forge {
namespace {

const std::string kOld(40, 'a');
const std::string kNew(40, 'b');
const std::string kZero(40, '0');
const std::vector<std::string> kSecrets = {"s3cret"};

TEST(PostReceive, ParsesWhatGitWrites) {
  auto updates =
      parse_ref_updates(kOld + " " + kNew + " refs/heads/main\n" + kZero + " " + kNew + " refs/tags/v1\n");
  ASSERT_TRUE(updates.ok()) << updates.error().to_string();
  ASSERT_EQ(updates->size(), 2u);
  EXPECT_EQ((*updates)[0].ref, "refs/heads/main");
  EXPECT_EQ((*updates)[1].before, kZero);
  EXPECT_TRUE(parse_ref_updates("")->empty());
}

TEST(PostReceive, OtherLinesAreErrorsWithTheirNumber) {
  std::string good = kOld + " " + kNew + " refs/heads/main\n";
  for (const std::string& bad :
       {std::string("x"), kOld + " " + kNew, kOld + "  " + kNew + " refs/heads/a",
        kOld + " " + kNew + " refs/heads/a b", kOld + " HEAD refs/heads/a", kOld + " " + kNew + " --all"}) {
    auto updates = parse_ref_updates(good + bad + "\n");
    ASSERT_FALSE(updates.ok()) << bad;
    EXPECT_NE(updates.error().to_string().find("line 2"), std::string::npos);
  }
}

TEST(PostReceive, OurOwnDeliveriesPassOurOwnCheck) {
  std::vector<RefUpdate> updates = {{kOld, kNew, "refs/heads/main", "He said \"no\"\n\xff"},
                                    {kOld, kZero, "refs/heads/gone", ""}};
  auto deliveries = push_deliveries(updates, {"team/model", "/srv/git/model.git", "ann"}, "01J", kSecrets[0]);
  ASSERT_EQ(deliveries.size(), 2u);
  EXPECT_EQ(deliveries[0].id, "01J-0");
  EXPECT_EQ(deliveries[1].id, "01J-1");

  auto accepted = accept_webhook({deliveries[0].headers, deliveries[0].body}, kSecrets);
  ASSERT_TRUE(accepted.ok()) << accepted.error().to_string();
  EXPECT_EQ(accepted->forge, Forge::pawl);
  EXPECT_EQ(accepted->id, "01J-0");
  auto event = parse_event(*accepted);
  ASSERT_TRUE(event.ok()) << event.error().to_string();
  const auto& push = std::get<PushEvent>(*event);
  EXPECT_EQ(push.name, "main");
  EXPECT_EQ(push.after, kNew);
  EXPECT_EQ(push.repository, "team/model");
  EXPECT_EQ(push.sender, "ann");
  EXPECT_EQ(push.commit_message.substr(0, 12), "He said \"no\"");

  auto deleted = accept_webhook({deliveries[1].headers, deliveries[1].body}, kSecrets);
  ASSERT_TRUE(deleted.ok());
  EXPECT_TRUE(std::get<PushEvent>(*parse_event(*deleted)).deleted);
}

TEST(PostReceive, AnotherSecretDoesNotPass) {
  auto deliveries = push_deliveries({{kOld, kNew, "refs/heads/main", ""}}, {"a/b", "", ""}, "1", "other");
  EXPECT_FALSE(accept_webhook({deliveries[0].headers, deliveries[0].body}, kSecrets).ok());
}

}  // namespace
}  // namespace pawl::forge
