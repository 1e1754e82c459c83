#include "engine/trace/event_reader.h"

#include <tensorboard_event.pb.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/base/text.h"
#include "hooks/capture/crc32c.h"

namespace pawl::trace {
namespace {

constexpr size_t kHead = 12;  // length and its CRC
constexpr size_t kFoot = 4;   // CRC of the message

constexpr std::string_view kEvaluationWords[] = {"val", "valid", "validation", "eval", "evaluation", "test"};

uint32_t masked_crc(std::string_view bytes) {
  const uint32_t crc = wire::crc32c(bytes.data(), bytes.size());
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

template <class Number>
Number number_at(std::string_view bytes) {
  Number number;
  std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}

double from_half(uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int fraction = bits & 1023;
  double value = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  if (exponent == 31) {
    value =
        fraction != 0 ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
  }
  return (bits & 0x8000) != 0 ? -value : value;
}

double from_bfloat(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

// DataType of TensorFlow's types.proto.
enum { kFloat = 1, kDouble = 2, kInt32 = 3, kInt64 = 9, kBfloat16 = 14, kHalf = 19 };

// The only element, from either of the places where it may stand.
template <class Number, class Field>
std::optional<Number> only_element(std::string_view content, const Field& field) {
  if (content.size() == sizeof(Number)) return number_at<Number>(content);
  if (content.empty() && field.size() == 1) return static_cast<Number>(field.Get(0));
  return std::nullopt;
}

std::optional<double> scalar_of(const tensorboard::Tensor& tensor) {
  const auto& dims = tensor.shape().dim();
  if (!std::ranges::all_of(dims, [](const auto& dim) { return dim.size() == 1; })) return std::nullopt;
  const std::string& content = tensor.content();
  switch (tensor.dtype()) {
    case kFloat:
      return only_element<float>(content, tensor.float_val());
    case kDouble:
      return only_element<double>(content, tensor.double_val());
    case kInt32:
      return only_element<int32_t>(content, tensor.int_val());
    case kInt64:
      return only_element<int64_t>(content, tensor.int64_val());
    case kHalf: {
      const auto bits = only_element<uint16_t>(content, tensor.half_val());
      return bits ? std::optional(from_half(*bits)) : std::nullopt;
    }
    case kBfloat16: {
      const auto bits = only_element<uint16_t>(content, tensor.half_val());
      return bits ? std::optional(from_bfloat(*bits)) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

std::optional<double> scalar_of(const tensorboard::Summary::Value& value) {
  if (value.value_case() == tensorboard::Summary::Value::kSimpleValue) return value.simple_value();
  if (value.value_case() != tensorboard::Summary::Value::kTensor) return std::nullopt;
  // Later values of a tag need not name the plugin again.
  const std::string& plugin = value.metadata().plugin_data().plugin_name();
  return plugin.empty() || plugin == "scalars" ? scalar_of(value.tensor()) : std::nullopt;
}

bool is_evaluation(std::string_view path) {
  const std::string lower = to_lower(path);
  return std::ranges::any_of(split(lower, '/'), [](std::string_view part) {
    const std::string_view first = part.substr(0, part.find_first_of("_-"));
    return std::ranges::find(kEvaluationWords, first) != std::end(kEvaluationWords);
  });
}

bool is_loss(std::string_view tag) {
  const std::string lower = to_lower(tag);
  return std::ranges::any_of(split(lower, '/'),
                             [](std::string_view part) { return part == "loss" || part.ends_with("_loss"); });
}

}  // namespace

void TfRecordDecoder::feed(std::string_view bytes) {
  if (lost_) return;
  const auto passed = static_cast<size_t>(std::min<uint64_t>(skip_, bytes.size()));
  skip_ -= passed;
  buffer_.erase(0, at_);
  at_ = 0;
  buffer_.append(bytes.substr(passed));
}

std::optional<std::string> TfRecordDecoder::next() {
  while (!lost_ && skip_ == 0 && buffer_.size() - at_ >= kHead) {
    const std::string_view rest = std::string_view(buffer_).substr(at_);
    const auto length = number_at<uint64_t>(rest);
    if (number_at<uint32_t>(rest.substr(8)) != masked_crc(rest.substr(0, 8))) {
      lost_ = true;
      buffer_ = {};
      at_ = 0;
      return std::nullopt;
    }
    if (length > kMaxEventBytes) {
      const uint64_t whole = length > UINT64_MAX - kFoot ? UINT64_MAX : length + kFoot;
      const auto passed = static_cast<size_t>(std::min<uint64_t>(whole, rest.size() - kHead));
      skip_ = whole - passed;
      at_ += kHead + passed;
      continue;
    }
    if (rest.size() < kHead + length + kFoot) return std::nullopt;
    const std::string_view message = rest.substr(kHead, length);
    at_ += kHead + length + kFoot;
    if (number_at<uint32_t>(rest.substr(kHead + length)) == masked_crc(message)) return std::string(message);
    ++damaged_;
  }
  if (at_ == buffer_.size()) {  // there may be many files, and each has held its longest message
    buffer_ = {};
    at_ = 0;
  }
  return std::nullopt;
}

uint64_t TfRecordDecoder::pass_over(uint64_t most) {
  const uint64_t passed = std::min(skip_, most);
  skip_ -= passed;
  return passed;
}

Result<ScalarEvent> parse_event(std::string_view message) {
  tensorboard::Event event;
  if (message.size() > TfRecordDecoder::kMaxEventBytes ||
      !event.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return Error(ErrorCode::invalid, "is no event of TensorBoard");
  }
  ScalarEvent out;
  out.wall_time = event.wall_time();
  if (event.step() < 0) return Error(ErrorCode::invalid, "an event of a step below 0");
  out.step = static_cast<uint64_t>(event.step());
  out.restart = event.session_log().status() == tensorboard::SessionLog::START;
  for (const tensorboard::Summary::Value& value : event.summary().value()) {
    if (const auto scalar = scalar_of(value)) out.values.push_back({to_valid_utf8(value.tag()), *scalar});
  }
  return out;
}

EventSeries series_of_event(std::string_view run, std::string_view tag) {
  EventSeries series;
  series.name = run.empty() ? std::string(tag) : std::string(run) + "/" + std::string(tag);
  if (is_loss(tag)) series.kind = Kind::loss;
  series.eval = is_evaluation(run) || is_evaluation(tag);
  return series;
}

}  // namespace pawl::trace
