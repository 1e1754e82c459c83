#include "tests/unit/report/samples.h"

#include <cmath>
#include <limits>

namespace pawl::report {
namespace {

// Right on all examples but [wrong_from, wrong_to).
gate::EvaluationVector vector_of(int n, int wrong_from, int wrong_to) {
  gate::EvaluationBuilder builder("predictions.csv", "line");
  for (int i = 0; i < n; ++i) {
    const bool wrong = i >= wrong_from && i < wrong_to;
    if (!builder.add(std::to_string(i), "shirt", wrong ? "coat" : "shirt", 0)) std::abort();
  }
  return std::move(builder.finish()).value();
}

gate::Policy policy() {
  gate::MetricRule accuracy;
  accuracy.metric = "accuracy";
  accuracy.floor = 0.85;
  accuracy.max_drop = 0.03;
  accuracy.paired = gate::PairedTest{.margin = 0.02};
  gate::MetricRule loss;
  loss.metric = "test_loss";
  loss.direction = gate::Direction::lower;
  loss.ceiling = 0.6;
  return {.bootstrap = true, .metrics = {accuracy, loss}, .conditions = {}, .stage = {}};
}

gate::Evidence evidence(double accuracy, double loss, gate::EvaluationVector vector) {
  return {.metrics = {{"accuracy", accuracy, {}, "", 10000}, {"test_loss", loss, {}, "", 10000}},
          .vectors = {{"predictions.csv", std::move(vector)}},
          .unreadable = {}};
}

gate::Baseline baseline() {
  return {.run = {"01KEX4Q2ZB6R7W8Y9A0B1C2D3E", 1, "3f2a91c4d5e6f708192a3b4c5d6e7f8091a2b3c4", "main",
                  1'795'000'000'000},
          .evidence = evidence(0.874, 0.352, vector_of(10000, 0, 1260))};
}

Points losses(int steps, double start, double end) {
  Points points;
  unsigned noise = 12345;
  for (int step = 0; step < steps; ++step) {
    noise = noise * 1103515245U + 12345U;
    const double wobble = static_cast<double>(noise >> 16 & 0x3ff) / 1024 - 0.5;
    const double trend = end + (start - end) * std::exp(-step / 70.0);
    points.emplace_back(step, trend * (1 + 0.2 * wobble));
  }
  return points;
}

RunReport common(const std::string& subject) {
  RunReport report;
  report.project = "fashion-mnist";
  report.run_id = "01KEX5A1B2C3D4E5F6G7H8J9K0";
  report.number = 2;
  report.branch = "main";
  report.commit = "8c1d7e90aabbccddeeff00112233445566778899";
  report.subject = subject;
  report.author = "Ada Lovelace";
  report.trigger = "push";
  report.data = {
      {"fashion-mnist", "sha256:9f2c61a0b4d8e7f3a1c5d9e2b6f0a4c8d2e6f1a5b9c3d7e1f5a9b3c7d1e5f9a3"}};
  report.started_unix_ms = 1'795'000'120'000;
  report.seconds = 48.25;
  report.stages = {{"build", {{1, "succeeded", "", true, 6.5}}},
                   {"train", {{1, "succeeded", "", true, 39.2}}}};
  report.curves = {{"train", "loss", losses(900, 2.31, 0.42), losses(900, 2.32, 0.4)}};
  report.url = "http://127.0.0.1:7878/runs/2";
  return report;
}

gate::Inputs inputs(gate::Evidence now) {
  gate::Inputs in;
  in.evidence = std::move(now);
  in.baseline = baseline();
  in.target_branch = "main";
  return in;
}

}  // namespace

RunReport green_run() {
  RunReport report = common("Use a cosine learning rate");
  report.verdict = gate::judge(policy(), inputs(evidence(0.881, 0.336, vector_of(10000, 70, 1260))));
  report.metrics = {
      {"accuracy", "", 0.881, 0.874}, {"test_loss", "nats", 0.336, 0.352}, {"epochs", "", 2, {}}};
  return report;
}

RunReport worse_model() {
  RunReport report = common("Drop the second hidden layer");
  report.verdict = gate::judge(policy(), inputs(evidence(0.812, 0.51, vector_of(10000, 140, 2020))));
  report.metrics = {{"accuracy", "", 0.812, 0.874}, {"test_loss", "nats", 0.51, 0.352}};
  report.curves[0].points = losses(900, 2.31, 0.66);
  report.logs = {{"train, attempt 1",
                  "rank 0: loading 60000 images\nstep 0 loss 2.31\rstep 450 loss 0.74\rstep 899 loss 0.66\n"
                  "accuracy 0.812\n",
                  true}};
  return report;
}

RunReport waived_run() {
  RunReport report = worse_model();
  gate::Inputs in = inputs(evidence(0.812, 0.51, vector_of(10000, 140, 2020)));
  in.findings = {{"dead_relu", 320, {}, "relu1", "98.2 % of the output of relu1 is zero", "train"}};
  in.stages = {{"train", "rule dead_relu fired", false, true}};
  constexpr std::int64_t kUntil = 1'796'083'200'000;  // 2026-12-01
  in.waivers = {{3, "accuracy", "", "", "ada", "new labels", kUntil, {}},
                {2, "dead_relu", "", "finding", "bob", "issue 12", kUntil, {}}};
  in.now_unix_ms = kUntil - 1;
  report.verdict = gate::judge(policy(), in);
  report.stages[1].attempts = {{1, "failed", "rule dead_relu fired", false, 39.2}};
  report.findings = {{.rule = "dead_relu",
                      .fails_build = true,
                      .stage = "train",
                      .step = 320,
                      .count = 3,
                      .rank = {},
                      .tensor = "relu1",
                      .kind = "activation",
                      .value = 0.982,
                      .limit = 0.95,
                      .message = "98.2 % of the output of relu1 is zero",
                      .advice = ""}};
  return report;
}

RunReport exploded_run() {
  RunReport report = common("Raise the learning rate to 8");
  gate::Inputs in = inputs({});
  in.findings = {{"exploding_tensor", 340, 1, "fc1.weight",
                  "the norm of the gradient of fc1.weight is 3.1e+04, the limit 52.7"}};
  in.stages = {{"train", "stopped by a rule", false}};
  report.verdict = gate::judge(policy(), in);
  report.stages = {
      {"build", {{1, "succeeded", "", true, 6.5}}},
      {"train",
       {{1, "lost", "the supervisor was killed", false, 3.0}, {2, "stopped", "a rule fired", false, 14.75}}},
      {"evaluate", {}}};
  report.findings = {{.rule = "exploding_tensor",
                      .fails_build = true,
                      .stage = "train",
                      .step = 340,
                      .count = 1,
                      .rank = 1,
                      .tensor = "fc1.weight",
                      .kind = "gradient",
                      .value = 31'000,
                      .limit = 52.7,
                      .message = "the norm of the gradient of fc1.weight is 3.1e+04, the limit 52.7",
                      .advice = "Lower the learning rate, add warm-up or clip gradients."},
                     {.rule = "dead_relu",
                      .fails_build = false,
                      .stage = "train",
                      .step = 320,
                      .count = 3,
                      .rank = {},
                      .tensor = "relu1",
                      .kind = "activation",
                      .value = 0.982,
                      .limit = 0.95,
                      .message = "98.2 % of the output of relu1 is zero, at least 95.0 % since step 300",
                      .advice = ""}};
  Points& points = report.curves[0].points;
  points.resize(344);
  for (int i = 0; i < 6; ++i) points[static_cast<std::size_t>(336 + i)].second = 0.6 * std::pow(8.0, i);
  points[342].second = std::numeric_limits<double>::infinity();
  points[343].second = std::nan("");
  report.tensors = {{"train",
                     "fc1.weight",
                     "gradient",
                     1,
                     340,
                     {{320, 0, 0, -0.11, 0.12, 0.0004, 1.9},
                      {330, 0, 0, -0.4, 0.38, -0.001, 5.2},
                      {340, 0, 0, -2100, 1980, 13.5, 31'000},
                      {342, 784, 3, -1e30, 1e31, 2.5e28, std::numeric_limits<double>::infinity()}}}};
  report.logs = {{"train, attempt 2",
                  "step 338 loss 38.4\nstep 340 loss 2457.6\n\x1b[31mpawl: stopped\x1b[0m\n", false}};
  return report;
}

RunReport first_run() {
  RunReport report = common("Add the example");
  report.number = 1;
  gate::Inputs in = inputs(evidence(0.874, 0.352, vector_of(10000, 0, 1260)));
  in.baseline.reset();
  in.target_was_ever_green = false;
  report.verdict = gate::judge(policy(), in);
  report.curves[0].baseline.clear();
  report.metrics = {{"accuracy", "", 0.874, {}}};
  return report;
}

RunReport hostile_run() {
  const std::string evil =
      std::string("a\0b", 3) +
      "</title></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'`|``` ]]>&amp;"
      "\n\n# [x](javascript:alert(1)) ![i](http://evil.example/i.png) @everyone #1 www.evil.example"
      "\x1b]0;title\x07\x1b[31mred\xff\xfe\xc3\x28\xed\xa0\x80\xef\xbf\xbf\xe2\x80\xae"
      "desrever <!-- $x$";
  RunReport report;
  report.project = report.branch = report.subject = report.author = report.trigger = evil;
  report.trigger_note = report.run_id = report.commit = evil;
  report.url = "http://h/\" onclick=alert(1) x=\"";
  report.data = {{evil, evil}};
  report.stages = {{evil, {{1, evil, evil, false, 1}}}, {evil, {}}};
  gate::Inputs in;
  in.target_branch = evil;
  in.baseline = baseline();
  in.baseline->run.branch = in.baseline->run.commit = in.baseline->run.id = evil;
  gate::MetricRule rule;
  rule.metric = evil;
  rule.floor = 0.5;
  in.evidence.metrics = {{evil, 0.1, {}, evil, {}}};
  in.findings = {{evil, 3, 0, evil, evil}};
  report.verdict = gate::judge({.bootstrap = false, .metrics = {rule}, .conditions = {}, .stage = {}}, in);
  report.findings = {{.rule = evil,
                      .fails_build = true,
                      .stage = evil,
                      .step = 3,
                      .count = 1,
                      .rank = 0,
                      .tensor = evil,
                      .kind = evil,
                      .value = std::nan(""),
                      .limit = 0,
                      .message = evil,
                      .advice = evil}};
  report.findings.push_back(report.findings[0]);
  report.metrics = {{evil, evil, std::nan(""), std::numeric_limits<double>::infinity()}};
  report.curves = {{evil, evil, {{0, 1}, {1, std::nan("")}, {2, 1e300}}, {{0, -1e300}}}};
  report.tensors = {{evil, evil, evil, 0, 3, {{3, 1, 2, std::nan(""), 0, 0, 0}}}};
  report.logs = {{evil, evil + evil, false}};
  return report;
}

}  // namespace pawl::report
