// The sub-commands as functions: main.cc turns arguments into these values, each file here does one command
// (or a few that belong together). All return the process's exit code.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "pipelines/capture.h"

namespace pawl::cli {

// What every command knows.
struct Global {
  std::string home;   // --home; empty: as find_home() says
  bool json = false;  // --json: one JSON document on standard output, nothing else
};

struct CheckOptions {
  std::string path = ".";  // a file, or a folder with a .pawl.yml
};
int check(const Global& global, const CheckOptions& options);

struct GatePlanOptions {
  std::string project;
  int64_t examples = 0;     // 0: from the record
  double disagreement = 0;  // 0: from the record
  double alpha = 0.05;
  double power = 0.8;
};
int gate_plan(const Global& global, const GatePlanOptions& options);

struct GateSamplesOptions {
  std::string condition;
  double reliability = 0.999;
  std::string adaptivity = "full";  // none, full, first-change
  int64_t steps = 32;
  std::string sided = "one";  // one, two
};
int gate_samples(const Global& global, const GateSamplesOptions& options);

int gate_budget(const Global& global, const std::string& project);

struct InitOptions {
  std::string path = ".";
  bool force = false;  // overwrite
};
int init(const Global& global, const InitOptions& options);

struct ServeOptions {
  std::string listen;  // empty: as configured
};
int serve(const Global& global, const ServeOptions& options);

struct ProjectAddOptions {
  std::string url;
  std::string name;  // empty: from the URL
  std::string target = "main";
  std::string username;
  std::string token_env;  // name of the environment variable with the clone token
  std::string forge;      // github, gitea; empty: no statuses
  std::string forge_api;
  std::string forge_repository;
  std::string forge_token_env;
  std::map<std::string, std::string> data;
  bool install_hook = false;  // the URL is a local bare repository: install `pawl hook post-receive` there
};
int project_add(const Global& global, const ProjectAddOptions& options);
int project_list(const Global& global);
int project_remove(const Global& global, const std::string& name);

struct RunOptions {
  std::string path = ".";
  std::string ref = "HEAD";
  std::string project;  // empty: from the origin URL, else the folder's name
  std::string branch;   // empty: the branch HEAD is on
  std::string target = "main";
  std::map<std::string, std::string> data;
  bool quiet = false;  // neither output nor progress of the stages
  std::string record;  // where the record is kept besides the home; empty: nowhere
};
int run(const Global& global, const RunOptions& options);

struct RecordOptions {
  std::string record;  // a folder, "git", or a daemon's address
  std::string path = ".";
  std::string project;  // empty: from the origin URL, else the folder's name
};
int record_pull(const Global& global, const RecordOptions& options);
int record_push(const Global& global, const RecordOptions& options);

struct RunsOptions {
  std::string project;
  std::string branch;
  std::string verdict;
  int64_t limit = 20;
};
int runs(const Global& global, const RunsOptions& options);

struct StatusOptions {
  std::string run;      // empty: what is going on now
  bool follow = false;  // until the run ends; exits with its code
};
int status(const Global& global, const StatusOptions& options);

int show(const Global& global, const std::string& run);
int compare(const Global& global, const std::string& a, const std::string& b);

struct LogsOptions {
  std::string run;
  std::string stage;    // empty: the last one that started
  int64_t attempt = 0;  // 0: the last
  bool follow = false;
  int64_t tail = -1;  // last lines only
};
int logs(const Global& global, const LogsOptions& options);

struct TraceOptions {
  std::string run;
  std::string stage;   // empty: the last one with a trace
  std::string series;  // regex of names; empty: an overview
  bool csv = false;
  int64_t points = 50;      // at most, in a table
  std::string tensorboard;  // a folder for event files; empty: print
  bool follow = false;      // with `tensorboard`: until the attempt ends
};
int trace(const Global& global, const TraceOptions& options);
int trace_tensorboard(const Global& global, const TraceOptions& options);  // with a folder for it

struct CaptureSetOptions {
  std::string run;
  std::string stage;  // empty: the last that started
  pipeline::CaptureChange change;
};
int capture_set(const Global& global, const CaptureSetOptions& options);

struct CaptureListOptions {
  std::string run;
  std::string stage;       // empty: the last that started
  std::string collection;  // empty: all
};
int capture_list(const Global& global, const CaptureListOptions& options);

struct LogOptions {
  std::optional<uint64_t> step;     // nothing: the one after the last
  std::string mode = "train";       // or "eval"
  std::vector<std::string> losses;  // names that are losses, besides `loss`
  std::vector<std::string> values;  // NAME=VALUE, or one `-`: lines of JSON on standard input
};
int log(const LogOptions& options);

struct TraceRebuildOptions {
  std::string run;    // or a folder that holds `trace`
  std::string stage;  // empty: the last one that recorded anything
};
int trace_rebuild(const Global& global, const TraceRebuildOptions& options);

struct AttributeOptions {
  std::string run;
  std::string against;                      // empty: the run it was compared with
  std::string path = ".";                   // the git repository
  std::map<std::string, std::string> data;  // folders with old or new versions
  double alpha = 0.025;
  bool quiet = false;
};
int attribute(const Global& global, const AttributeOptions& options);

struct BisectOptions {
  std::string range;  // GOOD..BAD, each a revision or a run
  std::string path = ".";
  std::string project;  // as in RunOptions
  std::string target = "main";
  std::string metric;  // empty: the first that the gate compares
  std::map<std::string, std::string> data;
  bool quiet = false;
};
int bisect(const Global& global, const BisectOptions& options);

int rerun(const Global& global, const std::string& run);
int cancel(const Global& global, const std::string& run);

struct PinOptions {
  std::string run;
  std::string why;
  bool red = false;  // although it is not PASS
};
struct UnpinOptions {
  std::string project;  // empty: the only one
  std::string branch;   // empty: the only one
  std::string why;
};
int baseline_list(const Global& global, const std::string& project);
int baseline_history(const Global& global, const std::string& project);
int baseline_unpin(const Global& global, const UnpinOptions& options);
int baseline_pin(const Global& global, const PinOptions& options);

struct WaiverAddOptions {
  std::string project;  // empty: the only one in the record
  std::string branch;   // empty: any
  std::string commit;   // empty: any
  std::string metric;   // this or `rule`
  std::string check;    // empty: any of the metric
  std::string slice;    // empty: the whole
  std::string rule;
  std::string why;
  std::string expires;
  std::string by;  // empty: the user of this process
};
struct WaiverListOptions {
  std::string project;  // empty: all
  bool all = false;     // those that ended too
};
struct WaiverRevokeOptions {
  int64_t id = 0;
  std::string why;
};
int waiver_add(const Global& global, const WaiverAddOptions& options);
int waiver_list(const Global& global, const WaiverListOptions& options);
int waiver_revoke(const Global& global, const WaiverRevokeOptions& options);

struct ArtifactOptions {
  std::string run;
  std::string path;    // "stage/path" or "path"
  std::string output;  // empty: the file's name in the working directory; "-": standard output
  bool force = false;  // overwrite
};
int artifacts_list(const Global& global, const std::string& run);
int artifacts_get(const Global& global, const ArtifactOptions& options);

int hook_post_receive();
int version(const Global& global);

// Prints "pawl: <error>" (and its JSON: error_document.h); exit code 2 for what the user can mend, else 3.
int fail(const Error& error);

}  // namespace pawl::cli
