#include "engine/report/markdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "engine/gate/wording.h"
#include "engine/report/escape.h"
#include "engine/report/rows.h"

namespace pawl::report {
namespace {

constexpr std::size_t kMaxRows = 40;
constexpr std::size_t kMaxLogBytes = 8'000;  // of one log
constexpr std::size_t kMinLogBytes = 800;
constexpr std::size_t kMaxBytesOfLogs = 24'000;  // of all, as long as each has kMinLogBytes

std::string code(std::string_view text) {
  return markdown_code(text, /*in_table=*/true);
}
std::string prose(std::string_view text) {
  return escape_markdown(text, 300);
}

// A command that is cut is worse than none.
std::string evidence(std::string_view text) {
  constexpr std::size_t kMaxBytes = 1000;
  if (text.size() <= kMaxBytes) return escape_markdown(text, kMaxBytes);
  std::string_view kept = text.substr(0, kMaxBytes);
  if (std::count(kept.begin(), kept.end(), '`') % 2 == 1) kept = kept.substr(0, kept.rfind('`'));
  return escape_markdown(kept, kMaxBytes) + "\xe2\x80\xa6";
}

// Rows of finished cells under a header; the rows beyond kMaxRows are counted only.
class Table {
 public:
  Table(std::string title, std::vector<std::string> header)
      : title_(std::move(title)), header_(std::move(header)) {}

  void add(const std::vector<std::string>& cells) {
    if (++rows_ <= kMaxRows) body_ += line(cells);
  }

  std::string text() const {
    if (rows_ == 0) return "";
    std::string out = fmt::format("### {}\n\n{}{}{}", title_, line(header_),
                                  line(std::vector<std::string>(header_.size(), "---")), body_);
    if (rows_ > kMaxRows) out += fmt::format("\nand {} more\n", rows_ - kMaxRows);
    return out + "\n";
  }

 private:
  static std::string line(const std::vector<std::string>& cells) {
    std::string out = "|";
    for (const std::string& cell : cells) out += fmt::format(" {} |", cell);
    return out + "\n";
  }

  std::string title_;
  std::vector<std::string> header_;
  std::string body_;
  std::size_t rows_ = 0;
};

std::string head(const RunReport& report) {
  const std::string_view mark = is_waived(report.verdict) ? "\xe2\x9a\xa0\xef\xb8\x8f"
                                : is_green(report)        ? "\xe2\x9c\x85"
                                : report.cancelled        ? "\xe2\x9a\xaa"
                                                          : "\xe2\x9d\x8c";
  std::string out = fmt::format("## {} {}: {}\n\n**{}**\n\n", mark, verdict_name(report),
                                prose(report.project), escape_markdown(report.verdict.headline, 2000));
  if (!report.gate_note.empty()) out += prose(report.gate_note) + "\n\n";
  out += fmt::format("Commit {} {} on {}, {}, {}", markdown_code(report.commit.substr(0, 7), false),
                     prose(report.subject), markdown_code(report.branch, false), prose(origin(report)),
                     duration(report.seconds));
  // The address is the server's own; in a code span it could not be followed.
  const bool link = report.url.starts_with("https://") || report.url.starts_with("http://");
  const bool plain = report.url.find_first_of(" <>()\"'`\n\\") == std::string::npos;
  out += link && plain ? fmt::format(". [{}]({})\n\n", prose(run_name(report)), report.url)
                       : fmt::format(". {}\n\n", prose(run_name(report)));
  if (const std::string against = compared_with(report); !against.empty())
    out += escape_markdown(against) + "\n\n";
  return out;
}

// What to look at, once for each rule that fired.
std::string advice(const RunReport& report) {
  std::string out;
  std::set<std::string_view> said;
  for (const Finding& finding : report.findings) {
    if (finding.advice.empty() || said.size() == kMaxRows || !said.insert(finding.rule).second) continue;
    out += fmt::format("- {}: {}\n", markdown_code(finding.rule, false), prose(finding.advice));
  }
  return out.empty() ? "" : out + "\n";
}

std::string findings(const RunReport& report) {
  Table table("Rules that fired", {"Rule", "Where", "Measured", "What was seen"});
  for (const Finding& finding : report.findings) {
    const std::string_view note = is_waived(report, finding) ? " (waived)"
                                  : finding.fails_build      ? ""
                                                             : " (warning)";
    table.add({code(finding.rule) + std::string(note), prose(where_of(finding)), measured(finding),
               prose(finding.message)});
  }
  return table.text() + advice(report);
}

std::string gate_checks(const RunReport& report) {
  Table table("Gate", {"Metric", "Check", "Result", "This run", "Baseline", "Limit", "Evidence"});
  for (const GateRow& row : gate_rows(report.verdict)) {
    table.add({code(row.metric), row.check, is_red(row.status) ? "**" + row.result + "**" : row.result,
               row.value, row.baseline, row.limit, evidence(row.evidence)});
  }
  return table.text();
}

std::string stages(const RunReport& report) {
  Table table("Stages", {"Stage", "Attempt", "Outcome", "Time"});
  for (const Stage& stage : report.stages) {
    if (stage.attempts.empty()) table.add({code(stage.name), "", outcome(stage), ""});
    for (const Attempt& attempt : stage.attempts) {
      table.add({code(stage.name), fmt::format("{}", attempt.number),
                 prose(attempt.detail.empty() ? attempt.outcome : attempt.outcome + ": " + attempt.detail),
                 duration(attempt.seconds)});
    }
  }
  return table.text();
}

std::string metrics(const RunReport& report) {
  std::vector<std::string> header = {"Metric", "This run", "Baseline", "Change"};
  if (has_seeds(report)) header.emplace_back("Each seed");
  Table table("Metrics", header);
  for (const Metric& metric : report.metrics) {
    const std::string unit = metric.unit.empty() ? "" : " " + prose(metric.unit);
    std::vector<std::string> cells = {code(metric.name), gate::format_number(metric.value) + unit,
                                      metric.baseline ? gate::format_number(*metric.baseline) + unit : "",
                                      difference(report, metric)};
    if (has_seeds(report)) cells.push_back(seed_values(metric));
    table.add(cells);
  }
  return table.text();
}

std::string data(const RunReport& report) {
  Table table("Data", {"Dataset", "Version"});
  for (const DataVersion& version : report.data) table.add({code(version.name), code(version.digest)});
  return table.text();
}

// A summary is HTML: Markdown's escapes mean nothing in it, yet forges link what they find there. Not within
// <code>, so that "train@2" mentions nobody.
std::string summary_text(std::string_view title) {
  std::string text = clean_line(title, 100);
  for (char& c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && std::string_view(" ,._-@").find(c) == std::string_view::npos) c = '_';
  }
  return text;
}

std::string log(const LogTail& tail, std::size_t max_bytes) {
  return fmt::format("<details><summary>Log of <code>{}</code></summary>\n\n{}\n</details>\n\n",
                     summary_text(tail.title), markdown_block(log_text(tail.text, max_bytes)));
}

// Of every attempt: with several seeds the last may be the one that failed.
void add_logs(const std::vector<LogTail>& logs, std::vector<std::string>& sections) {
  if (logs.empty()) return;
  const std::size_t each = std::clamp(kMaxBytesOfLogs / logs.size(), kMinLogBytes, kMaxLogBytes);
  for (const LogTail& tail : logs) sections.push_back(log(tail, each));
}

}  // namespace

std::string to_markdown(const RunReport& report) {
  constexpr std::string_view kNote = "_Cut here: the full report has the rest._\n";
  std::vector<std::string> sections = {findings(report), gate_checks(report), stages(report), metrics(report),
                                       data(report)};
  if (!is_green(report)) add_logs(report.logs, sections);
  std::string out = head(report);
  bool cut = false;
  for (const std::string& section : sections) {
    const bool fits = out.size() + section.size() + kNote.size() <= kMaxMarkdownBytes;
    if (fits) out += section;
    cut = cut || !fits;
  }
  if (cut) out += kNote;
  return out;
}

}  // namespace pawl::report
