#include "idx.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <stdexcept>

namespace {

constexpr uint64_t kMaxFileBytes = 1u
                                   << 30;  // a header may claim anything; no dataset of this kind is larger
constexpr size_t kChunk = 1u << 20;

class IdxFile {
 public:
  explicit IdxFile(const std::string& path) : path_(path), file_(gzopen(path.c_str(), "rbe"), &gzclose) {
    if (!file_) fail("cannot be opened");
    gzbuffer(file_.get(), 1u << 17);
  }

  // The header: two zero bytes, type 8 (unsigned byte), number of dimensions, then each size in big endian.
  std::vector<uint32_t> read_sizes(size_t dimensions) {
    const uint32_t magic = read_u32();
    if (magic != (0x800u | dimensions)) fail("is not an IDX file of bytes with the expected dimensions");
    std::vector<uint32_t> sizes(dimensions);
    for (uint32_t& size : sizes) size = read_u32();
    return sizes;
  }

  // Appends exactly `bytes` bytes and requires the end of the file behind them. Memory grows with what the
  // file really holds, not with what its header claims.
  void read_rest(uint64_t bytes, std::vector<uint8_t>& out) {
    if (bytes > kMaxFileBytes) fail("claims more than 1 GiB");
    while (bytes > 0) {
      const size_t part = std::min<uint64_t>(bytes, kChunk);
      out.resize(out.size() + part);
      read(out.data() + out.size() - part, part);
      bytes -= part;
    }
    uint8_t extra;
    const int got = gzread(file_.get(), &extra, 1);
    if (got < 0) fail("is damaged");
    if (got > 0) fail("is longer than its header says");
  }

  [[noreturn]] void fail(const std::string& what) const { throw std::runtime_error(path_ + " " + what); }

 private:
  void read(void* data, size_t bytes) {
    const int got = gzread(file_.get(), data, static_cast<unsigned>(bytes));
    if (got < 0) fail("is damaged");
    if (static_cast<size_t>(got) < bytes) fail("ends too early");
  }

  uint32_t read_u32() {
    std::array<uint8_t, 4> b;
    read(b.data(), b.size());
    return uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | b[3];
  }

  std::string path_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
};

void append_pair(const std::string& images_path, const std::string& labels_path, Examples& out) {
  IdxFile images(images_path);
  const std::vector<uint32_t> size = images.read_sizes(3);
  if (size[1] != kImageSide || size[2] != kImageSide) images.fail("does not hold images of 28x28");
  images.read_rest(uint64_t{size[0]} * kPixels, out.pixels);

  IdxFile labels(labels_path);
  if (labels.read_sizes(1)[0] != size[0]) labels.fail("has another number of examples than its images");
  const size_t before = out.labels.size();
  labels.read_rest(size[0], out.labels);
  const bool valid = std::all_of(out.labels.begin() + static_cast<std::ptrdiff_t>(before), out.labels.end(),
                                 [](uint8_t label) { return label < kClasses; });
  if (!valid) labels.fail("has a label above 9");
}

}  // namespace

Examples read_idx_folder(const std::string& folder, const std::string& prefix) {
  const std::string images = "-images-idx3-ubyte.gz";
  const std::string labels = "-labels-idx1-ubyte.gz";
  std::vector<std::string> stems;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(prefix, 0) != 0 || name.size() < images.size()) continue;
    const std::string stem = name.substr(0, name.size() - images.size());
    if (stem + images == name) stems.push_back((entry.path().parent_path() / stem).string());
  }
  if (stems.empty()) throw std::runtime_error("no " + prefix + "*" + images + " in " + folder);
  std::sort(stems.begin(), stems.end());

  Examples examples;
  for (const std::string& stem : stems) append_pair(stem + images, stem + labels, examples);
  return examples;
}
