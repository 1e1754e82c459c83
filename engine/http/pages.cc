#include "engine/http/pages.h"

#include <fmt/format.h>

#include "engine/report/escape.h"

namespace pawl::http {
namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 4rem auto; padding: 0 1rem; }
input { font: inherit; width: 100%; padding: .4rem; box-sizing: border-box; }
button { font: inherit; padding: .4rem 1.2rem; margin-top: .8rem; }
.problem { color: #c02b1d; }
)";

std::string page(std::string_view title, std::string_view head, std::string_view body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title>{1}"
      "<meta name=\"viewport\" content=\"width=device-width\"><style>{2}</style></head>\n"
      "<body><h1>{0}</h1>\n{3}</body></html>\n",
      report::escape_markup(title), head, kStyle, body);
}

std::string paragraph(std::string_view text) {
  return fmt::format("<p>{}</p>\n", report::escape_markup(text));
}

}  // namespace

std::string sign_in_page(std::string_view problem) {
  std::string body =
      "<p>Reports are shown to those who have the API token of this daemon: <code>token</code> in its "
      "<code>config.yml</code>. This browser will remember it for 30 days.</p>\n";
  if (!problem.empty())
    body += fmt::format("<p class=\"problem\" role=\"alert\">{}</p>\n", report::escape_markup(problem));
  body +=
      "<form method=\"post\"><label>API token <input type=\"password\" name=\"token\" required autofocus "
      "autocomplete=\"current-password\"></label><button>Show the report</button></form>\n";
  return page("Pawl", "", body);
}

std::string waiting_page(std::string_view title, std::string_view text) {
  return page(title, "<meta http-equiv=\"refresh\" content=\"5\">", paragraph(text));
}

std::string plain_page(std::string_view title, std::string_view text) {
  return page(title, "", paragraph(text));
}

}  // namespace pawl::http
