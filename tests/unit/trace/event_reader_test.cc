#include "engine/trace/event_reader.h"

#include <gmock/gmock.h>
#include <tensorboard_event.pb.h>

#include <cmath>
#include <functional>

#include "engine/trace/event_file.h"
#include "hooks/capture/crc32c.h"

namespace pawl::trace {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::string frame(std::string_view message) {
  std::string out;
  append_tfrecord(out, message);
  return out;
}

std::vector<std::string> take_all(TfRecordDecoder& decoder) {
  std::vector<std::string> out;
  while (auto message = decoder.next()) out.push_back(std::move(*message));
  return out;
}

// An event with one tensor, as TensorFlow 2 writes scalars.
std::string tensor_event(const std::function<void(tensorboard::Tensor&)>& fill,
                         const char* plugin = "scalars") {
  tensorboard::Event event;
  event.set_step(3);
  tensorboard::Summary::Value& value = *event.mutable_summary()->add_value();
  value.set_tag("loss");
  value.mutable_metadata()->mutable_plugin_data()->set_plugin_name(plugin);
  fill(*value.mutable_tensor());
  return event.SerializeAsString();
}

template <class Number>
std::string bytes_of(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

std::optional<double> value_of(const std::string& message) {
  const auto event = parse_event(message);
  EXPECT_TRUE(event.ok());
  if (!event.ok() || event->values.size() != 1) return std::nullopt;
  return event->values[0].value;
}

TEST(TfRecord, AnyCutGivesTheSame) {
  const std::string bytes = frame("one") + frame("") +
                            frame(std::string(TfRecordDecoder::kMaxEventBytes + 1, 'x')) + frame("two") +
                            frame("cut off").substr(0, 18);
  for (const size_t chunk : {size_t{1}, size_t{4096}, bytes.size()}) {
    TfRecordDecoder decoder;
    std::vector<std::string> seen;
    for (size_t at = 0; at < bytes.size(); at += chunk) {
      decoder.feed(std::string_view(bytes).substr(at, chunk));
      for (std::string& message : take_all(decoder)) seen.push_back(std::move(message));
    }
    EXPECT_THAT(seen, ElementsAre("one", "", "two")) << "what is too long is passed over";
    EXPECT_EQ(decoder.damaged(), 0u);
    EXPECT_FALSE(decoder.lost());
  }
}

TEST(TfRecord, DamageIsCounted) {
  std::string bytes = frame("one") + frame("two") + frame("three");
  bytes[16 + 3 + 12] ^= 1;  // the "t" of two
  TfRecordDecoder decoder;
  decoder.feed(bytes);
  EXPECT_THAT(take_all(decoder), ElementsAre("one", "three"));
  EXPECT_EQ(decoder.damaged(), 1u);

  bytes = frame("one") + frame("two");
  bytes[16 + 3 + 2] ^= 1;  // a length
  TfRecordDecoder lost;
  lost.feed(bytes);
  EXPECT_THAT(take_all(lost), ElementsAre("one"));
  EXPECT_TRUE(lost.lost());
  lost.feed(frame("more"));
  EXPECT_THAT(take_all(lost), IsEmpty());
}

TEST(TfRecord, WhatIsPassedOverNeedNotBeFed) {
  const std::string long_one = frame(std::string(TfRecordDecoder::kMaxEventBytes + 1, 'x'));
  TfRecordDecoder decoder;
  decoder.feed(frame("one") + long_one.substr(0, 100));
  EXPECT_EQ(decoder.pass_over(1000), 0u) << "it has not been looked at";
  EXPECT_THAT(take_all(decoder), ElementsAre("one"));
  EXPECT_EQ(decoder.pass_over(1000), 1000u);
  EXPECT_EQ(decoder.pass_over(UINT64_MAX), long_one.size() - 1100);
  EXPECT_EQ(decoder.pass_over(UINT64_MAX), 0u);
  decoder.feed(frame("two"));
  EXPECT_THAT(take_all(decoder), ElementsAre("two"));
}

TEST(TfRecord, ALengthBeyondAllFilesIsWaitedFor) {
  const std::string length = bytes_of(UINT64_MAX);
  const uint32_t crc = wire::crc32c(length.data(), length.size());
  TfRecordDecoder decoder;
  decoder.feed(frame("one") + length + bytes_of(((crc >> 15) | (crc << 17)) + 0xa282ead8u) + frame("two"));
  EXPECT_THAT(take_all(decoder), ElementsAre("one"));
  EXPECT_FALSE(decoder.lost());
  EXPECT_EQ(decoder.damaged(), 0u);
}

TEST(Event, SimpleValues) {
  tensorboard::Event event;
  event.set_wall_time(5.5);
  event.set_step(7);
  auto* value = event.mutable_summary()->add_value();
  value->set_tag("loss");
  value->set_simple_value(0.5f);
  value = event.mutable_summary()->add_value();
  value->set_tag("weights");
  value->mutable_histo()->set_num(3);
  value = event.mutable_summary()->add_value();
  value->set_tag("lr");
  value->set_simple_value(NAN);
  const ScalarEvent seen = parse_event(event.SerializeAsString()).value();
  EXPECT_EQ(seen.wall_time, 5.5);
  EXPECT_EQ(seen.step, 7u);
  EXPECT_FALSE(seen.restart);
  ASSERT_THAT(seen.values, SizeIs(2)) << "a histogram is no scalar";
  EXPECT_EQ(seen.values[0].tag, "loss");
  EXPECT_EQ(seen.values[0].value, 0.5);
  EXPECT_TRUE(std::isnan(seen.values[1].value));
}

TEST(Event, TensorsOfOneElement) {
  using tensorboard::Tensor;
  EXPECT_EQ(value_of(tensor_event([](Tensor& t) { t.set_dtype(1), t.set_content(bytes_of(0.5f)); })), 0.5);
  EXPECT_EQ(value_of(tensor_event([](Tensor& t) { t.set_dtype(1), t.add_float_val(0.25f); })), 0.25);
  EXPECT_EQ(value_of(tensor_event([](Tensor& t) { t.set_dtype(2), t.set_content(bytes_of(0.1)); })), 0.1);
  EXPECT_EQ(value_of(tensor_event([](Tensor& t) { t.set_dtype(2), t.add_double_val(-3); })), -3);
  EXPECT_EQ(value_of(tensor_event([](Tensor& t) { t.set_dtype(3), t.add_int_val(-3); })), -3);
  EXPECT_EQ(
      value_of(tensor_event([](Tensor& t) { t.set_dtype(9), t.set_content(bytes_of(int64_t{1} << 40)); })),
      std::ldexp(1, 40));
  EXPECT_EQ(value_of(tensor_event([](Tensor& t) { t.set_dtype(19), t.add_half_val(0xc100); })), -2.5);
  EXPECT_EQ(value_of(tensor_event([](Tensor& t) { t.set_dtype(19), t.add_half_val(0x0001); })),
            std::ldexp(1, -24));
  EXPECT_EQ(value_of(tensor_event([](Tensor& t) { t.set_dtype(19), t.add_half_val(0x7c00); })), INFINITY);
  EXPECT_EQ(value_of(tensor_event([](Tensor& t) { t.set_dtype(14), t.add_half_val(0x3fc0); })), 1.5);
  const auto of_shape = [](int64_t size, const char* plugin = "scalars") {
    return tensor_event(
        [size](Tensor& t) {
          t.set_dtype(1), t.mutable_shape()->add_dim()->set_size(size), t.set_content(bytes_of(1.0f));
        },
        plugin);
  };
  EXPECT_EQ(value_of(of_shape(1)), 1);
  EXPECT_EQ(value_of(of_shape(1, "")), 1);
  EXPECT_EQ(value_of(of_shape(1, "text")), std::nullopt);
  EXPECT_EQ(value_of(of_shape(3)), std::nullopt);
  EXPECT_EQ(value_of(tensor_event([](Tensor& t) { t.set_dtype(1), t.set_content("abc"); })), std::nullopt);
  EXPECT_EQ(value_of(tensor_event([](Tensor& t) { t.set_dtype(7); })), std::nullopt) << "texts";
}

TEST(Event, WhatIsNone) {
  EXPECT_FALSE(parse_event("\xff\xff\xff").ok());
  tensorboard::Event event;
  event.set_step(-1);
  EXPECT_FALSE(parse_event(event.SerializeAsString()).ok());
  event.set_step(4);
  event.mutable_session_log()->set_status(tensorboard::SessionLog::START);
  EXPECT_TRUE(parse_event(event.SerializeAsString())->restart);
}

TEST(EventNames, LossesAndEvaluation) {
  struct Case {
    const char *run, *tag, *name;
    Kind kind;
    bool eval;
  };
  const Case cases[] = {
      {"", "loss", "loss", Kind::loss, false},
      {"", "Loss/train", "Loss/train", Kind::loss, false},
      {"", "Loss/test", "Loss/test", Kind::loss, true},
      {"", "val_loss", "val_loss", Kind::loss, true},
      {"", "eval/loss", "eval/loss", Kind::loss, true},
      {"train", "epoch_loss", "train/epoch_loss", Kind::loss, false},
      {"validation", "epoch_accuracy", "validation/epoch_accuracy", Kind::scalar, true},
      {"fold-1/test", "auc", "fold-1/test/auc", Kind::scalar, true},
      {"", "loss_scale", "loss_scale", Kind::scalar, false},
      {"", "evaluations", "evaluations", Kind::scalar, false},
      {"", "lossless", "lossless", Kind::scalar, false},
  };
  for (const Case& c : cases) {
    const EventSeries series = series_of_event(c.run, c.tag);
    EXPECT_EQ(series.name, c.name);
    EXPECT_EQ(series.kind, c.kind) << c.name;
    EXPECT_EQ(series.eval, c.eval) << c.name;
  }
}

}  // namespace
}  // namespace pawl::trace
