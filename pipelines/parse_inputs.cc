// The sections that say what goes into the stages: `data` and `env`.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "engine/base/text.h"
#include "pipelines/sections.h"

namespace pawl::pipeline {
namespace {

constexpr size_t kMaxDatasets = 100;
constexpr size_t kMaxPath = 1024;
constexpr size_t kMaxEnvBytes = 256 << 10;  // the kernel takes 2 MiB for all arguments and variables
constexpr size_t kMaxEnvValue = 64 << 10;   // and 128 KiB for one

struct ReservedEnv {
  std::string_view name;  // a trailing '*' stands for any ending
  std::string_view why;
};

constexpr std::string_view kContract = "Pawl sets it for every rank";
constexpr std::string_view kLoader = "it changes how programs are loaded, those of Pawl too";
constexpr std::string_view kShell = "it changes what the shell does before the stage's own command";

constexpr ReservedEnv kReservedEnv[] = {
    {"PAWL", kContract},
    {"PAWL_*", kContract},
    {"RANK", kContract},
    {"LOCAL_RANK", kContract},
    {"GROUP_RANK", kContract},
    {"ROLE_RANK", kContract},
    {"WORLD_SIZE", kContract},
    {"LOCAL_WORLD_SIZE", kContract},
    {"ROLE_WORLD_SIZE", kContract},
    {"MASTER_ADDR", kContract},
    {"MASTER_PORT", kContract},
    {"TORCHELASTIC_*", kContract},
    {"CUDA_VISIBLE_DEVICES", "Pawl hands out the GPUs: ask for them with 'gpus'"},
    {"LD_*", kLoader},
    {"GLIBC_TUNABLES", kLoader},
    {"ENV", kShell},
    {"BASH_ENV", kShell},
    {"BASH_FUNC_*", kShell},
    {"BASHOPTS", kShell},
    {"SHELLOPTS", kShell},
    {"IFS", kShell},
};

const ReservedEnv* find_reserved(std::string_view name) {
  auto fits = [name](const ReservedEnv& reserved) {
    if (!reserved.name.ends_with('*')) return name == reserved.name;
    return name.starts_with(reserved.name.substr(0, reserved.name.size() - 1));
  };
  auto found = std::find_if(std::begin(kReservedEnv), std::end(kReservedEnv), fits);
  return found == std::end(kReservedEnv) ? nullptr : found;
}

bool is_env_name(std::string_view name) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  auto rest = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 255 && letter(name[0]) &&
         std::all_of(name.begin(), name.end(), rest);
}

void check_env_name(Reader& reader, const Entry& entry) {
  if (!is_env_name(entry.key)) {
    reader.error(entry.key_span,
                 fmt::format("'{}' is not a name of a variable", to_valid_utf8(entry.key, 80)),
                 "letters, digits and '_', no digit first");
  } else if (const ReservedEnv* reserved = find_reserved(entry.key)) {
    reader.error(entry.key_span, fmt::format("'{}' cannot be set here: {}", entry.key, reserved->why),
                 reserved->why == kLoader || reserved->why == kShell
                     ? "a stage that needs it can export it in 'setup'"
                     : "");
  }
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

void check_data_path(Reader& reader, const Node& node, const std::string& path) {
  if (path.size() > kMaxPath || has_control_character(path)) {
    reader.error(node.span, "not a usable path");
  } else if (path.starts_with('~') || path.find('$') != std::string::npos) {
    reader.error(node.span, "'~' and variables are not expanded in paths", "write the path out");
  } else if (!path.starts_with('/')) {
    std::vector<std::string_view> parts = split(path, '/');
    if (std::find(parts.begin(), parts.end(), "..") != parts.end())
      reader.error(node.span, "a relative path must stay within the repository",
                   "a run has its own checkout, so what is beside it differs; write an absolute path");
  }
}

void read_keep(Reader& reader, const Node& node, bool& copy) {
  const auto word = reader.text(node, "keep");
  if (!word) return;
  if (*word == "copy") {
    copy = true;
  } else if (*word != "reference") {
    reader.unknown(node.span, "way to keep data", *word, {"copy", "reference"});
  }
}

Dataset read_dataset(Reader& reader, const Entry& entry, std::vector<Text>& disjoint) {
  Dataset dataset;
  dataset.name = entry.key;
  std::string what = fmt::format("data.{}", entry.key);
  if (!reader.is_map(entry.value, what)) return dataset;
  auto read_path = [&](const Node& node) {
    if (auto path = reader.text(node, "path")) {
      check_data_path(reader, node, *path);
      dataset.path = *std::move(path);
    }
  };
  reader.fields(entry.value, what,
                {{"path", read_path, true},
                 reader.globs_field("include", true, dataset.include),
                 reader.globs_field("exclude", false, dataset.exclude),
                 {"disjoint_from",
                  [&](const Node& n) {
                    for (Text& name : reader.distinct(n, "disjoint_from")) {
                      dataset.disjoint_from.push_back(name.value);
                      disjoint.push_back(std::move(name));
                    }
                  }},
                 {"keep", [&](const Node& n) { read_keep(reader, n, dataset.keep_copy); }}});
  return dataset;
}

}  // namespace

DataSection read_data(Reader& reader, const Node& node) {
  DataSection out;
  if (!reader.is_map(node, "data")) return out;
  if (node.entries.size() > kMaxDatasets)
    reader.error(node.span, fmt::format("more than {} datasets", kMaxDatasets));
  std::unordered_map<std::string, std::string> variables;  // and whose they are
  for (const Entry& entry : node.entries) {
    if (!is_name(entry.key)) {
      reader.error(entry.key_span, fmt::format("'{}' is not a name", to_valid_utf8(entry.key, 80)),
                   "a small letter, then small letters, digits, '-' and '_', at most 63");
      continue;
    }
    auto [other, fresh] = variables.emplace(env_suffix(entry.key), entry.key);
    if (!fresh)
      reader.error(entry.key_span, fmt::format("'{}' and '{}' would share the variable PAWL_DATA_{}",
                                               entry.key, other->second, other->first));
    out.data.push_back(read_dataset(reader, entry, out.disjoint));
    const std::vector<std::string>& disjoint = out.data.back().disjoint_from;
    if (std::find(disjoint.begin(), disjoint.end(), entry.key) != disjoint.end())
      reader.error(entry.key_span, fmt::format("dataset '{}' cannot be disjoint from itself", entry.key));
  }
  return out;
}

std::map<std::string, std::string> read_env(Reader& reader, const Node& node) {
  std::map<std::string, std::string> out;
  if (!reader.is_map(node, "env")) return out;
  size_t bytes = 0;
  for (const Entry& entry : node.entries) {
    check_env_name(reader, entry);
    if (entry.value.kind != Node::Kind::scalar) {
      reader.wrong_type(entry.value, entry.key, "a text", "write \"\" for an empty value");
      continue;
    }
    if (entry.value.text.size() > kMaxEnvValue)
      reader.error(entry.value.span, fmt::format("longer than {}", format_bytes(kMaxEnvValue)));
    bytes += entry.key.size() + entry.value.text.size();
    out.emplace(entry.key, entry.value.text);
  }
  if (bytes > kMaxEnvBytes)
    reader.error(node.span, fmt::format("'env' holds more than {}", format_bytes(kMaxEnvBytes)));
  return out;
}

}  // namespace pawl::pipeline
