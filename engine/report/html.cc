#include "engine/report/html.h"

#include <fmt/format.h>

#include "engine/base/text.h"
#include "engine/gate/wording.h"
#include "engine/report/chart.h"
#include "engine/report/escape.h"
#include "engine/report/rows.h"
#include "engine/report/style.h"

namespace pawl::report {
namespace {

constexpr std::size_t kMaxRows = 500;

std::string text(std::string_view outside) {
  return escape_markup(clean_line(outside, 1000));
}
std::string code(std::string_view outside) {
  return "<code>" + text(outside) + "</code>";
}
std::string tagged(std::string_view css_class, std::string_view markup) {
  return fmt::format("<span class=\"{}\">{}</span>", css_class, markup);
}

struct Column {
  std::string_view title;
  std::string_view css_class = "";  // of the cells
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // Cells are finished markup, one a column.
  void add(const std::vector<std::string>& cells, std::string_view row_class = "") {
    if (++rows_ > kMaxRows) return;
    body_ += fmt::format("<tr{}>", attribute(row_class));
    for (std::size_t i = 0; i < cells.size(); ++i) {
      body_ += fmt::format("<td{}>{}</td>", attribute(columns_[i].css_class), cells[i]);
    }
    body_ += "</tr>\n";
  }

  bool empty() const { return rows_ == 0; }

  std::string markup() const {
    std::string out = "<div class=\"scroll\"><table>\n<thead><tr>";
    for (const Column& column : columns_) {
      out += fmt::format("<th scope=\"col\"{}>{}</th>", attribute(column.css_class), column.title);
    }
    out += "</tr></thead>\n<tbody>\n" + body_ + "</tbody></table></div>\n";
    if (rows_ > kMaxRows) out += fmt::format("<p class=\"soft\">and {} more</p>\n", rows_ - kMaxRows);
    return out;
  }

 private:
  static std::string attribute(std::string_view css_class) {
    return css_class.empty() ? "" : fmt::format(" class=\"{}\"", css_class);
  }

  std::vector<Column> columns_;
  std::string body_;
  std::size_t rows_ = 0;
};

std::string section(std::string_view title, const std::string& body) {
  return fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", title, body);
}

std::string table_section(std::string_view title, const Table& table) {
  return table.empty() ? "" : section(title, table.markup());
}

std::string verdict(const RunReport& report) {
  const std::string_view tone = is_waived(report.verdict) ? "amber"
                                : is_green(report)        ? "green"
                                : report.cancelled        ? "grey"
                                                          : "red";
  std::string out = fmt::format(
      "<header class=\"verdict {}\">\n<div class=\"top\"><span class=\"badge\">{}</span>"
      "<span class=\"soft\">{} · {}</span></div>\n<h1>{}</h1>\n",
      tone, verdict_name(report), text(report.project), text(run_name(report)),
      escape_markup(clean_line(report.verdict.headline, 4000)));
  if (!report.gate_note.empty())
    out += fmt::format("<p class=\"facts\"><b>{}</b></p>\n", text(report.gate_note));
  out += fmt::format("<p class=\"facts\"><b>{}</b> {} on <b>{}</b></p>\n", text(report.commit.substr(0, 10)),
                     text(report.subject), text(report.branch));
  out += fmt::format("<p class=\"facts\">{} · {} · {}</p>\n", text(origin(report)),
                     minute(report.started_unix_ms), duration(report.seconds));
  return out + "</header>\n";
}

std::string findings(const RunReport& report) {
  std::string out;
  for (const Finding& finding : report.findings) {
    const bool waived = is_waived(report, finding);
    out += fmt::format(
        "<div class=\"finding {}\">\n<p><b>{}</b>{} in stage {}: <b>{}</b></p>\n<p>{}</p>\n"
        "<p class=\"soft\">measured {}{}</p>\n{}</div>\n",
        waived || !finding.fails_build ? "amber" : "red", text(finding.rule),
        waived                 ? " " + tagged("warn", "(waived)")
        : !finding.fails_build ? " " + tagged("warn", "(warning)")
                               : "",
        code(finding.stage), text(where_of(finding)), text(finding.message), text(measured(finding)),
        finding.count > 1 ? fmt::format(" · fired in {} steps", finding.count) : "",
        finding.advice.empty() ? "" : fmt::format("<p>{}</p>\n", text(finding.advice)));
  }
  return out.empty() ? "" : section("Rules that fired", out);
}

std::vector<Mark> marks_for(const RunReport& report, const std::string& stage) {
  std::vector<Mark> marks;
  for (const Finding& finding : report.findings) {
    if (finding.stage == stage)
      marks.push_back(
          {finding.step, fmt::format("{}, step {}", finding.rule, finding.step), !finding.fails_build});
  }
  return marks;
}

std::string legend(const RunReport& report, const Curve& curve, bool marked) {
  std::string out = "<p class=\"legend\"><span><i></i>this run</span>";
  if (!curve.baseline.empty()) {
    out += fmt::format("<span><i class=\"base\"></i>baseline{}</span>",
                       report.verdict.baseline ? ", " + text(gate::describe(*report.verdict.baseline)) : "");
  }
  if (!curve.green.low.empty()) {
    out += fmt::format(
        "<span><i class=\"green\"></i>green runs {}</span><span><i class=\"limit\"></i>limit</span>",
        text(join(curve.green.runs, ", ")));
  }
  if (marked) out += "<span><i class=\"mark\"></i>a rule fired</span>";
  return out + "</p>\n";
}

std::string curves(const RunReport& report) {
  std::string out;
  for (const Curve& curve : report.curves) {
    const std::vector<Mark> marks = marks_for(report, curve.stage);
    const std::string svg = chart_svg(curve, marks);
    if (svg.empty()) continue;
    out += section(fmt::format("{} in stage {}", text(curve.name), code(curve.stage)),
                   legend(report, curve, !marks.empty()) + "<div class=\"scroll\">" + svg + "</div>\n");
  }
  return out;
}

std::string_view css_class(gate::Status status) {
  if (is_red(status)) return "no";
  if (status == gate::Status::waived) return "warn";
  return status == gate::Status::pass ? "ok" : "soft";
}

std::string gate_checks(const RunReport& report) {
  Table table({{"Metric"},
               {"Check", "word"},
               {"Result", "word"},
               {"This run", "num"},
               {"Baseline", "num"},
               {"Limit", "num"},
               {"Evidence", "wide"}});
  for (const GateRow& row : gate_rows(report.verdict)) {
    table.add({code(row.metric), row.check, tagged(css_class(row.status), row.result), row.value,
               row.baseline, row.limit, text(row.evidence)});
  }
  if (table.empty()) return "";
  const std::string against = compared_with(report);
  return section("Gate",
                 table.markup() + (against.empty() ? "" : "<p class=\"soft\">" + text(against) + "</p>\n"));
}

std::string tensors(const RunReport& report) {
  using gate::format_number;
  std::string out;
  for (const TensorHistory& history : report.tensors) {
    Table table({{"Step", "num"},
                 {"Norm", "num"},
                 {"Mean", "num"},
                 {"Least", "num"},
                 {"Greatest", "num"},
                 {"NaN", "num"},
                 {"Infinite", "num"}});
    for (const TensorStep& step : history.steps) {
      table.add({fmt::format("{}", step.step), format_number(step.norm), format_number(step.mean),
                 format_number(step.min), format_number(step.max), fmt::format("{}", step.nan),
                 fmt::format("{}", step.inf)},
                step.step == history.fired_step ? "at" : "");
    }
    out += table_section(fmt::format("{} of {} on rank {} around step {}", text(history.kind),
                                     code(history.tensor), history.rank, history.fired_step),
                         table);
  }
  return out;
}

std::string metrics(const RunReport& report) {
  std::vector<Column> columns = {
      {"Metric"}, {"This run", "num"}, {"Baseline", "num"}, {"Change", "num"}, {"Unit"}};
  if (has_seeds(report)) columns.push_back({"Each seed", "wide"});
  Table table(std::move(columns));
  for (const Metric& metric : report.metrics) {
    std::vector<std::string> cells = {code(metric.name), gate::format_number(metric.value),
                                      metric.baseline ? gate::format_number(*metric.baseline) : "",
                                      difference(report, metric), text(metric.unit)};
    if (has_seeds(report)) cells.push_back(seed_values(metric));
    table.add(cells);
  }
  return table_section("Metrics", table);
}

std::string stages(const RunReport& report) {
  Table table({{"Stage"}, {"Attempt", "num"}, {"Outcome"}, {"Time", "num"}});
  for (const Stage& stage : report.stages) {
    if (stage.attempts.empty()) table.add({code(stage.name), "", tagged("soft", outcome(stage)), ""});
    for (const Attempt& attempt : stage.attempts) {
      const std::string detail =
          attempt.detail.empty() ? "" : " <span class=\"soft\">" + text(attempt.detail) + "</span>";
      table.add({code(stage.name), fmt::format("{}", attempt.number),
                 tagged(attempt.succeeded ? "ok" : "no", text(attempt.outcome)) + detail,
                 duration(attempt.seconds)});
    }
  }
  return table_section("Stages", table);
}

std::string data(const RunReport& report) {
  Table table({{"Dataset"}, {"Version"}});
  for (const DataVersion& version : report.data) table.add({code(version.name), code(version.digest)});
  return table_section("Data", table);
}

std::string logs(const RunReport& report) {
  std::string out;
  for (const LogTail& log : report.logs) {
    const std::string body = log_text(log.text, kMaxHtmlLogBytes);
    const bool whole = log.whole && log.text.size() <= kMaxHtmlLogBytes;
    out += fmt::format(
        "<section>\n<details{}><summary>Log of {}{}</summary>\n<pre>{}</pre>\n</details>\n</section>\n",
        is_green(report) ? "" : " open", text(log.title), whole ? "" : " (its end)", escape_markup(body));
  }
  return out;
}

std::string footer(const RunReport& report) {
  return fmt::format("<footer>Pawl · run {} · commit {}</footer>\n", code(report.run_id),
                     code(report.commit));
}

}  // namespace

std::string to_html(const RunReport& report) {
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"robots\" content=\"noindex\">\n<title>{} · {} · "
      "{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n",
      verdict_name(report), text(report.project), text(run_name(report)), kStyle);
  out += verdict(report);
  // What made the build red comes next to the verdict.
  if (report.findings.empty()) out += gate_checks(report);
  out += findings(report) + curves(report) + tensors(report);
  if (!report.findings.empty()) out += gate_checks(report);
  out += metrics(report) + stages(report) + data(report) + logs(report);
  out += footer(report);
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace pawl::report
