#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""usage: check.py STATS
Looks at the page with a browser; prints a TAP point for each thing seen. STATS is what
`posternctl --json stats --all` says of the daemon, which has no traffic now."""
import json
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import FLAGS, Browser, Failure  # noqa: E402

URL = "http://127.0.0.1:9683/"
HOSTILE = ["<img src=x onerror=alert(1)>", "\u202egpj.exe\u2066", "a\u0000b\u001b[2J\u200b",
           "</script><script>alert(1)</script>", "&lt;b&gt;", "x" * 5000, "\U000e0041", "\ud83d\ude80"]


def ok(name, good, why=""):
    print("ok" if good else "not ok", "-", name, flush=True)
    if not good:
        print("#", str(why)[:1000].replace("\n", " "), flush=True)


def number(text):
    return int("".join(c for c in text if c.isdigit()))


def figures(browser, stats):
    """What is shown is what `stats` says."""
    tile = "document.querySelector('#tile-%s .more').textContent"
    for name, counter in ("requests", "rx_requests"), ("answers", "answers"):
        got = number(browser.value(tile % name))
        ok(f"{counter} is shown as it is", got == stats[counter], f"{got}, not {stats[counter]}")
    dropped = sum(value for name, value in stats.items() if name.startswith("drop_"))
    ok("drops are summed up", number(browser.value(tile % "drops")) == dropped, dropped)
    rows = browser.value("[...document.querySelectorAll('#t-drops tbody tr')].map(r => [r.cells[0]"
                         ".textContent, r.cells[2].textContent, r.cells[3].textContent])")
    got = {"drop_" + name: number(count) for name, count, _ in rows}
    want = {name: value for name, value in stats.items() if name.startswith("drop_") and value}
    ok("each reason for a drop is there", want and got == want, f"{got}, not {want}")
    ok("with words", all(words for _, _, words in rows), rows)
    rows = dict(browser.value("[...document.querySelectorAll('#t-routes tbody tr')].map(r => "
                              "[r.cells[0].textContent, r.lastChild.textContent])"))
    for pattern in "/ping", "/*", "/%3Cb%3Ex/*", "/%E2%80%AEgpj.exe":
        want = stats[f"route.{pattern}.requests"]
        ok(f"requests to {pattern}", pattern in rows and number(rows[pattern]) == want, rows)
    rows = browser.value("[...document.querySelectorAll('#t-upstreams tbody tr')].map(r => "
                         "[...r.cells].map(c => c.textContent))")
    ok("the upstream", rows[0][0] == "telemetry" and rows[0][1] == "1 of 2 up" and
       number(rows[0][-1]) == stats["upstream.telemetry.requests"], rows[0])
    ok("its server with its URL", rows[1][0].startswith("telemetry.0http://10.9.0.2:8080") and
       number(rows[1][-1]) == stats["server.telemetry.0.attempts"], rows[1])
    ok("the server that is down", rows[2][1] == "down" and "8099/%3Ci%3E" in rows[2][0], rows[2])
    states = dict(browser.value("[...document.querySelectorAll('#devices li')].map(l => "
                                "[l.children[1].textContent, l.children[2].textContent])"))
    for state, count in states.items():
        ok(f"devices {state}", number(count) == stats[f"devices.{state}.in_state"], count)
    ok("all states are there", len(states) == 6, states)
    ok("it is ready", browser.value("document.getElementById('health-text').textContent") == "ready")
    busy = browser.value("document.querySelector('#t-workers tbody td').textContent")
    ok("the load of a worker", busy.endswith("%"), busy)


def names(browser):
    """Whatever a name is, it is text."""
    counters = [["route_requests", name, "", 7] for name in HOSTILE]
    counters += [["upstream_requests", name, "", 7] for name in HOSTILE]
    counters += [["server_up", "s" + name, name, 0] for name in HOSTILE]
    counters += [["devices_in_state", name, "", 7] for name in HOSTILE]
    counters += [["port_link_up", name, "", 1] for name in HOSTILE]
    counters += [["drop_" + name, "", "", 7] for name in HOSTILE]
    fake = {"version": HOSTILE[0], "time_ms": 1, "started_s": 1, "now_s": 2, "draining": False,
            "alarms": HOSTILE, "stuck": HOSTILE, "workers_busy_us": [1], "exchanges_max": 1,
            "devices_max": 1, "counters": counters, "help": {"drop_" + HOSTILE[0]: HOSTILE[3]},
            "urls": [["s" + name, name] for name in HOSTILE]}
    before = browser.value("document.querySelectorAll('script, img, b b, i i').length")
    text = browser.value(f"pause(); take({json.dumps(fake)}); show(); document.body.innerText")
    after = browser.value("document.querySelectorAll('script, img, b b, i i').length")
    ok("no name becomes an element", before == after, after)
    ok("markup is shown as it is", "<img src=x onerror=alert(1)>" in text and "&lt;b&gt;" in text)
    bad = [hex(ord(c)) for c in text if ord(c) < 32 and c not in "\n\t" or 0x7f <= ord(c) < 0xa0 or
           0x200b <= ord(c) <= 0x200f or 0x202a <= ord(c) <= 0x202e or 0x2060 <= ord(c) <= 0x2069 or
           0xe0000 <= ord(c)]
    ok("what is not seen is named", not bad and "\u27e8U+202E\u27e9" in text and
       "\u27e8U+0000\u27e9" in text, bad)
    ok("long names are cut", "x" * 200 not in text)
    wide = browser.value("document.documentElement.scrollWidth - innerWidth")
    ok("and nothing of it is too wide", wide <= 0, wide)
    browser.open(URL)
    browser.wait("document.body && document.body.dataset.sample")


def policy(browser):
    wrong = browser.value("(() => { try { document.body.innerHTML = '<b>x</b>'; return 'set'; } "
                          "catch (e) { return e.name; } })()")
    ok("the policy allows no markup by script", wrong == "TypeError", wrong)
    got = browser.value("fetch('http://10.9.0.2:8080/').then(() => 'fetched', e => e.name)")
    ok("nor requests to others", got == "TypeError", got)
    browser.complaints = [c for c in browser.complaints if "10.9.0.2" not in c and
                          "TrustedHTML" not in c]


def keys(browser):
    focus = "document.activeElement.id || document.activeElement.className"
    browser.tab()
    ok("the first stop leads to the figures", browser.value(focus) == "skip", browser.value(focus))
    browser.tab()
    ok("the next is the pause", browser.value(focus) == "pause", browser.value(focus))
    ok("which can be seen", browser.value("getComputedStyle(document.activeElement).outlineStyle")
       == "solid")
    browser.key("Enter", "\r")
    ok("it pauses", browser.value("document.activeElement.getAttribute('aria-pressed')") == "true")
    ok("and says so", browser.value("document.getElementById('health-text').textContent") == "paused")
    browser.key("p", "p")
    browser.wait("document.getElementById('health-text').textContent === 'ready'")
    browser.key("/", "/")
    ok("/ leads to the filter", browser.value(focus) == "filter" and
       browser.value("document.activeElement.value") == "")
    for letter in "ping":
        browser.key(letter, letter)
    rows = browser.value("document.querySelectorAll('#t-routes tbody tr').length")
    ok("which leaves what fits", rows == 1, rows)
    browser.key("Escape")
    rows = browser.value("document.querySelectorAll('#t-routes tbody tr').length")
    ok("and shows all again", rows == 4, rows)
    stops = browser.value("[...document.querySelectorAll('.scroll')].every(e => e.tabIndex === 0 &&"
                          " e.getAttribute('aria-label'))")
    ok("what scrolls can be reached", stops)


def widths(browser):
    for width in 320, 390, 768, 1240, 2000:
        browser.size(width, 900)
        over = browser.value("document.documentElement.scrollWidth - innerWidth")
        ok(f"it fits {width} pixels", over <= 0, over)
    colours = set()
    for scheme in "light", "dark":
        browser.scheme(scheme)
        colours.add(browser.value("getComputedStyle(document.body).backgroundColor"))
    ok("it is dark in the dark", len(colours) == 2, colours)


def others(browser):
    """A name of somebody else's that leads to our address."""
    browser.open("http://evil.example:9683/")
    browser.wait("document.body && document.body.innerText.length")
    text = browser.value("document.body.innerText")
    ok("a page under another name gets nothing", "metrics.hosts" in text, text)
    browser.complaints = [c for c in browser.complaints if "evil.example" not in c]
    browser.open(URL)
    browser.wait("document.body && document.body.dataset.sample")


def daemon_gone(browser):
    with open("gateway.pid", encoding="ascii") as f:
        pid = int(f.read())
    os.kill(pid, signal.SIGSTOP)
    browser.wait("document.getElementById('health-text').textContent.startsWith('no figures')")
    ok("a daemon that does not answer is told", True)
    os.kill(pid, signal.SIGCONT)
    browser.wait("document.getElementById('health-text').textContent === 'ready'")
    ok("and that it does again", True)
    browser.complaints = [c for c in browser.complaints if "figures.json" not in c]


with open(sys.argv[1], encoding="utf-8") as f:
    counted = {c["name"]: c["total"] for c in json.load(f)}
FLAGS.append("--host-resolver-rules=MAP evil.example 127.0.0.1")
with open("chromium.log", "w", encoding="utf-8") as log:
    window = Browser(log)
    try:
        window.size(1240, 900)
        window.open(URL)
        window.wait("document.querySelector('#t-workers .meter')")  # two samples
        figures(window, counted)
        ok("the browser has nothing to complain about", not window.complaints, window.complaints)
        for part in names, policy, keys, widths, others, daemon_gone:
            part(window)
        ok("nor at the end", not window.complaints, window.complaints)
    except Failure as failure:
        ok("all of it can be seen", False, f"{failure}, {window.complaints}")
    window.close()
