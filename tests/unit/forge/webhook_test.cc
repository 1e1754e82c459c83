#include "engine/forge/webhook.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pawl::forge {
namespace {

// The vector in GitHub's documentation, "Validating webhook deliveries".
constexpr char kSecret[] = "It's a Secret to Everybody";
constexpr char kBody[] = "Hello, World!";
constexpr char kDigest[] = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

WebhookRequest github(std::string signature, std::string body = kBody) {
  return {{{"X-GitHub-Event", "push"},
           {"x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"},
           {"X-HUB-SIGNATURE-256", std::move(signature)}},
          std::move(body)};
}

WebhookRequest gitea(std::string signature) {
  return {{{"X-GitHub-Event", "push"},
           {"X-GitHub-Delivery", "f6266f16-1bf3-46a5-9ea4-602e06ead473"},
           {"X-Hub-Signature-256", "sha256=" + std::string(64, '0')},
           {"X-Hub-Signature", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"},
           {"X-Gitea-Event", "push"},
           {"X-Gitea-Delivery", "f6266f16-1bf3-46a5-9ea4-602e06ead473"},
           {"X-Gitea-Signature", std::move(signature)}},
          kBody};
}

Result<Delivery> accept(WebhookRequest request, std::vector<std::string> secrets = {kSecret}) {
  return accept_webhook(std::move(request), secrets);
}

TEST(Webhook, GithubVectorIsAccepted) {
  auto delivery = accept(github(std::string("sha256=") + kDigest));
  ASSERT_TRUE(delivery.ok()) << delivery.error().to_string();
  EXPECT_EQ(delivery->forge, Forge::github);
  EXPECT_EQ(delivery->event, "push");
  EXPECT_EQ(delivery->id, "72d3162e-cc78-11e3-81ab-4c9367dc0958");
  EXPECT_EQ(delivery->payload, kBody);
}

TEST(Webhook, GiteaVectorIsAcceptedAndItsGithubAliasesIgnored) {
  auto delivery = accept(gitea(kDigest));
  ASSERT_TRUE(delivery.ok()) << delivery.error().to_string();
  EXPECT_EQ(delivery->forge, Forge::gitea);
}

TEST(Webhook, ForgejoHeadersComeFirst) {
  WebhookRequest request = gitea(std::string(64, '0'));
  request.headers.add("X-Forgejo-Event", "push");
  request.headers.add("X-Forgejo-Delivery", "d-1");
  request.headers.add("X-Forgejo-Signature", kDigest);
  auto delivery = accept(std::move(request));
  ASSERT_TRUE(delivery.ok()) << delivery.error().to_string();
  EXPECT_EQ(delivery->forge, Forge::gitea);
  EXPECT_EQ(delivery->id, "d-1");
}

TEST(Webhook, AForgesOwnSignatureCannotBeReplacedByAnother) {
  WebhookRequest request = gitea(std::string(64, '0'));
  request.headers.add("X-Hub-Signature-256", std::string("sha256=") + kDigest);
  EXPECT_EQ(accept(std::move(request)).error().code(), ErrorCode::denied);
}

TEST(Webhook, WrongSignaturesAreDenied) {
  const std::string right = kDigest;
  std::string upper = right;
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  std::string flipped = right;
  flipped.back() = '8';
  const std::string wrong[] = {"",
                               "sha256=",
                               right,
                               "sha256=" + flipped,
                               "sha256=" + upper,
                               "SHA256=" + right,
                               "sha256=" + right.substr(0, 63),
                               "sha256=" + right + "0",
                               " sha256=" + right,
                               "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"};
  for (const std::string& signature : wrong) {
    auto delivery = accept(github(signature));
    ASSERT_FALSE(delivery.ok()) << signature;
    EXPECT_EQ(delivery.error().code(), ErrorCode::denied) << signature;
  }
  EXPECT_EQ(accept(gitea("sha256=" + right)).error().code(), ErrorCode::denied);
}

TEST(Webhook, EveryByteOfTheBodyIsSigned) {
  const std::string signature = std::string("sha256=") + kDigest;
  EXPECT_FALSE(accept(github(signature, "Hello, World")).ok());
  EXPECT_FALSE(accept(github(signature, "Hello, World! ")).ok());
  EXPECT_FALSE(accept(github(signature, "hello, World!")).ok());
  std::string with_nul(kBody);
  with_nul += '\0';
  EXPECT_FALSE(accept(github(signature, with_nul)).ok());
}

TEST(Webhook, UnsignedIsDenied) {
  WebhookRequest request{{{"X-GitHub-Event", "push"}, {"X-GitHub-Delivery", "1"}}, kBody};
  EXPECT_EQ(accept(request).error().code(), ErrorCode::denied);
  request.headers.add("X-Hub-Signature", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59");
  EXPECT_EQ(accept(request).error().code(), ErrorCode::denied);
}

TEST(Webhook, TwoSignaturesAreDenied) {
  WebhookRequest request = github(std::string("sha256=") + kDigest);
  request.headers.add("x-hub-signature-256", "sha256=0");
  EXPECT_EQ(accept(std::move(request)).error().code(), ErrorCode::denied);
}

TEST(Webhook, SeveralSecretsWhileRotating) {
  const std::string signature = std::string("sha256=") + kDigest;
  EXPECT_TRUE(accept(github(signature), {"new", kSecret}).ok());
  EXPECT_TRUE(accept(github(signature), {kSecret, "new"}).ok());
  EXPECT_FALSE(accept(github(signature), {"new", "newer"}).ok());
}

TEST(Webhook, WithoutASecretNothingIsAccepted) {
  std::string empty_key = signature_value(Forge::github, "", kBody);
  EXPECT_EQ(accept(github(empty_key), {}).error().code(), ErrorCode::denied);
  EXPECT_EQ(accept(github(empty_key), {""}).error().code(), ErrorCode::denied);
  EXPECT_EQ(accept(github(empty_key), {"", "x"}).error().code(), ErrorCode::denied);
}

TEST(Webhook, DeliveryIdIsNeededOnceAndPlain) {
  WebhookRequest missing{
      {{"X-GitHub-Event", "push"}, {"X-Hub-Signature-256", std::string("sha256=") + kDigest}}, kBody};
  EXPECT_EQ(accept(missing).error().code(), ErrorCode::invalid);
  for (std::string id : {std::string(""), std::string("a b"), std::string("a/b"), std::string(129, 'a')}) {
    WebhookRequest request = missing;
    request.headers.add("X-GitHub-Delivery", id);
    EXPECT_EQ(accept(std::move(request)).error().code(), ErrorCode::invalid) << id;
  }
}

TEST(Webhook, NoEventHeaderIsInvalid) {
  WebhookRequest request{{{"X-Hub-Signature-256", std::string("sha256=") + kDigest}}, kBody};
  EXPECT_EQ(accept(std::move(request)).error().code(), ErrorCode::invalid);
}

TEST(Webhook, OversizedBodyIsInvalid) {
  std::string body(kMaxWebhookBytes + 1, ' ');
  EXPECT_EQ(accept(github("sha256=0", body)).error().code(), ErrorCode::invalid);
}

TEST(Webhook, GithubFormIsSignedAsFormAndDecoded) {
  std::string body = "payload=%7B%22a%22%3A%22x+y%22%7D";
  WebhookRequest request = github(signature_value(Forge::github, kSecret, body), body);
  request.headers.add("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
  auto delivery = accept(request);
  ASSERT_TRUE(delivery.ok()) << delivery.error().to_string();
  EXPECT_EQ(delivery->payload, R"({"a":"x y"})");

  // Signed over the JSON instead of the form: not what GitHub does.
  WebhookRequest wrong = github(signature_value(Forge::github, kSecret, R"({"a":"x y"})"), body);
  wrong.headers.add("Content-Type", "application/x-www-form-urlencoded");
  EXPECT_EQ(accept(wrong).error().code(), ErrorCode::denied);
}

TEST(Webhook, BrokenFormsAreInvalid) {
  for (std::string body : {"payload=%7", "payload=%zz", "x=1", "payload=1&payload=2", ""}) {
    WebhookRequest request = github(signature_value(Forge::github, kSecret, body), body);
    request.headers.add("Content-Type", "application/x-www-form-urlencoded");
    EXPECT_EQ(accept(std::move(request)).error().code(), ErrorCode::invalid) << body;
  }
}

TEST(Webhook, GiteaFormsSayWhatToDo) {
  WebhookRequest request = gitea(kDigest);
  request.headers.add("Content-Type", "application/x-www-form-urlencoded");
  auto delivery = accept(std::move(request));
  EXPECT_NE(delivery.error().to_string().find("application/json"), std::string::npos);
}

TEST(Webhook, ForgeNamesRoundTrip) {
  for (Forge forge : {Forge::github, Forge::gitea, Forge::pawl}) {
    EXPECT_EQ(*parse_forge(to_string(forge)), forge);
  }
  EXPECT_FALSE(parse_forge("gitlab").ok());
}

}  // namespace
}  // namespace pawl::forge
