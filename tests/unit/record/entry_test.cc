#include "engine/record/entry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/base/digest.h"
#include "engine/base/json.h"
#include "tests/unit/record/samples.h"

namespace pawl::record {
namespace {

using ::testing::HasSubstr;

Result<Entry> read_back(const Entry& entry) {
  return read_entry(name_of(entry), write_entry(entry));
}

// An entry of this JSON under a right digest.
std::string text_of(const Json& json) {
  const std::string body = dump_json(json) + "\n";
  return "pawl-record-1 sha256:" + sha256_hex(body) + "\n" + body;
}

Json json_of(const Entry& entry) {
  const std::string text = write_entry(entry);
  return *parse_json(text.substr(text.find('\n')), "entry");
}

std::string refused(const std::string& name, const std::string& text) {
  auto entry = read_entry(name, text);
  EXPECT_FALSE(entry.ok());
  if (entry.ok()) return "";
  EXPECT_EQ(entry.error().code(), ErrorCode::invalid);
  return entry.error().to_string();
}

TEST(Entry, ARunReadsBackWhole) {
  const RunEntry run = sample_run();
  auto read = read_back(run);
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  // Whatever was read is written the same.
  EXPECT_EQ(write_entry(*read), write_entry(run));
  const auto& back = std::get<RunEntry>(*read);
  EXPECT_EQ(back.run.id, run.run.id);
  EXPECT_EQ(back.run.subject, run.run.subject);
  EXPECT_EQ(back.run.origin, "run 1 on ci-7");
  EXPECT_EQ(back.run.number, 0);
  EXPECT_EQ(back.run.event_key, "record:" + run.run.id);
  EXPECT_EQ(back.stages[1].position, 1);
  EXPECT_TRUE(std::isinf(*back.attempts[0].last_loss));
  EXPECT_EQ(back.attempts[0].gpus, R"([["GPU-1"]])");
  EXPECT_TRUE(std::isnan(back.metrics[1].value));
  EXPECT_EQ(back.metrics[0].n, 1000);
  EXPECT_EQ(back.curves[0].points, run.curves[0].points);
  EXPECT_EQ(back.verdict->baseline_run, sample_id(99));
  EXPECT_EQ(back.verdict->reasons[0].sentence, "accuracy is 0.9");
  EXPECT_EQ(back.green->position, 1);
  EXPECT_EQ(back.green->testsets, R"({"predictions.csv":"t"})");
  EXPECT_EQ(back.uses[0].first.steps, 3);
  EXPECT_EQ(back.uses[0].second.run_id, run.run.id);
}

TEST(Entry, EventsReadBackWhole) {
  for (const Entry& entry : {Entry(sample_pin()), Entry(sample_waiver()), Entry(sample_revocation())}) {
    auto read = read_back(entry);
    ASSERT_TRUE(read.ok()) << read.error().to_string();
    EXPECT_EQ(write_entry(*read), write_entry(entry));
    EXPECT_EQ(name_of(*read), name_of(entry));
  }
}

TEST(Entry, AWaiverOfEveryCheckReadsBack) {
  for (const char* check : {"", "floor", "ceiling", "max_drop", "paired", "seeds", "sustained", "finding"}) {
    WaiverEntry waiver = sample_waiver();
    waiver.waiver.check = check;
    auto read = read_back(waiver);
    ASSERT_TRUE(read.ok()) << read.error().to_string();
    EXPECT_EQ(std::get<WaiverEntry>(*read).waiver.check, check);
  }
}

TEST(Entry, ARunThatWasNeverJudgedReadsBack) {
  RunEntry run;
  run.run = sample_run().run;
  run.run.verdict = "CANCELLED";
  run.run.plan.clear();
  run.run.started_ms.reset();
  EXPECT_TRUE(read_back(run).ok());
}

TEST(Entry, TextsForPeopleAreMadeSafe) {
  RunEntry run = sample_run();
  run.run.subject = std::string("a\x1b[31mb\0c\xff", 9) + std::string(100'000, 'x');
  run.artifacts.push_back({run.run.id, "train", "a\nb\x01", run.artifacts[0].digest, 1});
  auto read = read_back(run);
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_TRUE(std::get<RunEntry>(*read).run.subject.starts_with("ab"));
  EXPECT_EQ(std::get<RunEntry>(*read).artifacts.size(), 2u);  // a name nobody could show is left out
}

TEST(Entry, NamesSayWhichEntryItIs) {
  EXPECT_EQ(name_of(sample_run()), "run-" + sample_id(1));
  EXPECT_EQ(kind_of(name_of(sample_pin())), Kind::pin);
  EXPECT_NE(name_of(sample_pin(1)), name_of(sample_pin(2)));
  for (const char* name :
       {"", "run", "run-", "run-1", "pin-x", "x-01HZZZZZZZZZZZZZZZZZZZZZ01", "run-../../../etc/passwd"})
    EXPECT_FALSE(kind_of(name)) << name;
}

TEST(Entry, DamageIsFound) {
  const RunEntry run = sample_run();
  const std::string name = name_of(run), text = write_entry(run);
  std::string flipped = text;
  flipped[text.find("0.9")] = '1';
  EXPECT_THAT(refused(name, flipped), HasSubstr("is damaged"));
  EXPECT_THAT(refused(name, flipped), HasSubstr(name));
  EXPECT_THAT(refused(name, text.substr(0, text.size() / 2)), HasSubstr("is damaged"));
  EXPECT_THAT(refused(name, text + "x"), HasSubstr("is damaged"));
  EXPECT_THAT(refused(name, ""), HasSubstr("is not an entry"));
  EXPECT_THAT(refused(name, "pawl-record-2 sha256:00\n{}"), HasSubstr("newer Pawl"));
}

TEST(Entry, AnotherEntryUnderTheNameIsFound) {
  EXPECT_THAT(refused(name_of(sample_run(1)), write_entry(sample_run(2))), HasSubstr("another entry"));
  EXPECT_THAT(refused(name_of(sample_pin(1)), write_entry(sample_pin(2))), HasSubstr("another entry"));
  EXPECT_THAT(refused(name_of(sample_pin(1)), write_entry(sample_waiver())), HasSubstr("kind"));
}

TEST(Entry, EveryFieldIsNeeded) {
  for (const Entry& entry :
       {Entry(sample_run()), Entry(sample_pin()), Entry(sample_waiver()), Entry(sample_revocation())}) {
    const Json whole = json_of(entry);
    for (const auto& [key, value] : whole.items()) {
      Json cut = whole;
      cut.erase(key);
      EXPECT_THAT(refused(name_of(entry), text_of(cut)), HasSubstr(key)) << key;
      cut[key] = Json::array({Json::array()});  // what no field is
      EXPECT_THAT(refused(name_of(entry), text_of(cut)), HasSubstr(key)) << key;
    }
  }
}

TEST(Entry, EveryFieldInAListIsNeeded) {
  const Json whole = json_of(sample_run());
  for (const char* list : {"data", "stages", "attempts", "metrics", "artifacts", "findings", "traces",
                           "curves", "evaluations", "uses"}) {
    for (const auto& [key, value] : whole[list][0].items()) {
      Json cut = whole;
      cut[list][0].erase(key);
      const std::string place = std::string(list) + "[0]." + key;
      EXPECT_THAT(refused(name_of(sample_run()), text_of(cut)), HasSubstr(place));
    }
  }
}

TEST(Entry, WhatCannotBeIsRefusedWithItsPlace) {
  const struct {
    const char* pointer;
    Json value;
  } kCases[] = {{"/commit", "HEAD"},
                {"/project", "../../etc"},
                {"/id", "1"},
                {"/verdict", "GREEN"},
                {"/exit_code", 256},
                {"/created_ms", -1},
                {"/finished_ms", 18446744073709551615u},
                {"/branch", ""},
                {"/subject", "\x1b[31m"},
                {"/headline", std::string(20'000, 'x')},
                {"/plan", "text"},
                {"/attempts/0/stage", "../../../etc"},
                {"/attempts/0/stage", "train@"},
                {"/attempts/0/stage", "train@../x"},
                {"/attempts/0/number", 0},
                {"/artifacts/0/path", "../../x"},
                {"/artifacts/0/path", "/etc/passwd"},
                {"/artifacts/0/digest", "sha256:../../x"},
                {"/artifacts/0/bytes", -5},
                {"/metrics/0/value", "much"},
                {"/curves/0/points", Json::array({Json::array({1})})},
                {"/findings/0/severity", "bad"},
                {"/judged/baseline_run", "last"},
                {"/green/position", 0},
                {"/green/branch", "other"},
                {"/uses/0/adaptivity", "some"},
                {"/uses/0/number", 0}};
  for (const auto& bad : kCases) {
    Json json = json_of(sample_run());
    json[Json::json_pointer(bad.pointer)] = bad.value;
    std::string place = std::string(bad.pointer).substr(std::string(bad.pointer).find_last_of('/') + 1);
    EXPECT_THAT(refused(name_of(sample_run()), text_of(json)), HasSubstr(place)) << bad.pointer;
  }
}

TEST(Entry, OnlyAGreenRunBecomesABaselineByItself) {
  Json json = json_of(sample_run());
  json["verdict"] = "FAIL";
  EXPECT_THAT(refused(name_of(sample_run()), text_of(json)), HasSubstr("green"));
}

}  // namespace
}  // namespace pawl::record
