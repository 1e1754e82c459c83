// A stand-in for libnvidia-ml.so.1. PAWL_FAKE_GPUS describes the machine: devices separated by ';', each
// "uuid|name|bytes". A device written "dead" does not answer; one written
// "mig:uuid|name|bytes,uuid|name|bytes" is partitioned; the whole text "broken" makes nvmlInit fail.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

struct Device {
  std::string uuid;
  std::string name;
  unsigned long long bytes = 0;
  bool dead = false;
  bool mig = false;
  std::vector<Device> slices;
};

std::vector<std::string> cut(const std::string& text, char separator) {
  std::vector<std::string> out(1);
  for (char c : text) {
    if (c == separator)
      out.emplace_back();
    else
      out.back() += c;
  }
  return out;
}

Device parse(const std::string& text) {
  Device device;
  if (text == "dead") {
    device.dead = true;
  } else if (text.rfind("mig:", 0) == 0) {
    device.mig = true;
    for (const std::string& slice : cut(text.substr(4), ',')) device.slices.push_back(parse(slice));
  } else {
    std::vector<std::string> parts = cut(text, '|');
    device.uuid = parts.at(0);
    device.name = parts.at(1);
    device.bytes = std::stoull(parts.at(2));
  }
  return device;
}

std::string description() {
  const char* text = std::getenv("PAWL_FAKE_GPUS");
  return text == nullptr ? "" : text;
}

std::vector<Device>& devices() {
  static std::vector<Device> all;
  return all;
}

int copy(const std::string& text, char* into, unsigned size) {
  if (text.size() + 1 > size) return 7;  // NVML_ERROR_INSUFFICIENT_SIZE
  std::memcpy(into, text.c_str(), text.size() + 1);
  return 0;
}

}  // namespace

extern "C" {

int nvmlInit_v2() {
  devices().clear();
  if (description() == "broken") return 9;  // NVML_ERROR_DRIVER_NOT_LOADED
  if (!description().empty()) {
    for (const std::string& text : cut(description(), ';')) devices().push_back(parse(text));
  }
  return 0;
}
int nvmlShutdown() {
  return 0;
}
const char* nvmlErrorString(int code) {
  return code == 9 ? "Driver Not Loaded" : "Unknown Error";
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = static_cast<unsigned>(devices().size());
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device** device) {
  *device = &devices().at(index);
  return (*device)->dead ? 15 : 0;  // NVML_ERROR_GPU_IS_LOST
}
int nvmlDeviceGetUUID(Device* device, char* uuid, unsigned size) {
  return copy(device->uuid, uuid, size);
}
int nvmlDeviceGetName(Device* device, char* name, unsigned size) {
  return copy(device->name, name, size);
}
int nvmlDeviceGetMemoryInfo(Device* device, unsigned long long* memory) {
  memory[0] = device->bytes;
  memory[1] = device->bytes;
  memory[2] = 0;
  return 0;
}
int nvmlDeviceGetMigMode(Device* device, unsigned* current, unsigned* pending) {
  *current = *pending = device->mig ? 1 : 0;
  return 0;
}
int nvmlDeviceGetMaxMigDeviceCount(Device*, unsigned* count) {
  *count = 7;
  return 0;
}
int nvmlDeviceGetMigDeviceHandleByIndex(Device* device, unsigned index, Device** slice) {
  if (index >= device->slices.size()) return 6;  // NVML_ERROR_NOT_FOUND
  *slice = &device->slices[index];
  return 0;
}

}  // extern "C"
