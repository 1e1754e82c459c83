#include "engine/core/config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "engine/base/files.h"

namespace pawl::core {
namespace {

Config full_config() {
  Config config;
  config.listen = "[::1]:9000";
  config.token = "api-token";
  config.public_url = "https://pawl.example.com/ci";
  config.reconcile_ms = 90'000;
  config.data_poll_ms = 500;
  config.data_quiet_ms = 700;
  Project project;
  project.name = "model";
  project.url = "https://git.example.com/team/model.git";
  project.target = "release/2";
  project.secrets = {"first", "second"};
  project.username = "ada";
  project.token = "clone-token";
  project.forge = {"gitea", "https://git.example.com/api/v1", "team/model", "forge-token"};
  project.data = {{"images", "/srv/images"}, {"labels: 2", "/srv/with space"}};
  config.projects["model"] = project;
  return config;
}

void expect_equal(const Config& a, const Config& b) {
  EXPECT_EQ(a.listen, b.listen);
  EXPECT_EQ(a.token, b.token);
  EXPECT_EQ(a.public_url, b.public_url);
  EXPECT_EQ(a.reconcile_ms, b.reconcile_ms);
  EXPECT_EQ(a.data_poll_ms, b.data_poll_ms);
  EXPECT_EQ(a.data_quiet_ms, b.data_quiet_ms);
  ASSERT_EQ(a.projects.size(), b.projects.size());
  for (const auto& [name, p] : a.projects) {
    ASSERT_TRUE(b.projects.contains(name)) << name;
    const Project& q = b.projects.at(name);
    EXPECT_EQ(p.name, q.name);
    EXPECT_EQ(p.url, q.url);
    EXPECT_EQ(p.target, q.target);
    EXPECT_EQ(p.secrets, q.secrets);
    EXPECT_EQ(p.username, q.username);
    EXPECT_EQ(p.token, q.token);
    EXPECT_EQ(p.forge.kind, q.forge.kind);
    EXPECT_EQ(p.forge.api_url, q.forge.api_url);
    EXPECT_EQ(p.forge.repository, q.forge.repository);
    EXPECT_EQ(p.forge.token, q.forge.token);
    EXPECT_EQ(p.data, q.data);
  }
}

void expect_round_trip(const Config& config) {
  auto back = parse_config(config_text(config), "config.yml");
  ASSERT_TRUE(back.ok()) << back.error().to_string() << "\n" << config_text(config);
  expect_equal(config, *back);
}

TEST(Config, WhatIsWrittenIsReadBack) {
  expect_round_trip(Config{});
  expect_round_trip(full_config());
}

TEST(Config, HostileValuesStayValues) {
  for (const char* value :
       {"\"", "\\", "a\nb: c", "\t\x01\x1f", "#not a comment", "*alias", "&anchor", "{a: b}", "- x", "yes",
        "null", "~", "1e3", "'", "%TAG", "\xc3\xa9\xe2\x82\xac", "token: \"x\"\nprojects: {}", " spaces "}) {
    Config config = full_config();
    config.token = value;
    Project& project = config.projects["model"];
    project.url = project.target = project.token = value;
    project.secrets = {value};
    project.data = {{"images", value}};
    expect_round_trip(config);
  }
}

TEST(Config, NamesThatLookLikeSomethingElseStayNames) {
  Config config;
  for (const char* name : {"null", "true", "1", "1.5", "on", "a-b_c.d"}) {
    config.projects[name].name = name;
    config.projects[name].url = "/srv/" + std::string(name);
  }
  expect_round_trip(config);
}

TEST(Config, MistakesHaveAPlaceAndASuggestion) {
  auto error = [](std::string_view text) {
    auto parsed = parse_config(text, "config.yml");
    EXPECT_FALSE(parsed.ok()) << text;
    return parsed.ok() ? std::string() : parsed.error().message();
  };
  std::string unknown = error("listen: 127.0.0.1:1\nproject:\n  model: {url: x}\n");
  EXPECT_NE(unknown.find("config.yml:2:1"), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("projects"), std::string::npos) << unknown;
  EXPECT_NE(error("projects:\n  model: {target: main}\n").find("url"), std::string::npos);
  error("projects: [model]\n");
  error("projects:\n  model: 3\n");
  error("reconcile: 60\n");   // of what?
  error("reconcile: 1ms\n");  // would never do anything else
  error("token: {a: b}\n");
  error("token: a\ntoken: b\n");
  error("listen: [\n");
  error("projects:\n  model: {url: x, forge: {kind: sourceforge}}\n");
}

TEST(Config, HostileNamesOfProjectsAreRefused) {
  for (const char* name :
       {"", ".", "..", ".git", "-rf", "a/b", "../../etc", "a b", "a\\b", "a:b", "a%2fb", "\xc3\xa9"})
    EXPECT_FALSE(valid_project_name(name)) << name;
  EXPECT_FALSE(valid_project_name(std::string(101, 'a')));
  EXPECT_FALSE(valid_project_name(std::string_view("a\0b", 3)));
  EXPECT_TRUE(valid_project_name(std::string(100, 'a')));
  EXPECT_TRUE(valid_project_name("fashion-mnist_2.0"));
  EXPECT_FALSE(parse_config("projects:\n  \"../x\": {url: y}\n", "config.yml").ok());
}

TEST(Config, AProjectIsNamedAfterItsRepository) {
  EXPECT_EQ(project_name_from_url("https://host/team/fashion-mnist.git"), "fashion-mnist");
  EXPECT_EQ(project_name_from_url("git@host:model.git"), "model");
  EXPECT_EQ(project_name_from_url("/srv/git/model.git///"), "model");
  EXPECT_EQ(project_name_from_url("https://host/a b%20c"), "a-b-20c");
  for (const char* url : {"", "/", "https://host/.git", "https://host/..", "https://host/-x"})
    EXPECT_TRUE(valid_project_name(project_name_from_url(url))) << url;
}

TEST(Config, SecretsAreForTheOwnerAlone) {
  auto dir = TempDir::create("pawl-config");
  ASSERT_TRUE(dir.ok());
  std::string path = dir->path() + "/config.yml";
  ASSERT_TRUE(write_file_atomic(path, "token: old\n", 0666).ok());
  ASSERT_TRUE(save_config(path, full_config()).ok());
  struct stat st {};
  ASSERT_EQ(stat(path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  EXPECT_EQ(list_dir(dir->path())->size(), 1u);
  auto loaded = load_config(path);
  ASSERT_TRUE(loaded.ok());
  expect_equal(full_config(), *loaded);
}

TEST(Config, AMissingFileIsAnEmptyConfigurationAnUnreadableOneIsNot) {
  auto dir = TempDir::create("pawl-config");
  ASSERT_TRUE(dir.ok());
  auto missing = load_config(dir->path() + "/config.yml");
  ASSERT_TRUE(missing.ok());
  EXPECT_TRUE(missing->projects.empty());
  EXPECT_EQ(missing->listen, "127.0.0.1:8480");
  EXPECT_FALSE(load_config(dir->path()).ok());
}

}  // namespace
}  // namespace pawl::core
