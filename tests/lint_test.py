#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# What scripts/lint refuses of layers, sizes and circles: each mistake is planted in a copy of the
# tree that has the scripts, no exceptions, and no files but those that are planted.
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The copy is of who runs the test, also under sudo.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "SUDO_USER"}
EXCEPTIONS = "scripts/lint.d/exceptions"


def function(head, lines):
    """A function of so many lines, the head's included."""
    return head + "\n{\n" + "\t;\n" * (lines - head.count("\n") - 3) + "}\n"


def parameters(count):
    return function(f"void f({', '.join(f'int p{n}' for n in range(count))})", 3)


# What, the checks, {planted file: content}, what they say ("" where it passes).
SOURCES = [
    ("an include of a layer above", "layers", {"crypto/p.c": '#include "gw/conf/conf.h"\n'},
     "crypto/p.c:1: gw/conf/conf.h: a layer above, or beside"),
    ("an include of a layer beside", "layers", {"gw/store/p.h": '#include "gw/ctl/verbs.h"\n'},
     "gw/store/p.h:1: gw/ctl/verbs.h: a layer above, or beside"),
    ("a worker's header in gw", "layers", {"gw/daemon/p.c": '\n#include "dataplane/worker/p.h"\n'},
     "gw/daemon/p.c:2: dataplane/worker/p.h: a layer above, or beside"),
    ("another header where one is allowed", "layers",
     {"dataplane/state/p.c": '#include "dataplane/port/frame.h"\n#include "dataplane/port/p.h"\n'},
     "dataplane/state/p.c:2: dataplane/port/p.h: a layer above, or beside"),
    ("an include of a layer below", "layers", {"gw/daemon/p.c": '#include "gw/store/p.h"\n'}, ""),
    ("a test that includes a worker's header", "layers",
     {"tests/unit/p.c": '#include "dataplane/worker/p.h"\n'}, ""),
    ("a path that points up", "layers", {"gw/ctl/p.c": '#include "../store/p.h"\n'},
     "gw/ctl/p.c:1: ../store/p.h: a path that points up"),
    ("an include from beside itself", "layers", {"gw/ctl/p.c": '#include "p.h"\n'},
     "gw/ctl/p.c:1: p.h: includes are written from the root"),
    ("an include by a macro", "layers", {"crypto/p.c": '#define P "gw/conf/conf.h"\n#include P\n'},
     "crypto/p.c:2: gw/conf/conf.h: a layer above, or beside"),
    ("an include by a macro of another file", "layers", {"crypto/p.c": "#include P\n"},
     "crypto/p.c:1: P: an include that cannot be read"),
    ("an include behind a comment", "layers", {"crypto/p.c": '/**/ #include "gw/conf/conf.h"\n'},
     "an include that cannot be read"),
    ("an include in another spelling", "layers", {"crypto/p.c": '%:include "gw/conf/conf.h"\n'},
     "an include that cannot be read"),
    ("an import", "layers", {"crypto/p.c": '#import "gw/conf/conf.h"\n'},
     "an include that cannot be read"),
    ("a header of ours in angle brackets", "layers", {"crypto/p.c": "#include <gw/conf/conf.h>\n"},
     "crypto/p.c:1: gw/conf/conf.h: what is ours is included in quotes"),
    ("an absolute path", "layers", {"crypto/p.c": "#include </usr/include/rte_ring.h>\n"},
     "a path that points up"),
    ("a source that is included", "layers", {"gw/ctl/p.c": '#include "gw/ctl/q.c"\n'},
     "gw/ctl/p.c:1: gw/ctl/q.c: neither a header nor a table"),
    ("an include in a table", "layers", {"crypto/p.def": '#include "gw/conf/conf.h"\n'},
     "crypto/p.def:1: gw/conf/conf.h: a layer above, or beside"),
    ("a part of a library's header", "layers", {"gw/map/p.c": "#include <cbor/arrays.h>\n"},
     "gw/map/p.c:1: cbor/arrays.h: reaches cbor/arrays.h"),
    ("headers that include each other", "layers",
     {"gw/ctl/p.h": '#include "gw/ctl/q.h"\n', "gw/ctl/q.h": '#include "gw/ctl/p.h"\n'},
     "gw/ctl/p.h: a circle of includes: gw/ctl/p.h -> gw/ctl/q.h -> gw/ctl/p.h"),
    ("a folder that has no line", "layers", {"gw/new/p.c": '#include "gw/new/p.h"\n'},
     "gw/new/p.c:1: gw/new/p.h: gw/new/ is not in the table"),
    ("DPDK in crypto", "layers", {"crypto/p.c": "#include <rte_ring.h>\n"},
     "crypto/p.c:1: rte_ring.h: reaches rte_ring.h"),
    ("DPDK through two headers", "layers",
     {"gw/http/p.c": '#include "gw/os/p.h"\n', "gw/os/p.h": '#include "gw/os/q.h"\n',
      "gw/os/q.h": "#include <rte_eal.h>\n"},
     "gw/http/p.c:1: gw/os/p.h: reaches rte_eal.h: gw/http/p.c -> gw/os/p.h -> gw/os/q.h -> rte_"),
    ("the guard of another header", "guards", {"gw/ctl/p.h": "#ifndef POSTERN_GW_OS_P_H\n"},
     "gw/ctl/p.h: the guard is not POSTERN_GW_CTL_P_H"),
    ("a guard", "guards", {"gw/ctl/p-q.h": "#ifndef POSTERN_GW_CTL_P_Q_H\n"}, ""),
    ("a function of 71 lines", "sizes", {"gw/ctl/p.c": function("int f(\n\tint a)", 71)},
     "gw/ctl/p.c:1: f: 71 lines, and 70 are allowed"),
    ("a function of 70 lines", "sizes", {"gw/ctl/p.c": function("int f(\n\tint a)", 70)}, ""),
    ("a long function with an end in a comment", "sizes",
     {"gw/ctl/p.c": "int f(void)\n{\n/*\n}\n*/\n" + "\t;\n" * 70 + "}\n"},
     "gw/ctl/p.c:3: hides functions from this check"),
    ("a long function with an end that is not compiled", "sizes",
     {"gw/ctl/p.c": "int f(void)\n{\n#if 0\n}\n#endif\n" + "\t;\n" * 70 + "}\n"},
     "gw/ctl/p.c:3: hides functions from this check"),
    ("a long function in a form of its own", "sizes",
     {"gw/ctl/p.c": "// clang-format off\nint f(void) {\n" + "\t;\n" * 70 + "}\n"},
     "gw/ctl/p.c:2: hides functions from this check"),
    ("a head of the old kind", "sizes", {"gw/ctl/p.c": function("int f(a)\nint a;", 71)},
     "the head of this function cannot be read"),
    ("a function that gives a function", "sizes",
     {"gw/ctl/p.c": function("int (*f(int a))(void)", 3)},
     "gw/ctl/p.c:1: the head of this function cannot be read"),
    ("a long test", "sizes", {"tests/unit/p.c": "\n" + function("Test(p, is_long, .init = f)", 71)},
     "tests/unit/p.c:2: p::is_long: 71 lines, and 70 are allowed"),
    ("a function with nine parameters", "sizes", {"crypto/p.h": parameters(9)},
     "crypto/p.h:1: f: 9 parameters, and 8 are allowed"),
    ("a function with eight parameters", "sizes", {"crypto/p.h": parameters(8)}, ""),
    ("a parameter that has eight parameters", "sizes",
     {"crypto/p.h": function("void f(int a, void (*g)(char, int, int, int, int, int, int, int))",
                             3)},
     ""),
    ("a file of 601 lines", "sizes", {"base/p.h": "\n" * 601},
     "base/p.h: 601 lines, and 600 are allowed"),
]

# The same with these lines as the list of exceptions, and nothing else.
EXCEPTED = [
    ("an excepted include", "layers", {"base/p.h": '#include "crypto/p.h"\n'},
     "include base/p.h crypto/p.h # why", ""),
    ("an excepted include that is not there", "layers", {"base/p.h": '#include "base/q.h"\n'},
     "include base/p.h crypto/p.h # why",
     f"{EXCEPTIONS}:1: include base/p.h crypto/p.h: not needed any more"),
    ("excepted DPDK that is not reached", "layers", {"base/p.h": '#include "base/q.h"\n'},
     "reach base/p.h base/q.h # why", "not needed any more"),
    ("an exception without a reason", "layers", {"base/p.h": '#include "crypto/p.h"\n'},
     "include base/p.h crypto/p.h",
     f"{EXCEPTIONS}:1: include base/p.h crypto/p.h: does not say why"),
    ("an exception with a number for a reason", "layers", {"base/p.h": '#include "crypto/p.h"\n'},
     "include base/p.h crypto/p.h 9", "does not say why"),
    ("an exception for no check", "layers", {}, "includes base/p.h crypto/p.h # why",
     "no check has this kind"),
    ("an excepted function", "sizes", {"base/p.h": function("int f(void)", 80)},
     "function base/p.h f 80", ""),
    ("an excepted function that grew", "sizes", {"base/p.h": function("int f(void)", 81)},
     "function base/p.h f 80", "base/p.h:1: f: 81 lines, and 80 are allowed"),
    ("an excepted function that shrank", "sizes", {"base/p.h": function("int f(void)", 79)},
     "function base/p.h f 80", f"base/p.h:1: f: 79 lines: write so in {EXCEPTIONS}, which says 80"),
    ("an excepted function that became short", "sizes", {"base/p.h": function("int f(void)", 70)},
     "function base/p.h f 80", "function base/p.h f: not needed any more"),
    ("an excepted function with parameters to spare", "sizes", {"base/p.h": parameters(8)},
     "parameters base/p.h f 9", "parameters base/p.h f: not needed any more"),
    ("an excepted file that became short", "sizes", {"base/p.h": "\n" * 600}, "file base/p.h 700",
     "file base/p.h: not needed any more"),
]

TWO = {"a.c": "int g(void); int f(void) { return g(); }",
       "b.c": "int f(void); int g(void) { return f(); }"}
THREE = {"a.c": "int h(void); int g(void); int f(void) { return g() + h(); }",
         "b.c": "extern int i; int g(void) { return i; } int h(void) { return i; }",
         "c.c": "int f(void); int i; int j(void) { return f(); }"}
CIRCLES = [
    ("a circle of two files", TWO, "", "a.c (g) -> b.c (f) -> a.c"),
    ("a circle of three files, by a variable", THREE, "",
     "a.c (g, h) -> b.c (i) -> c.c (f) -> a.c"),
    ("use one way only", TWO | {"b.c": "int g(void) { return 1; }"}, "", ""),
    ("a circle whose function another folder has, too",
     TWO | {"bench/p.c": "int f(void) { return 1; }"}, "", "a.c (g) -> b.c (f) -> a.c"),
    ("use of a layer above by a declaration",
     {"a.c": "int g(void); int f(void) { return g(); }",
      "gw/ctl/p.c": "int g(void) { return 1; }"}, "", "crypto/a.c: uses g of gw/ctl/p.c: a layer above, or beside"),
    ("a source of a new folder", {"new/p.c": "int f(void); int g(void) { return f(); }",
     "a.c": "int f(void) { return 1; }"}, "", "new/p.c: new/ is not in the table"),
    ("an excepted circle", TWO, "circle crypto a.c b.c # why", ""),
    ("an excepted circle that grew", THREE, "circle crypto a.c b.c # why", "3 files: a.c b.c c.c"),
    ("an excepted circle that was cut", TWO | {"b.c": "int g(void) { return 1; }"},
     "circle crypto a.c b.c # why", "circle crypto a.c b.c: not needed any more"),
]


def write(top, files):
    for path, content in files.items():
        os.makedirs(os.path.dirname(os.path.join(top, path)), exist_ok=True)
        with open(os.path.join(top, path), "w") as file:
            file.write(content)


def build(sources):
    """These files, in crypto/ if no folder is named, and a build directory for them as of meson."""
    sources = {name if "/" in name else "crypto/" + name: text for name, text in sources.items()}
    commands = []
    rules = "rule cc\n  command = cc -c $in -o $out\nbuild build.ninja: phony\n"
    for name in sources:
        output = name.replace("/", "_") + ".o"
        commands.append({"directory": ".", "file": "../" + name, "output": output})
        rules += f"build {output}: cc ../{name}\n"
    return sources | {
        "build/build.ninja": rules, "build/compile_commands.json": json.dumps(commands)}


failed = done = 0


def case(what, check, files, exceptions, says):
    """Passes if lint refuses these files with such words, or lets them pass without any."""
    global failed, done
    with tempfile.TemporaryDirectory() as top:
        shutil.copytree(os.path.join(TOP, "scripts"), os.path.join(top, "scripts"))
        write(top, files | {EXCEPTIONS: exceptions + "\n"})
        run = subprocess.run([os.path.join(top, "scripts/lint"), check], env=ENVIRONMENT,
                             capture_output=True, text=True)
    output = run.stdout + run.stderr
    good = run.returncode != 0 and says in output if says else run.returncode == 0
    done += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {done} - {what} {'is refused' if says else 'passes'}")
    if not good:
        print(re.sub("^", "# ", output, flags=re.M))


for what, check, files, says in SOURCES:
    case(what, check, files, "", says)
for what, check, files, exceptions, says in EXCEPTED:
    case(what, check, files, exceptions, says)
for what, sources, exceptions, says in CIRCLES:
    case(what, "circles", build(sources), exceptions, says)
case("a tree that was not built", "circles", {}, "", "meson setup build")
case("a check that there is not", "layer", {}, "", "there is no such check: layer")
print(f"1..{done}")
sys.exit(failed != 0)
