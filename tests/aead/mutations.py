#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Ways to break the kernels of crypto/, each of which a test must see.
#
# usage: mutations.py run [NAME...]       breaks a copy of the sources in each way and runs the tests
#        mutations.py make NAME IN OUT    writes one broken file; the build uses this for planted leaks
import pathlib
import shutil
import subprocess
import sys
import tempfile

LANES = "crypto/ccm_lanes.h"
WIDE = "crypto/ccm_vaes512.c"
BYTES = "crypto/ccm_bytes.h"

# name: (file, text, what it becomes, the tests that fail)
MUTATIONS = {
    "tag-not-compared": (
        LANES, "return ((x[0] ^ y[0]) | (x[1] ^ y[1])) != 0;", "return false;",
        ["aead", "aead_oracle_short"]),
    "tag-half-compared": (
        LANES, "return ((x[0] ^ y[0]) | (x[1] ^ y[1])) != 0;", "return x[0] != y[0];",
        ["aead", "aead_oracle_short"]),
    "tag-compared-by-bytes": (
        LANES, "return ((x[0] ^ y[0]) | (x[1] ^ y[1])) != 0;",
        "for (unsigned i = 0; i < tag_len; i++)\n"
        "\t\tif (((volatile const uint8_t *)x)[i] != ((volatile const uint8_t *)y)[i])\n"
        "\t\t\treturn true;\n\treturn false;",
        ["aead_secrets", "aead_timing"]),
    "plaintext-left": (
        LANES, "memset(ops[i].out, 0, ops[i].len);", ";", ["aead", "aead_oracle_short"]),
    "plaintext-left-in-part": (
        LANES, "memset(ops[i].out, 0, ops[i].len);", "memset(ops[i].out, 0, ops[i].len & ~15);",
        ["aead", "aead_oracle_short"]),
    "keys-not-wiped": (
        LANES, "s->key[r] = (struct lanes){0};", ";", ["aead_residue"]),
    "spills-not-wiped": (
        LANES, "\tspills_wipe();\n", "", ["aead_residue"]),
    "registers-not-wiped": (
        LANES, "\tregisters_wipe();\n", "", ["aead_residue"]),
    "tail-read-whole": (
        WIDE, "_mm_maskz_loadu_epi8((some)->lane[i], P(i))", "BLOCK_AT(P(i))", ["aead"]),
    "tail-written-whole": (
        WIDE, "_mm_mask_storeu_epi8(P(i), lane[0], _mm512_castsi512_si128(x));",
        "_mm_storeu_si128((__m128i *)P(i), _mm512_castsi512_si128(x));",
        ["aead", "aead_oracle_short"]),
    "tail-read-too-far-without-masks": (
        BYTES, "if (n < 8)\n\t\treturn", "if (n < 4)\n\t\treturn", ["aead"]),
    "tail-not-masked": (
        LANES, "out = lanes_keep_some(&some, lanes_xor(in, stream));",
        "out = lanes_xor(in, stream);", ["aead", "aead_vectors"]),
    "lane-dropped": (
        LANES, "batch.groups = (n + LANES - 1) / LANES;", "batch.groups = (n + LANES - 2) / LANES;",
        ["aead", "aead_oracle_short"]),
    "lanes-swapped": (
        WIDE, "SOME_JOIN(P, some, 4)", "SOME_JOIN(P, some, 8)", ["aead", "aead_oracle_short"]),
    "places-forgotten": (
        LANES, "s->tag[batch->op == ops ? i : batch->place[i]]", "s->tag[i]",
        ["aead", "aead_oracle_short"]),
    "short-lanes-not-kept": (
        LANES, "\tif (b < g->data_min)\n\t\treturn next;", "\tif (true)\n\t\treturn next;",
        ["aead", "aead_oracle_short"]),
    "aad-lanes-not-kept": (
        LANES, "mac = lanes_select(&more, next, mac);", "mac = next;",
        ["aead", "aead_oracle_short"]),
    "aad-read-too-far": (
        LANES, "(a < g->aad_blocks[i] ? AAD(i) : zeros)", "AAD(i)", ["aead"]),
    "repetitions-of-the-last-given": (
        LANES, "batch->copy[place] = batch->copy[n - 1];", "batch->copy[place] = ops[n - 1];",
        ["aead"]),
    "counter-of-one-byte": (
        WIDE, "(i & 0xff) << 24 | (i & 0xff00) << 8", "(i & 0xff) << 24", ["aead"]),
    "round-constant": (
        LANES, "STEP(9, 0x1b, lanes_aesenc);", "STEP(9, 0x1d, lanes_aesenc);",
        ["aead", "aead_vectors", "aead_oracle_short"]),
}


def mutate(name, text):
    _, old, new, _ = MUTATIONS[name]
    if old not in text:
        sys.exit(f"{name}: the text to change is not there")
    return text.replace(old, new)


def run(names):
    top = pathlib.Path(__file__).resolve().parents[2]
    missed = []
    with tempfile.TemporaryDirectory() as work:
        copy = pathlib.Path(work) / "copy"
        build = pathlib.Path(work) / "build"
        shutil.copytree(top, copy, ignore=shutil.ignore_patterns(".git", "build*"))
        # What a mutation leaves unused is no error here.
        subprocess.run(["meson", "setup", "-Dwerror=false", build, copy], check=True,
                       stdout=subprocess.DEVNULL)
        for name in names:
            file, _, _, tests = MUTATIONS[name]
            path = copy / file
            original = path.read_text()
            path.write_text(mutate(name, original))
            made = subprocess.run(
                ["meson", "test", "-C", build, *tests], capture_output=True, text=True, check=False)
            path.write_text(original)
            failed = [test for test in tests
                      if any(f" {test} " in line and " FAIL" in line or f" {test} " in line
                             and " ERROR" in line for line in made.stdout.splitlines())]
            seen = failed == tests
            nothing = "no test failed" if "Ok:" in made.stdout else "it does not build"
            print(f"{'seen' if seen else 'MISSED'}: {name} "
                  f"({', '.join(failed) or nothing})", flush=True)
            if not seen:
                missed.append(name)
    print(f"{len(names) - len(missed)} of {len(names)} mutations seen")
    return 1 if missed else 0


def main():
    if len(sys.argv) == 5 and sys.argv[1] == "make":
        _, _, name, source, target = sys.argv
        pathlib.Path(target).write_text(mutate(name, pathlib.Path(source).read_text()))
        return 0
    if len(sys.argv) >= 2 and sys.argv[1] == "run":
        return run(sys.argv[2:] or list(MUTATIONS))
    sys.exit("usage: mutations.py run [NAME...] | mutations.py make NAME IN OUT")


if __name__ == "__main__":
    sys.exit(main())
