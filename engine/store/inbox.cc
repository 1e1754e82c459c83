#include "engine/store/inbox.h"

namespace pawl::store {
namespace {

Result<std::vector<Delivery>> read_all(Stmt row) {
  std::vector<Delivery> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out.push_back({row.integer(0), row.string(1), row.string(2), row.string(3), row.string(4),
                   std::string(row.blob(5)), row.integer(6), row.string(7), row.integer(8), row.string(9)});
  }
}

}  // namespace

Result<bool> insert_delivery(Db& db, const Delivery& d) {
  PAWL_RETURN_IF_ERROR(
      db.run("INSERT INTO deliveries (project, delivery_id, forge, event, body, received_ms)"
             " VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING",
             d.project, d.delivery_id, d.forge, d.event, BlobView{d.body}, d.received_ms));
  return db.changes() > 0;
}

Result<std::vector<Delivery>> pending_deliveries(Db& db, std::string_view project, int64_t limit) {
  PAWL_ASSIGN(
      Stmt row,
      db.prepare("SELECT id, project, delivery_id, forge, event, body, received_ms, state, tries, note"
                 " FROM deliveries WHERE state='pending' AND project=? ORDER BY id LIMIT ?"));
  row.bind_all(project, limit);
  return read_all(std::move(row));
}

Result<void> settle_delivery(Db& db, int64_t id, std::string_view state, std::string_view note) {
  return db.run("UPDATE deliveries SET state=?2, note=?3, tries=tries+1 WHERE id=?1", id, state, note);
}

Result<void> count_delivery_try(Db& db, int64_t id, std::string_view note) {
  return db.run("UPDATE deliveries SET tries=tries+1, note=?2 WHERE id=?1", id, note);
}

Result<std::vector<Delivery>> list_deliveries(Db& db, std::string_view project, int64_t limit) {
  PAWL_ASSIGN(Stmt row,
              db.prepare("SELECT id, project, delivery_id, forge, event, x'', received_ms, state, tries, note"
                         " FROM deliveries WHERE ?1='' OR project=?1 ORDER BY id DESC LIMIT ?2"));
  row.bind_all(project, limit);
  return read_all(std::move(row));
}

}  // namespace pawl::store
