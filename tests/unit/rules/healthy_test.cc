// Green runs have no finding at all: every rule with its defaults over many made-up healthy trainings, with
// what healthy trainings do to rules: noise of small batches with a heavy tail, biases that start at zero,
// gradients that shrink with the loss, schedules, restarts, resumed runs, losses that go below zero. And the
// same trainings with a fault in them, so that silence is no achievement of rules that are asleep.
#include <gtest/gtest.h>

#include <array>
#include <random>

#include "tests/unit/rules/make_input.h"

namespace pawl::rules {
namespace {

using trace::Kind;

constexpr uint64_t kSteps = 2000;
constexpr uint64_t kEvery = 10;

enum class Fault { none, exploding_lr, stuck, frozen_layer, vanishing, nan_weight };

// One training, drawn from a seed.
class Training {
 public:
  Training(uint64_t seed, Fault fault) : random_(seed), fault_(fault) {
    start_ = pick({2.303, 0.693, 6.9, 0.08, 40});
    floor_ = start_ * pick({0.0001, 0.05, 0.15, 0.4});
    speed_ = pick({20, 80, 300, 900});
    noise_ = pick({0.02, 0.1, 0.3, 0.6});
    power_law_ = chance(0.3);
    resumed_ = chance(0.15) && fault != Fault::stuck;
    restart_at_ = !resumed_ && chance(0.2) ? 1200 : kSteps;
    shift_ = chance(0.1) ? -1.2 * start_ : 0;  // a log-likelihood: ends below zero
    layers_ = static_cast<int>(pick({1, 3, 8}));
    ranks_ = static_cast<uint32_t>(pick({1, 2, 4}));
    lr_ = pick({0.5, 0.1, 1e-3});
  }

  Summary run() {
    Evaluator evaluator = default_evaluator();
    InputMaker maker;
    maker.set_resumed(resumed_);
    for (uint64_t step = 0; step < kSteps; ++step) {
      maker.set_lr(step < 50 ? lr_ * static_cast<double>(step) / 50 : lr_);
      maker.begin(step, ranks_);
      for (uint32_t rank = 0; rank < ranks_; ++rank) {
        maker.loss(noisy_loss(step), rank);
        if (step % kEvery == 0) capture(step, rank, maker);
      }
      evaluator.on_input(maker.get());
    }
    return evaluator.finish(true);
  }

 private:
  double pick(std::initializer_list<double> values) {
    return values.begin()[std::uniform_int_distribution<size_t>(0, values.size() - 1)(random_)];
  }
  bool chance(double p) { return std::bernoulli_distribution(p)(random_); }
  double tail(double width) { return std::exp(width * normal_(random_) - width * width / 2); }  // mean 1

  // The expected loss.
  double level(uint64_t step) const {
    double t = static_cast<double>(step) + (resumed_ ? 3000 : 0);
    if (step >= restart_at_) t = (static_cast<double>(step - restart_at_) + 1.2 * speed_);
    double left = power_law_ ? std::pow(1 + t / speed_ * 3, -0.6) : std::exp(-t / speed_);
    if (fault_ == Fault::stuck) left = 1;
    if (fault_ == Fault::exploding_lr && step > 1000) left = 1 + 0.1 * static_cast<double>(step - 1000);
    return floor_ + (start_ - floor_) * left;
  }

  double noisy_loss(uint64_t step) {
    double width = fault_ == Fault::stuck ? 0.02 : noise_;
    return level(step) * tail(width) + (fault_ == Fault::none ? shift_ : 0);
  }

  void capture(uint64_t step, uint32_t rank, InputMaker& maker) {
    double t = static_cast<double>(step);
    for (int layer = 0; layer < layers_; ++layer) {
      std::string name = "layer" + std::to_string(layer);
      double gradient = 1e-2 * std::sqrt(level(step) / start_) * std::pow(0.7, layer) * tail(0.5);
      if (fault_ == Fault::vanishing) gradient *= std::pow(0.02, layers_ - layer);
      if (fault_ == Fault::exploding_lr && step > 1000) gradient *= std::exp((t - 1000) / 40);
      bool frozen = fault_ == Fault::frozen_layer && layer == 0;
      // Weights drift by a random walk, biases start from zero.
      double weight = frozen ? 0.05 : 0.05 + 1e-4 * std::sqrt(t + 1) + 1e-6 * normal_(random_);
      trace::TensorStats weights = flat_stats(weight);
      if (fault_ == Fault::nan_weight && step >= 1500) weights.nan = 1;
      int64_t rows = layer + 1 == layers_ ? 10 : 128;
      maker.tensor(name + ".weight", Kind::weight, weights, {rows, 64}, rank);
      maker.tensor(name + ".weight", Kind::gradient, flat_stats(gradient), {rows, 64}, rank);
      maker.tensor(name + ".bias", Kind::bias, flat_stats(2e-5 * t), {rows}, rank);
      maker.tensor(name + ".bias", Kind::gradient, flat_stats(chance(0.1) ? 0 : gradient * tail(1)), {rows},
                   rank);
      trace::TensorStats relu = flat_stats(1);
      relu.min = 0;
      relu.zero = static_cast<uint64_t>(500 + 200 * std::uniform_real_distribution<>()(random_));
      maker.tensor(name + ".relu", Kind::activation, relu, {64, rows}, rank);
    }
  }

  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
  Fault fault_;
  double start_, floor_, speed_, noise_, shift_, lr_;
  bool power_law_, resumed_;
  uint64_t restart_at_;
  int layers_;
  uint32_t ranks_;
};

TEST(HealthyTraining, HasNoFindingAtAll) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Summary summary = Training(seed, Fault::none).run();
    for (const Finding& finding : summary.findings) {
      ADD_FAILURE() << "seed " << seed << ": " << finding.rule << " at step " << finding.first_step << ": "
                    << finding.message;
    }
    EXPECT_FALSE(summary.failed);
  }
}

struct Expected {
  Fault fault;
  std::string rule;
};

TEST(FaultyTraining, IsFoundWhateverTheTrainingLooksLike) {
  const std::array<Expected, 4> expected{
      Expected{Fault::exploding_lr, "exploding_tensor"}, Expected{Fault::frozen_layer, "frozen_parameter"},
      Expected{Fault::nan_weight, "non_finite"}, Expected{Fault::stuck, "loss_plateau"}};
  for (const Expected& e : expected) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      Summary summary = Training(seed, e.fault).run();
      EXPECT_EQ(outcome_of(summary, e.rule).outcome, Outcome::fired) << e.rule << " seed " << seed;
    }
  }
}

}  // namespace
}  // namespace pawl::rules
