#include "stages/evaluate/evaluate.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "engine/base/files.h"
#include "engine/base/text.h"
#include "stages/evaluate/quality.h"
#include "stages/evaluate/results.h"
#include "stages/evaluate/speed.h"

namespace pawl::evaluate {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A line on standard error, redrawn in place; nothing where that is no terminal.
class ProgressLine {
 public:
  explicit ProgressLine(std::size_t total) : total_(total), terminal_(isatty(STDERR_FILENO) == 1) {}
  ~ProgressLine() {
    if (drawn_) std::fputs("\r\x1b[2K", stderr);
  }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void update(std::size_t done) {
    constexpr double kPeriod = 0.1;
    if (!terminal_ || seconds_since(last_) < kPeriod) return;
    last_ = Clock::now();
    drawn_ = true;
    fmt::print(stderr, "\r\x1b[2Kevaluating  {}/{}  {:.0f} examples/s", done, total_,
               static_cast<double>(done) / seconds_since(start_));
    std::fflush(stderr);
  }

 private:
  std::size_t total_;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
};

struct Answers {
  Outputs outputs;
  std::vector<gate::Metric> speed;
};

Result<Answers> ask(Model& model, Dataset& data, std::size_t batch_size) {
  Answers out;
  Batch batch;
  std::vector<BatchTime> times;
  ProgressLine progress(data.size());
  const Clock::time_point start = Clock::now();
  for (std::size_t first = 0; first < data.size(); first += batch_size) {
    const std::size_t count = std::min(batch_size, data.size() - first);
    PAWL_RETURN_IF_ERROR(data.inputs->read(first, count, batch));
    const Clock::time_point asked = Clock::now();
    if (auto answered = model.forward(batch, out.outputs); !answered) {
      return std::move(answered).error().wrap(
          fmt::format("the model fails on inputs of shape ({})", fmt::join(batch.shape, ", ")));
    }
    times.push_back({count, seconds_since(asked)});
    progress.update(first + count);
  }
  out.speed = speed_metrics(times, seconds_since(start));
  return out;
}

Result<std::vector<std::string>> read_names(const std::string& path) {
  constexpr std::uint64_t kMaxBytes = 16 << 20;
  std::vector<std::string> out;
  if (path.empty()) return out;
  PAWL_ASSIGN(const std::string text, read_file(path, kMaxBytes));
  for (const std::string_view line : split(text, '\n'))
    if (!trim(line).empty()) out.emplace_back(trim(line));
  if (out.empty()) return Error(ErrorCode::invalid, "names no class", path);
  return out;
}

Result<Quality> judge_classifier(const Options& options, const Dataset& data, Outputs outputs) {
  if (options.scale == Scale::logits && look_like_probabilities(outputs)) {
    fmt::print(
        stderr,
        "pawl-evaluate: warning: every row the model gives adds up to 1. If these are probabilities, say "
        "--outputs probabilities\n");
  }
  PAWL_ASSIGN(const Probabilities probabilities,
              read_probabilities(std::move(outputs), options.task, options.scale));
  PAWL_ASSIGN(const std::vector<std::string> names, read_names(options.classes));
  auto labels = code_labels(data.labels, names, probabilities.classes);
  if (!labels) return std::move(labels).error().wrap("the labels do not fit the model");
  const std::vector<std::size_t> top_k =
      options.top_k.empty() ? std::vector<std::size_t>{1, 5} : options.top_k;
  return judge_classes(probabilities, *labels, {options.task, top_k, options.all_scores});
}

Result<Quality> judge(const Options& options, const Dataset& data, Outputs outputs) {
  switch (options.task) {
    case Task::classification:
    case Task::binary:
      return judge_classifier(options, data, std::move(outputs));
    case Task::regression:
      return judge_numbers(outputs, data.labels);
    case Task::ranking:
      break;
  }
  return judge_ranking(outputs, data.labels, data.groups,
                       options.top_k.empty() ? std::vector<std::size_t>{10} : options.top_k);
}

std::string value_text(const gate::Metric& metric) {
  if (metric.unit == "bytes") return format_bytes(static_cast<std::uint64_t>(metric.value));
  return metric.unit.empty() ? fmt::format("{:.6g}", metric.value)
                             : fmt::format("{:.6g} {}", metric.value, metric.unit);
}

void print_summary(const Options& options, const Dataset& data, const Model& model, const Quality& quality) {
  fmt::print("{} on {}: {} examples of {}\n", options.model, model.device(), data.size(), data.source);
  std::size_t by_class = 0;
  for (const gate::Metric& metric : quality.metrics) {
    if (metric.name.find('.') == std::string::npos) {
      fmt::print("  {:<24} {}\n", metric.name, value_text(metric));
    } else {
      ++by_class;
    }
  }
  if (by_class > 0) fmt::print("  and {} of single classes\n", by_class);
  for (const std::string& note : quality.notes) fmt::print(stderr, "pawl-evaluate: note: {}\n", note);
  fmt::print("wrote metrics.json and predictions.csv{} into {}\n",
             quality.confusion.classes.empty() ? "" : ", and confusion.json,", options.output);
}

}  // namespace

Result<void> evaluate(const Options& options) {
  PAWL_ASSIGN(Dataset data, open_dataset(options.data));
  if (options.task == Task::ranking && data.groups.empty()) {
    return Error(ErrorCode::usage,
                 "a ranking needs the query of each document; say where it is with --groups", data.source);
  }
  PAWL_ASSIGN(const FileStat file, stat_file(options.model));
  PAWL_ASSIGN(Model model, Model::load(options.model, options.device, options.threads));
  PAWL_ASSIGN(Answers answers, ask(model, data, options.batch));
  PAWL_ASSIGN(Quality quality, judge(options, data, std::move(answers.outputs)));
  const auto by_name = std::ranges::find_if(
      quality.metrics, [](const gate::Metric& metric) { return metric.name.find('.') != std::string::npos; });
  answers.speed.push_back(
      {"model_bytes", static_cast<double>(file.size), gate::Direction::lower, "bytes", {}});
  answers.speed.push_back(
      {"parameters", static_cast<double>(model.parameters()), gate::Direction::lower, {}, {}});
  quality.metrics.insert(by_name, answers.speed.begin(), answers.speed.end());
  PAWL_RETURN_IF_ERROR(write_results(options.output, data.ids, quality));
  print_summary(options, data, model, quality);
  return {};
}

}  // namespace pawl::evaluate
