#include "engine/report/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace pawl::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Curve curve(Points points, Points baseline = {}) {
  return {"train", "loss", std::move(points), std::move(baseline)};
}

TEST(Chart, NothingFiniteIsNoChart) {
  EXPECT_EQ(chart_svg(curve({}), {}), "");
  EXPECT_EQ(chart_svg(curve({{0, std::nan("")}, {1, INFINITY}}), {{1, "x"}}), "");
}

TEST(Chart, BothCurvesAndTheMark) {
  const std::string svg =
      chart_svg(curve({{0, 2}, {100, 1}}, {{0, 2}, {200, 0.5}}), {{100, "hang, step 100"}});
  EXPECT_THAT(svg, HasSubstr("class=\"run\" d=\"M62.0"));
  EXPECT_THAT(svg, HasSubstr("class=\"base\" d=\"M62.0"));
  EXPECT_THAT(svg, HasSubstr("hang, step 100"));
  EXPECT_THAT(svg, HasSubstr("aria-label=\"loss by step: 2 at step 0, 1 at step 100; hang, step 100\""));
}

TEST(Chart, TheBandOfGreenRunsAndItsLimit) {
  Curve held = curve({{0, 2}, {100, 1}});
  held.green = {{"1", "2"}, {{0, 1}, {100, 0.5}}, {{0, 2}, {100, 1}}, {{0, 900}, {50, 1.8}, {100, 1.5}}};
  const std::string svg = chart_svg(held, {});
  EXPECT_THAT(svg, HasSubstr("class=\"green\" d=\"M62.0"));
  const std::size_t limit = svg.find("class=\"limit\" d=\"M404.0");
  EXPECT_NE(limit, std::string::npos) << "900 is not drawn:\n" << svg;
}

TEST(Chart, SmallRangesAreLinearWideOnesLogarithmic) {
  EXPECT_THAT(chart_svg(curve({{0, 1}, {1, 50}}), {}), Not(HasSubstr(">100<")));
  const std::string wide = chart_svg(curve({{0, 0.5}, {1, 1e6}}), {});
  EXPECT_THAT(wide, HasSubstr(">100<"));
  EXPECT_THAT(chart_svg(curve({{0, -1}, {1, 1e6}}), {}), HasSubstr(">500000<"))
      << "no logarithm of a negative loss";
}

TEST(Chart, TheLineBreaksWhereValuesAreNotFinite) {
  const std::string svg =
      chart_svg(curve({{0, 1}, {1, 2}, {2, std::nan("")}, {3, 1}, {4, 2}, {5, INFINITY}, {6, 3}}), {});
  const std::string path = svg.substr(svg.find("class=\"run\""),
                                      svg.find("/>", svg.find("class=\"run\"")) - svg.find("class=\"run\""));
  EXPECT_EQ(std::count(path.begin(), path.end(), 'M'), 3);
  EXPECT_THAT(svg, HasSubstr("<title>NaN at step 2</title>"));
  EXPECT_THAT(svg, HasSubstr("class=\"run-dot\"")) << "a point alone";
}

TEST(Chart, ThinningKeepsSpikes) {
  Points points;
  for (int i = 0; i < 100'000; ++i) points.emplace_back(i, i == 54'321 ? 90.0 : 1.0);
  const std::string svg = chart_svg(curve(points), {});
  EXPECT_LT(svg.size(), 30'000u);
  // The top of the picture is at 5 % above the spike.
  EXPECT_THAT(svg, HasSubstr(" 24.3L")) << svg.substr(0, 200);
}

TEST(Chart, AnyNumbersMakeAPicture) {
  constexpr double kMax = std::numeric_limits<double>::max();
  for (const Points& points :
       {Points{{5, 3}}, Points{{0, 0}, {1, 0}}, Points{{0, kMax}, {1, -kMax}}, Points{{0, 5e-324}, {1, kMax}},
        Points{{INT64_MIN / 2, 1}, {INT64_MAX / 2, 2}}}) {
    const std::string svg = chart_svg(curve(points), {{0, "m"}});
    EXPECT_THAT(svg, HasSubstr("</svg>"));
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_THAT(svg, Not(HasSubstr("inf")));
  }
}

TEST(Chart, LabelsAreEscapedAndCapped) {
  std::vector<Mark> marks(100, {1, "<script>"});
  const std::string svg = chart_svg(curve({{0, 1}, {2, 2}}), marks);
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
  EXPECT_LT(svg.size(), 5'000u);
}

}  // namespace
}  // namespace pawl::report
