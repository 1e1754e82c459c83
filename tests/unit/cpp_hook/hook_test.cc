#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/tensor.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <map>
#include <pawl/pawl.hpp>

#include "hooks/capture/wire.h"
#include "tests/unit/cpp_hook/hook_fixture.h"

namespace pawl {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

at::Tensor parameter(at::IntArrayRef shape, double value) {
  return at::full(shape, value, at::kFloat).requires_grad_();
}

TEST_F(HookTest, RecordsLossesEachStepAndTensorsEveryNth) {
  environment_.set("PAWL_CAPTURE", "");
  const at::Tensor weight = parameter({2, 3}, 1), bias = parameter({3}, -1);
  {
    Hook hook(NamedTensors{{"fc.weight", weight}, {"fc.bias", bias}});
    for (int step = 0; step < 21; ++step) {
      hook.loss(at::tensor(static_cast<float>(step)));
      hook.loss(at::tensor(0.5));
      hook.scalar("lr", 0.25);
      weight.mutable_grad() = at::full({2, 3}, step, at::kFloat);
      hook.step();
    }
  }
  const Contents trace = read();
  EXPECT_TRUE(trace.closed);
  EXPECT_EQ(trace.completed.size(), 21u);
  EXPECT_EQ(trace.scalars.at("loss loss").size(), 21u);
  EXPECT_EQ(trace.scalars.at("loss loss").at(20), 20);
  EXPECT_EQ(trace.scalars.at("loss loss.1").at(20), 0.5);
  EXPECT_EQ(trace.scalars.at("scalar lr").at(7), 0.25);
  EXPECT_THAT(trace.tensor_names(),
              UnorderedElementsAre("weight fc.weight", "gradient fc.weight", "bias fc.bias"));
  EXPECT_THAT(steps_of(trace.tensors.at("weight fc.weight")), ElementsAre(0, 10, 20));
  EXPECT_EQ(trace.tensors.at("gradient fc.weight").at(20).sum, 120);
  EXPECT_EQ(trace.tensors.at("bias fc.bias").at(10).max, -1);
}

TEST_F(HookTest, TakesParametersAsTheyAreWhenStepIsCalled) {
  at::Tensor weight = parameter({4}, 1);
  {
    Hook hook(NamedTensors{{"weight", weight}});
    weight.detach().fill_(3);
    hook.step();
  }
  EXPECT_EQ(read().tensors.at("weight weight").at(0).sum, 12);
}

TEST_F(HookTest, ReadsTensorsThatAreNotContiguous) {
  const at::Tensor storage = at::full({4, 6}, 100, at::kFloat);
  const at::Tensor column = storage.select(1, 2);
  column.copy_(at::tensor({1.0f, 2.0f, 3.0f, INFINITY}));
  {
    Hook(NamedTensors{{"weight", column}}).step();
  }
  const trace::TensorStats stats = read().tensors.at("weight weight").at(0);
  EXPECT_EQ(stats.count, 4u);
  EXPECT_EQ(stats.sum, 6);
  EXPECT_EQ(stats.inf, 1u);
}

TEST_F(HookTest, RecordsALossThatIsNotANumber) {
  {
    Hook hook(NamedTensors{});
    hook.loss(at::tensor(NAN));
    hook.step();
  }
  EXPECT_TRUE(std::isnan(read().scalars.at("loss loss").at(0)));
}

TEST_F(HookTest, RecordsOnlyWhatIsAskedFor) {
  environment_.set("PAWL_CAPTURE", "losses every=1\ngradients every=2 include=^fc[12] .*weight$");
  const at::Tensor a = parameter({1}, 1), b = parameter({1}, 1);
  a.mutable_grad() = at::full({1}, 1, at::kFloat);
  b.mutable_grad() = at::full({1}, 1, at::kFloat);
  {
    Hook hook(NamedTensors{{"fc1 weight", a}, {"fc3 weight", b}});
    hook.scalar("lr", 1);
    hook.step();
  }
  const Contents trace = read();
  EXPECT_THAT(trace.tensor_names(), ElementsAre("gradient fc1 weight"));
  EXPECT_THAT(trace.scalars, IsEmpty());
}

TEST_F(HookTest, CountsOnFromACheckpointAsItsRank) {
  environment_.set("RANK", "3");
  environment_.set("WORLD_SIZE", "4");
  {
    Hook hook(NamedTensors{}, 500);
    hook.step();
    hook.step();
  }
  const Contents trace = read(3);
  EXPECT_THAT(trace.completed, ElementsAre(500, 501));
  EXPECT_EQ(trace.header.rank, 3u);
  EXPECT_EQ(trace.header.world_size, 4u);
}

TEST_F(HookTest, RecordsWhatTheStepChanged) {
  environment_.set("PAWL_CAPTURE", "updates every=2 include=weight");
  const at::Tensor weight = parameter({3}, 1), bias = parameter({3}, 1);
  {
    Hook hook(NamedTensors{{"fc.weight", weight}, {"fc.bias", bias}});
    for (const double value : {4, 10, 8}) {
      weight.detach().fill_(value);
      bias.detach().fill_(value);
      hook.step();
    }
  }
  const Contents trace = read();
  EXPECT_THAT(trace.tensor_names(), ElementsAre("update fc.weight"));
  const auto& updates = trace.tensors.at("update fc.weight");
  EXPECT_THAT(steps_of(updates), ElementsAre(0, 2));
  EXPECT_EQ(updates.at(0).sum, 9);
  EXPECT_EQ(updates.at(2).sum, -6);
}

TEST_F(HookTest, RecordsTheStateOfAnOptimizerOfOnesOwn) {
  environment_.set("PAWL_CAPTURE", "optimizer_state every=1");
  const at::Tensor velocity = at::full({2}, 0, at::kFloat);
  {
    Hook hook(NamedTensors{{"fc", parameter({2}, 1)}}, NamedTensors{{"fc.velocity", velocity}});
    velocity.fill_(3);
    hook.step();
  }
  EXPECT_EQ(read().tensors.at("optimizer_state fc.velocity").at(0).sum, 6);
}

TEST_F(HookTest, LooksAtNoTensorBeyondTheSizeAskedFor) {
  environment_.set("PAWL_CAPTURE",
                   "weights every=1 max_size=16\nupdates every=1 max_size=15\nhashes every=1 max_size=8");
  {
    Hook(NamedTensors{{"four", parameter({4}, 1)}, {"five", parameter({5}, 1)}}).step();
  }
  const Contents trace = read();
  EXPECT_THAT(trace.tensor_names(), ElementsAre("weight four"));
  EXPECT_THAT(trace.hashes, IsEmpty());
}

TEST_F(HookTest, RecordsValuesOfSmallTensorsInTheOrderOfTheirIndices) {
  environment_.set("PAWL_CAPTURE", "weights every=1 raw=16");
  const at::Tensor matrix = at::tensor({1.0f, 2.0f, 3.0f, 4.0f}).view({2, 2});
  {
    Hook(NamedTensors{{"transposed", matrix.t()}, {"large", parameter({5}, 1)}}).step();
  }
  const Contents trace = read();
  ASSERT_EQ(trace.raw.size(), 1u);
  const std::string& document = trace.raw.at("weight transposed").at(0);
  float values[4];
  ASSERT_GT(document.size(), sizeof values);
  std::memcpy(values, document.data() + document.size() - sizeof values, sizeof values);
  EXPECT_THAT(values, ElementsAre(1, 3, 2, 4));
}

// By a library that has them.
TEST_F(HookTest, RecordsNoValuesThatAreTooManyOrNone) {
  environment_.set("PAWL_CAPTURE", "weights every=1 raw=999999999\nbiases every=1\nactivations every=1");
  {
    Hook hook(NamedTensors{{"large.weight", parameter({(1 << 18) + 1}, 1)},
                           {"small.weight", parameter({1 << 18}, 1)},
                           {"empty.weight", parameter({0}, 1)},
                           {"empty.bias", parameter({0}, 1)}});
    hook.probe("empty", parameter({0}, 1));
    hook.step();
  }
  const Contents trace = read();
  EXPECT_THAT(steps_of(trace.raw.at("weight small.weight")), ElementsAre(0));
  EXPECT_EQ(trace.raw.size(), 1u);
  EXPECT_THAT(trace.tensor_names(), ElementsAre("activation empty", "bias empty.bias", "weight empty.weight",
                                                "weight large.weight", "weight small.weight"));
}

TEST_F(HookTest, RecordsFinerHistogramsWhenAskedFor) {
  environment_.set("PAWL_CAPTURE", "weights every=1 fine\nbiases every=1");
  {
    Hook(NamedTensors{{"weight", parameter({5}, 1)}, {"bias", parameter({5}, 1)}}).step();
  }
  const Contents trace = read();
  EXPECT_EQ(trace.tensors.size(), 2u);
  if (::dlsym(::dlopen(PAWL_CAPTURE_LIBRARY, RTLD_NOW), "pawl_compute_fine_histogram")) {
    ASSERT_EQ(trace.fine.size(), 1u);
    EXPECT_EQ(trace.fine.at("weight weight").at(0).sampled, 5u);
  } else {
    EXPECT_THAT(trace.fine, IsEmpty());
  }
}

TEST_F(HookTest, MergesWhatIsProbedSeveralTimesInAStep) {
  environment_.set("PAWL_CAPTURE", "activations every=2 include=^[ab]$");
  {
    Hook hook(NamedTensors{});
    for (int step = 0; step < 3; ++step) {
      hook.probe("a", at::tensor({NAN, INFINITY}));
      hook.probe("a", at::tensor({1.0f, 2.0f}));
      hook.probe("a", at::tensor({-3.0f}));
      hook.probe("not included", at::tensor({1.0f}));
      hook.step();
    }
  }
  const Contents trace = read();
  EXPECT_THAT(trace.tensor_names(), ElementsAre("activation a"));
  EXPECT_THAT(steps_of(trace.tensors.at("activation a")), ElementsAre(0, 2));
  const trace::TensorStats& stats = trace.tensors.at("activation a").at(2);
  EXPECT_EQ(stats.count, 5u);
  EXPECT_EQ(stats.nan, 1u);
  EXPECT_EQ(stats.inf, 1u);
  EXPECT_EQ(stats.min, -3);
  EXPECT_EQ(stats.max, 2);
  EXPECT_EQ(stats.sum, 0);
  EXPECT_EQ(stats.abs_sum, 6);
  EXPECT_EQ(stats.square_sum, 14);
}

TEST_F(HookTest, RecordsAnEvaluationUnderTheStepThatItFollows) {
  environment_.set("PAWL_CAPTURE",
                   "losses every=5\nscalars every=1 modes=train\nactivations every=1 modes=eval to=2\n"
                   "weights every=1");
  {
    Hook hook(NamedTensors{{"weight", parameter({1}, 1)}});
    const auto evaluate = [&](float first) {
      hook.mode(Mode::eval);
      for (const float value : {first, first + 2}) {
        hook.loss(at::tensor(value));
        hook.probe("scores", at::tensor({value, value}));
        hook.scalar("accuracy", 1);
      }
    };
    for (int step = 0; step < 4; ++step) {
      hook.probe("scores", at::tensor({9.0f}));
      hook.step();
      if (step % 2 == 1) evaluate(static_cast<float>(step));
      if (step == 1) hook.mode(Mode::train);  // the other one ends with the hook
    }
  }
  const Contents trace = read();
  EXPECT_THAT(trace.completed, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(trace.evaluated, ElementsAre(1, 3));
  EXPECT_EQ(trace.evaluation.scalars.at("loss loss"), (std::map<uint64_t, double>{{1, 2.0}, {3, 4.0}}));
  EXPECT_THAT(trace.evaluation.tensor_names(), ElementsAre("activation scores"));
  EXPECT_THAT(steps_of(trace.evaluation.tensors.at("activation scores")), ElementsAre(1));
  EXPECT_EQ(trace.evaluation.tensors.at("activation scores").at(1).sum, 8);
  EXPECT_THAT(trace.tensor_names(), ElementsAre("weight weight"));
}

TEST_F(HookTest, KeepsAnEvaluationWithinAStepOutOfIt) {
  environment_.set("PAWL_CAPTURE", "losses every=1");
  {
    Hook hook(NamedTensors{});
    hook.step();
    hook.loss(at::tensor(1.0));
    hook.mode(Mode::eval);
    hook.loss(at::tensor(8.0));
    hook.step();  // is one of the training
    hook.loss(at::tensor(2.0));
    hook.step();
  }
  const Contents trace = read();
  EXPECT_EQ(trace.scalars.at("loss loss"), (std::map<uint64_t, double>{{1, 1.0}, {2, 2.0}}));
  EXPECT_EQ(trace.evaluation.scalars.at("loss loss"), (std::map<uint64_t, double>{{0, 8.0}}));
}

TEST_F(HookTest, FingerprintsTheExamplesOfAStep) {
  environment_.set("PAWL_CAPTURE", "batches every=1 modes=train,eval");
  const at::Tensor images = at::tensor({1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f}).view({3, 2});
  const at::Tensor labels = at::tensor({int64_t{2}, int64_t{0}, int64_t{2}});
  {
    Hook hook(NamedTensors{});
    hook.batch(images, labels);
    hook.step();
    hook.batch(images.narrow(0, 0, 2), labels.narrow(0, 0, 2).to(at::kInt));  // micro-batches
    hook.batch(images.narrow(0, 2, 1), at::tensor({int64_t{-100}}));
    hook.step();
    hook.batch(images.t().contiguous().t(), at::full({3}, 0.5));  // no classes
    hook.step();
    hook.batch(images.flip(0));
    hook.step();
    hook.mode(Mode::eval);  // is of no step
    hook.batch(images);
    hook.step();
  }
  const auto batches = read().batches.at("batch input");
  EXPECT_THAT(steps_of(batches), ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(batches.at(0).examples, 3u);
  EXPECT_THAT(batches.at(0).label_counts, ElementsAre(1, 0, 2));
  EXPECT_EQ(batches.at(1).examples, 3u);
  EXPECT_THAT(batches.at(1).label_counts, ElementsAre(1, 0, 1));
  EXPECT_EQ(batches.at(2).digest, batches.at(0).digest);
  EXPECT_THAT(batches.at(2).label_counts, IsEmpty());
  EXPECT_NE(batches.at(3).digest, batches.at(0).digest);
}

TEST_F(HookTest, SkipsInputsWithoutPlainMemory) {
  environment_.set("PAWL_CAPTURE", "batches every=1");
  {
    Hook hook(NamedTensors{});
    hook.batch({});
    hook.batch(at::ones({2, 2}).to_sparse());
    hook.step();
    hook.batch(at::ones({3, 2}), at::ones({3}, at::kLong).to_sparse());
    hook.step();
  }
  const Contents trace = read();
  EXPECT_THAT(trace.completed, ElementsAre(0, 1));
  EXPECT_THAT(steps_of(trace.batches.at("batch input")), ElementsAre(1));
}

TEST_F(HookTest, DigestsParameters) {
  environment_.set("PAWL_CAPTURE", "hashes every=1");
  const at::Tensor matrix = at::tensor({1.0f, 2.0f, 3.0f, 4.0f}).view({2, 2});
  const at::Tensor same = matrix.t().contiguous().t();  // other order in memory
  {
    Hook hook(NamedTensors{{"a", matrix}, {"b", same}});
    hook.step();
    same.select(0, 1).fill_(5);
    hook.step();
  }
  const auto hashes = read().hashes;
  const auto& a = hashes.at("hash a");
  const auto& b = hashes.at("hash b");
  EXPECT_EQ(a.at(0), b.at(0));
  EXPECT_EQ(a.at(1), a.at(0));
  EXPECT_NE(b.at(1), b.at(0));
}

// Two layers and what lies between them, in the operators that a model in C++ calls.
struct Layers {
  at::Tensor first = at::tensor({1.0f, -1.0f}).view({2, 1}).requires_grad_();  // 1 -> 2
  at::Tensor second = at::full({2, 2}, 1, at::kFloat).requires_grad_();        // 2 -> 2

  NamedTensors parameters() const { return {{"net.first.weight", first}, {"second.weight", second}}; }
  at::Tensor forward(const at::Tensor& x) const {
    const at::Tensor hidden = at::relu(at::mul(at::linear(x, first), 2)).mul(3).view({-1, 2});
    return at::linear(hidden, second);
  }
};

TEST_F(HookTest, NamesTheOutputsOfOperatorsAfterLayers) {
  environment_.set("PAWL_CAPTURE", "activations every=2");
  const Layers layers;
  {
    Hook hook(layers.parameters());
    for (int step = 0; step < 2; ++step) {
      for (const float value : {1.0f, 2.0f}) {  // micro-batches
        const at::Tensor x = at::full({1, 1}, value).mul(1);
        const at::Tensor loss = layers.forward(x).sum();
        hook.loss(loss);
        loss.backward();
      }
      const at::NoGradGuard no_grad;
      for (const auto& item : layers.parameters()) at::Tensor(item.second).sub_(item.second.grad(), 0.0);
      hook.step();
    }
  }
  const Contents trace = read();
  EXPECT_THAT(trace.tensor_names(),
              ElementsAre("activation net.first", "activation net.first.mul", "activation net.first.mul.1",
                          "activation net.first.relu", "activation second"));
  for (const auto& item : trace.tensors) EXPECT_THAT(steps_of(item.second), ElementsAre(0)) << item.first;
  const auto at = [&](const std::string& name) { return trace.tensors.at("activation " + name).at(0); };
  EXPECT_EQ(at("net.first").count, 4u);  // 1 -1, 2 -2
  EXPECT_EQ(at("net.first").min, -2);
  EXPECT_EQ(at("net.first").max, 2);
  EXPECT_EQ(at("net.first.mul").abs_sum, 12);
  EXPECT_EQ(at("net.first.relu").sum, 6);
  EXPECT_EQ(at("net.first.relu").zero, 2u);
  EXPECT_EQ(at("net.first.mul.1").sum, 18);
  EXPECT_EQ(at("second").sum, 36);
}

TEST_F(HookTest, SeesLayersInAnEvaluationWithoutGradients) {
  environment_.set("PAWL_CAPTURE", "activations modes=eval");
  const Layers layers;
  {
    Hook hook(layers.parameters());
    hook.step();
    hook.mode(Mode::eval);
    const at::NoGradGuard no_grad;
    layers.forward(at::full({1, 1}, 1, at::kFloat));
  }
  const Contents trace = read();
  EXPECT_THAT(trace.tensors, IsEmpty());
  EXPECT_THAT(trace.evaluation.tensor_names(), ElementsAre("activation net.first", "activation second"));
  EXPECT_EQ(trace.evaluation.tensors.at("activation second").at(0).sum, 12);
}

TEST_F(HookTest, TellsWhatCouldBeRecorded) {
  environment_.set("PAWL_CAPTURE", "losses every=1");
  {
    Hook(NamedTensors{{"fc.weight", parameter({1}, 1)}, {"fc.bias", parameter({1}, 1)}}).step();
  }
  EXPECT_THAT(read().available,
              UnorderedElementsAre("weight fc.weight", "gradient fc.weight", "update fc.weight",
                                   "hash fc.weight", "bias fc.bias", "gradient fc.bias", "update fc.bias",
                                   "hash fc.bias", "activation fc", "batch input"));
}

TEST_F(HookTest, SkipsWhatBelongsToANewerPawl) {
  environment_.set("PAWL_CAPTURE", "budget share=0.01\nspans every=1\nlosses every=1 colour=red\n\n");
  {
    Hook hook(NamedTensors{});
    hook.loss(at::tensor(1.0));
    hook.step();
  }
  EXPECT_EQ(read().scalars.at("loss loss").size(), 1u);
}

// The control file as a supervisor writes it.
void write_control(const std::string& path, uint64_t generation, const std::string& request) {
  const wire::ControlPage page{wire::kControlMagic, wire::kControlVersion, generation, 0, 0};
  const wire::ControlRequest head{
      static_cast<uint32_t>(request.size()),
      wire::crc32c(reinterpret_cast<const uint8_t*>(request.data()), request.size())};
  std::string bytes(wire::kControlBytes, '\0');
  std::memcpy(bytes.data(), &page, sizeof page);
  std::memcpy(bytes.data() + sizeof page, &head, sizeof head);
  std::memcpy(bytes.data() + wire::kControlTextOffset, request.data(), request.size());
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::pwrite(file.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
}

TEST_F(HookTest, RecordsSomethingElseFromTheStepAfterItIsAsked) {
  const std::string control = dir_.path() + "/control";
  write_control(control, 1, "losses every=1");
  environment_.set("PAWL_CONTROL_FILE", control);
  environment_.set("PAWL_CAPTURE", "losses every=1");
  const at::Tensor weight = parameter({2}, 1);
  {
    Hook hook(NamedTensors{{"fc", weight}});
    testing::internal::CaptureStderr();
    for (int step = 0; step < 6; ++step) {
      hook.loss(at::tensor(1.0));
      hook.step();
      if (step == 1) write_control(control, 2, "weights every=1\nweights every=1 off ranks=3");
      if (step == 3) write_control(control, 3, "weights every=1 include=(unclosed");  // stays as it was
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "pawl: what is recorded stays as it was: bad include pattern '(unclosed'\n");
  const Contents trace = read();
  EXPECT_THAT(steps_of(trace.scalars.at("loss loss")), ElementsAre(0, 1, 2));
  EXPECT_THAT(steps_of(trace.tensors.at("weight fc")), ElementsAre(3, 4, 5));
  EXPECT_THAT(trace.requests, ElementsAre(2, 3));
}

// The shape of torch::nn::Module, whose header takes half a minute to compile.
struct Module {
  struct Item {
    std::string name;
    at::Tensor tensor;
    const std::string& key() const { return name; }
    const at::Tensor& value() const { return tensor; }
  };
  std::vector<Item> named_parameters() const { return {{"conv.weight", weight}}; }
  at::Tensor weight = parameter({2}, 1);
};

TEST_F(HookTest, RecordsTheLastEvaluationAfterAChangeOfTheRequest) {
  const std::string control = dir_.path() + "/control";
  write_control(control, 1, "losses every=1");
  environment_.set("PAWL_CONTROL_FILE", control);
  environment_.set("PAWL_CAPTURE", "losses every=1");
  {
    Hook hook(NamedTensors{});
    hook.step();
    write_control(control, 2, "losses every=2");
    hook.step();
    hook.mode(Mode::eval);
    hook.loss(at::tensor(0.5));
  }
  const Contents trace = read();
  EXPECT_THAT(trace.requests, ElementsAre(2));
  EXPECT_THAT(trace.completed, ElementsAre(0, 1));
  EXPECT_THAT(trace.evaluated, ElementsAre(1));
  EXPECT_EQ(trace.evaluation.scalars.at("loss loss").at(1), 0.5);
}

TEST_F(HookTest, TakesAModule) {
  const Module module;
  {
    Hook(module).step();
  }
  EXPECT_THAT(read().tensor_names(), ElementsAre("weight conv.weight"));
}

TEST_F(HookTest, DoesNothingWhenCaptureIsOff) {
  environment_.set("PAWL_CAPTURE", "off");
  Hook hook(NamedTensors{});
  hook.loss(at::tensor(1.0f));
  hook.step();
  EXPECT_FALSE(anything_recorded());
}

TEST_F(HookTest, DoesNothingOutsideARun) {
  environment_.set("PAWL_TRACE_DIR", "");
  environment_.set("PAWL_CAPTURE_LIB", "/nonexistent");
  testing::internal::CaptureStderr();
  Hook hook(NamedTensors{});
  hook.step();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(HookTest, SaysOnceWhatIsWrongAndLetsTheTrainingGoOn) {
  environment_.set("PAWL_CAPTURE", "losses every=1 include=(unclosed");
  testing::internal::CaptureStderr();
  {
    Hook hook(NamedTensors{{"weight", parameter({1}, 1)}});
    hook.loss(at::tensor(1.0f));
    hook.step();
    hook.step();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "pawl: this rank is not recorded any more: bad include pattern '(unclosed'\n");
}

TEST_F(HookTest, StopsQuietlyWhenALossIsNoScalar) {
  testing::internal::CaptureStderr();
  {
    Hook hook(NamedTensors{});
    hook.loss(at::empty({2}));
    hook.step();
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("not recorded any more"));
  EXPECT_THAT(read().completed, IsEmpty());
}

}  // namespace
}  // namespace pawl
