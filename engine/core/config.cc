#include "engine/core/config.h"

#include <fmt/format.h>

#include "engine/base/diagnostic.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "pipelines/document.h"
#include "pipelines/reader.h"

namespace pawl::core {
namespace {

using pipeline::Field;
using pipeline::Node;
using pipeline::Reader;

// A double-quoted YAML scalar; JSON's escapes are a subset of YAML's.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : to_valid_utf8(text)) {
    if (c == '"' || c == '\\') {
      out += fmt::format("\\{}", c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

Field duration_field(Reader& reader, std::string_view name, int64_t& out) {
  return {name, [&reader, name, &out](const Node& node) {
            auto text = reader.text(node, name);
            if (!text) return;
            auto ms = parse_duration_ms(*text);
            if (!ms.ok()) return reader.error(node.span, ms.error().message());
            if (*ms < 100) return reader.error(node.span, fmt::format("'{}' must be at least 100ms", name));
            out = *ms;
          }};
}

void read_data(Reader& reader, const Node& node, std::map<std::string, std::string>& out) {
  if (!reader.is_map(node, "data")) return;
  for (const pipeline::Entry& entry : node.entries) {
    if (auto path = reader.text(entry.value, entry.key)) out[entry.key] = *path;
  }
}

void read_forge(Reader& reader, const Node& node, ForgeConfig& out) {
  if (!reader.is_map(node, "forge")) return;
  reader.fields(
      node, "forge",
      {reader.choice_field<std::string>("kind", {{"github", "github"}, {"gitea", "gitea"}}, out.kind),
       reader.text_field("api_url", out.api_url), reader.text_field("repository", out.repository),
       reader.text_field("token", out.token)});
}

Project read_project(Reader& reader, const std::string& name, const Node& node) {
  Project project;
  project.name = name;
  Field url = reader.text_field("url", project.url);
  url.required = true;
  reader.fields(node, fmt::format("project '{}'", name),
                {url,
                 reader.text_field("target", project.target),
                 reader.text_field("username", project.username),
                 reader.text_field("token", project.token),
                 {"secrets",
                  [&](const Node& value) {
                    for (pipeline::Text& text : reader.texts(value, "secrets"))
                      project.secrets.push_back(text.value);
                  }},
                 {"forge", [&](const Node& value) { read_forge(reader, value, project.forge); }},
                 {"data", [&](const Node& value) { read_data(reader, value, project.data); }}});
  return project;
}

void read_projects(Reader& reader, const Node& node, Config& config) {
  if (!reader.is_map(node, "projects")) return;
  for (const pipeline::Entry& entry : node.entries) {
    if (!valid_project_name(entry.key)) {
      reader.error(entry.key_span, fmt::format("'{}' cannot be a project's name", entry.key),
                   "letters, digits, '-', '_' and '.', at most 100");
    } else if (reader.is_map(entry.value, entry.key)) {
      config.projects[entry.key] = read_project(reader, entry.key, entry.value);
    }
  }
}

}  // namespace

bool valid_project_name(std::string_view name) {
  if (name.empty() || name.size() > 100 || name[0] == '.' || name[0] == '-') return false;
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
         std::string_view::npos;
}

std::string project_name_from_url(std::string_view url) {
  while (!url.empty() && url.back() == '/') url.remove_suffix(1);
  if (url.ends_with(".git")) url.remove_suffix(4);
  size_t at = url.find_last_of("/:");
  std::string name;
  for (char c : at == std::string_view::npos ? url : url.substr(at + 1)) {
    name += valid_project_name(std::string("x") + c) ? c : '-';
  }
  return valid_project_name(name) ? name : "project";
}

Result<Config> parse_config(std::string_view text, const std::string& file) {
  if (trim(text).empty()) return Config{};
  pipeline::Source source(file, text);
  std::vector<Diagnostic> problems;
  Config config;
  auto root = pipeline::parse_document(source, problems);
  if (root && root->kind != Node::Kind::null) {
    Reader reader(source, problems);
    if (reader.is_map(*root, "the configuration")) {
      reader.fields(*root, "the configuration",
                    {reader.text_field("listen", config.listen),
                     reader.text_field("token", config.token),
                     reader.text_field("public_url", config.public_url),
                     duration_field(reader, "reconcile", config.reconcile_ms),
                     duration_field(reader, "data_poll", config.data_poll_ms),
                     duration_field(reader, "data_quiet", config.data_quiet_ms),
                     {"projects", [&](const Node& node) { read_projects(reader, node, config); }}});
    }
  }
  for (const Diagnostic& problem : problems) {
    if (problem.level == Diagnostic::Level::error) return Error(ErrorCode::usage, render(problems));
  }
  return config;
}

Result<Config> load_config(const std::string& path) {
  auto text = read_file(path, pipeline::kMaxTextBytes);
  if (!text.ok()) {
    if (text.error().code() == ErrorCode::not_found) return Config{};
    return std::move(text).error();
  }
  return parse_config(*text, path);
}

std::string config_text(const Config& config) {
  std::string out =
      "# Written by pawl (`pawl project add`, `pawl serve`). Holds secrets: keep the mode at 0600.\n";
  auto put = [&](int indent, std::string_view key, const std::string& value) {
    if (!value.empty()) out += fmt::format("{:{}}{}: {}\n", "", indent, key, quoted(value));
  };
  put(0, "listen", config.listen);
  put(0, "token", config.token);
  put(0, "public_url", config.public_url);
  out += fmt::format("reconcile: {}ms\ndata_poll: {}ms\ndata_quiet: {}ms\n", config.reconcile_ms,
                     config.data_poll_ms, config.data_quiet_ms);
  if (config.projects.empty()) return out;
  out += "projects:\n";
  for (const auto& [name, project] : config.projects) {
    out += fmt::format("  {}:\n", quoted(name));
    put(4, "url", project.url);
    put(4, "target", project.target);
    put(4, "username", project.username);
    put(4, "token", project.token);
    if (!project.secrets.empty()) out += "    secrets:\n";
    for (const std::string& secret : project.secrets) out += fmt::format("      - {}\n", quoted(secret));
    if (!project.forge.kind.empty()) {
      out += "    forge:\n";
      put(6, "kind", project.forge.kind);
      put(6, "api_url", project.forge.api_url);
      put(6, "repository", project.forge.repository);
      put(6, "token", project.forge.token);
    }
    if (!project.data.empty()) out += "    data:\n";
    for (const auto& [dataset, path] : project.data) put(6, quoted(dataset), path);
  }
  return out;
}

Result<void> save_config(const std::string& path, const Config& config) {
  return write_file_atomic(path, config_text(config), 0600);
}

}  // namespace pawl::core
