// The command line: CLI11 turns arguments into the option values of commands.h. What a command does is in its
// own file.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "engine/base/log.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/error_document.h"
#include "engine/cli/usage.h"
#include "engine/core/waive.h"
#include "engine/supervise/supervisor.h"
#include "runners/rank_process.h"

namespace {

using pawl::cli::Global;

// git runs us as GIT_ASKPASS: print what it asks for, from the environment, and nothing else.
int askpass(const char* prompt) {
  bool username = std::string_view(prompt).starts_with("Username");
  const char* value = std::getenv(username ? "PAWL_ASKPASS_USERNAME" : "PAWL_ASKPASS_TOKEN");
  bool empty = value == nullptr || *value == '\0';
  std::puts(empty ? (username ? "git" : "") : value);
  return 0;
}

// "name=path" pairs.
void add_data_option(CLI::App* command, std::map<std::string, std::string>& out) {
  command
      ->add_option_function<std::vector<std::string>>(
          "--data",
          [&out](const std::vector<std::string>& values) {
            for (const std::string& value : values) {
              size_t equals = value.find('=');
              if (equals == 0 || equals == std::string::npos) {
                throw CLI::ValidationError("--data", "write NAME=FOLDER, not '" + value + "'");
              }
              out[value.substr(0, equals)] = value.substr(equals + 1);
            }
          },
          "Where a dataset lies on this machine: NAME=FOLDER (repeatable)")
      ->take_all();
}

struct CommandLine {
  CLI::App app{
      "Pawl: CI for models. Trains what a push or a data change touches, watches the training, and is red "
      "when a\n"
      "rule fires or the model is worse than the last good one.\n"};
  Global global;
  std::function<int()> action;

  pawl::cli::CheckOptions check;
  std::string gate_budget_project;
  pawl::cli::GatePlanOptions gate_plan;
  pawl::cli::GateSamplesOptions gate_samples;
  pawl::cli::InitOptions init;
  pawl::cli::ServeOptions serve;
  pawl::cli::ProjectAddOptions project_add;
  std::string project_name;
  pawl::cli::RunOptions run;
  pawl::cli::RecordOptions record;
  pawl::cli::RunsOptions runs;
  pawl::cli::StatusOptions status;
  std::string run_name = "last";
  std::string other_run;
  pawl::cli::LogOptions log;
  pawl::cli::LogsOptions logs;
  pawl::cli::TraceOptions trace;
  pawl::cli::TraceRebuildOptions trace_rebuild;
  pawl::cli::PinOptions pin;
  pawl::cli::UnpinOptions unpin;
  pawl::cli::CaptureSetOptions capture_set;
  pawl::cli::CaptureListOptions capture_list;
  pawl::cli::WaiverAddOptions waiver_add;
  pawl::cli::WaiverListOptions waiver_list;
  pawl::cli::WaiverRevokeOptions waiver_revoke;
  pawl::cli::ArtifactOptions artifact;
  pawl::cli::AttributeOptions attribute;
  pawl::cli::BisectOptions bisect;
  std::string attempt_dir;

  CLI::App* command(CLI::App* parent, const char* name, const char* help, std::function<int()> does) {
    CLI::App* made = parent->add_subcommand(name, help);
    made->callback([this, does = std::move(does)] { action = does; });
    return made;
  }
  void add_run_argument(CLI::App* to, std::string& target, bool required) {
    CLI::Option* option =
        to->add_option("run", target, "Run: its number, id, commit (7 characters or more), or `last`");
    if (required) option->required();
  }

  static void add_size(CLI::App* to, const std::string& name, std::optional<int64_t>& bytes,
                       const std::string& help) {
    to->add_option_function<std::string>(
          name,
          [name, &bytes](const std::string& text) {
            auto size = pawl::parse_bytes(text);
            if (!size.ok()) throw CLI::ValidationError(name, size.error().message());
            bytes = *size;
          },
          help)
        ->type_name("SIZE");
  }

  CommandLine();
  static CLI::Option* add_record_option(CLI::App* to, std::string& target) {
    return to
        ->add_option(
            "--record", target,
            "What keeps the record besides the home: a folder, `git` (a ref in the model's repository), "
            "or the address of a daemon (its token in PAWL_TOKEN)")
        ->check(CLI::Validator(
            [](const std::string& place) { return place.empty() ? "names no place" : std::string(); }, ""));
  }
  void add_pipeline_commands();
  void add_record_commands();
  void add_gate_commands();
  void add_daemon_commands();
  void add_view_commands();
  void add_acting_commands();
  void add_capture_commands();
  void add_log_command();
  void add_waiver_commands();
  void add_searching_commands();
  void add_internal_commands();
};

CommandLine::CommandLine() {
  app.require_subcommand(1);
  app.fallthrough();
  app.failure_message(pawl::cli::usage_message);
  app.set_help_all_flag("--help-all", "Help of all commands");
  app.add_option("--home", global.home,
                 "Home of the record and the daemon (default: $PAWL_HOME, else ~/.local/share/pawl)");
  app.add_flag("--json", global.json, "Print one JSON document instead of text");
  app.footer(
      "Exit codes: 0 pass, 1 gate or rule failed, 2 usage or configuration, 3 infrastructure, 4 inconclusive "
      "or no\n"
      "baseline, 130 cancelled.\n"
      "First steps:\n"
      "  pawl init                          write a .pawl.yml for this repository\n"
      "  pawl run                           run it here, now\n"
      "  pawl project add URL; pawl serve   run it on every push");
  add_pipeline_commands();
  add_record_commands();
  add_gate_commands();
  add_daemon_commands();
  add_view_commands();
  add_acting_commands();
  add_capture_commands();
  add_log_command();
  add_waiver_commands();
  add_searching_commands();
  add_internal_commands();
}

void CommandLine::add_pipeline_commands() {
  auto* c = command(&app, "init", "Write a .pawl.yml for the PyTorch repository in a folder",
                    [this] { return pawl::cli::init(global, init); });
  c->add_option("path", init.path, "The repository")->capture_default_str();
  c->add_flag("--force", init.force, "Replace a .pawl.yml that is there");

  c = command(&app, "check", "Check a pipeline file and say what is wrong where",
              [this] { return pawl::cli::check(global, check); });
  c->add_option("path", check.path, "The file, or a folder that has one")->capture_default_str();

  c = command(&app, "run", "Run a commit's pipeline here, without a daemon: same verdict, same exit code",
              [this] { return pawl::cli::run(global, run); });
  c->add_option("path", run.path, "The git repository")->capture_default_str();
  c->add_option("--ref", run.ref, "Commit, branch or tag to run")->capture_default_str();
  c->add_option("--branch", run.branch, "Count the run for this branch (default: the branch HEAD is on)");
  c->add_option("--target", run.target, "Branch whose green runs are the baselines")->capture_default_str();
  c->add_option("--project", run.project, "Name in the record (default: from the origin URL or the folder)");
  c->add_flag("--quiet", run.quiet, "Print neither the output nor the progress of the stages");
  add_data_option(c, run.data);
  add_record_option(c, run.record);
}

void CommandLine::add_record_commands() {
  auto* parent = app.add_subcommand("record", "The record in another place: bring it here, send it there");
  parent->require_subcommand(1);
  auto* pull = command(parent, "pull", "Bring what the home lacks",
                       [this] { return pawl::cli::record_pull(global, record); });
  auto* push = command(parent, "push", "Send what the record there lacks",
                       [this] { return pawl::cli::record_push(global, record); });
  for (CLI::App* c : {pull, push}) {
    c->add_option("path", record.path, "The git repository of the model")->capture_default_str();
    add_record_option(c, record.record)->required();
    c->add_option("--project", record.project,
                  "Name in the record (default: from the origin URL or the folder)");
  }
}

void CommandLine::add_gate_commands() {
  auto* gate = app.add_subcommand("gate", "Choosing a gate, and what it has used of the test sets");
  gate->require_subcommand(1);
  auto* p = command(gate, "plan", "What margin a test set can show, and how often a rule is red by chance",
                    [this] { return pawl::cli::gate_plan(global, gate_plan); });
  p->add_option("--project", gate_plan.project,
                "Whose green runs to look at (default: the project of the repository here)");
  p->add_option("--examples", gate_plan.examples, "Size of the test set, instead of what the record says");
  p->add_option("--disagreement", gate_plan.disagreement,
                "Share of the examples on which one of two good models is right and the other wrong");
  p->add_option("--alpha", gate_plan.alpha, "One-sided error rate of the paired test")->capture_default_str();
  p->add_option("--power", gate_plan.power, "How often a real drop is to be found")->capture_default_str();
  p->footer(
      "Without --examples the size of the test set and the disagreement are taken from the green runs of the "
      "target branch.\n"
      "Example: before the first run, with 2,000 test images and models that differ on about 5 % of them\n"
      "  pawl gate plan --examples 2000 --disagreement 0.05");
  auto* b = command(gate, "budget", "How often each test set has answered a condition",
                    [this] { return pawl::cli::gate_budget(global, gate_budget_project); });
  b->add_option("--project", gate_budget_project, "Test sets of this project only");
  auto* c = command(gate, "samples", "How many test examples a condition needs",
                    [this] { return pawl::cli::gate_samples(global, gate_samples); });
  c->add_option("condition", gate_samples.condition,
                "What a new model must fulfil, in '...' so that the shell leaves it alone")
      ->required();
  c->add_option("--reliability", gate_samples.reliability,
                "Probability that no answer on this test set is wrong")
      ->capture_default_str();
  c->add_option("--adaptivity", gate_samples.adaptivity,
                "What developers see: none (nothing), full (pass or fail, every time), first-change (the "
                "first pass retires the test set)")
      ->check(CLI::IsMember({"none", "full", "first-change"}))
      ->capture_default_str();
  c->add_option("--steps", gate_samples.steps, "Commits that one test set is to judge")
      ->capture_default_str();
  c->add_option("--sided", gate_samples.sided,
                "one: guard against the mistake that the mode excludes; two: against both")
      ->check(CLI::IsMember({"one", "two"}))
      ->capture_default_str();
  c->footer(
      "In a condition n is the share of right answers of the new model, o that of the old one, d the share "
      "of examples\n"
      "on which they differ. After +/- stands how exactly the left side must be known: a model nearer to the "
      "bound than\n"
      "that is neither surely good nor surely bad. Half the tolerance takes four times the examples.\n"
      "Example: is the new model 2 points better, and do at most 10 % of the answers change?\n"
      "  pawl gate samples 'n - o > 0.02 +/- 0.01 /\\ d < 0.1 +/- 0.01' --reliability 0.9999 --steps 32");
}

void CommandLine::add_daemon_commands() {
  auto* c = command(&app, "serve", "Run the daemon: webhooks in, runs, verdicts and reports out",
                    [this] { return pawl::cli::serve(global, serve); });
  c->add_option("--listen", serve.listen, "Address and port (default: as in config.yml, 127.0.0.1:8480)");

  auto* project = app.add_subcommand("project", "The repositories the daemon serves");
  project->require_subcommand(1);
  c = command(project, "add", "Add a repository; prints the webhook's URL and secret",
              [this] { return pawl::cli::project_add(global, project_add); });
  c->add_option("url", project_add.url, "Clone URL, or the path of a bare repository on this machine")
      ->required();
  c->add_option("--name", project_add.name, "Name (default: from the URL)");
  c->add_option("--target", project_add.target, "Branch whose green runs are the baselines")
      ->capture_default_str();
  c->add_option("--username", project_add.username, "User name for https clones");
  c->add_option("--token-env", project_add.token_env,
                "Environment variable that holds the clone token or password");
  c->add_option("--forge", project_add.forge, "Write commit statuses to this kind of forge")
      ->check(CLI::IsMember({"github", "gitea"}));
  c->add_option("--forge-api", project_add.forge_api, "Its API, when the clone URL does not tell");
  c->add_option("--forge-repository", project_add.forge_repository,
                "OWNER/NAME there, when the clone URL does not tell");
  c->add_option("--forge-token-env", project_add.forge_token_env,
                "Environment variable that holds its API token");
  c->add_flag("--install-hook", project_add.install_hook,
              "Install `pawl hook post-receive` in a bare repository here");
  add_data_option(c, project_add.data);
  command(project, "list", "The projects", [this] { return pawl::cli::project_list(global); });
  c = command(project, "remove", "Stop serving a project; its runs stay",
              [this] { return pawl::cli::project_remove(global, project_name); });
  c->add_option("name", project_name, "Its name")->required();

  auto* hook = app.add_subcommand("hook", "What git calls");
  hook->require_subcommand(1);
  command(hook, "post-receive", "Report a push to the daemon (from a bare repository's post-receive hook)",
          [] { return pawl::cli::hook_post_receive(); });
}

void CommandLine::add_view_commands() {
  auto* c = command(&app, "runs", "Runs, newest first", [this] { return pawl::cli::runs(global, runs); });
  c->add_option("--project", runs.project, "Of this project");
  c->add_option("--branch", runs.branch, "Of this branch");
  c->add_option("--verdict", runs.verdict, "With this verdict");
  c->add_option("-n,--limit", runs.limit, "At most so many")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));

  c = command(&app, "status", "What goes on now, and why a run waits",
              [this] { return pawl::cli::status(global, status); });
  add_run_argument(c, status.run, false);
  c->add_flag("-f,--follow", status.follow, "Show progress until the run ends, and exit with its code");

  c = command(&app, "show", "Everything about a run", [this] { return pawl::cli::show(global, run_name); });
  add_run_argument(c, run_name, false);

  c = command(&app, "compare", "Two runs side by side",
              [this] { return pawl::cli::compare(global, run_name, other_run); });
  c->add_option("a", run_name, "Run")->required();
  c->add_option("b", other_run, "Run")->required();

  c = command(&app, "logs", "What the ranks wrote, each line behind its rank when there are several",
              [this] { return pawl::cli::logs(global, logs); });
  logs.run = "last";
  add_run_argument(c, logs.run, false);
  c->add_option("--stage", logs.stage, "Of this stage (default: the last that started)");
  c->add_option("--attempt", logs.attempt, "Of this attempt (default: the last)");
  c->add_option("--tail", logs.tail, "Only the last lines");
  c->add_flag("-f,--follow", logs.follow, "Until the attempt ends");

  c = app.add_subcommand("trace", "What the hooks recorded: losses and tensor statistics by step");
  c->callback([this, c] {
    // CLI11 calls back from the inside out.
    if (c->get_subcommands().empty()) action = [this] { return pawl::cli::trace(global, trace); };
  });
  trace.run = "last";
  add_run_argument(c, trace.run, false);
  c->add_option("--stage", trace.stage, "Of this stage (default: the last with a trace)");
  c->add_option("--series", trace.series, "Series whose names match this regular expression");
  c->add_option("--points", trace.points, "At most so many rows for each series")->capture_default_str();
  auto* csv = c->add_flag("--csv", trace.csv, "All rows as CSV");
  auto* tensorboard =
      c->add_option("--tensorboard", trace.tensorboard, "Write event files for TensorBoard below this folder")
          ->excludes(csv);
  c->add_flag("-f,--follow", trace.follow, "Go on writing event files until the attempt ends")
      ->needs(tensorboard);

  c = command(c, "rebuild", "Make trace.db of an attempt that has ended anew from what the hooks wrote",
              [this] { return pawl::cli::trace_rebuild(global, trace_rebuild); });
  add_run_argument(c, trace_rebuild.run, true);
  c->add_option("--stage", trace_rebuild.stage, "Of this stage (default: the last that recorded anything)");
}

void CommandLine::add_acting_commands() {
  auto* c = command(&app, "rerun", "Run the same commit again",
                    [this] { return pawl::cli::rerun(global, run_name); });
  add_run_argument(c, run_name, true);
  c = command(&app, "cancel", "Stop a run", [this] { return pawl::cli::cancel(global, run_name); });
  add_run_argument(c, run_name, true);

  auto* baseline = app.add_subcommand("baseline", "What runs are compared with");
  baseline->require_subcommand(1);
  c = command(baseline, "list", "The baseline of each branch, and whether it is pinned",
              [this] { return pawl::cli::baseline_list(global, project_name); });
  c->add_option("--project", project_name, "Of this project");
  c = command(baseline, "history", "What became a baseline: who, when, why, newest first",
              [this] { return pawl::cli::baseline_history(global, project_name); });
  c->add_option("--project", project_name, "Of this project");
  c = command(baseline, "pin", "Make a run the baseline of its target branch, on record",
              [this] { return pawl::cli::baseline_pin(global, pin); });
  add_run_argument(c, pin.run, true);
  c->add_option("--why", pin.why, "The reason, for the record")->required();
  c->add_flag("--red", pin.red, "Although its verdict is not PASS");

  c = command(baseline, "unpin", "Take a pin back: the pipeline's policy chooses again",
              [this] { return pawl::cli::baseline_unpin(global, unpin); });
  c->add_option("--project", unpin.project, "Of this project (default: the one with a pin)");
  c->add_option("--branch", unpin.branch, "Of this target branch (default: the one with a pin)");
  c->add_option("--why", unpin.why, "The reason, for the record")->required();

  auto* artifacts = app.add_subcommand("artifacts", "Files a run left");
  artifacts->require_subcommand(1);
  c = command(artifacts, "list", "Their names",
              [this] { return pawl::cli::artifacts_list(global, run_name); });
  add_run_argument(c, run_name, false);
  c = command(artifacts, "get", "Copy one out",
              [this] { return pawl::cli::artifacts_get(global, artifact); });
  add_run_argument(c, artifact.run, true);
  c->add_option("path", artifact.path, "Its name, as `artifacts list` shows it")->required();
  c->add_option("-o,--output", artifact.output,
                "File to write (default: its own name here; - for standard output)");
  c->add_flag("--force", artifact.force, "Overwrite a file that is there");

  command(&app, "version", "What this binary is", [this] { return pawl::cli::version(global); });
}

void CommandLine::add_capture_commands() {
  auto* capture =
      app.add_subcommand("capture", "What the hooks record, seen and changed while a stage trains");
  capture->require_subcommand(1);
  const std::vector<std::string> collections(std::begin(pawl::pipeline::kCollections),
                                             std::end(pawl::pipeline::kCollections));
  auto* c = command(capture, "list", "What a stage records, and every tensor that it could",
                    [this] { return pawl::cli::capture_list(global, capture_list); });
  capture_list.run = "last";
  add_run_argument(c, capture_list.run, false);
  c->add_option("--stage", capture_list.stage, "Of this stage (default: the last that started)");
  c->add_option("--collection", capture_list.collection, "Of this collection only")
      ->check(CLI::IsMember(collections));

  c = command(capture, "set", "Record something else from the next step on, without a restart",
              [this] { return pawl::cli::capture_set(global, capture_set); });
  pawl::pipeline::CaptureChange& change = capture_set.change;
  add_run_argument(c, capture_set.run, true);
  c->add_option("--stage", capture_set.stage, "Of this stage (default: the last that started)");
  c->add_option("--collection", change.collection, "What to change")
      ->required()
      ->check(CLI::IsMember(collections));
  c->add_option("--rank", change.ranks, "On these ranks (default: all); the others stay as they are")
      ->delimiter(',')
      ->check(CLI::NonNegativeNumber);
  c->add_option("--every", change.every, "Every so many steps")->check(CLI::PositiveNumber);
  c->add_option("--include", change.include, "Series whose names match this regular expression; '' for all");
  c->add_option("--from", change.from, "The first step")->check(CLI::NonNegativeNumber);
  c->add_option("--to", change.to, "The step behind the last")->check(CLI::PositiveNumber);
  c->add_option_function<std::vector<int64_t>>(
       "--at", [&change](const std::vector<int64_t>& steps) { change.at = steps; }, "These steps too")
      ->delimiter(',')
      ->check(CLI::NonNegativeNumber);
  c->add_option_function<std::string>(
       "--modes", [&change](const std::string& modes) { change.modes = pawl::pipeline::parse_modes(modes); },
       "In training, in evaluation, or in both")
      ->check(CLI::IsMember({"train", "eval", "train,eval"}));
  add_size(c, "--max-size", change.max_size, "Leave out tensors of more bytes than this (16MiB)");
  add_size(c, "--raw", change.raw, "The values too, of tensors of at most this size (64KiB); 0: of none");
  c->add_flag_callback("--fine", [&change] { change.fine = true; }, "Histograms of 256 bins, too");
  c->add_flag_callback("--no-fine", [&change] { change.fine = false; }, "Without them");
  c->add_flag_callback("--off", [&change] { change.off = true; }, "Nothing of it");
  c->footer(
      "What is not named stays as it was.\n"
      "  pawl capture set 17 --collection gradients --every 1 --include 'layer2.*' --rank 1");
}

void CommandLine::add_log_command() {
  auto* c = command(&app, "log", "Record numbers of a training that no hook is in (within a stage)",
                    [this] { return pawl::cli::log(log); });
  c->add_option("values", log.values, "NAME=VALUE ..., or - for lines of JSON on standard input")->required();
  c->add_option("--step", log.step, "Of this training step (default: the one after the last)");
  c->add_option("--mode", log.mode, "train or eval")
      ->check(CLI::IsMember({"train", "eval"}))
      ->capture_default_str();
  c->add_option("--loss", log.losses, "This name is a loss, which rules watch (repeatable); `loss` is")
      ->allow_extra_args(false);
  c->footer(
      "  pawl log --step 12 loss=0.31 lr=0.01\n"
      "  pawl log --mode eval accuracy=0.9          of the last step\n"
      "  train | pawl log -                         lines such as {\"step\": 12, \"loss\": 0.31}");
}

void CommandLine::add_waiver_commands() {
  auto* waiver = app.add_subcommand("waiver", "Let one named check be red for a while, on record");
  waiver->require_subcommand(1);
  auto* c = command(waiver, "add", "Waive a check of a metric, or a rule, until a day",
                    [this] { return pawl::cli::waiver_add(global, waiver_add); });
  auto* metric = c->add_option("--metric", waiver_add.metric, "The metric whose checks may be red");
  c->add_option("--rule", waiver_add.rule, "The rule that may fire")->excludes(metric);
  const auto checks = pawl::core::waivable_checks();
  c->add_option("--check", waiver_add.check, "Of the metric this check only (default: all of them)")
      ->check(CLI::IsMember(std::vector<std::string>(checks.begin(), checks.end())))
      ->needs(metric);
  c->add_option("--slice", waiver_add.slice,
                "Of the metric this slice, as the verdict names it: lang=de (default: the whole, no slice)")
      ->needs(metric);
  c->add_option("--project", waiver_add.project,
                "For runs of this project (default: the only one on record)");
  c->add_option("--branch", waiver_add.branch, "For runs of this branch (default: any)");
  c->add_option("--commit", waiver_add.commit, "For runs of this commit, 7 digits or more (default: any)");
  c->add_option("--why", waiver_add.why, "The reason, for the record")->required();
  c->add_option("--expires", waiver_add.expires,
                fmt::format("How long it holds: 12h, 14d; at most {}d", pawl::core::kMaxWaiverDays))
      ->required();
  c->add_option("--by", waiver_add.by, "Who approves it (default: you)");
  c->footer(
      "A run that is red for nothing else passes, exit code 0, and says who waived what; it never becomes "
      "the\n"
      "baseline. An expired waiver is red again. What is missing, broken or not comparable is never waived.\n"
      "Judge a commit again with `pawl rerun RUN`, or with `pawl run` where no daemon serves.\n"
      "Example: a known drop on German texts, until the new data is there\n"
      "  pawl waiver add --metric accuracy --check max_drop --slice lang=de --expires 14d --why 'see issue "
      "12'");
  c = command(waiver, "list", "Those that hold, newest first",
              [this] { return pawl::cli::waiver_list(global, waiver_list); });
  c->add_option("--project", waiver_list.project, "Of this project");
  c->add_flag("--all", waiver_list.all, "Those that expired or were revoked too");
  c = command(waiver, "revoke", "End one now",
              [this] { return pawl::cli::waiver_revoke(global, waiver_revoke); });
  c->add_option("id", waiver_revoke.id, "Its number, as `waiver list` shows it")->required();
  c->add_option("--why", waiver_revoke.why, "The reason, for the record")->required();
}

void CommandLine::add_searching_commands() {
  auto* c = command(&app, "attribute", "How much of a change came from the code and how much from the data",
                    [this] { return pawl::cli::attribute(global, attribute); });
  add_run_argument(c, attribute.run, true);
  c->add_option("--against", attribute.against, "Another run than the one it was compared with");
  c->add_option("--path", attribute.path, "A clone of the repository that has both commits")
      ->capture_default_str();
  c->add_option("--alpha", attribute.alpha, "Probability that an interval misses on one side")
      ->check(CLI::Range(1e-6, 0.49))
      ->capture_default_str();
  c->add_flag("--quiet", attribute.quiet, "Print neither the output nor the progress of the stages");
  add_data_option(c, attribute.data);
  c->footer(
      "Trains the old code with the new data and the new code with the old data, unless the record has such "
      "a "
      "run,\n"
      "here or through the daemon of the home. The old data must still be there: kept by `keep: copy` in "
      ".pawl.yml, or in "
      "a "
      "folder\n"
      "that --data NAME=FOLDER names. Exit code 0 when it could be told, 3 when a training failed.");

  c = command(&app, "bisect", "Find the commit that lowered a metric, by training",
              [this] { return pawl::cli::bisect(global, bisect); });
  c->add_option("range", bisect.range, "GOOD..BAD: commits, branches, tags or runs")->required();
  c->add_option("--metric", bisect.metric, "The metric (default: the first that the gate compares)");
  c->add_option("--path", bisect.path, "The git repository")->capture_default_str();
  c->add_option("--target", bisect.target, "Branch whose gate says how metrics are compared")
      ->capture_default_str();
  c->add_option("--project", bisect.project,
                "Name in the record (default: from the origin URL or the folder)");
  c->add_flag("--quiet", bisect.quiet, "Print neither the output nor the progress of the stages");
  add_data_option(c, bisect.data);
  c->footer(
      "Walks the first parents of BAD down to GOOD. Each step compares a commit with GOOD, example by "
      "example "
      "where the\n"
      "gate has a paired test. All are trained on the data as it is now; a finished run of a commit with "
      "that "
      "data is\n"
      "used instead of a training, so an interrupted bisect goes on where it was.\n"
      "Exit code 0 when the commit was found, 1 when several are left, 3 when GOOD or BAD cannot be trained, "
      "4 "
      "when BAD is\n"
      "not worse than GOOD beyond chance.");
}

void CommandLine::add_internal_commands() {
  auto* c = command(&app, "supervise", "", [this] { return pawl::supervise::supervise_main(attempt_dir); });
  c->group("");  // not shown: `pawl serve` and `pawl run` start it
  c->add_option("attempt_dir", attempt_dir)->required();
}

}  // namespace

int main(int argc, char** argv) {
  if (std::getenv("PAWL_ASKPASS") != nullptr && argc == 2) return askpass(argv[1]);
  CommandLine line;
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (line.app.exit(error) == 0) return 0;
    // The flag itself may stand behind what could not be parsed.
    if (std::find(argv, argv + argc, std::string_view("--json")) != argv + argc)
      pawl::cli::want_error_document();
    pawl::cli::print_error_document("usage", error.what());
    return 2;
  }
  if (line.global.json) pawl::cli::want_error_document();
  return line.action();
}
