#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""aiocoap plays the client's half of the OSCORE interop test specification. Prints TAP points.

  aiocoap_oscore_test.py URI CONTEXT-A CONTEXT-C UNAWARE-URI

The contexts are directories of aiocoap; at UNAWARE-URI is a server that knows no OSCORE.
"""
import asyncio
import sys

import aiocoap
from aiocoap import Code, oscore
from aiocoap.credentials import CredentialsMap

uri, directory_a, directory_c, unaware = sys.argv[1:5]
HELLO = b"Hello World!"


class Client:
    def __init__(self, coap, context_a, context_c):
        self.coap, self.a, self.c = coap, context_a, context_c

    async def ask(self, context, code, path, payload=b"", base=uri, **options):
        """The answer, or the unprotected one, or the exception."""
        self.coap.client_credentials = CredentialsMap()
        if context:
            self.coap.client_credentials[base + "/*"] = context
        message = aiocoap.Message(code=code, uri=base + path, payload=payload, **options)
        try:
            answer = await asyncio.wait_for(self.coap.request(message).response, 60)
        except oscore.NotAProtectedMessage as error:
            return error.plain_message
        except oscore.ProtectionInvalid as error:
            return error
        except Exception as error:  # whatever it is, it is a point that failed
            return error
        answer.sealed = type(answer.remote).__name__ == "OSCOREAddress"
        return answer

    async def observe(self, context, path, most):
        """What comes of a registration: at most so many answers."""
        self.coap.client_credentials = CredentialsMap()
        self.coap.client_credentials[uri + "/*"] = context
        request = self.coap.request(
            aiocoap.Message(code=Code.GET, uri=uri + path, observe=0))

        async def collect():
            got = [await request.response]
            async for notification in request.observation:
                got.append(notification)
                if len(got) == most:
                    break
            return got

        got = await asyncio.wait_for(collect(), 60)
        for answer in got:
            answer.sealed = type(answer.remote).__name__ == "OSCOREAddress"
        if not request.observation.cancelled:
            request.observation.cancel()
        return got


def is_sealed(answer):
    return getattr(answer, "sealed", False)


def is_hello(answer):
    return (is_sealed(answer) and answer.code == Code.CONTENT and answer.payload == HELLO and
            answer.opt.content_format == 0)


def is_refused(answer, code, text):
    """Unprotected, with a diagnostic that is optional."""
    return (isinstance(answer, aiocoap.Message) and not is_sealed(answer) and answer.code == code and
            answer.opt.object_security is None and answer.payload in (b"", text))


async def test_0(c):
    """Without OSCORE nothing is served here: what a server without it would answer, see 16"""
    answer = await c.ask(None, Code.GET, "/oscore/hello/coap")
    return is_refused(answer, Code.UNAUTHORIZED, b"OSCORE required"), answer


async def test_1(c):
    """GET"""
    answer = await c.ask(c.a, Code.GET, "/oscore/hello/1")
    return is_hello(answer) and answer.opt.etag is None and answer.opt.max_age is None, answer


async def test_2(c):
    """GET with an ID Context"""
    answer = await c.ask(c.c, Code.GET, "/oscore/hello/1")
    return is_hello(answer), answer


async def test_3(c):
    """GET with Uri-Query and ETag"""
    answer = await c.ask(c.a, Code.GET, "/oscore/hello/2?first=1")
    return is_hello(answer) and answer.opt.etag == b"\x2b", answer


async def test_4(c):
    """GET with Accept and Max-Age"""
    answer = await c.ask(c.a, Code.GET, "/oscore/hello/3", accept=0)
    return is_hello(answer) and answer.opt.max_age == 5, answer


async def test_5(c):
    """GET with Observe, answered without"""
    answer = await c.ask(c.a, Code.GET, "/oscore/hello/1", observe=0)
    return is_hello(answer) and answer.opt.observe is None, answer


def is_told(answer, state):
    return (is_sealed(answer) and answer.code == Code.CONTENT and answer.payload == state and
            answer.opt.content_format == 0 and answer.opt.observe is not None)


async def test_6(c):
    """GET with Observe, which an error ends"""
    got = await c.observe(c.a, "/oscore/observe1", 4)
    return (len(got) == 3 and is_told(got[0], b"one") and is_told(got[1], b"two") and
            is_sealed(got[2]) and got[2].code == Code.NOT_FOUND and
            got[2].opt.observe is None and got[2].payload == b"Terminate Observe"), got


async def test_7(c):
    """GET with Observe, which the client takes back"""
    # aiocoap does not do that, nor can it use a token again, as is needed for it.
    tokens = next(i for i in c.coap.request_interfaces if hasattr(i, "next_token"))
    made, used = tokens.next_token, []
    try:
        tokens.next_token = lambda: used.append(made()) or used[-1]
        got = await c.observe(c.a, "/oscore/observe2", 2)
        tokens.next_token = lambda: used[0]
        got.append(await c.ask(c.a, Code.GET, "/oscore/observe2", observe=1))
    finally:
        tokens.next_token = made
    return (is_told(got[0], b"one") and is_told(got[1], b"two") and is_sealed(got[2]) and
            got[2].code == Code.CONTENT and got[2].payload == b"two" and
            got[2].opt.observe is None), got


async def test_8(c):
    """POST"""
    answer = await c.ask(c.a, Code.POST, "/oscore/hello/6", b"\x4a", content_format=0)
    return (is_sealed(answer) and answer.code == Code.CHANGED and answer.payload == b"\x4a" and
            answer.opt.content_format == 0), answer


async def test_9(c):
    """PUT with If-Match"""
    answer = await c.ask(c.a, Code.PUT, "/oscore/hello/7", b"\x7a", content_format=0,
                         if_match=[b"\x7b"])
    return is_sealed(answer) and answer.code == Code.CHANGED and not answer.payload, answer


async def test_10(c):
    """PUT with If-None-Match, whose precondition fails"""
    answer = await c.ask(c.a, Code.PUT, "/oscore/hello/7", b"\x8a", content_format=0,
                         if_none_match=True)
    return is_sealed(answer) and answer.code == Code.PRECONDITION_FAILED, answer


async def test_11(c):
    """DELETE"""
    answer = await c.ask(c.a, Code.DELETE, "/oscore/test")
    return is_sealed(answer) and answer.code == Code.DELETED, answer


async def with_attribute(context, name, value, ask):
    """Asks with a context that is changed meanwhile."""
    before = getattr(context, name)
    setattr(context, name, value)
    try:
        return await ask
    finally:
        setattr(context, name, before)


async def test_12(c):
    """another Sender ID: context not found"""
    answer = await with_attribute(c.a, "sender_id", b"\x09",
                                  c.ask(c.a, Code.GET, "/oscore/hello/1"))
    return is_refused(answer, Code.UNAUTHORIZED, b"Security context not found"), answer


async def test_13(c):
    """another sender key: decryption failed"""
    answer = await with_attribute(c.a, "sender_key", bytes(16),
                                  c.ask(c.a, Code.GET, "/oscore/hello/1"))
    return is_refused(answer, Code.BAD_REQUEST, b"Decryption failed"), answer


async def test_14(c):
    """another recipient key: the response is not accepted"""
    answer = await with_attribute(c.a, "recipient_key", bytes(16),
                                  c.ask(c.a, Code.GET, "/oscore/hello/1"))
    return isinstance(answer, oscore.ProtectionInvalid) and not isinstance(
        answer, oscore.NotAProtectedMessage), answer


async def test_15(c):
    """the sequence number again: replay detected"""
    before = c.a.sender_sequence_number
    first = await c.ask(c.a, Code.GET, "/oscore/hello/1")
    after, c.a.sender_sequence_number = c.a.sender_sequence_number, before
    second = await c.ask(c.a, Code.GET, "/oscore/hello/1")
    c.a.sender_sequence_number = after
    third = await c.ask(c.a, Code.GET, "/oscore/hello/1")
    return (is_hello(first) and is_refused(second, Code.UNAUTHORIZED, b"Replay detected") and
            is_hello(third)), (first, second, third)


async def test_16(c):
    """a server that knows no OSCORE: 4.02; and without OSCORE it serves"""
    answer = await c.ask(c.a, Code.GET, "/oscore/hello/coap", base=unaware)
    plain = await c.ask(None, Code.GET, "/oscore/hello/coap", base=unaware)
    return (isinstance(answer, aiocoap.Message) and answer.code == Code.BAD_OPTION and
            plain.code == Code.CONTENT and plain.payload == HELLO), (answer, plain)


async def test_17(c):
    """a protected resource without OSCORE"""
    answer = await c.ask(None, Code.GET, "/oscore/hello/1")
    return is_refused(answer, Code.UNAUTHORIZED, b"OSCORE required"), answer


async def main():
    client = Client(await aiocoap.Context.create_client_context(),
                    oscore.FilesystemSecurityContext(directory_a),
                    oscore.FilesystemSecurityContext(directory_c))
    for number in range(18):
        run = globals()[f"test_{number}"]
        good, got = await run(client)
        print(f"{'ok' if good else 'not ok'} - TEST_{number}: {run.__doc__}", flush=True)
        if not good:
            print(f"# got {got!r} {getattr(got, 'payload', '')!r}")
    await client.coap.shutdown()


asyncio.run(main())
