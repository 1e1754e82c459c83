"""Reads a report from standard input with Python's own parsers and prints what it found as JSON."""
import collections
import html.parser
import json
import sys
import xml.etree.ElementTree


def junit(data):
    suite = xml.etree.ElementTree.fromstring(data).find("testsuite")
    cases = []
    for case in suite.findall("testcase"):
        outcomes = [child for child in case if child.tag in ("failure", "error", "skipped")]
        assert len(outcomes) <= 1, "a case has at most one outcome"
        node = outcomes[0] if outcomes else None
        cases.append({"classname": case.get("classname"), "name": case.get("name"),
                      "outcome": node.tag if outcomes else "passed", "text": (node.text or "") if outcomes else ""})
    count = collections.Counter(case["outcome"] for case in cases)
    names = {(case["classname"], case["name"]) for case in cases}
    return {"cases": cases, "count": {key: count[key] for key in ("failure", "error", "skipped")},
            "unique": len(names) == len(cases),
            **{key: int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped")}}


class Page(html.parser.HTMLParser):
    VOID = {"meta", "line", "path", "circle"}

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.words, self.stack, self.balanced = set(), set(), [], [], True

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        self.balanced = self.balanced and bool(self.stack) and self.stack.pop() == tag

    def handle_data(self, data):
        if not self.stack or self.stack[-1] != "style":
            self.words.append(data)


def page(data):
    parser = Page()
    parser.feed(data.decode("utf-8"))
    parser.close()
    return {"tags": sorted(parser.tags), "attributes": sorted(parser.attributes),
            "balanced": parser.balanced and not parser.stack, "text": "".join(parser.words)}


print(json.dumps({"junit": junit, "html": page}[sys.argv[1]](sys.stdin.buffer.read())))
