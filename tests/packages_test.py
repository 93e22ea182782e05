#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""packaging/debian fits what meson installs and what the sources say: each file that is installed is
in one package, each line of a list names one, and versions, paths and build dependencies agree.

usage: packages_test.py BUILD-DIRECTORY
"""
import fnmatch
import json
import os
import re
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
DEBIAN = "packaging/debian"
PACKAGES = ("postern", "postern-tools")


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def installed(build):
    """Paths as in a package, from what meson would install."""
    with open(os.path.join(build, "meson-info/intro-installed.json"), encoding="utf-8") as f:
        paths = json.load(f).values()
    with open(os.path.join(build, "meson-info/intro-buildoptions.json"), encoding="utf-8") as f:
        options = {option["name"]: option["value"] for option in json.load(f)}
    prefix = options["prefix"].rstrip("/") + "/"
    below = (path.removeprefix(prefix) for path in paths)
    return {path if path.startswith("lib/systemd/") else "usr/" + path for path in below}


def lists():
    """Of each package: patterns of what meson installs, and sources of what the package adds."""
    patterns, added = {}, []
    for package in PACKAGES:
        patterns[package] = []
        for line in read(f"{DEBIAN}/{package}.install").splitlines():
            words = line.split()
            if len(words) == 1:
                patterns[package].append(words[0])
            elif words:
                added.append(words[0])
    return patterns, added


def matches(path, pattern):
    return fnmatch.fnmatch(path, pattern) or path.startswith(pattern + "/")


def field(name, package=None):
    text = read(f"{DEBIAN}/control")
    part = text if package is None else text.split(f"\nPackage: {package}\n")[1].split("\n\n")[0]
    value = re.search(rf"^{name}:(.*(?:\n .*)*)", part, re.M)[1]
    return {re.split(r"[ (]", entry.strip())[0] for entry in value.split(",")}


def wrong_lists(paths, patterns):
    bad = []
    for path in sorted(paths):
        of = [package for package in PACKAGES if any(matches(path, p) for p in patterns[package])]
        if len(of) != 1:
            bad.append(f"{path}: in {' and '.join(of) or 'no package'}")
    for package in PACKAGES:
        bad += [f"{package}.install: {pattern} is not installed" for pattern in patterns[package]
                if not any(matches(path, pattern) for path in paths)]
    return bad


def wrong_build_dependencies():
    """scripts/install has all of them, so that a machine that can build can make packages."""
    known = set(" ".join(re.findall(r'^(?:build|package)="([^"]*)"', read("scripts/install"),
                                    re.M)).split())
    return sorted(field("Build-Depends") - known - {"debhelper-compat"})


# Of meson's names of libraries: the Debian package.
LIBRARIES = {"libcrypto": "libssl-dev", "openssl": "libssl-dev", "sqlite3": "libsqlite3-dev",
             "yaml-0.1": "libyaml-dev", "threads": "libc6-dev"}


def wrong_libraries():
    """What the programs are linked with is a build dependency."""
    text = ""
    for part in ("base", "crypto", "dataplane", "gw"):
        for folder, _, names in os.walk(os.path.join(TOP, part)):
            if "meson.build" in names:
                text += read(os.path.relpath(os.path.join(folder, "meson.build"), TOP))
    names = set(re.findall(r"\bdependency\('([^']+)'", text))
    wanted = {LIBRARIES.get(name, f"{'' if name.startswith('lib') else 'lib'}{name}-dev")
              for name in names}
    return sorted(wanted - field("Build-Depends") - {"libc6-dev"})


def wrong_version():
    meson = re.search(r"version: '([^']*)'", read("meson.build"))[1]
    debian = re.match(r"postern \((.*)-[^-]*\)", read(f"{DEBIAN}/changelog"))[1]
    return [] if meson == debian else [f"meson.build has {meson}, changelog {debian}"]


def wrong_store_version():
    """What rules puts into preinst is there to be found."""
    pattern = re.search(r"s/\^(#define STORE_VERSION )", read(f"{DEBIAN}/rules"))
    found = re.findall(r"^#define STORE_VERSION +(\d+)", read("gw/store/schema.h"), re.M)
    app = re.search(r"STORE_APP_ID +0x([0-9a-fA-F]+)", read("gw/store/schema.h"))[1]
    bad = [] if pattern and len(found) == 1 else ["no STORE_VERSION for preinst"]
    return bad if f"= {app.lower()} ]" in read(f"{DEBIAN}/postern.preinst.in") else \
        bad + [f"preinst does not know the application id {app}"]


def wrong_key():
    """Unit and maintainer scripts mean the same key and the same store."""
    unit = read("packaging/postern.service")
    bad = [] if "LoadCredential=postern.kek:/etc/postern/postern.kek\n" in unit else ["the unit"]
    if not re.search(r"^StateDirectory=postern$", unit, re.M):
        bad.append("the unit's StateDirectory")
    for script in ("postinst", "postrm"):
        text = read(f"{DEBIAN}/postern.{script}")
        if "kek=/etc/postern/postern.kek\n" not in text or "state=/var/lib/postern\n" not in text:
            bad.append(script)
    return bad


def wrong_drivers():
    """DPDK loads its drivers as plugins, which no tool finds."""
    wanted = {"librte-bus-pci23", "librte-bus-vdev23", "librte-mempool-ring23"} | {
        f"librte-net-{name}23" for name in ("af-packet", "af-xdp", "memif", "tap", "virtio")}
    return sorted(wanted - field("Depends", "postern"))


def main():
    paths, (patterns, added) = installed(sys.argv[1]), lists()
    points = [
        ("each installed file is in one package", wrong_lists(paths, patterns), False),
        ("a file in no package is found", wrong_lists(paths | {"usr/bin/x"}, patterns), True),
        ("a line without a file is found",
         wrong_lists(paths - {"usr/bin/postern"}, patterns), True),
        ("what a package adds is there",
         [path for path in added if not os.path.exists(os.path.join(TOP, path))], False),
        ("scripts/install has the build dependencies", wrong_build_dependencies(), False),
        ("each library is a build dependency", wrong_libraries(), False),
        ("the versions agree", wrong_version(), False),
        ("preinst knows the version of the store", wrong_store_version(), False),
        ("unit and scripts agree on key and store", wrong_key(), False),
        ("the drivers of all kinds of ports are dependencies", wrong_drivers(), False),
    ]
    print(f"1..{len(points)}")
    for what, bad, expected in points:
        print(f"{'ok' if bool(bad) == expected else 'not ok'} - {what}")
        if bool(bad) != expected:
            print("".join(f"# {line}\n" for line in bad), end="")


main()
