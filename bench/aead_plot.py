#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# usage: bench/aead_plot.py < JSON > SVG
# Plots ns a message by length from what bench/aead --json prints: AES-CCM-16-64-128, open, batches of
# 32, 1 000 contexts, two AAD blocks. The dashed line is the instruction-issue limit.
import json
import math
import sys

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 860, 520, 70, 50, 40, 170
COLOURS = {
    "vaes512": "#0b6e4f", "vaes256": "#3a9d6e", "aesni": "#8ac6a5", "ipsec-mb-burst": "#b23a48",
    "ipsec-mb-job": "#d77a61", "ipsec-mb-sse": "#e8b4a0", "openssl": "#555577",
}


def rows():
    for line in sys.stdin:
        row = json.loads(line)
        if (row["bench"], row["algorithm"], row["op"], row["batch"], row["contexts"], row["aad"]) == (
                "aead", "AES-CCM-16-64-128", "open", 32, 1000, 24) and row["length"] != "8-64":
            yield row


def main():
    curves = {}
    for row in rows():
        curves.setdefault(row["engine"], {})[row["length"]] = row
    if "vaes512" not in curves:
        sys.exit("no rows of vaes512: bench/aead --json --contexts 1000 --batch 32 --aad 24")
    lengths = sorted(curves["vaes512"])
    limit = {n: row["limit_cycles"] * row["ns_median"] / row["cycles_median"]
             for n, row in curves["vaes512"].items()}
    most = max(row["ns_median"] for curve in curves.values() for row in curve.values())
    low, high = math.log10(2), math.log10(most * 1.2)

    def at(length, ns):
        span = math.log2(lengths[-1]) - math.log2(lengths[0])
        x = LEFT + (math.log2(length) - math.log2(lengths[0])) / span * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - (math.log10(ns) - low) / (high - low) * (HEIGHT - BOTTOM - TOP)
        return f"{x:.1f},{y:.1f}"

    def text(place, words, anchor="middle", colour="#222"):
        x, y = place.split(",")
        return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{words}</text>'

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           text(f"{(LEFT + WIDTH - RIGHT) / 2},20",
                "AES-CCM-16-64-128, open: ns a message (batches of 32, 1 000 contexts)")]
    for ns in (2, 5, 10, 20, 50, 100, 200, 500, 1000):
        if ns <= most * 1.2:
            x, y = at(lengths[0], ns).split(",")
            out.append(f'<path d="M{x},{y}H{WIDTH - RIGHT}" stroke="#ddd"/>')
            out.append(text(f"{LEFT - 8},{float(y) + 4:.1f}", ns, "end"))
    for length in lengths:
        x = at(length, 2).split(",")[0]
        out.append(text(f"{x},{HEIGHT - BOTTOM + 18}", length))
    out.append(text(f"{(LEFT + WIDTH - RIGHT) / 2},{HEIGHT - 10}", "bytes of plaintext"))
    for name, curve in curves.items():
        colour = COLOURS.get(name, "#999")
        points = [at(n, curve[n]["ns_median"]) for n in lengths if n in curve]
        out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" '
                   f'points="{" ".join(points)}"/>')
        x, y = points[-1].split(",")
        out.append(text(f"{float(x) + 8},{float(y) + 4:.1f}", name, "start", colour))
    points = [at(n, limit[n]) for n in lengths]
    out.append('<polyline fill="none" stroke="#000" stroke-dasharray="5 4" '
               f'points="{" ".join(points)}"/>')
    x, y = points[-1].split(",")
    out.append(text(f"{float(x) + 8},{float(y) + 14:.1f}", "issue limit", "start"))
    out.append("</svg>")
    print("\n".join(out))


main()
