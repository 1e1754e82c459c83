// What must hold for any run, checked with the parsers of others: Python's for XML and HTML.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/subprocess.h"
#include "engine/gate/wording.h"
#include "engine/report/html.h"
#include "engine/report/junit.h"
#include "engine/report/markdown.h"
#include "tests/unit/report/samples.h"

namespace pawl::report {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<RunReport> all_runs() {
  return {green_run(), worse_model(), exploded_run(), waived_run(), first_run(), hostile_run(), RunReport{}};
}

// The parsed document: tests/unit/report/parse.py says what as JSON.
Json parsed(std::string_view format, const std::string& text) {
  CommandOptions options;
  options.argv = {"python3", PAWL_REPORT_PARSER, std::string(format)};
  options.input = text;
  const auto result = run_command(options);
  EXPECT_TRUE(result);
  if (!result) return {};
  EXPECT_TRUE(result->status.success()) << result->err << "\n" << text;
  auto json = parse_json(result->out, "parse.py");
  return json ? std::move(json).value() : Json();
}

TEST(Junit, IsXmlThatCountsRight) {
  for (const RunReport& report : all_runs()) {
    const Json xml = parsed("junit", to_junit(report));
    EXPECT_EQ(xml["tests"], xml["cases"].size());
    EXPECT_EQ(xml["failures"], xml["count"]["failure"]);
    EXPECT_EQ(xml["errors"], xml["count"]["error"]);
    EXPECT_EQ(xml["skipped"], xml["count"]["skipped"]);
    EXPECT_EQ(xml["unique"], true);
    const bool red = xml["failures"].get<int>() + xml["errors"].get<int>() > 0;
    EXPECT_EQ(red, !is_green(report));
  }
}

TEST(Waived, IsShownForWhatItIs) {
  const RunReport report = waived_run();
  const Json xml = parsed("junit", to_junit(report));
  EXPECT_EQ(xml["skipped"], 3) << "the metric, the rule and the stage";
  EXPECT_EQ(xml["failures"], 0);
  EXPECT_THAT(to_html(report), HasSubstr("<header class=\"verdict amber\">"));
  EXPECT_THAT(to_html(report), HasSubstr("waived until 2026-12-01 by ada (waiver 3: new labels)"));
  EXPECT_THAT(to_markdown(report), HasSubstr("| waived |"));
  EXPECT_THAT(to_markdown(report), HasSubstr("(waived)"));
}

TEST(Doubt, ATestThatTheCorrectionMakesGreenIsNotSureInAnyFormat) {
  RunReport report = worse_model();
  std::vector<gate::Reason>& reasons = report.verdict.reasons;
  std::erase_if(reasons, [](const gate::Reason& reason) { return reason.check != gate::Check::paired; });
  gate::Reason& doubted = reasons.at(0);
  doubted.status = gate::Status::pass;
  doubted.sentence = gate::with_doubt(doubted.sentence, 2, .04, .08);
  report.verdict.headline = doubted.sentence;
  doubted.p_margin = .04;
  doubted.p_adjusted = .08;
  gate::Reason other = doubted;
  other.interval = gate::Interval{.low = -.001, .high = .001};
  other.p_margin = other.p_adjusted = 1;
  reasons.push_back(other);
  for (const std::string& text : {to_markdown(report), to_html(report), to_junit(report)}) {
    EXPECT_THAT(text, Not(HasSubstr("surely worse")));
    EXPECT_THAT(text,
                HasSubstr(", worse than the margin of 2, but this may be chance among 2 tests: p = 0.04, "
                          "0.08 corrected by Holm; 760 newly wrong"));
    EXPECT_THAT(text, HasSubstr("surely not worse than the margin of 2; 760 newly wrong"));
  }
}

TEST(Junit, TheGatesMetricsAreCases) {
  const Json xml = parsed("junit", to_junit(worse_model()));
  const Json& accuracy = xml["cases"][0];
  EXPECT_EQ(accuracy["classname"], "gate");
  EXPECT_EQ(accuracy["name"], "accuracy");
  EXPECT_EQ(accuracy["outcome"], "failure");
  EXPECT_THAT(accuracy["text"].get<std::string>(), HasSubstr("baseline: 0.874"));
  EXPECT_THAT(accuracy["text"].get<std::string>(), HasSubstr("760 newly wrong, 140 newly right of 10000"));
  EXPECT_EQ(xml["cases"][1]["outcome"], "passed");
}

TEST(Junit, NoBaselineIsAnError) {
  RunReport report;
  gate::MetricRule rule;
  rule.metric = "accuracy";
  rule.max_drop = 0.1;
  gate::Inputs in;
  in.evidence.metrics = {{"accuracy", 0.5, {}, "", {}}};
  report.verdict = gate::judge({.bootstrap = false, .metrics = {rule}, .conditions = {}, .stage = {}}, in);
  const Json xml = parsed("junit", to_junit(report));
  EXPECT_EQ(xml["cases"][0]["outcome"], "error");
}

TEST(Junit, ACancelledRunIsNeverGreen) {
  RunReport report = green_run();
  report.cancelled = true;
  report.verdict = {.kind = gate::VerdictKind::pass,
                    .headline = "cancelled by Ada",
                    .reasons = {},
                    .baseline = {},
                    .test_uses = {}};
  const Json xml = parsed("junit", to_junit(report));
  EXPECT_EQ(xml["errors"], 1);
  EXPECT_THAT(to_html(report), HasSubstr("CANCELLED"));
  EXPECT_THAT(to_markdown(report), HasSubstr("CANCELLED"));
}

TEST(Junit, ARuleThatWasNotEvaluatedIsACase) {
  RunReport report;
  gate::Inputs in;
  in.findings = {{"hang", {}, {}, "", "could not be evaluated: no step was seen"}};
  report.verdict = gate::judge({}, in);
  const Json xml = parsed("junit", to_junit(report));
  EXPECT_EQ(xml["cases"][0]["name"], "hang");
  EXPECT_EQ(xml["cases"][0]["outcome"], "failure");
}

// Tags and attributes that the page itself uses, nothing that runs, loads or leads away.
TEST(Html, HasOnlyItsOwnTags) {
  const std::vector<std::string> kTags = {
      "html", "head", "meta", "title", "style", "body",    "main",    "header",  "div",   "span",  "h1",
      "h2",   "p",    "b",    "i",     "code",  "section", "table",   "thead",   "tbody", "tr",    "th",
      "td",   "svg",  "line", "text",  "path",  "circle",  "details", "summary", "pre",   "footer"};
  const std::vector<std::string> kAttributes = {
      "lang", "charset",    "http-equiv", "content", "name",        "class", "scope", "viewbox",
      "role", "aria-label", "x",          "y",       "x1",          "x2",    "y1",    "y2",
      "d",    "cx",         "cy",         "r",       "text-anchor", "open"};
  for (const RunReport& report : all_runs()) {
    const Json html = parsed("html", to_html(report));
    EXPECT_EQ(html["balanced"], true);
    for (const auto& tag : html["tags"]) EXPECT_THAT(kTags, ::testing::Contains(tag.get<std::string>()));
    for (const auto& name : html["attributes"])
      EXPECT_THAT(kAttributes, ::testing::Contains(name.get<std::string>()));
  }
}

TEST(Html, TheVerdictAndItsSentenceComeFirst) {
  const Json html = parsed("html", to_html(worse_model()));
  const std::string text = html["text"];
  EXPECT_LT(text.find("FAIL"), text.find("accuracy fell from 0.874 to 0.812"));
  EXPECT_LT(text.find("accuracy fell from 0.874 to 0.812"), text.find("Gate"));
  EXPECT_LT(text.find("Gate"), text.find("rank 0: loading"));
}

TEST(Html, NamesRuleStepRankAndTensor) {
  const std::string text = parsed("html", to_html(exploded_run()))["text"];
  EXPECT_THAT(text, HasSubstr("exploding_tensor in stage train: step 340, rank 1, gradient of fc1.weight"));
  EXPECT_THAT(text, HasSubstr("measured 31000, limit 52.7"));
  EXPECT_THAT(text, HasSubstr("exploding_tensor, step 340"));
}

TEST(Html, ForbidsRequestsAndScripts) {
  EXPECT_THAT(to_html(green_run()), HasSubstr("content=\"default-src 'none'; style-src 'unsafe-inline';"));
}

TEST(Html, HugeRunsStaySmall) {
  RunReport report = green_run();
  Points& points = report.curves[0].points;
  points.clear();
  for (int i = 0; i < 1'000'000; ++i) points.emplace_back(i, std::sin(i * 1e-4));
  report.logs = {{"train", std::string(50'000'000, '<'), false}};
  for (int i = 0; i < 20'000; ++i) report.metrics.push_back({"m" + std::to_string(i), "", 1, {}});
  EXPECT_LT(to_html(report).size(), 700'000u);
}

TEST(Markdown, IsCappedAndSaysSo) {
  RunReport report = exploded_run();
  report.findings.resize(1);
  for (int i = 0; i < 1000; ++i) report.findings.push_back(report.findings[0]);
  for (Finding& finding : report.findings) finding.message = std::string(10'000, '<');
  report.verdict.headline = std::string(100'000, '*');
  report.subject = report.project = std::string(100'000, '`');
  report.logs.assign(10, {"train", std::string(1'000'000, '\xff'), false});
  const std::string text = to_markdown(report);
  EXPECT_LE(text.size(), kMaxMarkdownBytes);
  EXPECT_THAT(text, HasSubstr("_Cut here"));
  EXPECT_THAT(text, HasSubstr("### Stages")) << "a section that fits is there although one before did not";
}

TEST(Markdown, ListsEverySeed) {
  RunReport report = exploded_run();
  report.metrics = {{"accuracy", "", 0.9, 0.91, {{1, 0.89}, {17, 0.91}}}, {"epochs", "", 2, {}}};
  report.logs.clear();
  for (int seed = 1; seed <= 30; ++seed) {
    const std::string text = "seed " + std::to_string(seed) + " is out of luck\n";
    report.logs.push_back(
        {"train@" + std::to_string(seed) + ", attempt 1", std::string(5000, '.') + "\n" + text, false});
  }
  const std::string text = to_markdown(report);
  EXPECT_THAT(text, HasSubstr("| Change | Each seed |"));
  EXPECT_THAT(text, HasSubstr("| `accuracy` | 0.9 | 0.91 | -0.01 | 1: 0.89, 17: 0.91 |"));
  EXPECT_THAT(text, HasSubstr("| `epochs` | 2 |  |  |  |"));
  for (int seed = 1; seed <= 30; ++seed) {
    EXPECT_THAT(text, HasSubstr("<summary>Log of <code>train@" + std::to_string(seed) +
                                ", attempt 1</code></summary>"));
    EXPECT_THAT(text, HasSubstr("seed " + std::to_string(seed) + " is out of luck"));
  }
  EXPECT_THAT(to_html(report), HasSubstr("<td class=\"wide\">1: 0.89, 17: 0.91</td>"));
  EXPECT_THAT(to_markdown(worse_model()), Not(HasSubstr("Each seed")));
}

gate::Reason reason_on(const std::string& metric, gate::Check check, gate::Status status) {
  gate::Reason reason;
  reason.check = check;
  reason.status = status;
  reason.subject = metric;
  reason.value = 0.8;
  reason.baseline = 0.9;
  reason.sentence = metric + " was looked at";
  return reason;
}

TEST(Markdown, SaysAgainstWhatWhateverTheHeadline) {
  RunReport report = green_run();
  report.verdict.headline = "accuracy 0.8 is below the floor 0.85";
  report.verdict.reasons.clear();
  report.started_unix_ms = report.verdict.baseline->finished_unix_ms + 3 * 86'400'000LL + 1;
  const std::string line = "Compared with run 1 of commit 3f2a91c (main), finished 2026-11-18 11:06 UTC, ";
  EXPECT_THAT(to_markdown(report), HasSubstr(line + "3 days before this run."));
  report.started_unix_ms = report.verdict.baseline->finished_unix_ms + 3'600'000;
  EXPECT_THAT(to_markdown(report), HasSubstr(line + "1 hour before this run."));
  report.verdict.baseline.reset();
  EXPECT_THAT(to_markdown(report), Not(HasSubstr("Compared with")));
}

TEST(Rows, NameTheTest) {
  EXPECT_THAT(to_markdown(worse_model()),
              HasSubstr("Tango's score test, one-sided McNemar mid-p = 2.8e-104 for no difference"));
  RunReport report = green_run();
  gate::Reason auc = reason_on("auc", gate::Check::paired, gate::Status::pass);
  auc.test = "DeLong's test";
  auc.p_value = 0.02;
  report.verdict.reasons = {auc};
  EXPECT_THAT(to_markdown(report),
              HasSubstr("auc was looked at; DeLong's test, one-sided p = 0.02 for no difference"));
}

TEST(Markdown, NoCommandIsCut) {
  RunReport report = green_run();
  gate::Reason reason = reason_on("accuracy", gate::Check::baseline, gate::Status::no_baseline);
  const std::string advice = "`pawl baseline pin RUN --red --why REASON` makes this run the baseline";
  reason.sentence = std::string(500, 'x') + advice;
  report.verdict.reasons = {reason};
  EXPECT_THAT(to_markdown(report), HasSubstr("--why REASON"));
  reason.sentence = std::string(980, 'x') + advice;
  report.verdict.reasons = {reason};
  EXPECT_THAT(to_markdown(report), Not(HasSubstr("pawl baseline")));
  EXPECT_THAT(to_markdown(report), HasSubstr("xx\xe2\x80\xa6 |"));
}

TEST(Metrics, NoChangeBetweenOtherTestSets) {
  RunReport report = green_run();
  report.metrics = {{"accuracy", "", 0.8, 0.9}, {"auc", "", 0.7, 0.9}, {"test_loss", "", 0.5, 0.6}};
  report.verdict.reasons = {reason_on("accuracy", gate::Check::baseline, gate::Status::no_baseline),
                            reason_on("auc", gate::Check::max_drop, gate::Status::fail)};
  const std::string text = to_markdown(report);
  EXPECT_THAT(text, HasSubstr("| `accuracy` | 0.8 | 0.9 |  |"));
  EXPECT_THAT(text, HasSubstr("| `auc` | 0.7 | 0.9 | -0.2 |"));
  EXPECT_THAT(text, HasSubstr("| `test_loss` | 0.5 | 0.6 |  |"));
  report.verdict.reasons.erase(report.verdict.reasons.begin());
  EXPECT_THAT(to_markdown(report), HasSubstr("| `test_loss` | 0.5 | 0.6 | -0.1 |"));
}

TEST(Junit, NamesTheSlice) {
  RunReport report = green_run();
  gate::Reason reason = reason_on("accuracy", gate::Check::max_drop, gate::Status::fail);
  reason.slice = "lang=de";
  report.verdict.reasons = {reason};
  EXPECT_THAT(parsed("junit", to_junit(report))["cases"][0]["text"].get<std::string>(),
              HasSubstr("largest drop of lang=de: FAIL"));
}

TEST(Markdown, ALogHasTheNameOfItsStage) {
  RunReport report = worse_model();
  report.logs = {{"evaluate@baseline, attempt 1", "scored\n", true}};
  EXPECT_THAT(to_markdown(report),
              HasSubstr("<summary>Log of <code>evaluate@baseline, attempt 1</code></summary>"));
  report.logs = {{"</code></summary><script>", "scored\n", true}};
  EXPECT_THAT(to_markdown(report),
              HasSubstr("<summary>Log of <code>__code___summary__script_</code></summary>"));
}

// The text without what is code: HTML's, and spans as CommonMark finds them, a run of backticks up to the
// next of equal length.
std::string without_code(std::string text) {
  for (std::size_t at; (at = text.find("<code>")) != std::string::npos;)
    text.replace(at, text.find("</code>", at) + 7 - at, "CODE");
  const auto run_at = [&](std::size_t at) {
    return std::min(text.find_first_not_of('`', at), text.size()) - at;
  };
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '`' || (at > 0 && text[at - 1] == '\\')) {
      out += text[at++];
      continue;
    }
    const std::size_t length = run_at(at);
    std::size_t end = text.find('`', at + length);
    while (end != std::string::npos && run_at(end) != length) end = text.find('`', end + run_at(end));
    if (end == std::string::npos) {
      out += text.substr(at, length);
      at += length;
    } else {
      out += "CODE";
      at = end + length;
    }
  }
  return out;
}

TEST(Markdown, HostileNamesStayText) {
  const std::string outside = without_code(to_markdown(hostile_run()));
  EXPECT_THAT(outside, HasSubstr("### Gate")) << "no code span swallowed the page";
  EXPECT_THAT(outside, HasSubstr("### Metrics"));
  for (const char* forbidden :
       {"<script", "<img", "[x](", "[i](", "@everyone", "#1 ", "onclick=alert(1) x"}) {
    EXPECT_THAT(outside, Not(HasSubstr(forbidden)));
  }
}

TEST(Formats, WhoseGateItWasComesWithTheVerdict) {
  RunReport report = green_run();
  report.gate_note = "judged by the gate of <b>*main*; this commit changes it";
  const std::string markdown = to_markdown(report);
  EXPECT_LT(markdown.find("judged by the gate of"), markdown.find("Commit "));
  EXPECT_THAT(markdown, Not(AnyOf(HasSubstr("<b>"), HasSubstr(" *main*"))));
  const std::string text = parsed("html", to_html(report))["text"];
  EXPECT_THAT(text, HasSubstr(report.gate_note));
}

TEST(Markdown, ALinkOnlyToAPlainAddress) {
  RunReport report = green_run();
  EXPECT_THAT(to_markdown(report), HasSubstr("[run 2](http://127.0.0.1:7878/runs/2)"));
  for (const char* url : {"javascript:alert(1)", "http://h/) [x](y", "http://h/\nx", ""}) {
    report.url = url;
    EXPECT_THAT(to_markdown(report), Not(HasSubstr("[run 2]"))) << url;
  }
}

}  // namespace
}  // namespace pawl::report
