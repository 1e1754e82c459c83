// pawl record pull, push; and what `pawl run --record` shares with them.

#include "engine/cli/record_elsewhere.h"

#include <fmt/format.h>

#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/output.h"
#include "engine/cli/project_name.h"
#include "engine/core/home.h"
#include "engine/store/database.h"

namespace pawl::cli {

Result<std::unique_ptr<record::RecordStore>> open_store(const std::string& record,
                                                        const std::string& repository) {
  const char* token = std::getenv("PAWL_TOKEN");
  PAWL_ASSIGN(auto store, record::make_store({record, repository, token != nullptr ? token : ""}));
  auto opened = store->open();
  if (opened.ok()) return store;
  return Error(ErrorCode::unavailable, opened.error().to_string(), store->name());
}

void print_left_out(const core::Merged& merged) {
  for (const std::string& file : merged.left_out)
    std::fprintf(stderr, "pawl: not in the record: %s\n", sanitize_for_terminal(file).c_str());
}

namespace {

using Merge =
    std::function<Result<core::Merged>(Db&, const core::Home&, record::RecordStore&, const std::string&)>;

Result<int> merge(const Global& global, const RecordOptions& options, const char* word, const Merge& action) {
  PAWL_ASSIGN(core::Home home, core::find_home(global.home));
  const trigger::Repository repository(options.path);
  PAWL_ASSIGN(std::string project, project_name(options.project, repository));
  PAWL_ASSIGN(auto store, open_store(options.record, options.path));
  PAWL_RETURN_IF_ERROR(make_dirs(home.root, 0700));
  PAWL_ASSIGN(FileLock lock, FileLock::try_acquire(home.lock()));
  PAWL_ASSIGN(Db db, store::open_record(home.database()));
  PAWL_ASSIGN(core::Merged merged, action(db, home, *store, project));
  print_left_out(merged);
  if (global.json) {
    print_json({{"project", project}, {word, merged.entries}, {"left_out", merged.left_out}});
  } else {
    print(fmt::format("{}: {} {} {}\n", project, merged.entries, merged.entries == 1 ? "entry" : "entries",
                      word));
  }
  return 0;
}

int finish(Result<int> result) {
  return result.ok() ? *result : fail(result.error());
}

}  // namespace

int record_pull(const Global& global, const RecordOptions& options) {
  return finish(merge(global, options, "pulled",
                      [&](Db& db, const core::Home&, record::RecordStore& store, const std::string& project) {
                        const trigger::Repository repository(options.path);
                        return core::pull_record(db, store, project, &repository);
                      }));
}

int record_push(const Global& global, const RecordOptions& options) {
  return finish(
      merge(global, options, "pushed",
            [](Db& db, const core::Home& home, record::RecordStore& store, const std::string& project) {
              return core::push_record(db, store::Cas(home.cas()), store, project, core::machine_name());
            }));
}

}  // namespace pawl::cli
