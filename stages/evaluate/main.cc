// pawl-evaluate: the command line, with CLI11.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "engine/base/text.h"
#include "stages/evaluate/evaluate.h"

extern char** environ;

namespace {

using pawl::Error;
using pawl::ErrorCode;
using pawl::evaluate::Format;
using pawl::evaluate::Options;
using pawl::evaluate::Scale;
using pawl::evaluate::Task;

constexpr const char* kFooter =
    "Formats: IDX and NPY are two files, inputs and labels (t10k-images-idx3-ubyte.gz and t10k-labels-..., "
    "x_test.npy\n"
    "and y_test.npy); NPZ has both as arrays; CSV has a header, a column `label` and numbers; images are PNG "
    "or "
    "JPEG in\n"
    "one folder for each class. Of a folder with several parts the test set is taken, or what --split "
    "names.\n"
    "\n"
    "Bytes are pixels: the model gets them as floats from 0 to 1, IDX images with a channel, (N, 1, H, W). "
    "Other "
    "integers\n"
    "stay integers, other floats become float32. The model must be TorchScript (torch.jit.script or trace, "
    "then "
    "save).\n"
    "\n"
    "It writes metrics.json, predictions.csv and confusion.json into $PAWL_OUTPUT_DIR, else ./pawl-out.\n"
    "Exit codes: 0 evaluated (however good the model is), 2 wrong arguments, data or model, 3 "
    "infrastructure.\n"
    "\n"
    "Examples:\n"
    "  pawl-evaluate --model model.pt --data /usr/share/datasets/fashion-mnist --mean 0.286 --std 0.353\n"
    "  pawl-evaluate --model churn.pt --data churn.csv --task binary --labels churned\n"
    "  pawl-evaluate --model resnet.pt --data photos/ --classes classes.txt --mean 0.485,0.456,0.406 \\\n"
    "      --std 0.229,0.224,0.225 --device cuda\n";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// The dataset of a stage that has one only.
std::string only_dataset() {
  std::string found;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, "PAWL_DATA_", 10) != 0) continue;
    if (!found.empty()) return {};
    found = std::strchr(*entry, '=') + 1;
  }
  return found;
}

class CommandLine {
 public:
  CommandLine();

  // Exit code of the program, or -1: go on.
  int parse(int argc, char** argv);
  const Options& options() const { return options_; }

 private:
  void add_data_options();
  void add_task_options();
  void add_machine_options();

  CLI::App app_{
      "Runs a TorchScript model over a dataset and writes what a gate judges: metrics and predictions.\n"};
  Options options_;
  Format format_ = Format::idx;
};

CommandLine::CommandLine() {
  app_.footer(kFooter);
  app_.add_option("--model", options_.model, "TorchScript file")->required();
  add_data_options();
  add_task_options();
  add_machine_options();
  options_.output = environment("PAWL_OUTPUT_DIR");
  if (options_.output.empty()) options_.output = "pawl-out";
  app_.add_option("--output", options_.output, "Folder for the results")->capture_default_str();
}

void CommandLine::add_data_options() {
  auto& data = options_.data;
  data.path = only_dataset();
  app_.add_option("--data", data.path,
                  "Dataset: a file or folder (default: the only $PAWL_DATA_<NAME> there is)");
  app_.add_option("--format", format_, "idx, npy, npz, csv or images (default: from the names of the files)")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Format>{{"idx", Format::idx},
                                                                        {"npy", Format::npy},
                                                                        {"npz", Format::npz},
                                                                        {"csv", Format::csv},
                                                                        {"images", Format::images}})
                      .description(""));
  app_.add_option("--split", data.split,
                  "Part of the dataset, as its files, arrays or folders name it (default: test)");
  app_.add_option("--labels", data.labels,
                  "Where the labels are: file (idx, npy), array (npz) or column (csv)");
  app_.add_option("--groups", data.groups, "Where the queries of a ranking are, likewise");
  app_.add_option("--mean", data.normalization.mean,
                  "Subtracted from inputs, for all channels or each: 0.485,0.456,0.406")
      ->delimiter(',');
  app_.add_option("--std", data.normalization.std, "Inputs are divided by it after that")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app_.add_option("--limit", data.limit, "Only the first so many examples")->check(CLI::PositiveNumber);
}

void CommandLine::add_task_options() {
  app_.add_option("--task", options_.task, "classification (default), binary, regression or ranking")
      ->transform(
          CLI::CheckedTransformer(std::map<std::string, Task>{{"classification", Task::classification},
                                                              {"binary", Task::binary},
                                                              {"regression", Task::regression},
                                                              {"ranking", Task::ranking}})
              .description(""));
  app_.add_option("--outputs", options_.scale, "What a classifier gives: logits (default) or probabilities")
      ->transform(
          CLI::CheckedTransformer(std::map<std::string, Scale>{{"logits", Scale::logits},
                                                               {"probabilities", Scale::probabilities}})
              .description(""));
  app_.add_option("--classes", options_.classes,
                  "File with the name of a class in each line, in the order of the model's outputs (default: "
                  "numbers, or the words of the data in order)");
  app_.add_option("--top-k", options_.top_k, "Top-k accuracies, or cuts of NDCG (default: 1,5; ranking: 10)")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app_.add_option_function<std::string>(
          "--scores", [this](const std::string& which) { options_.all_scores = which == "all"; },
          "Score columns of predictions.csv: one (default), or all: one for each class")
      ->check(CLI::IsMember({"one", "all"}));
}

void CommandLine::add_machine_options() {
  app_.add_option("--batch", options_.batch, "Examples the model gets at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  app_.add_option("--device", options_.device, "cpu, cuda or auto")
      ->capture_default_str()
      ->check(CLI::IsMember({"cpu", "cuda", "auto"}));
  app_.add_option("--threads", options_.threads,
                  "Threads of the model (default: $OMP_NUM_THREADS, else all cores)")
      ->check(CLI::Range(1, 1024));
}

int CommandLine::parse(int argc, char** argv) {
  try {
    app_.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app_.exit(error) == 0 ? 0 : 2;
  }
  if (app_.count("--format") > 0) options_.data.format = format_;
  if (options_.data.path.empty()) {
    std::fputs("pawl-evaluate: which dataset? Give --data\n", stderr);
    return 2;
  }
  return -1;
}

int exit_code(ErrorCode code) {
  const bool users = code == ErrorCode::usage || code == ErrorCode::invalid || code == ErrorCode::not_found;
  return users ? 2 : 3;
}

}  // namespace

int main(int argc, char** argv) {
  CommandLine line;
  if (const int code = line.parse(argc, argv); code >= 0) return code;
  const auto done = pawl::evaluate::evaluate(line.options());
  if (done) return 0;
  std::fprintf(stderr, "pawl-evaluate: %s\n", pawl::sanitize_for_terminal(done.error().to_string()).c_str());
  return exit_code(done.error().code());
}
