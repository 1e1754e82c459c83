#include "pipelines/script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pawl::pipeline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Script, PlainTraining) {
  Script script = read_script("import torch\n\nfor step in range(10):\n    loss.backward()\n");
  EXPECT_TRUE(script.uses_torch);
  EXPECT_TRUE(script.trains);
  EXPECT_TRUE(script.runs);
  EXPECT_FALSE(script.joins_group);
  EXPECT_FALSE(script.uses_cuda);
}

TEST(Script, ALibraryDoesNotRun) {
  Script script =
      read_script("import torch\nX = 1\nclass Trainer:\n    def fit(self):\n        self.loss.backward()\n");
  EXPECT_TRUE(script.trains);
  EXPECT_FALSE(script.runs);
  EXPECT_TRUE(read_script("if __name__ == '__main__':\n    main()\n").runs);
}

TEST(Script, TorchIsNotEveryWordWithTorch) {
  EXPECT_TRUE(read_script("from torch.nn import Linear").uses_torch);
  EXPECT_TRUE(read_script("    import torch as t").uses_torch);
  EXPECT_FALSE(read_script("import torchless").uses_torch);
  EXPECT_FALSE(read_script("# we import torch").uses_torch);
}

TEST(Script, WhoStartsTheRanks) {
  EXPECT_TRUE(read_script("dist.init_process_group('gloo')").joins_group);
  EXPECT_TRUE(read_script("dist.init_process_group(backend=backend)").joins_group);
  EXPECT_TRUE(
      read_script("rank = os.environ['LOCAL_RANK']\nmodel = DistributedDataParallel(model)").joins_group);
  EXPECT_FALSE(read_script("dist.init_process_group('gloo', rank=args.rank, world_size=args.n)").joins_group);
  EXPECT_TRUE(read_script("mp.spawn(work, nprocs=2)").spawns);
}

TEST(Script, CommentsDoNotCount) {
  Script script = read_script("backend = 'nccl'  # 'nccl', 'gloo', etc.\n# mp.spawn(f)\n#import torch\n");
  EXPECT_TRUE(script.names_nccl);
  EXPECT_FALSE(script.names_gloo);
  EXPECT_FALSE(script.spawns);
  EXPECT_FALSE(script.uses_torch);
}

TEST(Script, Metrics) {
  Script script = read_script(R"(
with open(os.path.join(out, "metrics.json"), "w") as f:
    json.dump({"accuracy": {"value": acc, "direction": "higher"}, 'val_loss': loss}, f)
)");
  EXPECT_TRUE(script.writes_metrics);
  EXPECT_THAT(script.metrics, ElementsAre("accuracy", "val_loss"));
  EXPECT_THAT(read_script("pawl.metrics({\"f1\": f1})").metrics, ElementsAre("f1"));
  EXPECT_THAT(
      read_script("metrics = {\"a\": 1}\nPath('metrics.json').write_text(json.dumps(metrics))").metrics,
      ElementsAre("a"));
  EXPECT_THAT(read_script("json.dump({\"config\": 1}, f)").metrics, IsEmpty());  // not into metrics.json
}

TEST(Script, RequiredArguments) {
  Script script = read_script(R"(
p.add_argument("data", help="x")
p.add_argument("--epochs", type=int, default=3)
p.add_argument("-o", "--out", required=True)
p.add_argument('--lr', type=float, default=float("1"), required=False)
p.add_argument(
    "--model",
    choices=sorted(MODELS),
    required = True,
)
)");
  EXPECT_THAT(script.required_arguments, ElementsAre("data", "--out", "--model"));
}

TEST(Script, ImportsAreMergedIntoTheScript) {
  Script script = read_script("from engine.loop import train\nimport data\n");
  EXPECT_THAT(script.imports, ElementsAre("engine.loop", "data"));
  merge_import(script, read_script("import torch\ndef train():\n    loss.backward()\n    x.cuda()\n"));
  EXPECT_TRUE(script.uses_torch);
  EXPECT_TRUE(script.trains);
  EXPECT_TRUE(script.uses_cuda);
  EXPECT_FALSE(script.runs);
}

TEST(Script, AnyBytes) {
  std::string bytes;
  for (int i = 0; i < 5000; ++i) bytes += static_cast<char>(i * 37);
  EXPECT_FALSE(read_script(bytes).uses_torch);
  EXPECT_FALSE(read_script("").runs);
}

}  // namespace
}  // namespace pawl::pipeline
