#include "stages/evaluate/image.h"

#include <fmt/format.h>
#include <png.h>

#include <csetjmp>
#include <cstdio>

#include <jerror.h>
#include <jpeglib.h>  // needs <cstdio> before it

namespace pawl::evaluate {
namespace {

Error invalid(std::string message, std::string_view where) {
  return {ErrorCode::invalid, std::move(message), std::string(where)};
}

Result<void> check_size(std::size_t width, std::size_t height, std::string_view where) {
  if (width > 0 && height > 0 && width <= kMaxPixels / height) return {};
  return invalid(fmt::format("claims {}x{} pixels", width, height), where);
}

Result<Image> decode_png(std::string_view bytes, std::string_view where) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  const auto failed = [&] {
    const std::string why = png.message;
    png_image_free(&png);
    return invalid("is a damaged PNG: " + why, where);
  };
  if (png_image_begin_read_from_memory(&png, bytes.data(), bytes.size()) == 0) return failed();
  const auto size = check_size(png.width, png.height, where);
  if (!size) {
    png_image_free(&png);
    return size.error();
  }
  png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  const bool colour = (png.format & PNG_FORMAT_FLAG_COLOR) != 0;
  // With alpha, so that nothing is blended with a background.
  png.format = colour ? PNG_FORMAT_RGBA : PNG_FORMAT_GA;
  const std::size_t channels = colour ? 3 : 1;
  std::string with_alpha(PNG_IMAGE_SIZE(png), '\0');
  if (png_image_finish_read(&png, nullptr, with_alpha.data(), 0, nullptr) == 0) return failed();
  Image out{png.height, png.width, channels, {}};
  out.pixels.reserve(out.height * out.width * channels);
  for (std::size_t at = 0; at < with_alpha.size(); at += channels + 1)
    out.pixels.append(with_alpha, at, channels);
  return out;
}

// libjpeg reports errors by a call that must not return.
struct JpegErrors {
  jpeg_error_mgr manager;  // first: libjpeg hands it back as its own
  std::jmp_buf leave;
  bool cut_off = false;
  char message[JMSG_LENGTH_MAX] = {};
};

JpegErrors& errors_of(j_common_ptr jpeg) {
  return *reinterpret_cast<JpegErrors*>(jpeg->err);
}

[[noreturn]] void leave_decoder(j_common_ptr jpeg) {
  jpeg->err->format_message(jpeg, errors_of(jpeg).message);
  std::longjmp(errors_of(jpeg).leave, 1);
}

// Warnings are about data that libjpeg replaced by gray; other quirks of writers are harmless.
void note_warning(j_common_ptr jpeg, int level) {
  if (level < 0 && (jpeg->err->msg_code == JWRN_JPEG_EOF || jpeg->err->msg_code == JWRN_HIT_MARKER))
    errors_of(jpeg).cut_off = true;
}

// Into `out`; no object with a destructor may live in here, as errors jump out. False: the message says why.
bool run_decoder(std::string_view bytes, jpeg_decompress_struct& jpeg, JpegErrors& errors, Image& out) {
  if (setjmp(errors.leave) != 0) return false;
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&jpeg, TRUE);
  if (jpeg.num_components != 1 && jpeg.num_components != 3) {
    std::snprintf(errors.message, sizeof errors.message, "%d components, only gray and colour are known",
                  jpeg.num_components);
    return false;
  }
  if (jpeg.image_width > kMaxPixels / jpeg.image_height) {
    std::snprintf(errors.message, sizeof errors.message, "claims %ux%u pixels", jpeg.image_width,
                  jpeg.image_height);
    return false;
  }
  jpeg.out_color_space = jpeg.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&jpeg);
  out.height = jpeg.output_height;
  out.width = jpeg.output_width;
  out.channels = static_cast<std::size_t>(jpeg.output_components);
  const std::size_t row_size = out.width * out.channels;
  out.pixels.resize(out.height * row_size);
  while (jpeg.output_scanline < jpeg.output_height) {
    auto* row = reinterpret_cast<JSAMPROW>(out.pixels.data() + jpeg.output_scanline * row_size);
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_decompress(&jpeg);
  if (errors.cut_off) std::snprintf(errors.message, sizeof errors.message, "the data ends too early");
  return !errors.cut_off;
}

Result<Image> decode_jpeg(std::string_view bytes, std::string_view where) {
  Image out;
  jpeg_decompress_struct jpeg{};
  JpegErrors errors{};
  jpeg.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = leave_decoder;
  errors.manager.emit_message = note_warning;
  const bool done = run_decoder(bytes, jpeg, errors, out);
  jpeg_destroy_decompress(&jpeg);
  if (!done) return invalid(fmt::format("is no JPEG that can be read: {}", errors.message), where);
  return out;
}

}  // namespace

Result<Image> decode_image(std::string_view bytes, std::string_view where) {
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return decode_png(bytes, where);
  if (bytes.starts_with("\xff\xd8\xff")) return decode_jpeg(bytes, where);
  return invalid("is neither PNG nor JPEG", where);
}

}  // namespace pawl::evaluate
