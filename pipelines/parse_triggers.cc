#include <fmt/format.h>

#include <algorithm>

#include "pipelines/sections.h"

namespace pawl::pipeline {
namespace {

EventFilter read_filter(Reader& reader, const Node& node, std::string_view name) {
  EventFilter filter;
  if (node.kind == Node::Kind::null) return filter;  // `push:` alone
  if (!reader.is_map(node, name)) return filter;
  reader.fields(
      node, fmt::format("on.{}", name),
      {reader.globs_field("branches", true, filter.branches), reader.globs_field("paths", true, filter.paths),
       reader.globs_field("paths_ignore", false, filter.paths_ignore)});
  return filter;
}

std::vector<Cron> read_schedule(Reader& reader, const Node& node) {
  std::vector<Cron> out;
  for (const Text& line : reader.distinct(node, "schedule")) {
    auto cron = Cron::parse(line.value);
    if (cron) {
      out.push_back(*std::move(cron));
    } else {
      reader.error(line.span, cron.error().message());
    }
  }
  return out;
}

// `on: push` and `on: [push, manual]`
void read_event_names(Reader& reader, const Node& node, Triggers& on) {
  const std::vector<std::string> known = {"push", "pull_request", "manual", "data", "schedule"};
  for (const Text& event : reader.distinct(node, "on")) {
    if (event.value == "push") {
      on.push.emplace();
    } else if (event.value == "pull_request") {
      on.pull_request.emplace();
    } else if (event.value == "data" || event.value == "schedule") {
      reader.error(event.span, fmt::format("'{}' needs a value", event.value),
                   fmt::format("write `on` as a map: {}: [...]", event.value));
    } else if (event.value != "manual") {
      reader.unknown(event.span, "event", event.value, known);
    }
  }
}

}  // namespace

TriggerSection read_triggers(Reader& reader, const Node& node) {
  TriggerSection out;
  Triggers& on = out.on;
  if (node.kind != Node::Kind::map) {
    read_event_names(reader, node, on);
    return out;
  }
  reader.fields(
      node, "on",
      {{"push", [&](const Node& n) { on.push = read_filter(reader, n, "push"); }},
       {"pull_request", [&](const Node& n) { on.pull_request = read_filter(reader, n, "pull_request"); }},
       {"data", [&](const Node& n) { out.data = reader.distinct(n, "data"); }},
       {"schedule", [&](const Node& n) { on.schedule = read_schedule(reader, n); }},
       reader.boolean_field("manual", on.manual)});
  for (const Text& name : out.data) on.data.push_back(name.value);
  return out;
}

}  // namespace pawl::pipeline
