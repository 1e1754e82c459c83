#include "engine/store/test_budgets.h"

#include <string>

namespace pawl::store {
namespace {

TestBudget read_budget(const Stmt& row) {
  return {row.string(0), row.string(1), row.string(2), row.integer(3), row.integer(4)};
}

Result<void> insert_use(Db& db, std::string_view verb, std::string_view project, std::string_view testset,
                        const TestUse& u) {
  return db.run(std::string(verb) +
                    " INTO test_uses (project, testset, number, run_id, asked, model, baseline, passed,"
                    " revealed, at_ms) VALUES (?,?,?,?,?,?,?,?,?,?)",
                project, testset, u.number, u.run_id, u.asked, u.model, u.baseline, u.passed ? 1 : 0,
                u.revealed, u.at_ms);
}

// From column `first` on.
TestUse read_use(const Stmt& row, int first) {
  return {row.integer(first),    row.string(first + 1),       row.string(first + 2), row.string(first + 3),
          row.string(first + 4), row.integer(first + 5) != 0, row.string(first + 6), row.integer(first + 7)};
}

}  // namespace

Result<void> open_test_budget(Db& db, const TestBudget& b) {
  return db.run(
      "INSERT INTO test_budgets (project, testset, adaptivity, steps, opened_ms) VALUES (?,?,?,?,?)"
      " ON CONFLICT (project, testset) DO NOTHING",
      b.project, b.testset, b.adaptivity, b.steps, b.opened_ms);
}

Result<void> insert_test_use(Db& db, std::string_view project, std::string_view testset, const TestUse& u) {
  PAWL_ASSIGN(auto taken, db.query_int("SELECT 1 FROM test_uses WHERE project=? AND testset=? AND number=?",
                                       project, testset, u.number));
  if (taken) return Error(ErrorCode::conflict, "this use of the test set is on record");
  return insert_use(db, "INSERT", project, testset, u);
}

Result<void> merge_test_use(Db& db, const TestBudget& b, const TestUse& use) {
  PAWL_RETURN_IF_ERROR(db.run(
      "INSERT INTO test_budgets (project, testset, adaptivity, steps, opened_ms) VALUES (?,?,?,?,?)"
      " ON CONFLICT (project, testset) DO UPDATE SET adaptivity=excluded.adaptivity, steps=excluded.steps,"
      " opened_ms=excluded.opened_ms WHERE (excluded.opened_ms, excluded.steps, excluded.adaptivity)"
      " < (test_budgets.opened_ms, test_budgets.steps, test_budgets.adaptivity)",
      b.project, b.testset, b.adaptivity, b.steps, b.opened_ms));
  return insert_use(db, "INSERT OR IGNORE", b.project, b.testset, use);
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
  PAWL_ASSIGN(Stmt row,
              db.prepare("SELECT number, run_id, asked, model, baseline, passed, revealed, at_ms"
                         " FROM test_uses WHERE project=? AND testset=? ORDER BY number, at_ms, run_id"));
  row.bind_all(project, testset);
  std::vector<TestUse> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out.push_back(read_use(row, 0));
  }
}

Result<int64_t> count_test_uses(Db& db, std::string_view project, std::string_view testset) {
  PAWL_ASSIGN(auto number,
              db.query_int("SELECT count(*) FROM test_uses WHERE project=? AND testset=?", project, testset));
  return number.value_or(0);
}

Result<std::vector<std::pair<TestBudget, TestUse>>> test_uses_by(Db& db, std::string_view run_id) {
  PAWL_ASSIGN(
      Stmt row,
      db.prepare("SELECT b.project, b.testset, b.adaptivity, b.steps, b.opened_ms, u.number, u.run_id,"
                 " u.asked, u.model, u.baseline, u.passed, u.revealed, u.at_ms FROM test_uses u"
                 " JOIN test_budgets b ON b.project=u.project AND b.testset=u.testset"
                 " WHERE u.run_id=? ORDER BY u.testset, u.number"));
  row.bind_all(run_id);
  std::vector<std::pair<TestBudget, TestUse>> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out.emplace_back(read_budget(row), read_use(row, 5));
  }
}

}  // namespace pawl::store
