#include "engine/trigger/row_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "engine/base/files.h"
#include "engine/base/text.h"

namespace pawl::trigger {
namespace {

constexpr size_t kBuffer = 1 << 18;
constexpr size_t kMaxHeader = 1 << 16;
constexpr uint64_t kMaxRow = 64 << 20;

// Bytes of a file, front to back.
class Input {
 public:
  static Result<Input> open(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return errno_error("cannot open", path, errno);
    return Input(std::move(fd), path);
  }

  // As many bytes as were asked for, or fewer at the end.
  Result<std::string_view> take(size_t bytes) {
    while (buffer_.size() - at_ < bytes) {
      PAWL_ASSIGN(bool more, fill());
      if (!more) break;
    }
    const std::string_view out = std::string_view(buffer_).substr(at_, bytes);
    at_ += out.size();
    return out;
  }

 private:
  Input(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<bool> fill() {
    buffer_.erase(0, std::exchange(at_, 0));
    const size_t old = buffer_.size();
    buffer_.resize(old + kBuffer);
    ssize_t n = 0;
    do {
      n = read(fd_.get(), buffer_.data() + old, kBuffer);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return errno_error("cannot read", path_, errno);
    buffer_.resize(old + static_cast<size_t>(n));
    return n > 0;
  }

  UniqueFd fd_;
  std::string path_;
  std::string buffer_;
  size_t at_ = 0;
};

using Take = std::function<void(const Row&)>;

// Rows of one width to the end of the file.
Result<bool> read_array(Input& input, uint64_t rows, uint64_t width, const Take& take) {
  if (width < kMinRowBytes || width > kMaxRow) return false;
  for (uint64_t number = 1; number <= rows; ++number) {
    PAWL_ASSIGN(const std::string_view row, input.take(static_cast<size_t>(width)));
    if (row.size() < width) return false;
    take({row, number, false});
  }
  return true;
}

// Of dimensions and the size of an element; nullopt: no rows, or sizes out of this world.
std::optional<uint64_t> row_width(const std::vector<uint64_t>& shape, uint64_t element) {
  if (shape.size() < 2) return std::nullopt;
  uint64_t width = element;
  for (size_t i = 1; i < shape.size(); ++i) {
    if (shape[i] == 0 || shape[i] > kMaxRow / width) return std::nullopt;
    width *= shape[i];
  }
  return width;
}

uint64_t big_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

// http://yann.lecun.com/exdb/mnist: two zero bytes, type, number of dimensions, their sizes.
Result<bool> read_idx(Input& input, const Take& take) {
  PAWL_ASSIGN(const std::string_view head, input.take(4));
  if (head.size() < 4 || head[0] != 0 || head[1] != 0) return false;
  const char type = head[2];
  const uint64_t element = type == 8 || type == 9     ? 1
                           : type == 11               ? 2
                           : type == 12 || type == 13 ? 4
                           : type == 14               ? 8
                                                      : 0;
  const auto dimensions = static_cast<unsigned char>(head[3]);
  if (element == 0) return false;
  std::vector<uint64_t> shape;
  for (int i = 0; i < dimensions; ++i) {
    PAWL_ASSIGN(const std::string_view size, input.take(4));
    if (size.size() < 4) return false;
    shape.push_back(big_endian(size));
  }
  const auto width = row_width(shape, element);
  if (!width) return false;
  return read_array(input, shape[0], *width, take);
}

// The text behind `'key':` in the header of an NPY file, which is a Python literal of a dict.
std::string_view value_of(std::string_view header, std::string_view key) {
  const size_t at = header.find(key);
  if (at == std::string_view::npos) return {};
  header.remove_prefix(at + key.size());
  const size_t colon = header.find(':');
  return colon == std::string_view::npos ? std::string_view() : trim(header.substr(colon + 1));
}

std::optional<std::vector<uint64_t>> npy_shape(std::string_view value) {
  const size_t end = value.find(')');
  if (!value.starts_with('(') || end == std::string_view::npos) return std::nullopt;
  std::vector<uint64_t> shape;
  for (const std::string_view part : split(value.substr(1, end - 1), ',')) {
    if (trim(part).empty()) continue;
    const auto size = parse_int(trim(part));
    if (!size.ok() || *size < 0) return std::nullopt;
    shape.push_back(static_cast<uint64_t>(*size));
  }
  return shape;
}

// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
Result<bool> read_npy(Input& input, const Take& take) {
  PAWL_ASSIGN(const std::string_view head, input.take(8));
  if (head.size() < 8 || !head.starts_with("\x93NUMPY")) return false;
  const size_t length_bytes = head[6] == 1 ? 2 : 4;  // by the version of the format
  PAWL_ASSIGN(const std::string_view length_text, input.take(length_bytes));
  std::string length(length_text.rbegin(), length_text.rend());  // little-endian
  const uint64_t header_bytes = big_endian(length);
  if (length.size() < length_bytes || header_bytes > kMaxHeader) return false;
  PAWL_ASSIGN(const std::string_view header, input.take(static_cast<size_t>(header_bytes)));
  const std::string_view descr = value_of(header, "'descr'");
  const auto shape = npy_shape(value_of(header, "'shape'"));
  if (!shape || descr.size() < 4 || !value_of(header, "'fortran_order'").starts_with("False")) return false;
  // '<f4': byte order, kind, bytes of an element
  const auto element = parse_int(descr.substr(3, descr.find('\'', 1) - 3));
  if (!element.ok() || *element < 1 || *element > 64 ||
      std::string_view("biuf").find(descr[2]) == std::string_view::npos)
    return false;
  const auto width = row_width(*shape, static_cast<uint64_t>(*element));
  if (!width) return false;
  return read_array(input, (*shape)[0], *width, take);
}

// RFC 4180: a line break within quotes is part of its field.
Result<bool> read_csv(Input& input, const Take& take) {
  std::string record;
  uint64_t number = 0;
  bool quoted = false;
  const auto end_record = [&] {
    ++number;
    if (record.ends_with('\r')) record.pop_back();
    if (record.size() >= kMinRowBytes) take({record, number, number == 1});
    record.clear();
  };
  while (true) {
    PAWL_ASSIGN(std::string_view chunk, input.take(kBuffer));
    if (chunk.empty()) break;
    while (!chunk.empty()) {
      const size_t at = chunk.find_first_of("\"\n");
      record.append(chunk.substr(0, at));
      if (record.size() > kMaxRow) return false;
      if (at == std::string_view::npos) break;
      if (chunk[at] == '"') quoted = !quoted;
      if (chunk[at] == '"' || quoted) {
        record += chunk[at];
      } else {
        end_record();
      }
      chunk.remove_prefix(at + 1);
    }
  }
  if (!record.empty()) end_record();
  return number > 0;
}

}  // namespace

bool has_rows(std::string_view path) {
  for (const std::string_view ending : {".csv", ".tsv", ".npy", "-ubyte", ".idx"}) {
    if (path.ends_with(ending)) return true;
  }
  return false;
}

Result<bool> read_rows(const std::string& path, const Take& take) {
  PAWL_ASSIGN(Input input, Input::open(path));
  if (path.ends_with(".npy")) return read_npy(input, take);
  if (path.ends_with("-ubyte") || path.ends_with(".idx")) return read_idx(input, take);
  return read_csv(input, take);
}

}  // namespace pawl::trigger
