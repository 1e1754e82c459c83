// Runs the hook against the real capture library and reads what it recorded.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "engine/base/files.h"
#include "engine/trace/format.h"

namespace pawl {

template <class Map>
std::vector<uint64_t> steps_of(const Map& values) {
  std::vector<uint64_t> steps;
  for (const auto& item : values) steps.push_back(item.first);
  return steps;
}

// What a trace holds, by "<kind> <name>": the steps and the values in each.
struct Values {
  std::map<std::string, std::map<uint64_t, double>> scalars;
  std::map<std::string, std::map<uint64_t, trace::TensorStats>> tensors;
  std::map<std::string, std::map<uint64_t, std::string>> raw;  // safetensors
  std::map<std::string, std::map<uint64_t, trace::FineHistogram>> fine;
  std::map<std::string, std::map<uint64_t, trace::Batch>> batches;
  std::map<std::string, std::map<uint64_t, uint64_t>> hashes;

  std::vector<std::string> tensor_names() const {
    std::vector<std::string> names;
    for (const auto& item : tensors) names.push_back(item.first);
    return names;
  }
};

struct Contents : Values {
  trace::Header header;
  Values evaluation;
  std::vector<uint64_t> evaluated;  // the steps that evaluations follow
  std::vector<std::string> available;
  std::vector<uint64_t> completed;
  std::vector<uint64_t> requests;  // generations
  bool closed = false;
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

// In a Pawl run whose trace can be read.
class HookTest : public testing::Test {
 protected:
  HookTest() : dir_(TempDir::create("pawl-cpp-hook").value()) {
    environment_.set("PAWL_CAPTURE_LIB", PAWL_CAPTURE_LIBRARY);
    environment_.set("PAWL_TRACE_DIR", dir_.path());
  }

  Contents read(uint32_t rank = 0) const {
    const std::string path = dir_.path() + "/rank-0000" + std::to_string(rank) + "/000001.seg";
    const std::string bytes = read_file(path, 1u << 22).value();
    trace::Decoder decoder;
    decoder.feed({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
    Contents contents;
    std::map<uint32_t, std::string> names;
    uint64_t step = 0;
    Values* values = &contents;
    while (const auto record = decoder.next()) {
      if (const auto* header = std::get_if<trace::Header>(&*record)) contents.header = *header;
      if (const auto* series = std::get_if<trace::SeriesDeclaration>(&*record))
        names[series->id] = std::string(to_string(series->kind)) + " " + series->name;
      if (const auto* begin = std::get_if<trace::StepBegin>(&*record)) {
        step = begin->step;
        values = begin->mode == 0 ? static_cast<Values*>(&contents) : &contents.evaluation;
      }
      if (const auto* scalar = std::get_if<trace::ScalarValue>(&*record))
        values->scalars[names.at(scalar->series)][step] = scalar->value;
      if (const auto* stats = std::get_if<trace::StatsValue>(&*record))
        values->tensors[names.at(stats->series)][step] = stats->stats;
      if (const auto* piece = std::get_if<trace::RawPiece>(&*record))
        values->raw[names.at(piece->series)][step].append(piece->bytes.begin(), piece->bytes.end());
      if (const auto* fine = std::get_if<trace::Of<trace::FineHistogram>>(&*record))
        values->fine[names.at(fine->series)][step] = fine->value;
      if (const auto* batch = std::get_if<trace::Of<trace::Batch>>(&*record))
        values->batches[names.at(batch->series)][step] = batch->value;
      if (const auto* hash = std::get_if<trace::Of<trace::Digest>>(&*record))
        values->hashes[names.at(hash->series)][step] = hash->value.value;
      if (const auto* end = std::get_if<trace::StepEnd>(&*record))
        (values == &contents ? contents.completed : contents.evaluated).push_back(end->step);
      if (const auto* available = std::get_if<trace::Available>(&*record))
        contents.available.push_back(std::string(to_string(available->kind)) + " " + available->name);
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

}  // namespace pawl
