// The hook with a model of torch::nn and the optimisers of torch::optim. Apart from hook_test.cc, as their
// headers take half a minute to compile.
#include <ATen/ops/ones.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include <memory>
#include <pawl/pawl.hpp>

#include "tests/unit/cpp_hook/hook_fixture.h"

namespace pawl {
namespace {

using testing::Contains;
using testing::ElementsAre;

struct Model : torch::nn::Module {
  torch::nn::Linear fc = register_module("fc", torch::nn::Linear(2, 2));

  Model() {
    const at::NoGradGuard no_grad;
    fc->weight.fill_(1);
    fc->bias.fill_(0);
  }
  at::Tensor forward(const at::Tensor& x) { return fc(x); }
};

class OptimizerTest : public HookTest {
 protected:
  OptimizerTest() {
    environment_.set("PAWL_CAPTURE",
                     "scalars every=1\noptimizer_state every=1\nupdates every=1\nactivations every=1");
  }

  // Steps whose gradient is 2 for each of the 4 weights and 1 for each of the 2 biases.
  template <class Optimizer>
  Contents train(Optimizer& optimizer, int steps) {
    {
      Hook hook(model_, optimizer);
      for (int step = 0; step < steps; ++step) {
        optimizer.zero_grad();
        const at::Tensor loss = model_.forward(at::ones({1, 2}).mul(2)).sum();
        hook.loss(loss);
        loss.backward();
        optimizer.step();
        hook.step();
      }
    }
    return read();
  }

  static double sum(const Contents& trace, const std::string& series, uint64_t step) {
    return trace.tensors.at(series).at(step).sum;
  }

  Model model_;
};

TEST_F(OptimizerTest, SgdWithMomentum) {
  torch::optim::SGD optimizer(model_.parameters(), torch::optim::SGDOptions(0.5).momentum(0.5));
  const Contents trace = train(optimizer, 2);
  EXPECT_EQ(sum(trace, "optimizer_state fc.weight.momentum_buffer", 0), 8);   // 4 weights: 2
  EXPECT_EQ(sum(trace, "optimizer_state fc.weight.momentum_buffer", 1), 12);  // 0.5 * 2 + 2
  EXPECT_EQ(sum(trace, "optimizer_state fc.bias.momentum_buffer", 1), 3);
  EXPECT_EQ(sum(trace, "update fc.weight", 0), -4);  // 0.5 times that
  EXPECT_EQ(sum(trace, "update fc.weight", 1), -6);
  EXPECT_EQ(trace.scalars.at("scalar lr").at(0), 0.5);
  EXPECT_EQ(sum(trace, "activation fc", 0), 8);  // 2 outputs: 2 * 1 * 2
  EXPECT_THAT(trace.available, Contains("optimizer_state fc.weight.momentum_buffer"));
}

TEST_F(OptimizerTest, SgdWithoutMomentumHasNoState) {
  torch::optim::SGD optimizer(model_.parameters(), torch::optim::SGDOptions(0.5));
  EXPECT_THAT(train(optimizer, 1).tensor_names(),
              ElementsAre("activation fc", "update fc.bias", "update fc.weight"));
}

TEST_F(OptimizerTest, Adam) {
  torch::optim::Adam optimizer(model_.parameters(),
                               torch::optim::AdamOptions(0.25).betas({0.5, 0.75}).amsgrad(true));
  const Contents trace = train(optimizer, 1);
  EXPECT_EQ(sum(trace, "optimizer_state fc.weight.exp_avg", 0), 4);         // (1 - 0.5) * 2
  EXPECT_EQ(sum(trace, "optimizer_state fc.weight.exp_avg_sq", 0), 4);      // (1 - 0.75) * 2 * 2
  EXPECT_EQ(sum(trace, "optimizer_state fc.weight.max_exp_avg_sq", 0), 4);  // of those so far
  EXPECT_EQ(trace.scalars.at("scalar lr").at(0), 0.25);
}

// Behind the interface of all optimisers.
TEST_F(OptimizerTest, AdamW) {
  const std::unique_ptr<torch::optim::Optimizer> optimizer = std::make_unique<torch::optim::AdamW>(
      model_.parameters(), torch::optim::AdamWOptions(0.25).betas({0.5, 0.75}));
  const Contents trace = train(*optimizer, 1);
  EXPECT_EQ(sum(trace, "optimizer_state fc.bias.exp_avg", 0), 1);       // 2 biases: (1 - 0.5) * 1
  EXPECT_EQ(sum(trace, "optimizer_state fc.bias.exp_avg_sq", 0), 0.5);  // (1 - 0.75) * 1 * 1
  EXPECT_EQ(trace.tensors.count("optimizer_state fc.bias.max_exp_avg_sq"), 0u);
}

TEST_F(OptimizerTest, RmsProp) {
  torch::optim::RMSprop optimizer(model_.parameters(),
                                  torch::optim::RMSpropOptions(0.5).alpha(0.75).momentum(0.5).centered(true));
  const Contents trace = train(optimizer, 1);
  EXPECT_EQ(sum(trace, "optimizer_state fc.weight.square_avg", 0), 4);  // (1 - 0.75) * 2 * 2
  EXPECT_EQ(sum(trace, "optimizer_state fc.weight.grad_avg", 0), 2);    // (1 - 0.75) * 2
  EXPECT_EQ(trace.tensors.count("optimizer_state fc.weight.momentum_buffer"), 1u);
}

TEST_F(OptimizerTest, Adagrad) {
  torch::optim::Adagrad optimizer(model_.parameters(), torch::optim::AdagradOptions(0.5));
  EXPECT_EQ(sum(train(optimizer, 2), "optimizer_state fc.weight.sum", 1), 32);  // 4 weights: 2 * 2, twice
}

TEST_F(OptimizerTest, RecordsTheLearningRateOfEachStep) {
  torch::optim::SGD optimizer(model_.parameters(), torch::optim::SGDOptions(0.5));
  {
    Hook hook(model_, optimizer, 7);
    hook.step();
    optimizer.param_groups()[0].options().set_lr(0.25);
    hook.step();
  }
  EXPECT_EQ(read().scalars.at("scalar lr"), (std::map<uint64_t, double>{{7, 0.5}, {8, 0.25}}));
}

}  // namespace
}  // namespace pawl
