#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""aiocoap as a server: OSCORE contexts of several devices, /echo that answers what it got, and /big
that has as many bytes as its query says. Says "serving" when it does.

  aiocoap_server.py ADDRESS CONTEXT-DIRECTORY...
"""
import asyncio
import sys

import aiocoap
from aiocoap import oscore, resource
from aiocoap.credentials import CredentialsMap
from aiocoap.oscore_sitewrapper import OscoreSiteWrapper


class Echo(resource.Resource):
    async def render_post(self, request):
        return aiocoap.Message(code=aiocoap.CHANGED, payload=request.payload)


class Big(resource.Resource):
    async def render_get(self, request):
        return aiocoap.Message(payload=b"x" * int(request.opt.uri_query[0]))


async def main():
    credentials = CredentialsMap()
    for directory in sys.argv[2:]:
        credentials[":" + directory] = oscore.FilesystemSecurityContext(directory)
    site = resource.Site()
    site.add_resource(["echo"], Echo())
    site.add_resource(["big"], Big())
    await aiocoap.Context.create_server_context(
        OscoreSiteWrapper(site, credentials), bind=(sys.argv[1], None))
    print("serving", flush=True)
    await asyncio.get_running_loop().create_future()


asyncio.run(main())
