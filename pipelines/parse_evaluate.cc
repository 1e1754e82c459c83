// `with:` of a stage that uses `evaluate`, into the command line of pawl-evaluate (docs/evaluate.md).
#include <fmt/format.h>

#include <algorithm>

#include "engine/base/text.h"
#include "pipelines/sections.h"

namespace pawl::pipeline {
namespace {

constexpr int64_t kMaxBatch = 1 << 20;
constexpr int64_t kMaxExamples = 1'000'000'000;
constexpr int64_t kMaxTopK = 1'000'000;
constexpr size_t kMaxListItems = 1000;

// Collects the arguments, quoted for the shell.
class Arguments {
 public:
  explicit Arguments(Reader& reader) : reader_(reader) {}

  Field text(std::string_view name, const char* flag) {
    return {name, [this, name, flag](const Node& node) {
              if (auto value = reader_.text(node, name)) add(flag, shell_quote(*value));
            }};
  }

  Field word(std::string_view name, const char* flag, std::vector<std::string> words) {
    return {name, [this, name, flag, words = std::move(words)](const Node& node) {
              if (auto index = reader_.choice(node, name, words)) add(flag, words[*index]);
            }};
  }

  Field integer(std::string_view name, const char* flag, int64_t max) {
    return {name, [this, name, flag, max](const Node& node) {
              if (auto value = reader_.integer(node, name, 1, max)) add(flag, std::to_string(*value));
            }};
  }

  // One number or a list of them; `read` gives the text of one.
  template <class Read>
  Field list(std::string_view name, const char* flag, Read read) {
    return {name, [this, name, flag, read](const Node& node) {
              std::vector<std::string> texts;
              for (const Node& item : items_of(node, name))
                if (std::optional<std::string> text = read(item)) texts.push_back(*std::move(text));
              add(flag, join(texts, ","));
            }};
  }

  void add(const char* flag, const std::string& value) { text_ += fmt::format(" {}={}", flag, value); }
  const std::string& line() const { return text_; }

 private:
  std::vector<Node> items_of(const Node& node, std::string_view name) {
    if (node.kind != Node::Kind::sequence) return {node};
    if (node.items.empty()) reader_.error(node.span, fmt::format("'{}' is empty", name));
    if (node.items.size() > kMaxListItems)
      reader_.error(node.span, fmt::format("'{}' has more than {} values", name, kMaxListItems));
    return node.items;
  }

  Reader& reader_;
  std::string text_;
};

std::string model_path(Reader& reader, const Node& with, const std::string& model,
                       const std::optional<Text>& from) {
  if (!from) return shell_quote(model);
  const std::vector<std::string_view> parts = split(model, '/');
  const bool inside = std::none_of(parts.begin(), parts.end(), [](std::string_view part) {
    return part.empty() || part == "." || part == "..";
  });
  if (!inside)
    reader.error(with.span,
                 fmt::format("'model' must be a path within the output of stage '{}'", from->value));
  return fmt::format("\"$PAWL_STAGE_{}_DIR\"/{}", env_suffix(from->value), shell_quote(model));
}

}  // namespace

EvaluateSection read_evaluate(Reader& reader, const Node& with) {
  EvaluateSection out;
  if (!reader.is_map(with, "with")) return out;
  Arguments arguments(reader);
  std::string model;
  const auto reference = [&reader](std::string_view name, std::optional<Text>& to) {
    return Field{name, [&reader, name, &to](const Node& node) {
                   if (auto value = reader.text(node, name)) to = Text{*std::move(value), node.span};
                 }};
  };
  const auto number = [&reader](std::string_view name, bool positive) {
    return [&reader, name, positive](const Node& node) -> std::optional<std::string> {
      const auto value = reader.number(node, name);
      if (value && positive && *value <= 0)
        reader.error(node.span, fmt::format("'{}' must be above 0", name));
      return value ? std::optional(fmt::format("{}", *value)) : std::nullopt;
    };
  };
  const auto rank = [&reader](const Node& node) -> std::optional<std::string> {
    const auto value = reader.integer(node, "top_k", 1, kMaxTopK);
    return value ? std::optional(std::to_string(*value)) : std::nullopt;
  };
  Field model_field = reader.text_field("model", model);
  model_field.required = true;
  reader.fields(
      with, "with",
      {model_field, reference("from", out.from), reference("data", out.data),
       arguments.word("task", "--task", {"classification", "binary", "regression", "ranking"}),
       arguments.word("outputs", "--outputs", {"logits", "probabilities"}),
       arguments.word("format", "--format", {"idx", "npy", "npz", "csv", "images"}),
       arguments.text("split", "--split"), arguments.text("labels", "--labels"),
       arguments.text("groups", "--groups"), arguments.text("classes", "--classes"),
       arguments.list("mean", "--mean", number("mean", false)),
       arguments.list("std", "--std", number("std", true)), arguments.list("top_k", "--top-k", rank),
       arguments.word("scores", "--scores", {"one", "all"}), arguments.integer("batch", "--batch", kMaxBatch),
       arguments.integer("limit", "--limit", kMaxExamples),
       arguments.word("device", "--device", {"cpu", "cuda", "auto"})});
  out.command = "pawl-evaluate --model=" + model_path(reader, with, model, out.from);
  if (out.data) out.command += fmt::format(" --data=\"$PAWL_DATA_{}\"", env_suffix(out.data->value));
  out.command += arguments.line();
  return out;
}

}  // namespace pawl::pipeline
