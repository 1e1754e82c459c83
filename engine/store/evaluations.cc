#include "engine/store/evaluations.h"

namespace pawl::store {
namespace {

Result<void> read_testsets(Db& db, Evaluation& evaluation) {
  PAWL_ASSIGN(Stmt row,
              db.prepare("SELECT file, testset FROM evaluation_vectors WHERE run_id=? AND stage=?"));
  row.bind_all(evaluation.run_id, evaluation.stage);
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return {};
    evaluation.testsets[row.string(0)] = row.string(1);
  }
}

constexpr const char* kSelect = "SELECT run_id, stage, project, model, evaluator FROM evaluations ";

Result<std::vector<Evaluation>> read_all(Db& db, Stmt& row) {
  std::vector<Evaluation> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) break;
    out.push_back({row.string(0), row.string(1), row.string(2), row.string(3), row.string(4)});
  }
  for (Evaluation& evaluation : out) PAWL_RETURN_IF_ERROR(read_testsets(db, evaluation));
  return out;
}

}  // namespace

Result<void> insert_evaluation(Db& db, const Evaluation& e) {
  PAWL_RETURN_IF_ERROR(
      db.run("INSERT INTO evaluations (run_id, stage, project, model, evaluator) VALUES (?,?,?,?,?)",
             e.run_id, e.stage, e.project, e.model, e.evaluator));
  for (const auto& [file, testset] : e.testsets) {
    PAWL_RETURN_IF_ERROR(
        db.run("INSERT INTO evaluation_vectors (run_id, stage, file, testset) VALUES (?,?,?,?)", e.run_id,
               e.stage, file, testset));
  }
  return {};
}

Result<std::vector<Evaluation>> evaluations_of(Db& db, std::string_view run_id) {
  PAWL_ASSIGN(Stmt row, db.prepare(std::string(kSelect) + "WHERE run_id=? ORDER BY stage"));
  row.bind_all(run_id);
  return read_all(db, row);
}

Result<std::optional<Evaluation>> evaluation_of(Db& db, std::string_view run_id, std::string_view stage) {
  PAWL_ASSIGN(Stmt row, db.prepare(std::string(kSelect) + "WHERE run_id=? AND stage=?"));
  row.bind_all(run_id, stage);
  PAWL_ASSIGN(auto found, read_all(db, row));
  return found.empty() ? std::optional<Evaluation>() : std::optional<Evaluation>(std::move(found.front()));
}

Result<std::optional<Evaluation>> find_evaluation(Db& db, std::string_view project, std::string_view model,
                                                  std::string_view evaluator,
                                                  const std::map<std::string, std::string>& testsets) {
  PAWL_ASSIGN(Stmt row, db.prepare(std::string(kSelect) +
                                   "WHERE project=? AND model=? AND evaluator=? ORDER BY run_id DESC"));
  row.bind_all(project, model, evaluator);
  PAWL_ASSIGN(auto found, read_all(db, row));
  for (Evaluation& evaluation : found) {
    if (evaluation.testsets == testsets) return std::optional<Evaluation>(std::move(evaluation));
  }
  return std::optional<Evaluation>();
}

}  // namespace pawl::store
