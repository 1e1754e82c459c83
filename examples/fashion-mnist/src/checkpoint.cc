#include "checkpoint.h"

#include <ATen/core/grad_mode.h>
#include <fcntl.h>
#include <torch/csrc/jit/serialization/pickle.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace {

void check(bool ok, const std::string& what) {
  if (!ok) throw std::system_error(errno, std::generic_category(), what);
}

void write_file_atomic(const std::string& path, const std::vector<char>& bytes) {
  const std::string temporary = path + ".tmp";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  check(fd >= 0, temporary);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0) break;
    done += static_cast<size_t>(n);
  }
  const bool written = done == bytes.size() && ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  errno = error;
  check(written, temporary);
  check(::rename(temporary.c_str(), path.c_str()) == 0, path);
}

}  // namespace

void save_tensors(const std::string& path, const NamedTensors& tensors) {
  c10::Dict<std::string, at::Tensor> dictionary;
  for (const auto& [name, value] : tensors) dictionary.insert(name, value.detach().cpu());
  write_file_atomic(path, torch::jit::pickle_save(dictionary));
}

void load_tensors(const std::string& path, const NamedTensors& tensors) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file || bytes.empty()) throw std::runtime_error(path + " cannot be read");
  const auto dictionary = torch::jit::pickle_load(bytes).toGenericDict();

  const at::NoGradGuard no_grad;
  for (const auto& [name, value] : tensors) {
    const auto found = dictionary.find(name);
    if (found == dictionary.end()) throw std::runtime_error(path + " has no " + name);
    const at::Tensor stored = found->value().toTensor();
    if (stored.sizes() != value.sizes()) throw std::runtime_error(path + " holds another shape of " + name);
    value.copy_(stored);
  }
}
