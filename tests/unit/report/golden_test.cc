// The three formats of a few runs, as files a person can open: tests/unit/report/golden. PAWL_UPDATE_GOLDEN=1
// writes them anew, for a person to read in the diff.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>

#include "engine/base/files.h"
#include "engine/report/html.h"
#include "engine/report/junit.h"
#include "engine/report/markdown.h"
#include "tests/unit/report/samples.h"

namespace pawl::report {
namespace {

struct Case {
  std::string name;
  std::function<RunReport()> run;
};

class Golden : public ::testing::TestWithParam<Case> {};

void compare(const std::string& file, const std::string& actual) {
  const std::string path = std::string(PAWL_GOLDEN_REPORT_DIR) + "/" + file;
  if (std::getenv("PAWL_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << actual;
    return;
  }
  const auto expected = read_file(path, 1 << 20);
  ASSERT_TRUE(expected) << expected.error().to_string();
  EXPECT_EQ(actual, *expected) << file;
}

TEST_P(Golden, Html) {
  compare(GetParam().name + ".html", to_html(GetParam().run()));
}
TEST_P(Golden, Markdown) {
  compare(GetParam().name + ".md", to_markdown(GetParam().run()));
}
TEST_P(Golden, Junit) {
  compare(GetParam().name + ".xml", to_junit(GetParam().run()));
}

INSTANTIATE_TEST_SUITE_P(Report, Golden,
                         ::testing::Values(Case{"green", green_run}, Case{"worse", worse_model},
                                           Case{"exploded", exploded_run}, Case{"first", first_run}),
                         [](const auto& golden) { return golden.param.name; });

}  // namespace
}  // namespace pawl::report
