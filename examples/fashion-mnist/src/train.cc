// Trains a small convolutional network on Fashion-MNIST, with as many ranks as the environment says (one
// process each), and leaves model.pt, metrics.json and predictions.csv in the output folder.
#include "checkpoint.h"
#include "data.h"
#include "hook.h"
#include "model.h"
#include "options.h"
#include "ranks.h"
#include "results.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <numeric>

namespace {

class Training {
 public:
  Training(const Options& options, const Settings& settings)
      : options_(options),
        settings_(settings),
        examples_(read_idx_folder(options.data, "train")),
        model_(static_cast<uint64_t>(options.seed), ranks_.device()),
        optimizer_(model_, settings),
        sampler_(examples_.count(), settings.batch, ranks_.size(), static_cast<uint64_t>(options.seed)) {}

  void run() {
    int64_t step = resume();
    pawl::Hook hook(model_.parameters(), optimizer_.state(), static_cast<uint64_t>(step));
    for (; step < settings_.steps; ++step) {
      const Batch batch = make_batch(examples_, sampler_.indices(step, ranks_.rank()), ranks_.device());
      optimizer_.zero_grad();
      const at::Tensor loss = loss_of(model_.forward(batch.images), batch.labels);
      hook.loss(loss);
      loss.backward();
      ranks_.average(optimizer_.gradients());
      optimizer_.step(step);
      hook.scalar("lr", optimizer_.learning_rate(step));
      hook.step();
      report(step + 1, loss);
      if ((step + 1) % options_.checkpoint_every == 0) save_checkpoint(step + 1);
    }
    if (ranks_.rank() == 0) finish();
  }

 private:
  std::string checkpoint_path() const { return options_.checkpoints + "/checkpoint.pt"; }

  // What a checkpoint must agree on: going on with other data or settings would give a model nobody can
  // reproduce.
  at::Tensor identity() const {
    return at::tensor({options_.seed, settings_.steps, settings_.batch, examples_.count()});
  }

  NamedTensors state(const at::Tensor& step, const at::Tensor& identity) const {
    NamedTensors all = model_.parameters();
    for (const auto& item : optimizer_.state()) all.push_back(item);
    all.emplace_back("step", step);
    all.emplace_back("identity", identity);
    return all;
  }

  void save_checkpoint(int64_t step) const {
    if (ranks_.rank() != 0 || options_.checkpoints.empty()) return;
    save_tensors(checkpoint_path(), state(at::tensor(step), identity()));
  }

  // Returns the number of steps that the checkpoint has behind it. All ranks read the same file: rank 0
  // cannot replace it before the others have taken part in a step.
  int64_t resume() {
    if (options_.checkpoints.empty() || !std::filesystem::exists(checkpoint_path())) return 0;
    at::Tensor step = at::tensor(int64_t{0});
    at::Tensor stored = identity();
    load_tensors(checkpoint_path(), state(step, stored));
    if (!stored.equal(identity()))
      throw std::runtime_error(checkpoint_path() + " belongs to another seed, length or dataset");
    if (ranks_.rank() == 0)
      std::printf("going on from step %lld\n", static_cast<long long>(step.item().toLong()));
    return step.item().toLong();
  }

  void report(int64_t done, const at::Tensor& loss) {
    if (ranks_.rank() != 0 || done % 50 != 0) return;
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - reported_at_).count();
    reported_at_ = now;
    std::printf("step %lld/%lld loss %.4f (%.0f steps/s)\n", static_cast<long long>(done),
                static_cast<long long>(settings_.steps), loss.item().toDouble(), 50 / seconds);
    std::fflush(stdout);
  }

  void finish() const {
    const Examples test = read_idx_folder(options_.data, "t10k");
    const Evaluation evaluation = evaluate(test);
    std::filesystem::create_directories(options_.output);
    save_tensors(options_.output + "/model.pt", model_.parameters());
    write_results(options_.output, evaluation);
    std::printf("accuracy %.4f on %lld test images\n", evaluation.accuracy(),
                static_cast<long long>(test.count()));
  }

  Evaluation evaluate(const Examples& test) const {
    const at::NoGradGuard no_grad;
    Evaluation evaluation;
    evaluation.labels = test.labels;
    for (int64_t first = 0; first < test.count(); first += 500) {
      std::vector<int64_t> indices(static_cast<size_t>(std::min<int64_t>(500, test.count() - first)));
      std::iota(indices.begin(), indices.end(), first);
      const Batch batch = make_batch(test, indices, ranks_.device());
      const at::Tensor scores = model_.forward(batch.images);
      evaluation.loss +=
          loss_of(scores, batch.labels).item().toDouble() * static_cast<double>(indices.size());
      const at::Tensor best = scores.argmax(1).cpu();
      evaluation.predictions.insert(evaluation.predictions.end(), best.data_ptr<int64_t>(),
                                    best.data_ptr<int64_t>() + best.numel());
    }
    evaluation.loss /= static_cast<double>(test.count());
    return evaluation;
  }

  Options options_;
  Settings settings_;
  Ranks ranks_;
  Examples examples_;
  Model model_;
  Optimizer optimizer_;
  Sampler sampler_;
  std::chrono::steady_clock::time_point reported_at_ = std::chrono::steady_clock::now();
};

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse_options(argc, argv);
    Settings settings;
    if (options.steps > 0) settings.steps = options.steps;
    Training(options, settings).run();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train: %s\n", error.what());
    return 1;
  }
}
