#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""usage: make.py page.html page.css page.js page.c
Puts style and script into the page, in the place of <style> and <script> that are empty, and writes
it as a C array, with the policy that allows these two by their hashes and nothing else."""
import base64
import hashlib
import sys

POLICY = ("default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
          "require-trusted-types-for 'script'; trusted-types 'none'")


def source(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def put(page, name, text):
    empty = f"<{name}></{name}>"
    if page.count(empty) != 1 or f"</{name}" in text:
        sys.exit(f"make.py: there is no place for the {name}")
    return page.replace(empty, f"<{name}>{text}</{name}>")


def main(html, css, js, out):
    page, style, script = (open(name, encoding="utf-8").read() for name in (html, css, js))
    data = put(put(page, "style", style), "script", script).encode()
    policy = POLICY.format(script=source(script), style=source(style))
    with open(out, "w", encoding="utf-8") as f:
        f.write('#include "gw/web/page/page.h"\n\nconst char web_page_html[] = {\n')
        for i in range(0, len(data), 20):
            f.write("\t" + "".join(f"{b if b < 128 else b - 256}," for b in data[i:i + 20]) + "\n")
        f.write(f"}};\nconst size_t web_page_len = {len(data)};\n")
        f.write(f'const char web_page_policy[] = "{policy}";\n')


main(*sys.argv[1:])
