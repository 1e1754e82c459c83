#include "pipelines/init.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipelines/parse.h"

namespace pawl::pipeline {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kTraining = "import torch\nfor step in range(3):\n    loss.backward()\n";
constexpr const char* kDistributed =
    "import torch\nimport torch.distributed as dist\ndist.init_process_group('gloo')\n"
    "model = DistributedDataParallel(model)\nloss.backward()\nmain()\n";

Repository repository(std::map<std::string, std::string> contents) {
  Repository out;
  for (const auto& [path, text] : contents) out.files.push_back(path);
  out.contents = std::move(contents);
  return out;
}

// Whatever is proposed must be a pipeline, without a warning.
Pipeline check(const Proposal& proposal) {
  ParseResult result = parse_pipeline(proposal.text, ".pawl.yml");
  EXPECT_THAT(result.diagnostics, IsEmpty()) << render(result.diagnostics) << proposal.text;
  return result.ok() ? *result.pipeline : Pipeline{};
}

Pipeline proposed(const Repository& repo) {
  auto proposal = propose_pipeline(repo);
  EXPECT_TRUE(proposal.ok()) << proposal.error().to_string();
  return proposal.ok() ? check(*proposal) : Pipeline{};
}

TEST(Init, PlainTraining) {
  Pipeline pipeline = proposed(repository({{"train.py", kTraining}, {"README.md", "hello"}}));
  ASSERT_EQ(pipeline.stages.size(), 1u);
  EXPECT_EQ(pipeline.stages[0].run, "python3 train.py");
  EXPECT_EQ(pipeline.stages[0].ranks, 1);
  EXPECT_EQ(pipeline.stages[0].gpus, GpuRequest{});
  EXPECT_EQ(pipeline.on.push->branches, std::vector<std::string>{"main"});
  EXPECT_THAT(pipeline.gate.metrics, IsEmpty());
}

TEST(Init, DistributedTrainingGetsTwoRanks) {
  EXPECT_EQ(proposed(repository({{"train.py", kDistributed}})).stages[0].ranks, 2);
}

TEST(Init, ReadmeMayTellThatTorchrunStartsIt) {
  Repository repo = repository(
      {{"train.py", kTraining}, {"README.md", "Run\n\n    torchrun --nproc 8 \\\n      train.py"}});
  EXPECT_EQ(proposed(repo).stages[0].ranks, 2);
  repo.contents["README.md"] = "torchrun other_train.py";
  EXPECT_EQ(proposed(repo).stages[0].ranks, 1);
}

TEST(Init, NcclAloneAsksForGpusAndOneRank) {
  std::string text = kDistributed;
  text.replace(text.find("gloo"), 4, "nccl");
  Stage stage = proposed(repository({{"train.py", text}})).stages[0];
  EXPECT_EQ(stage.ranks, 1);
  EXPECT_TRUE(stage.gpus.automatic);
}

TEST(Init, ScriptsThatSpawnTheirRanksAreOneRank) {
  std::string text = std::string(kDistributed) + "mp.spawn(f)\n";
  EXPECT_EQ(proposed(repository({{"train.py", text}})).stages[0].ranks, 1);
}

TEST(Init, PicksTheScriptThatTrains) {
  const std::vector<std::pair<Repository, std::string>> cases = {
      {repository({{"main.py", kTraining}, {"eval.py", "import torch\nmain()\n"}}), "main.py"},
      {repository({{"one.py", "import os, torch, csv\nfor s in range(3):\n    loss.backward()\n"}}),
       "one.py"},
      {repository({{"train.py", kTraining}, {"tests/train.py", kTraining}, {"main.py", kTraining}}),
       "train.py"},
      {repository({{"trainer.py", "import torch\nclass T:\n  def f(self): self.l.backward()\n"},
                   {"main.py", "from trainer import T\nT().f()\n"}}),
       "main.py"},
      {repository({{"src/train_gpt.py", kTraining}, {"src/model.py", "import torch\n"}}), "src/train_gpt.py"},
      {repository({{"tool.py", kTraining}}), "tool.py"},
      {repository({{"train.py", "print('no torch')\n"}, {"fit.py", kTraining}}), "fit.py"},
  };
  for (const auto& [repo, script] : cases) {
    auto proposal = propose_pipeline(repo);
    ASSERT_TRUE(proposal.ok()) << script;
    EXPECT_EQ(proposal->script, script);
    EXPECT_EQ(check(*proposal).stages.at(0).run, "python3 " + script);
  }
}

TEST(Init, NothingToTrainIsAnError) {
  EXPECT_EQ(propose_pipeline(repository({})).error().code(), ErrorCode::not_found);
  EXPECT_FALSE(propose_pipeline(repository({{"train.py", "print(1)"}, {"README.md", kTraining}})).ok());
  EXPECT_FALSE(propose_pipeline(repository({{"tests/test_train.py", kTraining}})).ok());
}

TEST(Init, TheGateJudgesMetricsTheScriptWrites) {
  std::string text =
      std::string(kTraining) + "pawl.metrics({'accuracy': a, 'val_loss': l, 'train_acc': t, 'epoch': 1})\n";
  Pipeline pipeline = proposed(repository({{"train.py", text}}));
  ASSERT_EQ(pipeline.gate.metrics.size(), 2u);
  EXPECT_TRUE(pipeline.gate.bootstrap);
  EXPECT_EQ(pipeline.gate.metrics[0].metric, "accuracy");
  EXPECT_EQ(pipeline.gate.metrics[0].direction, gate::Direction::higher);
  EXPECT_EQ(pipeline.gate.metrics[1].metric, "val_loss");
  EXPECT_EQ(pipeline.gate.metrics[1].direction, gate::Direction::lower);
}

// The commented lines are what the user is told to put there: they must be right too.
TEST(Init, TheCommentedGateWorksWhenItIsPutInPlace) {
  std::string text = propose_pipeline(repository({{"train.py", kTraining}})).value().text;
  for (const char* line : {"#   bootstrap", "#   metrics", "#     accuracy"}) {
    size_t at = text.find(line);
    ASSERT_NE(at, std::string::npos) << line;
    text.erase(at, 1);
  }
  size_t off = text.find("gate: off");
  std::string block = text.substr(text.find("   bootstrap"), off - text.find("   bootstrap"));
  text = text.substr(0, text.find("   bootstrap")) + "gate:\n" + block;
  ParseResult result = parse_pipeline(text, "p");
  ASSERT_TRUE(result.ok()) << render(result.diagnostics) << text;
  EXPECT_EQ(result.pipeline->gate.metrics.size(), 1u);
}

TEST(Init, EnvironmentsComeFirstOnThePath) {
  Repository repo = repository({{"train.py", kTraining}});
  repo.environment = "/home/me/p/.venv";
  Stage stage = proposed(repo).stages[0];
  EXPECT_EQ(stage.run, "python train.py");
  EXPECT_EQ(stage.setup, "export PATH=/home/me/p/.venv/bin:$PATH");
  repo.environment = "/home/it's me/ven\xc3\xa9: x";
  EXPECT_EQ(proposed(repo).stages[0].setup, "export PATH='/home/it'\\''s me/ven\xc3\xa9: x/bin':$PATH");
}

TEST(Init, OddNamesStayOneWord) {
  EXPECT_EQ(proposed(repository({{"my train #1.py", kTraining}})).stages[0].run, "python3 'my train #1.py'");
  EXPECT_EQ(proposed(repository({{"-train.py", kTraining}})).stages[0].run, "python3 ./-train.py");
  EXPECT_FALSE(propose_pipeline(repository({{"train\n.py", kTraining}})).ok());
  Repository repo = repository({{"train.py", kTraining}});
  for (const char* branch : {"null", "on", "feature/x", "a{b", "it's"}) {
    repo.target_branch = branch;
    Pipeline pipeline = proposed(repo);
    std::vector<std::string> branches = pipeline.on.push->branches;
    if (std::string(branch) == "a{b") {
      EXPECT_THAT(branches, IsEmpty());
    } else {
      EXPECT_THAT(branches, ElementsAre(branch));
    }
  }
}

TEST(Init, ModulesOfAPackageRunAsModules) {
  std::string text = std::string("from .model import Net\n") + kTraining;
  EXPECT_EQ(proposed(repository({{"pkg/train.py", text}, {"pkg/__init__.py", ""}})).stages[0].run,
            "python3 -m pkg.train");
}

TEST(Init, RequiredArgumentsAreSaid) {
  std::string text = std::string(kTraining) + "p.add_argument('--data', required=True)\n";
  Proposal proposal = propose_pipeline(repository({{"train.py", text}})).value();
  EXPECT_THAT(proposal.text, HasSubstr("# It has required arguments: --data"));
  EXPECT_THAT(proposal.notes, Contains(HasSubstr("--data")));
}

TEST(Init, ReadsTheMostPromisingFilesFirst) {
  std::vector<std::string> files = {"a.py",           "README.md",   "main.py", "src/train.py",
                                    "train.py",       "run.sh",      "x.txt",   ".venv/lib/train.py",
                                    "tests/train.py", "train_big.py"};
  EXPECT_THAT(files_to_read(files), ElementsAre("train.py", "src/train.py", "README.md", "run.sh",
                                                "train_big.py", "main.py", "a.py"));
  std::vector<std::string> many;
  for (int i = 0; i < 1000; ++i) many.push_back("m" + std::to_string(i) + ".py");
  many.push_back("z/train.py");
  EXPECT_EQ(files_to_read(many).size(), 60u);
  EXPECT_EQ(files_to_read(many)[0], "z/train.py");
}

}  // namespace
}  // namespace pawl::pipeline
