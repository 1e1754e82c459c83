// What the hooks record: of which collections, on which ranks, in which steps, of which tensors.
//
// A request is a list of rules. For a collection and a rank the last rule that names both holds; without one
// nothing is recorded. As text it is one line a rule, which is what ranks are given and what may change while
// they train:
//
//   budget share=0.01
//   losses every=1
//   gradients every=10
//   gradients every=1 from=100 to=200 ranks=1,3 max_size=1048576 include=layer2\..*
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace pawl::pipeline {

inline constexpr std::string_view kCollections[] = {"losses",
                                                    "scalars",
                                                    "weights",
                                                    "biases",
                                                    "gradients",
                                                    "local_gradients",
                                                    "unclipped_gradients",
                                                    "updates",
                                                    "optimizer_state",
                                                    "activations",
                                                    "inputs",
                                                    "spans",
                                                    "batches",
                                                    "hashes"};

enum class Modes { train, eval, both };
std::string_view to_string(Modes modes);  // "train", "eval", "train,eval"
std::optional<Modes> parse_modes(std::string_view text);

struct CaptureRule {
  std::string collection;
  bool off = false;                 // nothing of it is recorded
  int64_t every = 10;               // steps from `from` to before `to` whose number is a multiple of it ...
  int64_t from = 0;                 //
  std::optional<int64_t> to;        // nothing: to the end
  std::vector<int64_t> at;          // ... and these
  std::vector<int> ranks;           // empty: all
  std::optional<Modes> modes;       // nothing: both for losses and scalars, training for all others
  std::optional<int64_t> max_size;  // tensors of more bytes are left out
  int64_t raw = 0;                  // of tensors of at most so many bytes the values, too
  bool fine = false;                // a histogram of 256 bins, too
  std::string include;              // regex that the name of a series must match somewhere; empty: all

  bool operator==(const CaptureRule&) const = default;
};

struct Capture {
  bool enabled = true;  // false: no hook attaches
  std::vector<CaptureRule> rules;
  // Of the time of the training: to take no more than this share of it the hooks record tensors more rarely
  // than the rules say.
  std::optional<double> budget;

  // Losses and scalars in every step, weights, biases and gradients in every tenth.
  static Capture standard();
  static Capture none();
  // Whether some rank records it in some step of the training, where rules look.
  bool records(std::string_view collection) const;
  const CaptureRule* rule_for(std::string_view collection, int rank) const;

  bool operator==(const Capture&) const = default;
};

// Ranks are given a request in their environment and in the attempt's control file, which has 64 KiB.
inline constexpr size_t kMaxCaptureRequest = 60'000;  // bytes

// What `raw` may ask for: a tensor has to pass through the ring of its rank.
inline constexpr int64_t kMaxRaw = 1 << 20;  // bytes

// Losses and scalars are single numbers: they are recorded in every step unless asked otherwise.
bool is_tensor_collection(std::string_view collection);

// The value of PAWL_CAPTURE: `off`, or the lines.
std::string capture_request(const Capture& capture);
// Error invalid: what is wrong with which line. Regular expressions are not looked at.
Result<Capture> parse_capture_request(std::string_view text);

// A change of one collection; what is not set stays as it was.
struct CaptureChange {
  std::string collection;
  std::vector<int> ranks;  // empty: all
  std::optional<bool> off;
  std::optional<int64_t> every, from, to;
  std::optional<std::vector<int64_t>> at;
  std::optional<Modes> modes;
  std::optional<int64_t> max_size, raw;
  std::optional<bool> fine;
  std::optional<std::string> include;

  bool says_something() const {
    return off || every || from || to || at || modes || max_size || raw || fine || include;
  }
};

// Rules that no longer hold for anyone are left out. REQUIRES: a collection of kCollections, ranks >= 0.
Capture changed(Capture capture, const CaptureChange& change);

}  // namespace pawl::pipeline
