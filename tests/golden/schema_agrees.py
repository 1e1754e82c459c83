"""schema/pawl.schema.json and the parser must say the same about the same files.

Usage: schema_agrees.py SCHEMA CORPUS VERDICTS

CORPUS holds ok/*.yml and bad/*.yml; a bad file that no schema can find fault with says so in a comment
`# beyond a schema: why`. VERDICTS is the program pipeline_verdicts. Beside the corpus, every node of
ok/full.yml is replaced by values of every type, deleted and given a neighbour, one change at a time: the
schema may accept what the parser refuses only for one of the reasons in BEYOND_SCHEMA.
"""

import copy
import json
import pathlib
import re
import subprocess
import sys

import jsonschema
import yaml

# Errors that need more than the shape of one value: references, languages within strings, sums, what must differ.
BEYOND_SCHEMA = re.compile(
    r"unknown (stage|dataset) '|stages wait for each other|is never evaluated|would share the variable"
    r"|regular expression|^pattern '|takes no patterns with|only takes out|path|above its ceiling|at_least is not below"
    r"|which dataset is stage|must be one of the stages this one needs|is not a duration|must be between 1s and 30d|longer than a year"
    r"|^condition: |without a metric or condition there are none|look at one model|ask about one model"
    r"|cannot be disjoint from itself|with other seeds$|takes at least 3 seeds|^with their seeds the stages are|^two conditions on "
    r"|cron line|is not a (minute|hour|day|month)|the (step|range) (of )?'|never happens"
)

VALUES = [None, True, False, 0, 1, -1, 3, 0.5, 1e-7, 10**12, 123456789012345678, "", "off", "auto", "x y", "a", "10m",
          "yes", "\n", [], [""], ["push"], ["a", "a"], [[]], {}, {"zz": 1}, {"run": "make"}]


class Loader(yaml.SafeLoader):
    """YAML 1.2: only true and false are booleans, numbers are written as in JSON."""


Loader.yaml_implicit_resolvers = {}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))
Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^(null|~|)$"), ["n", "~", ""])
Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("^-?(0|[1-9][0-9]*)$"), list("-0123456789"))
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$"),
    list("-0123456789"),
)


def paths_of(node, path=()):
    yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from paths_of(child, path + (key,))


def changed(root, path, change):
    """A copy of root in which change(parent, key) was applied to the node at path."""
    holder = {"root": copy.deepcopy(root)}
    parent, key = holder, "root"
    for step in path:
        parent, key = parent[key], step
    change(parent, key)
    return holder["root"]


def mutants(root):
    for path in paths_of(root):
        for value in VALUES:
            yield path, changed(root, path, lambda parent, key, v=value: parent.__setitem__(key, v))
        if path:
            yield path, changed(root, path, lambda parent, key: parent.pop(key))

        def add_neighbours(parent, key):
            node = parent[key]
            if isinstance(node, dict):
                node["zz"] = {}

        yield path, changed(root, path, add_neighbours)
    reserved = ["PAWL", "PAWL_X", "RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "WORLD_SIZE", "MASTER_ADDR",
                "LOCAL_WORLD_SIZE", "ROLE_WORLD_SIZE", "MASTER_PORT", "TORCHELASTIC_X", "CUDA_VISIBLE_DEVICES",
                "LD_X", "GLIBC_TUNABLES", "ENV", "BASH_ENV", "BASH_FUNC_X", "BASHOPTS", "SHELLOPTS", "IFS"]
    for name in reserved + ["PATH", "RANKS", "A-B", "1A", "a", "_", "PAWLS", "X" * 255, "X" * 256]:
        yield ("env", name), changed(root, ("env",), lambda parent, key, n=name: parent[key].update({n: "x"}))
    for name in ["A", "a b", "a" * 63, "a" * 64, "9", "-", "a-9_"]:
        yield ("stages", name), changed(
            root, ("stages",), lambda parent, key, n=name: parent[key].update({n: {"run": "make"}}))


def parser_verdicts(program, documents):
    lines = "".join(json.dumps(document) + "\n" for document in documents)
    answer = subprocess.run([program], input=lines, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in answer.splitlines()]


def check_corpus(validator, corpus):
    problems = []
    for path in sorted(corpus.glob("*/*.yml")):
        raw = path.read_bytes()
        beyond = b"# beyond a schema: " in raw
        try:
            accepted = validator.is_valid(yaml.load(raw, Loader))
        except (yaml.YAMLError, UnicodeDecodeError, ValueError, TypeError, RecursionError):
            accepted = False  # not even YAML
        expected = path.parent.name == "ok" or beyond
        if accepted != expected:
            problems.append(f"{path}: the schema {'accepts' if accepted else 'refuses'} it")
    return problems


def check_mutants(validator, corpus, program):
    full = yaml.load((corpus / "ok" / "full.yml").read_text(), Loader)
    cases = list(mutants(full))
    verdicts = parser_verdicts(program, [document for _, document in cases])
    assert len(verdicts) == len(cases) and verdicts, "the parser did not answer every case"
    problems = []
    for (path, document), verdict in zip(cases, verdicts):
        accepted = validator.is_valid(document)
        excused = accepted and all(BEYOND_SCHEMA.search(error) for error in verdict["errors"])
        if accepted != verdict["ok"] and not excused:
            reasons = verdict["errors"] or [error.message[:200] for error in validator.iter_errors(document)]
            node = document
            for step in path:
                node = node.get(step, "(deleted)") if isinstance(node, dict) else node
            problems.append(f"{path} = {str(node)[:80]}: schema {accepted}, parser {verdict['ok']}: {reasons}")
    print(f"{len(cases)} variants of ok/full.yml")
    return problems


def main():
    schema_path, corpus_path, program = sys.argv[1:]
    schema = json.loads(pathlib.Path(schema_path).read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    corpus = pathlib.Path(corpus_path)
    problems = check_corpus(validator, corpus) + check_mutants(validator, corpus, program)
    print("\n".join(problems) or "the schema agrees with the parser")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
