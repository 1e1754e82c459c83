#include "engine/store/test_budgets.h"

namespace pawl::store {
namespace {

TestBudget read_budget(const Stmt& row) {
  return {row.string(0), row.string(1), row.string(2), row.integer(3), row.integer(4)};
}

}  // namespace

Result<void> open_test_budget(Db& db, const TestBudget& b) {
  return db.run(
      "INSERT INTO test_budgets (project, testset, adaptivity, steps, opened_ms) VALUES (?,?,?,?,?)"
      " ON CONFLICT (project, testset) DO NOTHING",
      b.project, b.testset, b.adaptivity, b.steps, b.opened_ms);
}

Result<void> insert_test_use(Db& db, std::string_view project, std::string_view testset, const TestUse& u) {
  return db.run(
      "INSERT INTO test_uses (project, testset, number, run_id, asked, model, baseline, passed, revealed,"
      " at_ms) VALUES (?,?,?,?,?,?,?,?,?,?)",
      project, testset, u.number, u.run_id, u.asked, u.model, u.baseline, u.passed ? 1 : 0, u.revealed,
      u.at_ms);
}

Result<std::optional<TestBudget>> test_budget_of(Db& db, std::string_view project, std::string_view testset) {
  PAWL_ASSIGN(Stmt row, db.prepare("SELECT project, testset, adaptivity, steps, opened_ms FROM test_budgets"
                                   " WHERE project=? AND testset=?"));
  row.bind_all(project, testset);
  PAWL_ASSIGN(bool found, row.step());
  if (!found) return std::optional<TestBudget>();
  return std::optional<TestBudget>(read_budget(row));
}

Result<std::vector<TestBudget>> test_budgets(Db& db, std::string_view project) {
  PAWL_ASSIGN(Stmt row, db.prepare("SELECT project, testset, adaptivity, steps, opened_ms FROM test_budgets"
                                   " WHERE ?1='' OR project=?1 ORDER BY opened_ms DESC, project, testset"));
  row.bind_all(project);
  std::vector<TestBudget> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out.push_back(read_budget(row));
  }
}

Result<std::vector<TestUse>> test_uses_of(Db& db, std::string_view project, std::string_view testset) {
  PAWL_ASSIGN(Stmt row, db.prepare("SELECT number, run_id, asked, model, baseline, passed, revealed, at_ms"
                                   " FROM test_uses WHERE project=? AND testset=? ORDER BY number"));
  row.bind_all(project, testset);
  std::vector<TestUse> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out.push_back({row.integer(0), row.string(1), row.string(2), row.string(3), row.string(4),
                   row.integer(5) != 0, row.string(6), row.integer(7)});
  }
}

Result<int64_t> last_test_use(Db& db, std::string_view project, std::string_view testset) {
  PAWL_ASSIGN(auto number, db.query_int("SELECT max(number) FROM test_uses WHERE project=? AND testset=?",
                                        project, testset));
  return number.value_or(0);
}

}  // namespace pawl::store
