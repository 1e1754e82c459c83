#include "engine/http/record_routes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/core/merge_record.h"
#include "engine/record/daemon_store.h"
#include "engine/record/entry.h"
#include "engine/store/cas.h"
#include "engine/store/database.h"

namespace pawl::http {
namespace {

// An entry as a JSON string, every byte of it escaped.
constexpr std::size_t kMaxEntriesBody = 2 * record::kMaxEntryBytes + (8u << 20);

Error invalid(std::string message) {
  return Error(ErrorCode::invalid, std::move(message));
}

Result<std::string> project_of(const Request& request) {
  const std::string& project = request.param("project");
  if (record::is_project(project)) return project;
  return invalid("'" + to_valid_utf8(project, 100) + "' cannot be a project's name");
}

Result<std::vector<record::Entry>> read_entries(const Request& request) {
  PAWL_ASSIGN(std::string project, project_of(request));
  PAWL_ASSIGN(Json json, parse_json(request.body, "request body"));
  const Json list = json.is_object() ? json.value("entries", Json()) : Json();
  if (!list.is_array())
    return invalid("the body must be {\"entries\": [{\"name\": \"...\", \"text\": \"...\"}, ...]}");
  std::vector<record::Entry> out;
  for (const Json& item : list) {
    PAWL_ASSIGN(record::Entry entry,
                record::read_entry(json_string(item, "name"), json_string(item, "text")));
    if (record::project_of(entry) != project) return invalid("an entry is of another project");
    out.push_back(std::move(entry));
  }
  return out;
}

Result<std::uint64_t> query_number(const Request& request, std::string_view name) {
  const std::string* text = request.query_value(name);
  auto number = text != nullptr ? parse_int(*text) : Result<int64_t>(invalid(""));
  if (!number.ok() || *number < 0) return invalid(fmt::format("'{}' must be a whole number", name));
  return static_cast<std::uint64_t>(*number);
}

Result<std::string> query_upload(const Request& request) {
  const std::string* id = request.query_value("upload");
  const bool fits =
      id != nullptr && id->size() == 32 && id->find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!fits) return invalid("'upload' must be 32 hexadecimal digits, of the sender's choice");
  return *id;
}

// Where the pieces of files are put together. Each upload has a file of its own, so two of the same content
// do no harm; what nobody finished goes when the daemon starts anew.
class Uploads {
 public:
  explicit Uploads(const core::Home& home) : folder_(home.root + "/uploads"), cas_(home.cas()) {
    (void)remove_tree(folder_);
  }

  // True: that was the last piece, and the file is there.
  Result<bool> take(const Request& request) const {
    const std::string& digest = request.param("digest");
    PAWL_ASSIGN(std::string upload, query_upload(request));
    PAWL_ASSIGN(std::uint64_t offset, query_number(request, "offset"));
    PAWL_ASSIGN(std::uint64_t bytes, query_number(request, "bytes"));
    const std::string& piece = request.body;
    if (bytes > record::kMaxDaemonFileBytes || offset > bytes || piece.size() > bytes - offset)
      return invalid("the piece does not fit into the file, or the file is too large");
    PAWL_RETURN_IF_ERROR(make_dirs(folder_, 0700));
    const std::string path = folder_ + "/" + upload;
    PAWL_RETURN_IF_ERROR(append(path, offset, piece));
    if (offset + piece.size() < bytes) return false;
    auto stored = cas_.put_file(path);
    unlink(path.c_str());
    if (!stored.ok()) return std::move(stored).error();
    if (stored->digest != digest) return invalid("the content has another digest than its name");
    return true;
  }

 private:
  static Result<void> append(const std::string& path, std::uint64_t offset, const std::string& piece) {
    UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    struct stat st {};
    if (!file || fstat(file.get(), &st) != 0) return errno_error("cannot write", path, errno);
    if (static_cast<std::uint64_t>(st.st_size) != offset)
      return Error(ErrorCode::conflict, "the pieces of the file are not in order: send it again");
    return write_all(file.get(), piece);
  }

  std::string folder_;
  store::Cas cas_;
};

}  // namespace

void add_record_routes(Router& router, core::Engine& engine, EventLoop& engine_loop, WorkerPool& pool) {
  const core::Home home = engine.home();
  using Query = std::function<Result<Response>(const Request&)>;
  const auto on_pool = [&pool](Query query) -> Handler {
    return [&pool, query = std::move(query)](Request request, const Responder& respond) {
      pool.submit([query, request = std::move(request), respond] {
        auto response = query(request);
        respond(response.ok() ? std::move(*response) : error_response(response.error()));
      });
    };
  };
  router.add("GET", "/api/v1/record", [](const Request&, const Responder& respond) {
    respond(json_response(200, {{"format", 1}}));
  });
  router.add("GET", "/api/v1/record/projects/{project}/entries",
             on_pool([home](const Request& request) -> Result<Response> {
               PAWL_ASSIGN(std::string project, project_of(request));
               PAWL_ASSIGN(Db db, store::open_record_for_reading(home.database()));
               PAWL_ASSIGN(auto names, core::entry_names(db, project));
               return json_response(200, {{"entries", names}});
             }));
  router.add("GET", "/api/v1/record/projects/{project}/entries/{name}",
             on_pool([home](const Request& request) -> Result<Response> {
               PAWL_ASSIGN(std::string project, project_of(request));
               PAWL_ASSIGN(Db db, store::open_record_for_reading(home.database()));
               PAWL_ASSIGN(auto entry,
                           core::make_entry(db, project, request.param("name"), core::machine_name()));
               return text_response(200, "text/plain; charset=utf-8", record::write_entry(entry));
             }));
  router.add(
      "POST", "/api/v1/record/projects/{project}/entries",
      [&engine, &engine_loop, &pool](Request request, const Responder& respond) {
        pool.submit([&engine, &engine_loop, request = std::move(request), respond] {
          auto entries = read_entries(request);
          if (!entries.ok()) return respond(error_response(entries.error()));
          engine_loop.post([&engine, project = request.param("project"), entries = std::move(*entries),
                            respond] {
            auto added = engine.import_record(project, entries);
            respond(added.ok() ? json_response(200, {{"new_runs", *added}}) : error_response(added.error()));
          });
        });
      },
      {Access::token, kMaxEntriesBody});
  router.add("GET", "/api/v1/record/files/{digest}",
             on_pool([home](const Request& request) -> Result<Response> {
               PAWL_ASSIGN(std::string path, store::Cas(home.cas()).path_of(request.param("digest")));
               UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
               if (!file) return errno_error("cannot open", path, errno);
               return file_response(std::move(file), "application/octet-stream");
             }));
  router.add("POST", "/api/v1/record/files/{digest}",
             on_pool([uploads = Uploads(home)](const Request& request) -> Result<Response> {
               PAWL_ASSIGN(bool whole, uploads.take(request));
               return json_response(200, {{"whole", whole}});
             }),
             {Access::token, record::kPieceBytes});
}

}  // namespace pawl::http
