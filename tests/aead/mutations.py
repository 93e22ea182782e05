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

ENGINE = "crypto/aead.c"
LANES = "crypto/ccm_lanes.h"
BATCH = "crypto/ccm_batch.h"
WIDE = "crypto/ccm_vaes512.c"
BYTES = "crypto/ccm_bytes.h"
X25519 = "crypto/x25519_ifma.c"
P256 = "crypto/p256_ifma.c"
FIELD = "crypto/p256_field.h"

# name: (file, text, what it becomes, the tests that fail)
COMPARE = "differ = short_tag ? lanes_differ_8(tag, want) : lanes_differ_16(tag, want);"
MUTATIONS = {
    "tag-not-compared": (
        LANES, COMPARE, "(void)tag, (void)want, differ = 0;", ["aead", "aead_oracle_short"]),
    "tag-half-compared": (
        LANES, COMPARE, "differ = lanes_differ_8(tag, want);", ["aead", "aead_oracle_short"]),
    "tag-compared-by-bytes": (
        LANES, COMPARE,
        "differ = 0;\n"
        "\tfor (unsigned i = 0; i < LANES; i++)\n"
        "\t\tfor (unsigned k = 16 * i; k < 16 * i + (short_tag ? 8 : 16); k++)\n"
        "\t\t\tif (((volatile const uint8_t *)&tag)[k] !=\n"
        "\t\t\t\t((volatile const uint8_t *)&want)[k]) {\n"
        "\t\t\t\tdiffer |= UINT64_C(1) << i;\n\t\t\t\tbreak;\n\t\t\t}",
        ["aead_secrets", "aead_timing"]),
    "plaintext-left": (
        BATCH, "memset(op->out, 0, op->len);", ";", ["aead", "aead_oracle_short"]),
    "plaintext-left-in-part": (
        BATCH, "memset(op->out, 0, op->len);", "memset(op->out, 0, op->len & ~15);",
        ["aead", "aead_oracle_short"]),
    "secrets-not-wiped": (
        ENGINE, "memset(engine->secrets, 0, engine->secrets_len);", ";", ["aead_residue"]),
    "secrets-wiped-in-part": (
        BATCH, "engine->secrets_len = sizeof(*s);", "engine->secrets_len = sizeof(*s) / 2;",
        ["aead_residue"]),
    "spills-not-wiped": (
        BATCH, "\tspills_wipe();\n", "", ["aead_residue"]),
    "registers-not-wiped": (
        BATCH, "\tregisters_wipe();\n", "", ["aead_residue"]),
    "tail-read-whole": (
        WIDE, "_mm_maskz_loadu_epi8(a, P(i))", "BLOCK_AT(P(i))", ["aead"]),
    "tail-written-whole": (
        WIDE, "_mm_mask_storeu_epi8(P(i), a, _mm512_castsi512_si128(x));",
        "_mm_storeu_si128((__m128i *)P(i), _mm512_castsi512_si128(x));",
        ["aead", "aead_oracle_short"]),
    "one-mask-for-all": (
        WIDE, "some->same = !_mm256_cmpneq_epi16_mask(all, _mm256_set1_epi16(len[0]));",
        "some->same = true;", ["aead", "aead_oracle_short"]),
    "tail-read-too-far-without-masks": (
        BYTES, "if (n < 8)\n\t\treturn", "if (n < 4)\n\t\treturn", ["aead"]),
    "tail-not-masked": (
        LANES, "out = lanes_keep_some(&some, lanes_xor(in, stream));",
        "out = lanes_xor(in, stream);", ["aead", "aead_vectors"]),
    "tail-taken-for-whole": (
        LANES, "BLOCK * (b + 1) <= g->len_min", "BLOCK * (b + 1) <= g->len_min + 1", ["aead"]),
    "lane-dropped": (
        BATCH, "n - first > LANES ? GROUP_MAX : LANES",
        "n - first > LANES + 1 ? GROUP_MAX : LANES", ["aead", "aead_oracle_short"]),
    "lanes-swapped": (
        WIDE, "LOAD_EACH(P, (some)->lane, 4)", "LOAD_EACH(P, (some)->lane, 8)",
        ["aead", "aead_oracle_short"]),
    "second-half-with-keys-of-the-first": (
        LANES, "x.b = aes(x.b, s->half[HALVES - 1].key[r]);",
        "x.b = aes(x.b, s->half[0].key[r]);", ["aead", "aead_vectors", "aead_oracle_short"]),
    "places-forgotten": (
        BATCH, "batch->op == ops ? place : batch->order[place]", "place",
        ["aead", "aead_oracle_short"]),
    "short-lanes-not-kept": (
        LANES, "mac = b < g->data_min ? next :", "mac = true ? next :",
        ["aead", "aead_oracle_short"]),
    "aad-lanes-not-kept": (
        LANES, "mac = both_above(next, mac, g->aad_blocks, a, two);", "mac = next;",
        ["aead", "aead_oracle_short"]),
    "aad-read-too-far": (
        LANES, "(a < g->aad_blocks[i] ? AAD(i) : zeros)", "AAD(i)", ["aead"]),
    "no-key-stream-behind-a-short-aad": (
        LANES, "for (; counter <= (g->data_max > 0); counter++)", "if (false)",
        ["aead", "aead_vectors", "aead_oracle_short"]),
    "repetitions-of-another": (
        BATCH, "batch->copy[place] = batch->copy[n - 1];",
        "batch->copy[place] = batch->copy[first];", ["aead"]),
    "counter-of-one-byte": (
        WIDE, "(i & 0xff) << 24 | (i & 0xff00) << 8", "(i & 0xff) << 24", ["aead"]),
    "round-constant": (
        LANES, "STEP(8, 0x1b, lanes_aesenc);", "STEP(8, 0x1d, lanes_aesenc);",
        ["aead", "aead_vectors", "aead_oracle_short"]),
    "x25519-branch-on-a-key": (
        X25519, "INLINE void swap(lanes_mask mask, struct fe *a, struct fe *b)\n{\n",
        "INLINE void swap(lanes_mask mask, struct fe *a, struct fe *b)\n{\n"
        "\tif (!mask)\n\t\treturn;\n", ["x25519_secrets", "x25519_timing"]),
    "x25519-carry-dropped": (
        X25519, "lanes_19(c[LIMBS - 1] >> LIMB_BITS)", "(c[LIMBS - 1] >> LIMB_BITS)",
        ["x25519", "x25519_plain"]),
    "x25519-sum-not-carried": (
        X25519, "\t\tc[i] = a->limb[i] + b->limb[i];\n\tcarry(out, c);",
        "\t\tout->limb[i] = a->limb[i] + b->limb[i];\n\t(void)c;", ["x25519_plain"]),
    "x25519-not-below-p": (
        X25519, "\tc[0] += lanes_19(over);\n\t(void)carry_along(c);", "\t(void)over;",
        ["x25519", "x25519_plain"]),
    "x25519-high-bit-of-u": (
        X25519, "word[3] >> 12 & LIMB_MASK", "word[3] >> 12", ["x25519_plain"]),
    "x25519-scalar-not-clamped": (
        X25519, "word[0] &= ~UINT64_C(7);", ";", ["x25519", "x25519_plain"]),
    "x25519-difference-below-0": (
        X25519, "4 * (i ? LIMB_MASK : LIMB_MASK - 18)", "0", ["x25519", "x25519_plain"]),
    "x25519-stack-not-wiped": (
        X25519, "\tspills_wipe();\n", "", ["x25519"]),
    "p256-branch-on-a-key": (
        P256, "const lanes_mask here = lanes_zero(which ^ lanes_set(i));\n",
        "const lanes_mask here = lanes_zero(which ^ lanes_set(i));\n\n\t\tif (!here)\n\t\t\tcontinue;\n",
        ["p256_secrets", "p256_timing"]),
    "p256-point-off-the-curve": (
        P256, "\tgood &= is_root(&p.y, &t);\n", "", ["p256", "p256_plain"]),
    "p256-x-above-p": (
        P256, "good &= fe_load(&p.x, x);", "(void)fe_load(&p.x, x);", ["p256", "p256_plain"]),
    "p256-y-above-p": (
        P256, "good &= fe_load(&p.y, y);", "(void)fe_load(&p.y, y);", ["p256", "p256_plain"]),
    "p256-scalar-above-n": (
        P256, "lanes_bit(rest.limb[LIMBS - 1], 63) | ", "", ["p256", "p256_plain"]),
    "p256-scalar-of-n": (
        P256, "limbs_zero(&rest) |", "0 |", ["p256", "p256_plain"]),
    "p256-scalar-of-0": (
        P256, "limbs_zero(&number));", "0);", ["p256", "p256_plain"]),
    "p256-digits-not-negated": (
        P256, "\t\tnegate(&one.y, negative);\n\t\tpoint_add(", "\t\t(void)negative;\n\t\tpoint_add(",
        ["p256", "p256_plain"]),
    "p256-digit-cut-at-a-limb": (
        P256, "bit > LIMB_BITS - DIGIT_BITS)", "bit > LIMB_BITS - DIGIT_BITS + 2)",
        ["p256", "p256_plain"]),
    "p256-key-of-the-base-not-negated": (
        P256, "\tnegate(&p.y, scalar.negative);\n", "", ["p256", "p256_plain"]),
    "p256-x-without-y": (
        P256, "good &= is_root(&root, &value);", ";", ["p256", "p256_plain"]),
    "p256-sign-of-y-turned": (
        P256, "lanes_bit(root.limb[0], 0) ^ odd", "~lanes_bit(root.limb[0], 0) ^ odd",
        ["p256", "p256_plain"]),
    "p256-refused-lane-given-out": (
        P256, "fe_store(out, &p.x, good);", "fe_store(out, &p.x, 0xff);", ["p256", "p256_plain"]),
    "p256-not-below-p": (
        FIELD, "(void)limbs_subtract(out, out, fe_p);", "", ["p256_field"]),
    "p256-not-folded": (
        FIELD, "(lanes)((lanes_signed)c[4] >> 48) - 1", "lanes_set(0)",
        ["p256", "p256_plain", "p256_field"]),
    "p256-folded-below-0": (
        FIELD, "(lanes)((lanes_signed)c[4] >> 48) - 1", "(lanes)((lanes_signed)c[4] >> 48)",
        ["p256_field"]),
    "p256-carry-dropped": (
        FIELD, "limb = c[i + 1] + lanes_above(limb);", "limb = c[i + 1];",
        ["p256", "p256_plain", "p256_field"]),
    "p256-carry-without-sign": (
        FIELD, "(lanes)((lanes_signed)limb >> LIMB_BITS)", "limb >> LIMB_BITS",
        ["p256", "p256_plain", "p256_field"]),
    "p256-stack-not-wiped": (
        P256, "\tspills_wipe();\n", "", ["p256"]),
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
