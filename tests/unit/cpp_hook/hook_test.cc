#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <map>
#include <pawl/pawl.hpp>

#include "engine/base/files.h"
#include "engine/trace/format.h"
#include "hooks/capture/wire.h"

namespace pawl {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// What a trace holds, by "<kind> <name>": the steps and the values in each.
struct Contents {
  trace::Header header;
  std::map<std::string, std::map<uint64_t, double>> scalars;
  std::map<std::string, std::map<uint64_t, trace::TensorStats>> tensors;
  std::vector<uint64_t> completed;
  std::vector<uint64_t> requests;  // generations
  bool closed = false;

  std::vector<std::string> tensor_names() const {
    std::vector<std::string> names;
    for (const auto& item : tensors) names.push_back(item.first);
    return names;
  }
};

class Environment {
 public:
  ~Environment() {
    for (const std::string& name : names_) ::unsetenv(name.c_str());
  }
  void set(const std::string& name, const std::string& value) {
    ::setenv(name.c_str(), value.c_str(), 1);
    names_.push_back(name);
  }

 private:
  std::vector<std::string> names_;
};

class HookTest : public testing::Test {
 protected:
  HookTest() : dir_(TempDir::create("pawl-cpp-hook").value()) {
    environment_.set("PAWL_CAPTURE_LIB", PAWL_CAPTURE_LIBRARY);
    environment_.set("PAWL_TRACE_DIR", dir_.path());
  }

  Contents read(uint32_t rank = 0) const {
    const std::string path = dir_.path() + "/rank-0000" + std::to_string(rank) + "/000001.seg";
    const std::string bytes = read_file(path, 1u << 20).value();
    trace::Decoder decoder;
    decoder.feed({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
    Contents contents;
    std::map<uint32_t, std::string> names;
    uint64_t step = 0;
    while (const auto record = decoder.next()) {
      if (const auto* header = std::get_if<trace::Header>(&*record)) contents.header = *header;
      if (const auto* series = std::get_if<trace::SeriesDeclaration>(&*record))
        names[series->id] = std::string(to_string(series->kind)) + " " + series->name;
      if (const auto* begin = std::get_if<trace::StepBegin>(&*record)) step = begin->step;
      if (const auto* scalar = std::get_if<trace::ScalarValue>(&*record))
        contents.scalars[names.at(scalar->series)][step] = scalar->value;
      if (const auto* stats = std::get_if<trace::StatsValue>(&*record))
        contents.tensors[names.at(stats->series)][step] = stats->stats;
      if (const auto* end = std::get_if<trace::StepEnd>(&*record)) contents.completed.push_back(end->step);
      if (const auto* request = std::get_if<trace::Request>(&*record))
        contents.requests.push_back(request->generation);
      if (std::holds_alternative<trace::End>(*record)) contents.closed = true;
    }
    EXPECT_EQ(decoder.anomalies(), trace::Anomalies{});
    return contents;
  }

  bool anything_recorded() const { return !list_dir(dir_.path()).value().empty(); }

  TempDir dir_;
  Environment environment_;
};

at::Tensor parameter(at::IntArrayRef shape, double value) {
  return at::full(shape, value, at::kFloat).requires_grad_();
}

template <class Map>
std::vector<uint64_t> steps_of(const Map& values) {
  std::vector<uint64_t> steps;
  for (const auto& item : values) steps.push_back(item.first);
  return steps;
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
  { Hook(NamedTensors{{"weight", column}}).step(); }
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

TEST_F(HookTest, TakesAModule) {
  const Module module;
  { Hook(module).step(); }
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
