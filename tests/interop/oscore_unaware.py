#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The server without OSCORE of the interop test specification: aiocoap with /oscore/hello/coap.

  oscore_unaware.py ADDRESS
"""
import asyncio
import sys

import aiocoap
from aiocoap import resource


class Hello(resource.Resource):
    async def render_get(self, _):
        return aiocoap.Message(payload=b"Hello World!", content_format=0)


class Root(resource.Resource):
    """Where an OSCORE request goes, whose Uri-Path is encrypted."""

    async def render_post(self, request):
        unknown = [option for option in request.opt.option_list()
                   if option.number.is_critical() and option.number != aiocoap.OptionNumber.URI_HOST]
        return aiocoap.Message(code=aiocoap.BAD_OPTION if unknown else aiocoap.CHANGED)


async def main():
    site = resource.Site()
    site.add_resource([], Root())
    site.add_resource(["oscore", "hello", "coap"], Hello())
    await aiocoap.Context.create_server_context(site, bind=(sys.argv[1], None))
    print("serving", flush=True)
    await asyncio.get_running_loop().create_future()


asyncio.run(main())
