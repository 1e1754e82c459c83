#include "tests/unit/record/samples.h"

#include <fmt/format.h>

#include <limits>

namespace pawl::record {

std::string sample_id(int number) {
  return fmt::format("01HZZZZZZZZZZZZZZZZZZZZZ{:02}", number);
}

RunEntry sample_run(int number) {
  const std::string id = sample_id(number);
  const std::string digest = "sha256:" + std::string(64, 'a');
  RunEntry out;
  store::Run& run = out.run;
  run.id = id;
  run.project = "model";
  run.event_key = "record:" + id;
  run.trigger = "manual";
  run.trigger_note = "pawl run";
  run.branch = run.target = "main";
  run.commit_sha = std::string(40, 'c');
  run.subject = "grüner wird's nicht";
  run.author = "Ada <ada@example.com>";
  run.state = "finished";
  run.plan = R"({"stages":[]})";
  run.verdict = "PASS";
  run.headline = "accuracy is 0.9";
  run.exit_code = 0;
  run.created_ms = 1000 + number;
  run.started_ms = 1001 + number;
  run.finished_ms = 2000 + number;
  run.origin = fmt::format("run {} on ci-7", number);
  out.data = {{id, "digits", digest, "/data/digits"}};
  out.stages = {{id, "train", 0, "succeeded"}, {id, "evaluate@-3@baseline", 1, "skipped"}};
  out.evaluations = {{id, "train", "model", "m", "e", {{"predictions.csv", "t"}}}};
  out.attempts = {{id, "train", 1, 2, "finished", 4, R"([["GPU-1"]])", "succeeded", "", 100, 12.5,
                   std::numeric_limits<double>::infinity(), 1001, 1900, R"({"outcome":"succeeded"})"}};
  out.metrics = {{id, "train", "accuracy", 0.9, "", 1000},
                 {id, "train", "loss", std::numeric_limits<double>::quiet_NaN(), "nats", std::nullopt}};
  out.artifacts = {{id, "train", "models/a.pt", digest, 1}, {id, "train", "predictions.csv", digest, 12345}};
  out.findings = {
      {id, "train", 1, "loss_divergence", "warn", "warn", 10, 20, 3, -1, "loss", 3.5, 2.5, "rose"}};
  out.traces = {{id, "train", 1, 1, 12, 0, 99, 1200, 0}};
  out.curves = {{id, "train", "loss", {{0, 2.5}, {10, -std::numeric_limits<double>::infinity()}}}};
  out.verdict = store::Verdict{id,
                               "PASS",
                               run.headline,
                               sample_id(99),
                               R"({"kind":"PASS"})",
                               {{"accuracy", "floor", "pass", "accuracy is 0.9"}},
                               1990};
  out.green = store::Baseline{.project = "model",
                              .branch = "main",
                              .run_id = id,
                              .cause = "green",
                              .who = "pawl",
                              .why = "accuracy is 0.9",
                              .created_ms = 2000 + number,
                              .testsets = R"({"predictions.csv":"t"})",
                              .position = number};
  out.uses = {{store::TestBudget{"model", "t", "full", 3, 1500},
               store::TestUse{1, id, "n > 0.8 +/- 0.05", "m", "b", true, "bit", 2000 + number}}};
  return out;
}

PinEntry sample_pin(int run) {
  return {store::Baseline{.project = "model",
                          .branch = "main",
                          .run_id = sample_id(run),
                          .cause = "pin",
                          .who = "ada",
                          .why = "what we ship",
                          .created_ms = 3000,
                          .position = 7}};
}

WaiverEntry sample_waiver() {
  store::Waiver waiver;
  waiver.project = "model";
  waiver.branch = "main";
  waiver.commit_sha = "abcdef0";
  waiver.subject = "accuracy";
  waiver.slice = "lang=de";
  waiver.check = "max_drop";
  waiver.reason = "see issue 12";
  waiver.approver = "ada";
  waiver.created_ms = 3000;
  waiver.expires_ms = 4000;
  return {waiver};
}

RevocationEntry sample_revocation() {
  return {"model", name_of(sample_waiver()), "bob", "fixed", 3500};
}

}  // namespace pawl::record
