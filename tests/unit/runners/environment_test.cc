#include "runners/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pawl::runners {
namespace {

using testing::ElementsAre;
using testing::Pair;

AttemptSpec two_ranks() {
  AttemptSpec spec;
  spec.run_id = "01RUN";
  spec.stage = "train";
  spec.attempt = 2;
  spec.seed = 42;
  spec.fence = 7;
  spec.cookie = make_cookie("01RUN", "train", 2, 7);
  spec.command = "./train";
  spec.source_dir = "/home/p/runs/01RUN/source";
  spec.attempt_dir = "/home/p/runs/01RUN/train/2";
  spec.checkpoint_dir = "/home/p/runs/01RUN/train/checkpoints";
  spec.data_dirs = {{"fashion-mnist", "/srv/fm"}};
  spec.needs_dirs = {{"build.all", "/home/p/runs/01RUN/build.all/1/out"}};
  spec.python_dir = "/usr/share/pawl/python";
  spec.capture_lib = "/usr/lib/libpawl_capture.so";
  spec.include_dir = "/usr/include";
  spec.lib_dir = "/usr/lib";
  spec.bin_dir = "/opt/pawl/bin";
  spec.env = {{"EPOCHS", "2"}};
  spec.ranks = 2;
  spec.cpus = 6;
  spec.gpu_uuids = {{"GPU-a", "GPU-b"}, {"GPU-c", "GPU-d"}};
  spec.capture = "every=10 collections=losses,weights";
  return spec;
}

// The whole contract for one rank: a change here is a change of docs/contract.md.
TEST(RankEnvironment, IsTheContract) {
  Environment env = rank_environment(two_ranks(), {{"PATH", "/usr/bin"}}, 1, 40123);
  EXPECT_THAT(env, ElementsAre(                                                                   //
                       Pair("CUDA_VISIBLE_DEVICES", "GPU-c,GPU-d"),                               //
                       Pair("EPOCHS", "2"),                                                       //
                       Pair("GROUP_RANK", "0"),                                                   //
                       Pair("LOCAL_RANK", "1"),                                                   //
                       Pair("LOCAL_WORLD_SIZE", "2"),                                             //
                       Pair("MASTER_ADDR", "127.0.0.1"),                                          //
                       Pair("MASTER_PORT", "40123"),                                              //
                       Pair("OMP_NUM_THREADS", "3"),                                              //
                       Pair("PATH", "/usr/bin:/opt/pawl/bin"),                                    //
                       Pair("PAWL", "1"),                                                         //
                       Pair("PAWL_ATTEMPT", "2"),                                                 //
                       Pair("PAWL_CAPTURE", "every=10 collections=losses,weights"),               //
                       Pair("PAWL_CAPTURE_LIB", "/usr/lib/libpawl_capture.so"),                   //
                       Pair("PAWL_CHECKPOINT_DIR", "/home/p/runs/01RUN/train/checkpoints"),       //
                       Pair("PAWL_CONTROL_FILE", "/home/p/runs/01RUN/train/2/control"),           //
                       Pair("PAWL_COOKIE", "01RUN/train/2/7"),                                    //
                       Pair("PAWL_DATA_FASHION_MNIST", "/srv/fm"),                                //
                       Pair("PAWL_INCLUDE_DIR", "/usr/include"),                                  //
                       Pair("PAWL_LIB_DIR", "/usr/lib"),                                          //
                       Pair("PAWL_OUTPUT_DIR", "/home/p/runs/01RUN/train/2/out"),                 //
                       Pair("PAWL_RUN_ID", "01RUN"),                                              //
                       Pair("PAWL_SEED", "42"),                                                   //
                       Pair("PAWL_SOURCE_DIR", "/home/p/runs/01RUN/source"),                      //
                       Pair("PAWL_STAGE", "train"),                                               //
                       Pair("PAWL_STAGE_BUILD_ALL_DIR", "/home/p/runs/01RUN/build.all/1/out"),    //
                       Pair("PAWL_TRACE_DIR", "/home/p/runs/01RUN/train/2/trace"),                //
                       Pair("PET_MASTER_PORT", "40123"),                                          //
                       Pair("PYTHONPATH", "/usr/share/pawl/python/site:/usr/share/pawl/python"),  //
                       Pair("RANK", "1"),                                                         //
                       Pair("ROLE_RANK", "1"),                                                    //
                       Pair("ROLE_WORLD_SIZE", "2"),                                              //
                       Pair("TORCHELASTIC_MAX_RESTARTS", "1"),                                    //
                       Pair("TORCHELASTIC_RESTART_COUNT", "1"),                                   //
                       Pair("TORCHELASTIC_RUN_ID", "01RUN-train-2"),                              //
                       Pair("WORLD_SIZE", "2")));
}

TEST(RankEnvironment, UserIsOverInheritedAndUnderOurs) {
  AttemptSpec spec = two_ranks();
  spec.env = {{"HOME", "/theirs"},
              {"RANK", "9"},
              {"PAWL_RUN_ID", "forged"},
              {"OMP_NUM_THREADS", "1"},
              {"PYTHONPATH", "lib"}};
  Environment env = rank_environment(spec, {{"HOME", "/ours"}, {"PYTHONPATH", "/inherited"}}, 0, 1);
  EXPECT_EQ(env["HOME"], "/theirs");
  EXPECT_EQ(env["RANK"], "0");
  EXPECT_EQ(env["PAWL_RUN_ID"], "01RUN");
  EXPECT_EQ(env["OMP_NUM_THREADS"], "1");
  EXPECT_EQ(env["PYTHONPATH"], "/usr/share/pawl/python/site:/usr/share/pawl/python:lib");
}

TEST(RankEnvironment, WithoutDevicesTheVariableIsTheUsers) {
  AttemptSpec spec = two_ranks();
  spec.gpu_uuids.clear();
  EXPECT_FALSE(rank_environment(spec, {}, 0, 1).contains("CUDA_VISIBLE_DEVICES"));
  spec.env["CUDA_VISIBLE_DEVICES"] = "";
  EXPECT_EQ(rank_environment(spec, {}, 0, 1).at("CUDA_VISIBLE_DEVICES"), "");
}

TEST(RankEnvironment, ThreadsAreNeverZero) {
  AttemptSpec spec = two_ranks();
  spec.cpus = 1;
  EXPECT_EQ(rank_environment(spec, {}, 0, 1).at("OMP_NUM_THREADS"), "1");
}

TEST(InheritedEnvironment, LeavesSecretsBehind) {
  Environment all = {{"PATH", "/bin"},        {"LC_ALL", "C"},        {"CONDA_PREFIX", "/c"},
                     {"VIRTUAL_ENV", "/v"},   {"PAWL_TOKEN", "s"},    {"GITHUB_TOKEN", "s"},
                     {"PAWL_COOKIE", "x"},    {"RANK", "3"},          {"BASH_ENV", "evil"},
                     {"AWS_SECRET_KEY", "s"}, {"LD_PRELOAD", "x.so"}, {"TMPDIR", "/t"}};
  EXPECT_THAT(inherited_environment(all),
              ElementsAre(Pair("CONDA_PREFIX", "/c"), Pair("LC_ALL", "C"), Pair("PATH", "/bin"),
                          Pair("TMPDIR", "/t"), Pair("VIRTUAL_ENV", "/v")));
}

TEST(RankCommand, SetupRunsInTheSameShell) {
  AttemptSpec spec;
  spec.command = "python train.py";
  EXPECT_THAT(rank_command(spec), ElementsAre("bash", "-e", "-o", "pipefail", "-c", "python train.py"));
  spec.setup = ". .venv/bin/activate";
  EXPECT_EQ(rank_command(spec).back(), ". .venv/bin/activate\npython train.py");
}

TEST(VariableName, IsUpperCaseAscii) {
  EXPECT_EQ(variable_name("fashion-mnist.v2"), "FASHION_MNIST_V2");
  EXPECT_EQ(variable_name("a\xc3\xa4"), "A__");
}

}  // namespace
}  // namespace pawl::runners
