#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# What tests/tally counts decides what "passed" means, so it is tested itself.
import importlib.machinery
import importlib.util
import io
import os

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tally")
loader = importlib.machinery.SourceFileLoader("tally", path)
tally = importlib.util.module_from_spec(importlib.util.spec_from_loader("tally", loader))
loader.exec_module(tally)

PROGRAMS = [  # what, output, how it died, (passed, failed, skipped)
    ("points are counted", "1..2\nok 1 - a\nok - b::c  (0.01s)\n", "", (2, 0, 0)),
    ("a point that is not ok has failed", "1..2\nok 1\nnot ok 2 - b\n", "exit 1", (1, 1, 0)),
    ("a program without tests has failed", "1..0\n", "", (0, 1, 0)),
    ("a silent program has failed", "", "", (0, 1, 0)),
    ("a row of an instruction set may be skipped", "1..2\nok 1 - a\nok 2 - b # SKIP no VAES\n", "",
     (1, 0, 1)),
    ("nothing else may be skipped", "1..2\nok 1 - a\nok 2 - b # SKIP not today\n", "", (1, 1, 0)),
    ("tests that are missing have failed", "1..3\nok 1 - a\nok 2 - b\n", "", (2, 1, 0)),
    ("dying after the last point is a failure", "1..1\nok 1 - a\n", "ERROR", (1, 1, 0)),
    ("no plan is a failure", "ok 1 - a\n", "", (1, 1, 0)),
    ("a test of two CPUs may be skipped", "1..1\nok 1 - a # SKIP one CPU only\n", "", (0, 0, 1)),
]
RECORDS = [
    ("a plain program counts as one", {"result": "OK", "returncode": 0, "stdout": "x"}, (1, 0, 0)),
    ("a plain program that fails", {"result": "FAIL", "returncode": 3}, (0, 1, 0)),
    ("a plain program that is too slow", {"result": "TIMEOUT", "returncode": -15}, (0, 1, 0)),
    ("a silent TAP program", {"result": "SKIP", "returncode": 0, "stdout": ""}, (0, 1, 0)),
]


def counts(run):
    t = tally.Tally(io.StringIO())
    run(t)
    return t.passed, t.failed, t.skipped


def said(record):
    t = tally.Tally(io.StringIO())
    t.meson({"name": "p", "returncode": 1} | record)
    return t.out.getvalue()


TAP = {"result": "FAIL", "stdout": "1..2\nnot ok 1 - a\n  a.c:1: why\nok 2 - b\n", "stderr": "oh"}
cases = [(what, counts(lambda t: t.program("p", output, died)), wanted)
         for what, output, died, wanted in PROGRAMS]
cases += [(what, counts(lambda t: t.meson({"name": "p"} | record)), wanted)
          for what, record, wanted in RECORDS]
cases += [
    ("why a point failed is told", said(TAP), "FAILED: p: a\n      a.c:1: why\np said:\n    oh\n"),
    ("what a program said that failed is told", said({"result": "FAIL", "stdout": "why"}),
     "FAILED: p: FAIL, exit status 1\n    why\n"),
]
TIMED = {"name": "postern:unit / p", "duration": 1.2345,
         "stdout": "1..2\nok - s::a  (0.01s)\nnot ok - s::b  (1.50s)\nok - other\n"}
cases += [("the times of a program and its tests", list(tally.times([TIMED, {"name": "q", "duration": 2}])),
           ["1.23\tp\n", "0.01\ts::a\n", "1.50\ts::b\n", "2.00\tq\n"])]
print(f"1..{len(cases)}")
for what, got, wanted in cases:
    print(f"{'ok' if got == wanted else 'not ok'} - {what}")
    if got != wanted:
        print(f"# got {got}, wanted {wanted}")
