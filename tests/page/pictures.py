#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""usage: pictures.py FOLDER SECONDS
Watches the page for a while, and takes pictures of it: desk and phone, light and dark."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import Browser  # noqa: E402

folder, seconds = sys.argv[1], int(sys.argv[2])
with open("chromium.log", "w") as log:
    browser = Browser(log)
    browser.size(1240, 900)
    browser.scheme("light")
    browser.open("http://127.0.0.1:9683/")
    browser.wait("document.body && document.body.dataset.sample")
    time.sleep(max(5, seconds - 8))
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        for name, width, height, scale, phone in (("desk", 1240, 1010, 1, False),
                                                  ("phone", 390, 844, 2, True)):
            browser.size(width, height, scale, phone)
            time.sleep(0.3)
            browser.picture(f"{folder}/{name}-{scheme}.png", whole=phone)
    for complaint in browser.complaints:
        print(complaint)
    browser.close()
    sys.exit(1 if browser.complaints else 0)
