#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""aiocoap as a device that sends and receives bodies of many blocks (RFC 7959), of every size of
block. Prints TAP points.

  aiocoap_bodies.py URI CONTEXT-DIRECTORY [bad [all]]

On a network that is bad: no large bodies, but all sizes up to 1025 bytes only if asked for;
retransmissions come early, and no two requests have the same target.
"""
import asyncio
import sys

import aiocoap
from aiocoap import Code

uri, directory, bad, everything = (sys.argv + ["", ""])[1:5]
SIZES = [0, 1, 1023, 1024, 1025]
MEGABYTE = 1 << 20
if bad:
    aiocoap.numbers.constants.TransportTuning.ACK_TIMEOUT = 0.2


def body(size):
    return bytes((i * 7 + i // 256) % 256 for i in range(size))


async def ask(context, szx, code, path, payload):
    target = path + (f"?{len(payload)}-{szx}" if bad else "")
    message = aiocoap.Message(code=code, uri=uri + target, payload=payload)
    if payload:
        message.opt.content_format = 42
        if len(payload) > 16 << szx:
            message.opt.block1 = (0, False, szx)
    message.opt.block2 = (0, False, szx)
    answer = await asyncio.wait_for(context.request(message).response, 300)
    if type(answer.remote).__name__ != "OSCOREAddress":
        raise ValueError("unprotected")
    return answer


async def point(name, asked, code, payload):
    try:
        answer = await asked
        good = answer.code == code and answer.payload == payload
        got = f"{answer.code} {len(answer.payload)} bytes"
    except Exception as error:  # whatever it is, it is a point that failed
        good, got = False, repr(error)
    print(f"{'ok' if good else 'not ok'} - {name}", flush=True)
    if not good:
        print(f"# got {got}")


async def main():
    context = await aiocoap.Context.create_client_context()
    context.client_credentials.load_from_dict({uri + "/*": {"oscore": {"contextfile": directory}}})
    for szx in range(7):
        sizes = SIZES + ([MEGABYTE] if szx == 6 else [5000])
        if bad:
            sizes = SIZES if everything or szx == 6 else [1025]
        for size in sizes:
            await point(f"down, {size} bytes in blocks of {16 << szx}",
                        ask(context, szx, Code.GET, f"/big/{size}", b""), Code.CONTENT, b"x" * size)
            sent = body(size)
            await point(f"up and down, {size} bytes in blocks of {16 << szx}",
                        ask(context, szx, Code.POST, "/echo", sent), Code.CHANGED, sent)
    await context.shutdown()


asyncio.run(main())
