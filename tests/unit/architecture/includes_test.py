"""Who may include whom: the table in ARCHITECTURE.md against every #include of ours.

usage: includes_test.py [REPOSITORY]. Prints one line, file:line: what is wrong, for every violation.
"""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else __file__.rsplit("/tests/", 1)[0])
FOLDERS = ("engine", "pipelines", "runners", "hooks", "stages", "bench")
SUFFIXES = (".h", ".hpp", ".cc", ".c")
INSTALLED = {"pawl/capture.h": "hooks/capture/include/pawl/capture.h", "pawl/pawl.hpp": "hooks/cpp/include/pawl/pawl.hpp"}

# Slow to compile, and nobody's business but the .cc file's that uses them.
HEAVY = re.compile(r"torch/|ATen/|c10/|boost/(asio|beast|math)|CLI/|nlohmann/json\.hpp|yaml-cpp/|spdlog/|png\.h|jpeglib\.h"
                   r"|.*\.pb\.h")
# Headers that cannot do without: only the .cc files of their own folder may include them.
PRIVATE_HEAVY = {"engine/http/connection.h", "engine/supervise/json_fields.h"}
TORCH = ("torch/", "ATen/", "c10/")  # what the hook for C++, a header, is made of
TORCH_FILES = ("hooks/cpp/", "stages/evaluate/model.cc", "bench/hook.cc")  # the `pawl` binary never links it

INCLUDE = re.compile(r'\s*#\s*include\s*(["<])([^">]+)[">]')


def read_table(text):
    """{target: what it may include}, both as paths without a suffix; "everything" stands for itself."""
    rows = text.split("<!-- includes:begin -->")[1].split("<!-- includes:end -->")[0].strip().splitlines()[2:]
    table = {}
    for row in rows:
        targets, allowed = (cell.strip() for cell in row.strip().strip("|").split("|"))
        targets = [name.strip() for name in targets.split(",")]
        for target in targets:
            table[target] = {name.strip() for name in allowed.split(",") if name.strip()} | set(targets)
    return table


def is_under(path, target):
    """engine/trace/format holds engine/trace/format.cc and nothing of engine/trace/formatting.cc."""
    return path.startswith((target + "/", target + "."))


def target_of(path, table):
    return max((target for target in table if is_under(path, target)), key=len, default=None)


def includes(text):
    """(line, quoted, name) of every #include."""
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match[1] == '"', match[2]


def violations_of(path, text, table, exists):
    target = target_of(path, table)
    if target is None:
        return [f"{path}:1: is of no target of the table in ARCHITECTURE.md"]
    allowed = table[target]
    out = []
    for line, quoted, name in includes(text):
        where = f"{path}:{line}"
        if HEAVY.match(name) and path.endswith((".h", ".hpp")) and path not in PRIVATE_HEAVY:
            if not (path.startswith("hooks/cpp/") and name.startswith(TORCH)):
                out.append(f"{where}: <{name}> in a header: every file that includes it pays")
        if name.startswith(TORCH) and not path.startswith(TORCH_FILES):
            out.append(f"{where}: <{name}> is for {' and '.join(TORCH_FILES)} only")
        if not quoted or name.endswith(".inc"):  # the system's, or generated for this very file
            continue
        included = INSTALLED.get(name, name)
        if not exists(included):
            out.append(f'{where}: "{name}" is not a path from the root of the repository')
        elif included in PRIVATE_HEAVY and (path.endswith(".h") or not is_under(path, included.rsplit("/", 1)[0])):
            out.append(f'{where}: "{name}" is for the .cc files of its own folder')
        elif "everything" not in allowed and not any(is_under(included, other) for other in allowed):
            out.append(f'{where}: {target} may not include "{name}"')
    return out


def sources():
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES:
                yield path.relative_to(ROOT).as_posix()


class IncludesTest(unittest.TestCase):
    table = read_table((ROOT / "ARCHITECTURE.md").read_text())

    def test_every_include_is_allowed(self):
        found = []
        for path in sources():
            found += violations_of(path, (ROOT / path).read_text(), self.table, lambda name: (ROOT / name).is_file())
        self.assertFalse(found, "\n" + "\n".join(found))

    def test_every_target_of_the_table_exists(self):
        paths = list(sources())
        for target in self.table:
            self.assertTrue(any(is_under(path, target) for path in paths), f"{target} has no file")

    def test_private_headers_are_there_and_heavy(self):
        for path in PRIVATE_HEAVY:
            names = [name for _, _, name in includes((ROOT / path).read_text())]
            self.assertTrue(any(HEAVY.match(name) for name in names), f"{path} needs no exception any more")


class CheckerTest(unittest.TestCase):
    """The checker itself, so that a mistake in it does not look like a clean tree."""

    table = read_table("""
        <!-- includes:begin -->
        | target | may include |
        |---|---|
        | engine/base | |
        | engine/trace/format, engine/trace/steps | engine/base |
        | engine/rules | engine/base, engine/trace/format |
        | engine/trace | engine/base |
        | bench | everything |
        <!-- includes:end -->
    """)

    def check(self, path, text, exists=lambda name: True):
        return violations_of(path, text, self.table, exists)

    def test_the_longest_target_counts(self):
        self.assertEqual(target_of("engine/trace/format.cc", self.table), "engine/trace/format")
        self.assertEqual(target_of("engine/trace/formatting.cc", self.table), "engine/trace")
        self.assertIsNone(target_of("stages/evaluate/model.cc", self.table))

    def test_allowed(self):
        self.assertEqual(self.check("engine/base/a.cc", '#include "engine/base/b.h"\n'), [])
        self.assertEqual(self.check("engine/trace/steps.h", '#include "engine/trace/format.h"\n'), [])
        self.assertEqual(self.check("engine/trace/tail.h", '#include "engine/trace/format.h"\n'), [])
        self.assertEqual(self.check("bench/a.cc", '#include "engine/rules/a.h"\n#include <CLI/CLI.hpp>\n'), [])

    def test_refused_with_file_and_line(self):
        found = self.check("engine/base/a.cc", '#include <map>\n#  include "engine/rules/b.h"\n')
        self.assertEqual(found, ['engine/base/a.cc:2: engine/base may not include "engine/rules/b.h"'])
        self.assertEqual(len(self.check("engine/rules/a.cc", '#include "engine/trace/tail.h"\n')), 1)
        self.assertEqual(len(self.check("engine/trace/format.h", '#include "engine/trace/tail.h"\n')), 1)
        self.assertEqual(len(self.check("stages/a.cc", "")), 1)
        self.assertEqual(len(self.check("bench/a.cc", '#include "b.h"\n', exists=lambda name: False)), 1)

    def test_heavy_headers(self):
        for name in ("png.h", "boost/beast/http.hpp", "CLI/CLI.hpp", "nlohmann/json.hpp", "yaml-cpp/yaml.h",
                     "boost/math/distributions/normal.hpp", "spdlog/spdlog.h"):
            self.assertEqual(len(self.check("engine/base/a.h", f"#include <{name}>\n")), 1, name)
            self.assertEqual(self.check("engine/base/a.cc", f"#include <{name}>\n"), [], name)
        self.assertEqual(self.check("engine/base/a.h", "#include <nlohmann/json_fwd.hpp>\n"), [])

    def test_torch_is_for_few(self):
        table = {**self.table, "stages/evaluate": {"stages/evaluate"}, "hooks/cpp": {"hooks/cpp"}}
        for path, wrong in (("bench/a.cc", 1), ("stages/evaluate/model.cc", 0), ("stages/evaluate/main.cc", 1),
                            ("stages/evaluate/model.h", 2), ("hooks/cpp/include/a.hpp", 0)):
            found = violations_of(path, "#include <torch/script.h>\n", table, lambda name: True)
            self.assertEqual(len(found), wrong, path)


if __name__ == "__main__":
    unittest.main()
