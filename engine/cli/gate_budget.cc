// pawl gate budget: how often each test set has answered a condition.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/clock.h"
#include "engine/cli/commands.h"
#include "engine/cli/output.h"
#include "engine/cli/record.h"
#include "engine/core/test_ledgers.h"
#include "engine/gate/test_ledger.h"
#include "engine/store/test_budgets.h"

namespace pawl::cli {
namespace {

struct Row {
  store::TestBudget opened;
  gate::TestBudget budget;
  gate::BudgetStanding standing = gate::BudgetStanding::open;  // by the number of uses
  int64_t scores_shown = 0;                                    // uses of which more than pass or fail is seen
  std::string last_run;
  int64_t last_ms = 0;
};

Result<std::vector<Row>> rows_of(Record& record, const std::string& project) {
  PAWL_ASSIGN(auto budgets, store::test_budgets(record.db, project));
  std::vector<Row> rows;
  for (store::TestBudget& opened : budgets) {
    PAWL_ASSIGN(auto ledger, core::load_ledger(record.db, opened.project, opened.testset));
    PAWL_ASSIGN(auto uses, store::test_uses_of(record.db, opened.project, opened.testset));
    PAWL_CHECK(ledger && !uses.empty());
    PAWL_ASSIGN(auto run, store::find_run(record.db, uses.back().run_id));
    Row row;
    row.budget = gate::budget_after(*ledger, ledger->uses.size());
    row.standing = gate::standing_by_count(row.budget);
    row.scores_shown =
        std::count_if(uses.begin(), uses.end(), [](const auto& use) { return use.revealed == "score"; });
    row.last_run = run ? fmt::format("{}", run->number) : uses.back().run_id;
    row.last_ms = uses.back().at_ms;
    row.opened = std::move(opened);
    rows.push_back(std::move(row));
  }
  return rows;
}

Json json_of(const Row& row) {
  return {{"project", row.opened.project},
          {"testset", row.opened.testset},
          {"adaptivity", row.opened.adaptivity},
          {"steps", row.opened.steps},
          {"uses", row.budget.uses},
          {"passed", row.budget.passed},
          {"standing", to_string(row.standing)},
          {"scores_shown", row.scores_shown},
          {"opened_ms", row.opened.opened_ms},
          {"last_run", row.last_run},
          {"last_ms", row.last_ms}};
}

std::string text_of(const std::vector<Row>& rows) {
  if (rows.empty()) return "No test set has answered a condition yet.\n";
  const int64_t now = SystemClock().unix_ms();
  std::vector<std::vector<Cell>> cells;
  bool scores = false;
  for (const Row& row : rows) {
    const bool spent = row.standing == gate::BudgetStanding::retired;
    scores = scores || row.scores_shown > 0;
    cells.push_back({{row.opened.project},
                     {row.opened.testset.substr(0, 12)},
                     {fmt::format("{} of {}", row.budget.uses, row.opened.steps)},
                     {row.opened.adaptivity},
                     {std::string(to_string(row.standing)), spent ? Tone::warn : Tone::plain},
                     {fmt::format("run {}, {}", row.last_run, age(row.last_ms, now))}});
  }
  std::string out =
      render_table({"project", "test set", "uses", "adaptivity", "standing", "last used by"}, cells);
  if (scores) {
    out +=
        "\nThe predictions are kept with the runs: the guarantee holds for developers who do not look at "
        "them,\nnor at scores (docs/gate.md).\n";
  }
  return out;
}

}  // namespace

int gate_budget(const Global& global, const std::string& project) {
  auto record = open_record(global.home);
  if (!record.ok()) return fail(record.error());
  auto rows = rows_of(*record, project);
  if (!rows.ok()) return fail(rows.error());
  if (!global.json) {
    print(text_of(*rows));
    return 0;
  }
  Json list = Json::array();
  for (const Row& row : *rows) list.push_back(json_of(row));
  print_json({{"test_sets", std::move(list)}});
  return 0;
}

}  // namespace pawl::cli
