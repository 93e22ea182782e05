#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# usage: bench/pipeline_plot.py < JSON > SVG
# Plots what bench/pipeline --json prints: good requests a second by number of devices, beside what
# libcoap serves on a core, and the core cycles of a request by stage.
import json
import math
import sys

WIDTH, HEIGHT, TOP, BOTTOM = 980, 460, 40, 60
CURVES = (70, 430)  # left and right edge of each half
BARS = (560, 850)
PEER = {1: 90e3, 10000: 8000, 100000: 700}  # libcoap with OSCORE, requests a second
CURVE_COLOURS = {"discard": "#0b6e4f", "echo": "#3a9d6e", "libcoap": "#b23a48"}
STAGE_COLOURS = ["#264653", "#2a9d8f", "#8ab17d", "#e9c46a", "#f4a261", "#e76f51", "#b23a48",
                 "#6d597a", "#355070", "#999999"]


def text(x, y, words, anchor="middle", colour="#222"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'


def thousands(n):
    return f"{n:,}".replace(",", " ")


def curves(rows):
    lines = {"libcoap": PEER}
    for row in rows:
        name = row["upstream"].removeprefix("builtin:")
        lines.setdefault(name, {})[row["devices"]] = row["pps_median"]
    left, right = CURVES
    high = 7

    def at(devices, rate):
        x = left + math.log10(devices) / 6 * (right - left)
        return x, HEIGHT - BOTTOM - (math.log10(rate) - 2) / (high - 2) * (HEIGHT - BOTTOM - TOP)

    yield text((left + right) / 2, 20, "good requests a second on one core")
    for power in range(2, high + 1):
        y = at(1, 10 ** power)[1]
        yield f'<path d="M{left},{y:.1f}H{right}" stroke="#ddd"/>'
        yield text(left - 8, y + 4, thousands(10 ** power), "end")
    for power in range(0, 7, 2):
        yield text(at(10 ** power, 100)[0], HEIGHT - BOTTOM + 18, thousands(10 ** power))
    yield text((left + right) / 2, HEIGHT - 20, "devices")
    for i, (name, line) in enumerate(lines.items()):
        colour = CURVE_COLOURS[name]
        points = [at(devices, rate) for devices, rate in sorted(line.items())]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        yield f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{path}"/>'
        yield text(left + 12, HEIGHT - BOTTOM - 60 + 16 * i, name, "start", colour)


def bars(rows):
    rows = sorted((r for r in rows if r["upstream"] == "builtin:discard"), key=lambda r: r["devices"])
    stages = [s for s in rows[0]["stages"] if any(r["stages"][s] >= 5 for r in rows)]
    left, right = BARS
    most = max(r["cycles_per_packet"] for r in rows)
    scale = (HEIGHT - BOTTOM - TOP) / (1.1 * most)
    step = (right - left) / len(rows)

    yield text((left + right) / 2, 20, "core cycles of a request by stage (discard)")
    for cycles in range(0, int(1.1 * most), 200):
        y = HEIGHT - BOTTOM - cycles * scale
        yield f'<path d="M{left},{y:.1f}H{right}" stroke="#ddd"/>'
        yield text(left - 8, y + 4, cycles, "end")
    for i, row in enumerate(rows):
        y = HEIGHT - BOTTOM
        for k, stage in enumerate(stages):
            height = row["stages"][stage] * scale
            y -= height
            yield (f'<rect x="{left + (i + 0.2) * step:.1f}" y="{y:.1f}" width="{0.6 * step:.1f}" '
                   f'height="{height:.1f}" fill="{STAGE_COLOURS[k % len(STAGE_COLOURS)]}"/>')
        yield text(left + (i + 0.5) * step, HEIGHT - BOTTOM + 18, thousands(row["devices"]))
    yield text((left + right) / 2, HEIGHT - 20, "devices")
    for k, stage in enumerate(stages):
        y = HEIGHT - BOTTOM - 20 * (k + 1)
        colour = STAGE_COLOURS[k % len(STAGE_COLOURS)]
        yield f'<rect x="{right + 16}" y="{y:.1f}" width="12" height="12" fill="{colour}"/>'
        yield text(right + 34, y + 11, stage, "start")


def main():
    rows = [row for row in map(json.loads, sys.stdin)
            if row["bench"] == "pipeline" and row.get("traffic") == "good"
            and row.get("variant", "echo") == "echo"]
    if not any(row["upstream"] == "builtin:discard" for row in rows):
        sys.exit("no rows of good traffic: bench/pipeline --json --traffic good")
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
          'font-family="sans-serif" font-size="12">')
    print(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>')
    print("\n".join(curves(rows)))
    print("\n".join(bars(rows)))
    print("</svg>")


main()
