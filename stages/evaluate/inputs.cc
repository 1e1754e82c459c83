#include "stages/evaluate/inputs.h"

#include <fmt/format.h>

#include <array>

#include "engine/base/files.h"
#include "stages/evaluate/image.h"

namespace pawl::evaluate {
namespace {

constexpr std::uint64_t kMaxImageFileBytes = 256 << 20;

float at_channel(const std::vector<float>& values, std::size_t channel, float otherwise) {
  if (values.empty()) return otherwise;
  return values.size() == 1 ? values[0] : values[channel];
}

Result<void> check_channels(const Normalization& normalization, std::size_t channels) {
  for (const auto& [name, values] :
       {std::pair("--mean", &normalization.mean), std::pair("--std", &normalization.std)}) {
    if (values->size() > 1 && values->size() != channels) {
      return Error(ErrorCode::usage, fmt::format("{} has {} values, the inputs have {} channel{}", name,
                                                 values->size(), channels, channels == 1 ? "" : "s"));
    }
  }
  return {};
}

// What each byte becomes, by channel. The same two roundings as with tensors: v / 255, then (x - mean) / std.
class PixelTable {
 public:
  PixelTable(const Normalization& normalization, std::size_t channels) : by_channel_(channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      const float mean = at_channel(normalization.mean, c, 0);
      const float std = at_channel(normalization.std, c, 1);
      for (std::size_t v = 0; v < 256; ++v) by_channel_[c][v] = (static_cast<float>(v) / 255.0F - mean) / std;
    }
  }

  float operator()(std::size_t channel, char byte) const {
    return by_channel_[channel][static_cast<unsigned char>(byte)];
  }

 private:
  std::vector<std::array<float, 256>> by_channel_;
};

class ArrayInputs : public Inputs {
 public:
  ArrayInputs(Array array, const Normalization& normalization)
      : array_(std::move(array)),
        normalization_(normalization),
        per_example_(array_.per_example()),
        channels_(channels_of(array_)),
        pixels_(normalization, array_.element == Element::u8 ? channels_ : 0) {}

  static std::size_t channels_of(const Array& array) { return array.shape.size() == 4 ? array.shape[1] : 1; }

  std::size_t size() const override { return array_.examples(); }

  Result<void> read(std::size_t first, std::size_t count, Batch& out) override {
    PAWL_CHECK(count > 0 && first + count <= size());
    out.shape.assign(array_.shape.begin(), array_.shape.end());
    out.shape[0] = static_cast<std::int64_t>(count);
    const std::size_t begin = first * per_example_;
    switch (array_.element) {
      case Element::u8:
        out.floats.resize(count * per_example_);
        read_pixels(begin, out.floats);
        return {};
      case Element::f32:
      case Element::f64:
        out.floats.resize(count * per_example_);
        copy_floats(array_, begin, out.floats);
        normalize(out.floats);
        return {};
      default:
        out.integers.resize(count * per_example_);
        copy_integers(array_, begin, out.integers);
        return {};
    }
  }

 private:
  std::size_t plane() const { return per_example_ / channels_; }

  void read_pixels(std::size_t begin, std::vector<float>& out) const {
    const char* from = array_.bytes.data() + begin;
    for (std::size_t i = 0; i < out.size(); i += plane()) {
      const std::size_t channel = i / plane() % channels_;
      for (std::size_t j = i; j < i + plane(); ++j) out[j] = pixels_(channel, from[j]);
    }
  }

  void normalize(std::vector<float>& values) const {
    if (normalization_.mean.empty() && normalization_.std.empty()) return;
    for (std::size_t i = 0; i < values.size(); i += plane()) {
      const std::size_t channel = i / plane() % channels_;
      const float mean = at_channel(normalization_.mean, channel, 0);
      const float std = at_channel(normalization_.std, channel, 1);
      for (std::size_t j = i; j < i + plane(); ++j) values[j] = (values[j] - mean) / std;
    }
  }

  Array array_;
  Normalization normalization_;
  std::size_t per_example_;
  std::size_t channels_;
  PixelTable pixels_;
};

class ImageInputs : public Inputs {
 public:
  ImageInputs(std::vector<std::string> paths, const Image& first, const Normalization& normalization)
      : paths_(std::move(paths)),
        height_(first.height),
        width_(first.width),
        channels_(first.channels),
        pixels_(normalization, channels_) {}

  std::size_t size() const override { return paths_.size(); }

  Result<void> read(std::size_t first, std::size_t count, Batch& out) override {
    PAWL_CHECK(count > 0 && first + count <= size());
    out.shape.clear();
    for (const std::size_t size : {count, channels_, height_, width_})
      out.shape.push_back(static_cast<std::int64_t>(size));
    const std::size_t per_example = channels_ * height_ * width_;
    out.floats.resize(count * per_example);
    for (std::size_t i = 0; i < count; ++i) {
      PAWL_ASSIGN(const Image image, read_image(paths_[first + i]));
      PAWL_RETURN_IF_ERROR(check_size(image, paths_[first + i]));
      put(image, out.floats.data() + i * per_example);
    }
    return {};
  }

  static Result<Image> read_image(const std::string& path) {
    PAWL_ASSIGN(const std::string bytes, read_file(path, kMaxImageFileBytes));
    return decode_image(bytes, path);
  }

 private:
  Result<void> check_size(const Image& image, const std::string& path) const {
    if (image.height == height_ && image.width == width_ && image.channels == channels_) return {};
    return Error(ErrorCode::invalid,
                 fmt::format("is {}x{} with {} channels, the first image {}x{} with {}: all must be alike",
                             image.width, image.height, image.channels, width_, height_, channels_),
                 path);
  }

  // Pixel by pixel in the file, plane by plane for the model.
  void put(const Image& image, float* out) const {
    const std::size_t plane = height_ * width_;
    for (std::size_t c = 0; c < channels_; ++c) {
      for (std::size_t i = 0; i < plane; ++i)
        out[c * plane + i] = pixels_(c, image.pixels[i * channels_ + c]);
    }
  }

  std::vector<std::string> paths_;
  std::size_t height_;
  std::size_t width_;
  std::size_t channels_;
  PixelTable pixels_;
};

}  // namespace

Result<std::unique_ptr<Inputs>> array_inputs(Array array, const Normalization& normalization) {
  const bool numbers =
      array.element == Element::u8 || array.element == Element::f32 || array.element == Element::f64;
  if (!numbers && (!normalization.mean.empty() || !normalization.std.empty()))
    return Error(ErrorCode::usage, "--mean and --std are for bytes and floats, the inputs are integers");
  PAWL_RETURN_IF_ERROR(check_channels(normalization, ArrayInputs::channels_of(array)));
  return std::unique_ptr<Inputs>(std::make_unique<ArrayInputs>(std::move(array), normalization));
}

Result<std::unique_ptr<Inputs>> image_inputs(std::vector<std::string> paths,
                                             const Normalization& normalization) {
  PAWL_CHECK(!paths.empty());
  PAWL_ASSIGN(const Image first, ImageInputs::read_image(paths[0]));
  PAWL_RETURN_IF_ERROR(check_channels(normalization, first.channels));
  return std::unique_ptr<Inputs>(std::make_unique<ImageInputs>(std::move(paths), first, normalization));
}

}  // namespace pawl::evaluate
