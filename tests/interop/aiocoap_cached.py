#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Many aiocoap devices ask for one resource at once, and again with the ETag that they got. Prints
TAP points.

  aiocoap_cached.py URI PATH CONTEXT-DIRECTORY...
"""
import asyncio
import sys

import aiocoap

uri, path = sys.argv[1:3]


async def device(directory):
    context = await aiocoap.Context.create_client_context()
    context.client_credentials.load_from_dict({uri + "/*": {"oscore": {"contextfile": directory}}})
    return context


async def ask(context, etag=None):
    message = aiocoap.Message(code=aiocoap.Code.GET, uri=uri + path)
    if etag is not None:
        message.opt.etags = [etag]
    answer = await asyncio.wait_for(context.request(message).response, 60)
    assert type(answer.remote).__name__ == "OSCOREAddress", "unprotected"
    return answer


def point(good, what, got):
    print(f"{'ok' if good else 'not ok'} - {what}", flush=True)
    if not good:
        print(f"# got {got}")


async def main():
    contexts = [await device(directory) for directory in sys.argv[3:]]
    answers = await asyncio.gather(*(ask(context) for context in contexts))
    first = answers[0]
    point(all(a.code == aiocoap.Code.CONTENT and a.payload == first.payload for a in answers),
          f"{len(answers)} devices get one answer", {(str(a.code), a.payload) for a in answers})
    point(all(a.opt.etag == first.opt.etag and a.opt.etag for a in answers), "with its ETag",
          {a.opt.etag for a in answers})
    # What aiocoap takes for 60 has no Max-Age.
    ages = [60 if a.opt.max_age is None else a.opt.max_age for a in answers]
    point(all(540 < age <= 600 for age in ages), "and what is left of its freshness", ages)
    again = await asyncio.gather(*(ask(context, first.opt.etag) for context in contexts))
    point(all(a.code == aiocoap.Code.VALID and not a.payload for a in again),
          "which is valid for all", {str(a.code) for a in again})
    for context in contexts:
        await context.shutdown()


asyncio.run(main())
