#include "pipelines/needs.h"

#include <algorithm>
#include <unordered_map>

namespace pawl::pipeline {
namespace {

using Graph = std::vector<std::vector<size_t>>;  // for each stage, the indices of what it needs

Graph graph_of(const std::vector<Stage>& stages) {
  std::unordered_map<std::string_view, size_t> index;
  for (size_t i = 0; i < stages.size(); ++i) index.emplace(stages[i].name, i);
  Graph graph(stages.size());
  for (size_t i = 0; i < stages.size(); ++i) {
    for (const std::string& need : stages[i].needs) {
      if (auto found = index.find(need); found != index.end()) graph[i].push_back(found->second);
    }
  }
  return graph;
}

// Depth-first search; `path` holds the stages being visited. True when it has found its way back to one of
// them: path then ends with that stage.
bool walk(const Graph& graph, size_t stage, std::vector<size_t>& path, std::vector<bool>& done) {
  bool open = std::find(path.begin(), path.end(), stage) != path.end();
  path.push_back(stage);
  if (open) return true;
  for (size_t need : graph[stage]) {
    if (!done[need] && walk(graph, need, path, done)) return true;
  }
  done[stage] = true;
  path.pop_back();
  return false;
}

}  // namespace

std::vector<std::string> find_cycle(const std::vector<Stage>& stages) {
  Graph graph = graph_of(stages);
  std::vector<bool> done(stages.size());
  for (size_t i = 0; i < stages.size(); ++i) {
    std::vector<size_t> path;
    if (done[i] || !walk(graph, i, path, done)) continue;
    std::vector<std::string> cycle;
    for (auto at = std::find(path.begin(), path.end(), path.back()); at != path.end(); ++at)
      cycle.push_back(stages[*at].name);
    return cycle;
  }
  return {};
}

std::vector<Stage> in_topological_order(std::vector<Stage> stages) {
  Graph graph = graph_of(stages);
  std::vector<bool> placed(stages.size());
  auto ready = [&](size_t i) {
    return !placed[i] &&
           std::all_of(graph[i].begin(), graph[i].end(), [&](size_t need) { return placed[need]; });
  };
  std::vector<Stage> order;
  while (order.size() < stages.size()) {
    size_t next = 0;
    while (next < stages.size() && !ready(next)) ++next;
    PAWL_CHECK(next < stages.size());
    placed[next] = true;
    order.push_back(std::move(stages[next]));
  }
  return order;
}

}  // namespace pawl::pipeline
