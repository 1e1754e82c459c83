#include "engine/report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "engine/gate/wording.h"
#include "engine/report/escape.h"

namespace pawl::report {
namespace {

constexpr double kWidth = 760;
constexpr double kHeight = 280;
constexpr double kLeft = 62;
constexpr double kRight = 14;
constexpr double kTop = 14;
constexpr double kBottom = 40;
constexpr int kColumns = 600;
constexpr std::size_t kMaxMarks = 5;

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  double span() const { return high - low; }
};

double step_of(const Points::value_type& point) {
  return static_cast<double>(point.first);
}

// From data to the picture. A logarithmic axis works on log10 of the values.
class Frame {
 public:
  static std::optional<Frame> around(const Curve& curve, const std::vector<Mark>& marks) {
    Frame frame;
    for (const Points* points : {&curve.points, &curve.baseline, &curve.green.low, &curve.green.high}) {
      for (const auto& point : *points) {
        frame.x_.include(step_of(point));
        if (std::isfinite(point.second)) frame.y_.include(point.second);
      }
    }
    if (!(frame.y_.low <= frame.y_.high)) return std::nullopt;
    for (const Mark& mark : marks) frame.x_.include(static_cast<double>(mark.step));
    frame.logarithmic_ = frame.y_.low > 0 && frame.y_.high / frame.y_.low > 100;
    if (frame.logarithmic_) frame.y_ = {std::log10(frame.y_.low), std::log10(frame.y_.high)};
    // Halves, so that the widest range of doubles does not overflow.
    double margin = 0.05 * (frame.y_.high / 2 - frame.y_.low / 2) * 2;
    if (!(margin > 0) || !std::isfinite(margin)) margin = std::max(1e-3, 0.05 * std::abs(frame.y_.high));
    if (std::isfinite(frame.y_.span())) {
      frame.y_.low -= margin;
      frame.y_.high += margin;
    }
    if (frame.x_.span() <= 0) frame.x_.high = frame.x_.low + 1;
    return frame;
  }

  double x(double step) const { return kLeft + (step - x_.low) / x_.span() * (kWidth - kLeft - kRight); }
  double y(double value) const {
    const double at = logarithmic_ ? std::log10(value) : value;
    const double share = (at / 2 - y_.low / 2) / (y_.high / 2 - y_.low / 2);
    return kHeight - kBottom - share * (kHeight - kTop - kBottom);
  }

  std::vector<double> x_ticks() const { return round_numbers(x_, 7); }
  std::vector<double> y_ticks() const {
    if (!logarithmic_) return round_numbers(y_, 5);
    std::vector<double> ticks;
    const int stride = std::max(1, static_cast<int>(std::ceil(y_.span() / 6)));
    // The margins may reach beyond what a double can hold.
    const int first = std::max(-307, static_cast<int>(std::ceil(y_.low)));
    for (int power = first; power <= std::min(y_.high, 308.0); power += stride) {
      ticks.push_back(std::pow(10.0, power));
    }
    return ticks;
  }

 private:
  // Multiples of 1, 2 or 5 times a power of ten.
  static std::vector<double> round_numbers(const Range& range, int about) {
    std::vector<double> ticks;
    const double rough = range.span() / about;
    if (!std::isfinite(rough) || rough <= 0) return ticks;
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    const double share = rough / power;
    const double stride = power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
    const double first = std::ceil(range.low / stride);
    for (int i = 0; i <= 2 * about; ++i) {
      const double tick = (first + i) * stride;
      if (tick > range.high) break;
      ticks.push_back(tick);
    }
    return ticks;
  }

  Range x_;
  Range y_;
  bool logarithmic_ = false;
};

// At most two points a column keep every spike.
Points thinned(const Points& points, const Frame& frame) {
  if (points.size() <= 2 * kColumns) return points;
  Points out;
  std::size_t begin = 0;
  const auto column = [&](const Points::value_type& point) {
    return static_cast<int>((frame.x(step_of(point)) - kLeft) / (kWidth - kLeft - kRight) * kColumns);
  };
  while (begin < points.size()) {
    std::size_t end = begin;
    std::size_t least = begin;
    std::size_t greatest = begin;
    std::optional<std::size_t> broken;
    while (end < points.size() && column(points[end]) == column(points[begin])) {
      if (!std::isfinite(points[end].second)) broken = end;
      if (points[end].second < points[least].second) least = end;
      if (points[end].second > points[greatest].second) greatest = end;
      ++end;
    }
    out.push_back(points[std::min(least, greatest)]);
    if (least != greatest) out.push_back(points[std::max(least, greatest)]);
    if (broken && *broken != least && *broken != greatest) out.push_back(points[*broken]);
    begin = end;
  }
  return out;
}

std::string line_of(const Points& all, const Frame& frame, std::string_view css_class) {
  std::string path;
  std::string dots;
  bool pen_down = false;
  const Points points = thinned(all, frame);
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!std::isfinite(points[i].second)) {
      pen_down = false;
      continue;
    }
    const double x = frame.x(step_of(points[i]));
    const double y = frame.y(points[i].second);
    path += fmt::format("{}{:.1f} {:.1f}", pen_down ? 'L' : 'M', x, y);
    const bool alone = !pen_down && (i + 1 == points.size() || !std::isfinite(points[i + 1].second));
    if (alone)
      dots +=
          fmt::format("<circle class=\"{}-dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\"/>", css_class, x, y);
    pen_down = true;
  }
  if (path.empty()) return "";
  return fmt::format("<path class=\"{}\" d=\"{}\"/>{}\n", css_class, path, dots);
}

// The area between the lowest and the highest of the green runs.
std::string area_of(const GreenBand& green, const Frame& frame) {
  std::string path;
  const auto add = [&](const Points::value_type& point) {
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? 'M' : 'L', frame.x(step_of(point)),
                        frame.y(point.second));
  };
  std::for_each(green.low.begin(), green.low.end(), add);
  std::for_each(green.high.rbegin(), green.high.rend(), add);
  return path.empty() ? "" : fmt::format("<path class=\"green\" d=\"{}Z\"/>\n", path);
}

// A limit far away must not press the curves flat: where it leaves the picture it is not drawn.
std::string limit_of(Points limit, const Frame& frame) {
  for (Points::value_type& point : limit) {
    const double y = frame.y(point.second);
    if (!(y >= kTop && y <= kHeight - kBottom)) point.second = std::numeric_limits<double>::quiet_NaN();
  }
  return line_of(limit, frame, "limit");
}

std::string axes(const Frame& frame) {
  std::string out;
  for (const double tick : frame.y_ticks()) {
    const double y = frame.y(tick);
    out += fmt::format("<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>", kLeft,
                       kWidth - kRight, y);
    out += fmt::format("<text class=\"tick\" x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
                       kLeft - 8, y + 4, gate::format_number(tick));
  }
  for (const double tick : frame.x_ticks()) {
    if (tick != std::floor(tick)) continue;
    out += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.0f}</text>\n",
                       frame.x(tick), kHeight - kBottom + 18, tick);
  }
  out += fmt::format("<text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"end\">step</text>\n",
                     kWidth - kRight, kHeight - 5);
  return out;
}

// Lines with their labels below each other. A label goes to the left of its line where it would leave the
// picture or cross the next line.
std::string marks_of(std::vector<Mark> marks, const Frame& frame) {
  constexpr double kLabelWidth = 190;
  std::sort(marks.begin(), marks.end(), [](const Mark& a, const Mark& b) { return a.step < b.step; });
  marks.resize(std::min(marks.size(), kMaxMarks));
  std::string out;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    const double x = frame.x(static_cast<double>(marks[i].step));
    const double next =
        i + 1 < marks.size() ? frame.x(static_cast<double>(marks[i + 1].step)) : kWidth - kRight;
    const bool left = next - x < kLabelWidth && x > kLeft + kLabelWidth;
    out += fmt::format(
        "<line class=\"mark{7}\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>"
        "<text class=\"mark-label{8}\" x=\"{3:.1f}\" y=\"{4}\" text-anchor=\"{5}\">{6}</text>\n",
        x, kTop, kHeight - kBottom, x + (left ? -7 : 7), kTop + 11 + 15 * static_cast<double>(i),
        left ? "end" : "start", escape_markup(clean_line(marks[i].label, 80)),
        marks[i].warning ? " warning" : "", marks[i].warning ? " warning-label" : "");
  }
  return out;
}

std::string first_not_finite(const Points& points, const Frame& frame) {
  for (const auto& point : points) {
    if (std::isfinite(point.second)) continue;
    const double x = frame.x(step_of(point));
    return fmt::format(
        "<path class=\"cross\" d=\"M{:.1f} {}l8 8m0 -8l-8 8\"><title>{} at step {}</title></path>\n", x - 4,
        kTop - 4, gate::format_number(point.second), point.first);
  }
  return "";
}

std::string summary(const Curve& curve, const std::vector<Mark>& marks) {
  std::string text = fmt::format("{} by step", clean_line(curve.name, 60));
  if (!curve.points.empty()) {
    text += fmt::format(": {} at step {}, {} at step {}", gate::format_number(curve.points.front().second),
                        curve.points.front().first, gate::format_number(curve.points.back().second),
                        curve.points.back().first);
  }
  for (std::size_t i = 0; i < marks.size() && i < kMaxMarks; ++i)
    text += "; " + clean_line(marks[i].label, 80);
  return text;
}

}  // namespace

std::string chart_svg(const Curve& curve, const std::vector<Mark>& marks) {
  const auto frame = Frame::around(curve, marks);
  if (!frame) return "";
  std::string out = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n", kWidth,
                                kHeight, escape_markup(summary(curve, marks)));
  out += axes(*frame);
  out += marks_of(marks, *frame);
  out += area_of(curve.green, *frame);
  out += limit_of(curve.green.limit, *frame);
  out += line_of(curve.baseline, *frame, "base");
  out += line_of(curve.points, *frame, "run");
  out += first_not_finite(curve.points, *frame);
  return out + "</svg>\n";
}

}  // namespace pawl::report
