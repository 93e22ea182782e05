#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""usage: aiocoap_edhoc_server.py ADDRESS PORT SERVER.json DEVICE.json...

aiocoap with lakers as an EDHOC responder (method 3, suite 2), for postern-coap --edhoc. The files are those of
postern-coap --edhoc-make. Any request under /t is answered with its method, the device's name and the payload. Each is logged as a line of JSON. SIGUSR1 forgets all contexts."""
import asyncio
import json
import signal
import sys

import aiocoap
import aiocoap.resource
import cbor2
from aiocoap.credentials import CredentialsMap
from aiocoap.edhoc import EdhocCredentials, EdhocResponderContext
from aiocoap.oscore_sitewrapper import OscoreSiteWrapper


class Echo(aiocoap.resource.Resource, aiocoap.resource.PathCapable):
    """Answers with what it hears."""

    async def render(self, request):
        claims = getattr(request.remote, "authenticated_claims", [])
        line = {"method": str(request.code), "path": list(request.opt.uri_path), "device": claims,
                "payload": request.payload.decode("latin1")}
        print(json.dumps(line), flush=True)
        words = f"{request.code} by {','.join(claims)}: ".encode() + request.payload
        return aiocoap.Message(code=aiocoap.CONTENT if request.code == aiocoap.GET else aiocoap.CHANGED, payload=words)


def ccs(path):
    """The credential of a file, and its private key if there is one."""
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    return {14: cbor2.loads(bytes.fromhex(data["credential"]))}, bytes.fromhex(data.get("private_key", ""))


async def main():
    """Serves until it is killed."""
    address, port, server, *devices = sys.argv[1:]
    own, secret = ccs(server)
    credentials = CredentialsMap()
    # As it calls itself, which the client and a relay do not change.
    credentials[f"coap://{address}:{port}/*"] = EdhocCredentials(
        suite=2, method=3, own_cred_style="by-key-id", own_cred=own, private_key={1: 2, -1: 1, -4: secret})
    for i, path in enumerate(devices):
        peer, _ = ccs(path)
        with open(path, encoding="utf-8") as file:
            name = json.load(file)["name"]
        credentials[f":{name}"] = EdhocCredentials(suite=2, method=3, peer_cred=peer)

    def forget():
        for name in [n for n, c in credentials.items() if isinstance(c, EdhocResponderContext)]:
            del credentials[name]
        print("forgotten", flush=True)

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, forget)
    site = aiocoap.resource.Site()
    site.add_resource(["t"], Echo())
    await aiocoap.Context.create_server_context(
        OscoreSiteWrapper(site, credentials), bind=(address, int(port)))
    print("ready", flush=True)
    await asyncio.get_running_loop().create_future()


asyncio.run(main())
