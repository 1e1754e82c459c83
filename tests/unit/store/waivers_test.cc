#include "engine/store/waivers.h"

#include <gmock/gmock.h>

#include "record_fixture.h"

namespace pawl::store {
namespace {

using ::testing::ElementsAre;

Waiver make_waiver(std::string branch = "", std::string commit = "") {
  Waiver w;
  w.project = "model";
  w.branch = std::move(branch);
  w.commit_sha = std::move(commit);
  w.subject = "accuracy";
  w.slice = "lang=de";
  w.check = "max_drop";
  w.reason = "new labels";
  w.approver = "ada";
  w.created_ms = 1000;
  w.expires_ms = 2000;
  return w;
}

class WaiverTest : public RecordTest {
 protected:
  int64_t add(const Waiver& waiver) {
    auto id = insert_waiver(db(), waiver);
    EXPECT_TRUE(id.ok()) << id.error().to_string();
    return id.ok() ? *id : 0;
  }
  std::vector<int64_t> ids_for(std::string_view project, std::string_view branch, std::string_view commit) {
    auto found = waivers_for(db(), project, branch, commit);
    EXPECT_TRUE(found.ok()) << found.error().to_string();
    std::vector<int64_t> ids;
    for (const Waiver& w : *found) ids.push_back(w.id);
    return ids;
  }
};

TEST_F(WaiverTest, ReadsBackWhatWasWritten) {
  const int64_t id = add(make_waiver("main", "abcdef0"));
  const auto found = find_waiver(db(), id);
  ASSERT_TRUE(found.ok() && *found);
  const Waiver& w = **found;
  EXPECT_EQ(w.id, id);
  EXPECT_THAT(
      (std::vector{w.project, w.branch, w.commit_sha, w.subject, w.slice, w.check, w.reason, w.approver}),
      ElementsAre("model", "main", "abcdef0", "accuracy", "lang=de", "max_drop", "new labels", "ada"));
  EXPECT_EQ(w.created_ms, 1000);
  EXPECT_EQ(w.expires_ms, 2000);
  EXPECT_FALSE(w.revoked_ms);
  EXPECT_FALSE(*find_waiver(db(), id + 1));
}

TEST_F(WaiverTest, TheScopeIsProjectBranchAndCommit) {
  const int64_t any = add(make_waiver());
  const int64_t main = add(make_waiver("main"));
  const int64_t commit = add(make_waiver("", "abcdef0"));
  EXPECT_THAT(ids_for("model", "main", "abcdef0123"), ElementsAre(commit, main, any));
  EXPECT_THAT(ids_for("model", "feature", "abcdef0123"), ElementsAre(commit, any));
  EXPECT_THAT(ids_for("model", "main", "abcde10123"), ElementsAre(main, any));
  EXPECT_THAT(ids_for("other", "main", "abcdef0123"), ElementsAre());
  EXPECT_EQ(waivers_of(db(), "")->size(), 3u);
  EXPECT_EQ(waivers_of(db(), "other")->size(), 0u);
}

TEST_F(WaiverTest, IsRevokedOnce) {
  const int64_t id = add(make_waiver());
  EXPECT_FALSE(*revoke_waiver(db(), id + 1, "bob", "fixed", 1500));
  EXPECT_TRUE(*revoke_waiver(db(), id, "bob", "fixed", 1500));
  EXPECT_FALSE(*revoke_waiver(db(), id, "eve", "mistake", 1600));
  const Waiver w = **find_waiver(db(), id);
  EXPECT_EQ(w.revoked_ms, 1500);
  EXPECT_EQ(w.revoked_by, "bob");
  EXPECT_EQ(w.revoked_why, "fixed");
}

TEST_F(WaiverTest, TheRecordRefusesOneWithoutReasonApproverOrEnd) {
  Waiver w = make_waiver();
  w.reason.clear();
  EXPECT_EQ(insert_waiver(db(), w).error().code(), ErrorCode::conflict);
  w = make_waiver();
  w.approver.clear();
  EXPECT_EQ(insert_waiver(db(), w).error().code(), ErrorCode::conflict);
  w = make_waiver();
  w.expires_ms = w.created_ms;
  EXPECT_EQ(insert_waiver(db(), w).error().code(), ErrorCode::conflict);
}

}  // namespace
}  // namespace pawl::store
