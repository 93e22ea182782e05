#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""usage: aiocoap_edhoc_client.py URI DEVICE.json GATEWAY.json combined|apart kid|value [REQUESTS]

aiocoap with lakers as an EDHOC initiator (method 3, suite 2), a device of the gateway. The files are those of
postern-coap --edhoc-make. It shakes hands once, and puts the number of each request to URI; prints a line each: code
and payload of the answer, or what went wrong. Apart, message_3 goes by itself, and no message_4 is waited for."""
import asyncio
import json
import sys

import aiocoap
import aiocoap.edhoc
import cbor2


class Apart(aiocoap.edhoc.EdhocCredentials):
    """aiocoap wants a message_4 if message_3 goes by itself, which gateways send only where profiles ask for it."""

    async def establish_context(self, wire, underlying_address, underlying_proxy_scheme, underlying_uri_host, logger):
        context = await super().establish_context(
            wire, underlying_address, underlying_proxy_scheme, underlying_uri_host, logger)
        message_3 = context.message_3_to_include()
        request = aiocoap.Message(code=aiocoap.POST, uri_path=[".well-known", "edhoc"], uri_host=underlying_uri_host,
                                  payload=cbor2.dumps(context.sender_id) + message_3)
        request.remote = underlying_address
        answer = await wire.request(request).response_raising
        print("apart", answer.code, flush=True)
        return context


def load(path):
    """The object of a file, or the first of its list."""
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    return data[0] if isinstance(data, list) else data


async def main():
    """Sends the requests."""
    uri, device, gateway, how, style = sys.argv[1:6]
    own = load(device)
    kind = aiocoap.edhoc.EdhocCredentials if how == "combined" else Apart
    credentials = kind(
        suite=2, method=3, own_cred_style="by-key-id" if style == "kid" else "by-value",
        own_cred={14: cbor2.loads(bytes.fromhex(own["credential"]))},
        private_key={1: 2, -1: 1, -4: bytes.fromhex(own["private_key"])},
        peer_cred={14: cbor2.loads(bytes.fromhex(load(gateway)["credential"]))})
    context = await aiocoap.Context.create_client_context()
    context.client_credentials["coap://" + uri.split("/")[2] + "/*"] = credentials
    for i in range(int(sys.argv[6]) if len(sys.argv) > 6 else 1):
        message = aiocoap.Message(code=aiocoap.PUT, uri=uri, payload=str(i).encode())
        try:
            answer = await asyncio.wait_for(context.request(message).response, 60)
            sealed = type(answer.remote).__name__ == "OSCOREAddress"
            print(answer.code, answer.payload.decode(), "" if sealed else "unprotected", flush=True)
        except Exception as error:  # whatever it is, it is a line that the test does not expect
            print(repr(error), flush=True)
    await context.shutdown()


asyncio.run(main())
