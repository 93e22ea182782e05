#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Whatever docs/threat-model.md, docs/audit.md, docs/bodies.md and docs/conformance.md name as the guard of a
promise exists; tests/mutants/README.md has each mutant, with the test that its patch names; and
docs/conformance.md is what scripts/conformance makes of its table.

Names stand between backticks: `suite::test` or `program::test`, then `test` alone for one more of
the same suite; `program`, also with a `*`; `name.test`; a path from the root; and a mutant, or a
trick of tests/smoke/hostile, after that word. In the last column of a table that is headed "test",
"check" or "guarded by" nothing else may stand between backticks.
"""
import fnmatch
import glob
import importlib.machinery
import importlib.util
import os
import re
import tempfile

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
DOCS = ["docs/threat-model.md", "docs/audit.md", "docs/bodies.md", "docs/conformance.md"]
GUARDS = ("test", "check", "guarded by")
FOLDERS = ("tests/", "scripts/", "bench/", "docs/", "build/")
MUTANTS = "tests/mutants/README.md"


def script(path):
    """A script as a module."""
    loader = importlib.machinery.SourceFileLoader(os.path.basename(path), os.path.join(TOP, path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


conformance = script("scripts/conformance")


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def found(pattern):
    return sorted(glob.glob(pattern, root_dir=TOP, recursive=True))


class Tree:
    """Names of what tests there are."""

    def __init__(self):
        self.tests = {}  # suite, or program of that source: names
        self.programs = set()
        for path in found("tests/**/*.c"):
            program = re.sub(r"^test_|\.c$", "", os.path.basename(path))
            for suite, name in re.findall(r"^(?:Parameterized)?Test\((\w+), (\w+)", read(path),
                                          re.M):
                for of in {suite, program}:
                    self.tests.setdefault(of, set()).add(name)
        for path in found("tests/**/meson.build"):
            self.programs |= set(re.findall(r"(?:\btest\(|\[)'(\w+)'", read(path)))
        for path in found("tests/fuzz/fuzz_*.c"):
            self.programs.add(os.path.basename(path)[:-2])
        self.scripts = {os.path.basename(path) for path in found("tests/*/*.test")}
        self.mutants = {os.path.basename(path)[:-6] for path in found("tests/mutants/*.patch")}
        self.tricks = set(re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)+", read("tests/smoke/hostile")))

    def of(self, name):
        return self.tests.get(name.removeprefix("test_"), set())

    def is_program(self, name):
        return any(fnmatch.filter(names, name.removeprefix("test_"))
                   for names in (self.programs, self.tests))


def wrong(tree, text, strict):
    """What is named in a line or a cell of a table and is not there. strict: all must be names."""
    bad, kind, suite = [], "", None
    for i, part in enumerate(text.split("`")):
        if i % 2 == 0:
            if word := re.findall(r"\b(mutant|trick)s?:?(?= *$)", part):
                kind = word[-1]
            elif not re.fullmatch(r"(,| |and)*", part):
                kind = ""
            if strict:
                bad += [name for name in re.findall(r"\bmutants? ([a-z0-9]+(?:-[a-z0-9]+)+)", part)
                        if name not in tree.mutants]
            continue
        first = part.split()[0] if part.split() else ""
        if re.fullmatch(r"\w+::\w+", part):
            suite, name = part.split("::")
            good = name in tree.of(suite)
        elif kind == "mutant":
            good = part in tree.mutants
        elif kind == "trick":
            good = part in tree.tricks
        elif part.endswith(".test"):
            good = os.path.basename(part) in tree.scripts
        elif first.startswith(FOLDERS):
            good = first.startswith("build/") or os.path.exists(os.path.join(TOP, first))
        elif not strict:
            continue
        else:
            good = suite is not None and part in tree.of(suite) or tree.is_program(part)
        if not good:
            bad.append(part)
    return bad


def wrong_links(text, folder):
    return [link for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
            if not os.path.exists(os.path.join(TOP, folder, link))]


def wrong_page(tree, text, folder="docs"):
    bad, strict = wrong_links(text, folder), False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("|"):
            strict = False
            cells = [line]
        else:
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if strict is False and line.startswith("|"):
            strict = cells[-1] in GUARDS
            continue
        for cell in cells:
            last = strict and cell is cells[-1]
            bad += [f"line {number}: {name}" for name in wrong(tree, cell, last)]
    return bad


def wrong_mutants(tree, text):
    """Of a table of mutant, what is broken, program, result."""
    bad, rows = [], {}
    for row in re.findall(r"^\| ([a-z0-9-]+) \| (.*) \| (\w+) \| (.*) \|$", text, re.M):
        if row[0] not in ("mutant", "---"):
            rows[row[0]] = row
    bad += [f"{name}: no row" for name in sorted(tree.mutants - rows.keys())]
    for name, _, program, result in rows.values():
        path = f"tests/mutants/{name}.patch"
        if name not in tree.mutants:
            bad.append(f"{name}: no patch")
        elif f"\nTest: {program}\n" not in read(path):
            bad.append(f"{name}: the patch names another test than {program}")
        killer = re.search(r"(\w+)::(\w+)", result)
        if killer and killer[2] not in tree.of(killer[1]):
            bad.append(f"{name}: {killer[0]}")
    return bad


TABLE = "| what | guarded by |\n|---|---|\n| `anything` | {} |\n"
PLANTED = [  # a page, what is wrong in it
    ("a test, by suite and by program, and one more", TABLE.format(
        "`dp_handoff_pool::packets_handed_over_return_to_their_pool`, "
        "`test_dp_handoff::packets_handed_over_return_to_their_pool`, "
        "`nothing_unverified_crosses`"), 0),
    ("a test that is not there", TABLE.format("`dp_separate::rst_ends_nothing`"), 1),
    ("one more that is another's", TABLE.format("`dp_separate::rst_ends_it`, `verdicts`"), 1),
    ("a word that is no test", TABLE.format("`anything`"), 1),
    ("programs", TABLE.format("`test_dp_sessions`, all of `test_dp_*`, `aead_timing`, `fuzz_ctl`"),
     0),
    ("a program that is not there", TABLE.format("`test_dp_seasons`"), 1),
    ("mutants", TABLE.format("mutants `echo-mac`, `handle-twice`; mutant sealed-twice"), 0),
    ("mutants that are not there",
     TABLE.format("mutants `echo-mac`, `echo-mic`; mutant sealed-once"), 2),
    ("a script of the daemon's tests", TABLE.format("smoke `vlan_tags_come_back.test`"), 0),
    ("one that is not there", "See `vlan_tags_stay.test`.\n", 1),
    ("paths", "`tests/lab/nic` and `tests/lab/nick`, `scripts/lint --all`.\n", 1),
    ("links", "[a](config.md#ports), [b](nowhere.md), [c](https://example.org/)\n", 1),
    ("words of no kind in a text", "`anything` and `max_age`, a mutant of `max_age`\n", 0),
]


RULE = "A.1\tRFC 7252 3\ta rule\t{}\t{}\t{}\n"
TABLES = [  # rules of a group, what is wrong in them beside that no page was made of them
    ("a rule, its tests and a mutant",
     RULE.format("conforms", "dp_separate::rst_ends_it docs fuzz_ctl vlan_tags_come_back.test "
                 "mutant:echo-mac", "-"), 0),
    ("a test that is not there", RULE.format("conforms", "dp_separate::rst_ends_nothing", "-"), 1),
    ("a mutant that is not there", RULE.format("conforms", "mutant:echo-mic", "-"), 1),
    ("a rule without a test", RULE.format("conforms", "-", "so it is"), 1),
    ("a rule that is not kept, and nothing says why", RULE.format("later", "-", "-"), 1),
    ("a rule twice", 2 * RULE.format("n/a", "-", "no"), 1),
    ("a result that is none", RULE.format("mostly", "docs", "-"), 1),
    ("a column too few", "A.1\tRFC 7252 3\ta rule\tconforms\tdocs\n", 1),
]
LOG = '{"name": "postern:unit / %s", "result": "%s", "stdout": "1..1\\n%s - s::t  (0.01s)\\n"}\n'
PASSED = [  # of a table that wants s::t and x.test: logs, how many are missing
    ("both passed", LOG % ("p", "OK", "ok"), "x    3 passed, 0 failed  1.0 s\n", 0),
    ("one failed", LOG % ("p", "FAIL", "not ok"), "x    3 passed, 0 failed  1.0 s\n", 1),
    ("one did not run", LOG % ("p", "OK", "ok"), "y    3 passed, 0 failed  1.0 s\n", 1),
    ("a point of it failed", LOG % ("p", "OK", "ok"), "x    3 passed, 1 failed  1.0 s\n", 1),
    ("nothing of it ran", LOG % ("p", "OK", "ok"), "x    0 passed, 0 failed  1.0 s\n", 1),
]


def wrong_table(rules):
    text = "group\tA\tTitle\tabout\n" + rules
    groups, _ = conformance.parse(text)
    return conformance.wrong(text, conformance.page(groups))


def not_passed(log, said):
    groups, _ = conformance.parse("group\tA\tTitle\tabout\n" +
                                  RULE.format("conforms", "s::t x.test mutant:m", "-"))
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("log.json", log), ("said", said)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(text)
        return conformance.not_passed(groups, [os.path.join(folder, name)
                                               for name in ("log.json", "said")])


def conformance_points():
    points = [(f"{what}: {expected} wrong", wrong_table(rules), expected)
              for what, rules, expected in TABLES]
    points += [(f"tests that the page names: {what}", not_passed(log, said), expected)
               for what, log, said, expected in PASSED]
    page = read(conformance.PAGE)
    points.append(("a page of another table",
                   conformance.wrong(read(conformance.TABLE), page + "more\n"), 1))
    points.append((f"{conformance.PAGE} is made of its table",
                   conformance.wrong(read(conformance.TABLE), page), 0))
    return points


def main():
    tree = Tree()
    points = [(f"{what}: {expected} wrong", wrong_page(tree, page), expected)
              for what, page, expected in PLANTED]
    points += [(f"what {path} names is there", wrong_page(tree, read(path)), 0) for path in DOCS]
    points.append((f"{MUTANTS} has each mutant", wrong_mutants(tree, read(MUTANTS)), 0))
    points.append(("a mutant without a row, and a row without one",
                   wrong_mutants(tree, read(MUTANTS).replace("| echo-mac |", "| echo-mic |")), 2))
    points += conformance_points()
    print(f"1..{len(points)}")
    for what, bad, expected in points:
        print(f"{'ok' if len(bad) == expected else 'not ok'} - {what}")
        if len(bad) != expected:
            print("".join(f"# {line}\n" for line in bad), end="")


main()
