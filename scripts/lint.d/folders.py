# SPDX-License-Identifier: BSD-3-Clause
# The order of the folders, for the checks "layers" (who includes what) and "circles" (who uses
# what).
import os

# A folder may include itself and what stands in its line: folders, or single headers, that have a
# line above.
MAY_INCLUDE = {
    "base": "",
    "crypto": "base",
    "dataplane/coap": "base",
    "dataplane/oscore": "base crypto dataplane/coap",
    "dataplane/shared": "base crypto dataplane/coap dataplane/oscore",
    "dataplane/port/xdp": "",  # for the kernel, too
    "dataplane/port": "base crypto dataplane/coap dataplane/oscore dataplane/shared "
                      "dataplane/port/xdp",
    "dataplane/state": "base crypto dataplane/coap dataplane/oscore dataplane/shared",
    "dataplane/worker": "base crypto dataplane/coap dataplane/oscore dataplane/shared "
                        "dataplane/port dataplane/state",
    "dataplane": "base crypto dataplane/coap dataplane/oscore dataplane/shared dataplane/port "
                 "dataplane/state dataplane/worker",
    "gw/conf": "base dataplane/coap",
    "gw/os": "base gw/conf",
    "gw/edhoc": "base crypto dataplane/oscore",
    "gw/device": "base crypto dataplane/oscore gw/edhoc",
    "gw/store": "base crypto dataplane/oscore gw/device",
    "gw/ctl": "base crypto dataplane/oscore gw/device",
    "gw/http": "base gw/conf gw/os",
    "gw/translate": "base",
    "gw/cache": "base",
    "gw/map": "base dataplane/coap dataplane/shared/exchange.h gw/conf gw/http gw/translate gw/cache",
    "gw/batch": "base dataplane/coap gw/conf gw/http gw/map",
    "gw/body": "base dataplane/coap",
    "gw/upstream": "base dataplane/coap dataplane/shared gw/conf gw/os gw/http gw/map gw/batch "
                   "gw/body gw/cache",
    "gw/handshake": "base crypto dataplane/coap dataplane/oscore dataplane/shared gw/conf gw/os "
                    "gw/device gw/edhoc",
    "gw/web/page": "",  # bytes
    "gw/web": "base gw/conf gw/os/log.h gw/cache gw/web/page",
    "gw/daemon": "base crypto dataplane/coap dataplane/oscore dataplane/shared dataplane/port "
                 "dataplane/dp.h dataplane/look.h dataplane/owners.h dataplane/refused.h gw/conf gw/os gw/device "
                 "gw/store gw/ctl "
                 "gw/http gw/map gw/batch gw/body gw/upstream gw/handshake gw/edhoc "
                 "gw/web gw/web/page",
    "gw/preflight": "base gw/conf dataplane/port/pci.h",
    "gw/tools/ctl": "base crypto gw/conf gw/preflight gw/os/standard_fds.h gw/os/tls_files.h "
                    "gw/os/header_lines.h gw/device gw/store "
                    "gw/ctl",
    "gw/tools/coap": "base crypto dataplane/coap dataplane/oscore gw/edhoc gw/os/standard_fds.h",
    "gw": "gw/conf gw/os/standard_fds.h gw/daemon",  # main.c
    "bench": "*",
    "tests": "*",
}

# Who may reach the headers of a library, by the beginning of their names, through any number of
# includes.
MAY_REACH = {
    "rte_": "dataplane/shared dataplane/port dataplane/state dataplane/worker dataplane gw/os "
            "gw/upstream gw/handshake gw/daemon gw bench tests",
    "sqlite3": "gw/store bench tests",
    "cbor": "gw/ctl gw/tools/ctl gw/translate bench tests",
    "jansson": "gw/tools/coap gw/translate bench tests",
    "yaml": "gw/conf bench tests",
    "nghttp2/": "gw/http bench tests",
    "microhttpd": "gw/web bench tests",
    "seccomp": "gw/os tests",
}


def folder(path):
    """The line of the table that a file is in; all of bench and of tests is one."""
    top = path.split("/")[0]
    return top if top in ("bench", "tests") else os.path.dirname(path)


def allowed(path, name):
    """Whether a file may include this one, or use what it defines."""
    line = MAY_INCLUDE[folder(path)].split()
    header = os.path.splitext(name)[0] + ".h"
    return "*" in line or folder(name) in (folder(path), *line) or header in line


def mistakes():
    """What is wrong with the table itself."""
    for line, names in MAY_INCLUDE.items():
        above = [*MAY_INCLUDE][:[*MAY_INCLUDE].index(line)]
        for name in names.replace("*", "").split():
            if name not in above and os.path.dirname(name) not in above:
                yield f"{line} stands above {name}"
