#include "engine/trace/row_writer.h"

#include <fmt/format.h>
#include <zlib.h>

#include <bit>
#include <string>

#include "engine/trace/magnitude.h"

namespace pawl::trace {
namespace {

constexpr int kFast = 1;  // floats gain little from more

Result<std::string> deflate(const std::vector<uint8_t>& bytes) {
  uLongf size = compressBound(bytes.size());
  std::string out(size, '\0');
  const int code = compress2(reinterpret_cast<Bytef*>(out.data()), &size, bytes.data(), bytes.size(), kFast);
  if (code != Z_OK) return Error(ErrorCode::internal, fmt::format("zlib cannot compress: {}", code));
  out.resize(size);
  return out;
}

// The labels that occur; without labels nothing.
std::optional<std::string> label_counts_json(const std::vector<uint64_t>& counts) {
  if (counts.empty()) return std::nullopt;
  std::string json;
  for (size_t label = 0; label < counts.size(); ++label) {
    if (counts[label] == 0) continue;
    json += fmt::format("{}\"{}\":{}", json.empty() ? '{' : ',', label, counts[label]);
  }
  return json.empty() ? "{}" : json + "}";
}

}  // namespace

Result<RowWriter> RowWriter::create(Db& db) {
  RowWriter writer(db);
  PAWL_ASSIGN(writer.insert_scalar_, db.prepare("INSERT OR REPLACE INTO scalars VALUES(?,?,?,?,?)"));
  PAWL_ASSIGN(writer.insert_statistics_,
              db.prepare("INSERT OR REPLACE INTO statistics VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"));
  return writer;
}

Result<void> RowWriter::add(const Step& step, const Observation& observation) {
  const Place place{signed_count(step.step), observation.rank, observation.series, step.mode};
  return std::visit([&](const auto& value) { return write(place, value); }, observation.value);
}

Result<void> RowWriter::write(const Place& at, double value) {
  insert_scalar_->bind_all(at.step, at.rank, at.series, at.mode, value);
  return insert_scalar_->run();
}

Result<void> RowWriter::write(const Place& at, const TensorStats& s) {
  const PackedMagnitude magnitude(s.magnitude);
  insert_statistics_->bind_all(at.step, at.rank, at.series, at.mode, signed_count(s.count),
                               signed_count(s.nan), signed_count(s.inf), signed_count(s.zero), s.min, s.max,
                               s.sum, s.abs_sum, s.square_sum, magnitude.at(), BlobView{magnitude.bytes()});
  return insert_statistics_->run();
}

Result<void> RowWriter::write(const Place& at, const RawTensor& raw) {
  PAWL_ASSIGN(const std::string data, deflate(raw.safetensors));
  return db_->run("INSERT OR REPLACE INTO raw_tensors VALUES(?,?,?,?,?,?)", at.step, at.rank, at.series,
                  at.mode, raw.safetensors.size(), BlobView{data});
}

Result<void> RowWriter::write(const Place& at, const Span& span) {
  return db_->run("INSERT OR REPLACE INTO spans VALUES(?,?,?,?,?,?)", at.step, at.rank, at.series, at.mode,
                  static_cast<double>(span.begin_ns) / 1e9, static_cast<double>(span.end_ns) / 1e9);
}

Result<void> RowWriter::write(const Place& at, const Batch& batch) {
  return db_->run(
      "INSERT INTO batches VALUES(?1,?2,?3,?4,"
      " ifnull((SELECT max(part) + 1 FROM batches"
      "  WHERE step = ?1 AND rank = ?2 AND series = ?3 AND mode = ?4), 0), ?5,?6,?7)",
      at.step, at.rank, at.series, at.mode, std::bit_cast<int64_t>(batch.digest),
      signed_count(batch.examples), label_counts_json(batch.label_counts));
}

Result<void> RowWriter::write(const Place& at, const Digest& digest) {
  return db_->run("INSERT OR REPLACE INTO hashes VALUES(?,?,?,?,?)", at.step, at.rank, at.series, at.mode,
                  std::bit_cast<int64_t>(digest.value));
}

Result<void> RowWriter::write(const Place& at, const FineHistogram& histogram) {
  const std::string_view bins(reinterpret_cast<const char*>(histogram.bins.data()),
                              histogram.bins.size() * sizeof histogram.bins[0]);
  return db_->run("INSERT OR REPLACE INTO fine_histograms VALUES(?,?,?,?,?,?)", at.step, at.rank, at.series,
                  at.mode, signed_count(histogram.sampled), BlobView{bins});
}

}  // namespace pawl::trace
