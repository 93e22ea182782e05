#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""aiocoap as a device: one OSCORE context, every method. Prints TAP points.

  aiocoap_client.py URI CONTEXT-DIRECTORY WHAT [METHOD...]
"""
import asyncio
import sys

import aiocoap
from aiocoap import Code

uri, directory, what = sys.argv[1:4]

REQUESTS = {  # method, path, payload, wanted code, wanted payload
    "GET": (Code.GET, "/t/get", b"", Code.CONTENT, b"GET /t/get"),
    "GET-query": (Code.GET, "/t/get?a=1&b=2", b"", Code.CONTENT, b"GET /t/get?a=1&b=2"),
    "POST": (Code.POST, "/t/post", b'{"n": 1}', Code.CHANGED, b"POST /t/post"),
    "POST-new": (Code.POST, "/t/new", b'{"n": 1}', Code.CREATED, b"made"),
    "PUT": (Code.PUT, "/t/put", b'{"n": 2}', Code.CHANGED, b""),
    "DELETE": (Code.DELETE, "/t/delete", b"", Code.DELETED, b""),
    "FETCH": (Code.FETCH, "/t/fetch", b'["n"]', Code.CONTENT, b"POST /t/fetch"),
    "PATCH": (Code.PATCH, "/t/patch", b'{"n": 3}', Code.CHANGED, b""),
    "iPATCH": (Code.iPATCH, "/t/ipatch", b'{"n": 4}', Code.CHANGED, b""),
    "missing": (Code.GET, "/status/404", b"", Code.NOT_FOUND, None),
    "fresh": (Code.PUT, "/fresh/valve", b'{"n": 5}', Code.CHANGED, b""),
    "slow": (Code.GET, "/hold/slow", b"", Code.CONTENT, b"late"),
}


async def main():
    context = await aiocoap.Context.create_client_context()
    context.client_credentials.load_from_dict({uri + "/*": {"oscore": {"contextfile": directory}}})
    for name in sys.argv[4:] or [name for name in REQUESTS if name not in ("fresh", "slow")]:
        method, path, payload, code, body = REQUESTS[name]
        message = aiocoap.Message(code=method, uri=uri + path, payload=payload)
        if payload:
            message.opt.content_format = 50
        try:
            answer = await asyncio.wait_for(context.request(message).response, 60)
            sealed = type(answer.remote).__name__ == "OSCOREAddress"
            good = sealed and answer.code == code and body in (None, answer.payload)
            got = f"{answer.code} {answer.payload!r}{'' if sealed else ' unprotected'}"
        except Exception as error:  # whatever it is, it is a point that failed
            good, got = False, repr(error)
        print(f"{'ok' if good else 'not ok'} - {what}: {name}: {code}", flush=True)
        if not good:
            print(f"# got {got}")
    await context.shutdown()


asyncio.run(main())
