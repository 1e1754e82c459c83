"""The Python example as a stage that is taken up again."""

import gzip
import pathlib
import struct
import unittest

from stage import StageTest

TRAIN = pathlib.Path(__file__).resolve().parents[3] / "examples/fashion-mnist-python/train.py"
EXAMPLES = 256


class Example(StageTest):
    def write_data(self):
        folder = self.folder / "data"
        folder.mkdir()
        for part in ("train", "t10k"):
            images, labels = struct.pack(">IIII", 0x803, EXAMPLES, 28, 28), struct.pack(">II", 0x801, EXAMPLES)
            images += bytes(i % 251 for i in range(EXAMPLES * 28 * 28))
            labels += bytes(i % 10 for i in range(EXAMPLES))
            (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
            (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
        return folder

    def recorded_steps(self, attempt, data):
        self.trace_dir = self.folder / f"trace{attempt}"
        self.trace_dir.mkdir()
        self.run_script(TRAIN.read_text(), name="train.py", environment=self.environment(
            PAWL_DATA_FASHION_MNIST=str(data), PAWL_CHECKPOINT_DIR=str(self.folder)),
            arguments=("--steps", "4", "--checkpoint-every", "3"))
        return list(self.only_rank().curve("loss", "loss"))

    def test_steps_count_on_from_the_checkpoint(self):
        data = self.write_data()
        self.assertEqual(self.recorded_steps(1, data), [0, 1, 2, 3])
        self.assertEqual(self.recorded_steps(2, data), [3])


if __name__ == "__main__":
    unittest.main()
