#!/usr/bin/env python3
"""Splits the Fashion-MNIST training set into parts, to have a dataset that grows.

    tools/split_idx.py FOLDER                 train-0001-* (50,000 examples) and the test set t10k-*
    tools/split_idx.py FOLDER --part 2        adds train-0002-*: the other 10,000

Every file appears complete or not at all. Needs nothing but the standard library.
"""
import argparse
import gzip
import os
import shutil
import struct
import sys

SPLIT = 50_000
IMAGES, LABELS = "images-idx3-ubyte.gz", "labels-idx1-ubyte.gz"


def read_idx(path, dimensions):
    """The sizes and the bytes of an IDX file of unsigned bytes."""
    with gzip.open(path, "rb") as file:
        header = file.read(4 + 4 * dimensions)
        magic, *sizes = struct.unpack(f">{1 + dimensions}I", header)
        if magic != 0x800 + dimensions:
            raise ValueError(f"{path} is not an IDX file with {dimensions} dimensions")
        data = file.read()
    expected = 1
    for size in sizes:
        expected *= size
    if len(data) != expected:
        raise ValueError(f"{path} holds {len(data)} bytes, its header says {expected}")
    return sizes, data


def write_file(path, write):
    """Writes beside the target and renames: a watcher of the folder never sees half a file."""
    temporary = os.path.join(os.path.dirname(path), "." + os.path.basename(path) + ".tmp")
    with open(temporary, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def write_idx(path, sizes, data):
    def write(file):
        # No name and no time in the gzip header: the same examples are the same bytes, and so the same digest.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=1, mtime=0) as packed:
            packed.write(struct.pack(f">{1 + len(sizes)}I", 0x800 + len(sizes), *sizes))
            packed.write(data)

    write_file(path, write)


def write_part(source, folder, part):
    first, last = (0, SPLIT) if part == 1 else (SPLIT, None)
    # The images last: training looks for them, and by then their labels are there.
    for name, dimensions in ((LABELS, 1), (IMAGES, 3)):
        sizes, data = read_idx(os.path.join(source, f"train-{name}"), dimensions)
        item = len(data) // sizes[0]
        chosen = data[first * item : None if last is None else last * item]
        write_idx(os.path.join(folder, f"train-{part:04}-{name}"), [len(chosen) // item, *sizes[1:]], chosen)


def copy(source, target):
    def write(file):
        with open(source, "rb") as original:
            shutil.copyfileobj(original, file)

    write_file(target, write)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="where the parts go")
    parser.add_argument("--part", type=int, choices=(1, 2), default=1, help="default: %(default)s")
    parser.add_argument("--source", default="/usr/share/datasets/fashion-mnist", help="default: %(default)s")
    arguments = parser.parse_args()
    os.makedirs(arguments.folder, exist_ok=True)
    write_part(arguments.source, arguments.folder, arguments.part)
    if arguments.part == 1:
        for name in (LABELS, IMAGES):
            copy(os.path.join(arguments.source, f"t10k-{name}"), os.path.join(arguments.folder, f"t10k-{name}"))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, struct.error) as error:
        sys.exit(f"split_idx.py: {error}")
