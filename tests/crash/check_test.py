#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# The checker decides whether a nonce was repeated, so it is tested itself: on the vectors of RFC
# 8613, and on captures into which each thing that it looks for was planted once.
import importlib.machinery
import importlib.util
import io
import json
import os
import struct
import tempfile

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "check")
loader = importlib.machinery.SourceFileLoader("check", path)
check = importlib.util.module_from_spec(importlib.util.spec_from_loader("check", loader))
loader.exec_module(check)

GATEWAY, DEVICE, LOOPBACK = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]), bytes([127, 0, 0, 1])
GATEWAY6, DEVICE6 = b"\x20\x01\x0d\xb8" + bytes(11) + b"\1", b"\x20\x01\x0d\xb8" + bytes(11) + b"\2"
SESSIONS = [{"name": "s", "device_id": "050607", "gateway_id": "01", "id_context": "",
             "algorithm": "AES-CCM-16-64-128", "master_secret": f"{secret:032x}", "master_salt": "07"}
            for secret in (91, 92)]  # of two lives of the gateway, with one kid
HERE, CHALLENGED = 40000, b"\x81\xd8\xef\x08" + bytes(8)  # 4.01, Echo of 8 bytes
points = 0
bad = 0


def point(ok, name):
    global points, bad
    points += 1
    bad += not ok
    print("ok" if ok else "not ok", points, "-", name)


# RFC 8613 C.1 and C.4: the device is the client.
rfc = check.Context({"name": "rfc", "device_id": "", "gateway_id": "01", "id_context": "",
                     "algorithm": "AES-CCM-16-64-128",
                     "master_secret": "0102030405060708090a0b0c0d0e0f10",
                     "master_salt": "9e7ca92223786340"})
point(rfc.device_key.hex() == "f0910ed7295e6ad4b54fc793154302ff", "the device's key of C.1")
point(rfc.gateway_key.hex() == "ffb14e093c94c9cac9471648b4f98710", "the gateway's key of C.1")
point(rfc.nonce(b"", 20).hex() == "4622d4dd6d944168eefb549868", "the nonce of C.4")
point(rfc.aad(20).hex() == "8368456e63727970743040488501810a40411440", "the AAD of C.4")
message = check.Message(bytes.fromhex("44025d1f00003974396c6f63616c686f7374620914ff"
                                      "612f1092f1776f1c1668b3825e"))
point(check.oscore_option(message.oscore) == (20, None, b""), "the OSCORE option of C.4")
point(rfc.from_device.decrypt(rfc.nonce(b"", 20), message.payload, rfc.aad(20)).hex() ==
      "01b3747631", "the request of C.4 opens")

ROWS = [{"name": f"d{i}", "device_id": f"0{i}", "gateway_id": "aa", "id_context": context,
         "algorithm": algorithm, "master_secret": f"{i + 1:032x}", "master_salt": ""}
        for i, (algorithm, context) in enumerate((name, context) for name in check.ALGORITHMS
                                                 for context in ("", "c0ffee"))][:10]
B2 = len(ROWS)
ROWS.append({"name": "b2", "device_id": "b2", "gateway_id": "aa", "id_context": "", "rederive": "b2",
             "algorithm": "AES-CCM-16-64-128", "master_secret": "b2" * 16, "master_salt": ""})


class Wire:
    """Makes a capture, as device and as gateway."""

    def __init__(self, link, ipv6=False):
        self.link, self.ipv6, self.frames = link, ipv6, []
        with_keys = check.Check(ROWS)
        self.context = [with_keys.by_name[row["name"]] for row in ROWS]

    def datagram(self, source, source_port, destination, port, payload):
        length = 8 + len(payload)
        segment = struct.pack(">4H", source_port, port, length, 0) + payload
        if len(source) == 4:
            kind = b"\x08\x00"
            packet = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, 17, 0)
        else:
            kind = b"\x86\xdd"
            packet = struct.pack(">IHBB", 6 << 28, length, 17, 64)
        packet += source + destination + segment
        if self.link == check.LINK_SLL2:
            head = kind + bytes(8) + bytes([0, 6]) + bytes(8)
        else:
            head = bytes(12) + b"\x81\x00\x00\x07" + kind
        self.frames.append(head + packet)

    def mark(self, text):
        self.datagram(LOOPBACK, 1, LOOPBACK, check.MARK_PORT, text.encode() + b"\n")

    def ends(self):
        return (GATEWAY6, DEVICE6) if self.ipv6 else (GATEWAY, DEVICE)

    def request(self, i, piv, text=b"x", port=HERE, token=None, context=None, said=None):
        gateway, device = self.ends()
        context = context or self.context[i]
        path = b"\xb1t" + b"".join(bytes([len(part)]) + part for part in (
            context.name.encode(), b"%d" % piv if said is None else b"b2"))
        sealed = context.from_device.encrypt(context.nonce(context.device_id, piv),
                                             b"\x02" + path + b"\xff" + text, context.aad(piv))
        said = context.id_context if said is None else said
        value = check.piv_bytes(piv)
        flags = len(value) | 8 | (0x10 if said else 0)
        value = bytes([flags]) + value
        if said:
            value += bytes([len(said)]) + said
        self.datagram(device, port, gateway, check.COAP_PORT, self.message(
            0x44, 2, token or self.token(i, piv), value + context.device_id, sealed))

    def answer(self, i, piv, plain=b"\x44", own=None, nonce=None, aad=None, port=HERE, token=None,
               context=None, r2=None):
        gateway, device = self.ends()
        context = context or self.context[i]
        if nonce is None:
            nonce = (context.nonce(context.device_id, piv) if own is None
                     else context.nonce(context.gateway_id, own))
        sealed = context.from_gateway.encrypt(
            nonce, plain, context.aad(piv) if aad is None else aad)
        value = b"" if own is None else bytes([len(check.piv_bytes(own))]) + check.piv_bytes(own)
        if r2:
            value = bytes([value[0] | 0x18]) + value[1:] + bytes([len(r2)]) + r2 + context.gateway_id
        self.datagram(gateway, check.COAP_PORT, device, port, self.message(
            0x64, 0x44, token or self.token(i, piv), value, sealed))

    def exchange(self, i, piv, **how):
        self.request(i, piv)
        self.answer(i, piv, b"\x44\xff" + b"%d" % piv, **how)

    @staticmethod
    def token(i, piv):
        return struct.pack(">BBH", i, 0, piv & 0xffff)

    @staticmethod
    def message(head, code, token, oscore, sealed):
        option = bytes([0x90 | len(oscore)]) if len(oscore) < 13 else bytes([0x9d, len(oscore) - 13])
        return bytes([head, code, 0, 1]) + token + option + oscore + b"\xff" + sealed

    def findings(self, end=True, backend=None, fleet=None):
        if end:
            self.mark("end")
        checked = check.Check(ROWS, SESSIONS)
        with tempfile.TemporaryDirectory() as directory:
            capture = os.path.join(directory, "pcap")
            with open(capture, "wb") as file:
                file.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, self.link))
                for frame in self.frames:
                    file.write(struct.pack("<4I", 0, 0, len(frame), len(frame)) + frame)
            checked.capture(capture)
            for text, read in ((backend, checked.backend), (fleet, checked.fleet)):
                if text is not None:
                    with open(os.path.join(directory, "log"), "w") as file:
                        file.write(text)
                    read(file.name)
        said = io.StringIO()
        checked.points(said)
        found = {rule for rule, findings in checked.findings.items() if findings}
        if said.getvalue().count("not ok") != len(found):
            return {"points"}
        return found


# Appendix B.2 of the last device.
R1, R2, R3 = bytes(range(8)), bytes(range(16, 32)), bytes(range(32, 40))


def derived(wire, id_context):
    return check.Context(wire.context[B2].row, id_context)


def run_of_b2(wire, token=b"\x10\0\0\0", r1=R1, r2=R2, r3=R3):
    """What device and gateway say, and a request in the context that they have then."""
    first, reply, second = (derived(wire, ident) for ident in (r1, r2 + r1, r2 + r3))
    wire.request(B2, 0, context=first, said=check.cbor(r1), token=token)
    wire.answer(B2, 0, b"\x81", own=0, context=reply, token=token, r2=check.cbor(r2))
    wire.request(B2, 0, context=second, said=check.cbor(r2 + r3), token=token[:3] + b"\1")
    wire.answer(B2, 0, context=second, token=token[:3] + b"\1")
    wire.request(B2, 1, context=second, said=b"", token=token[:3] + b"\2")
    wire.answer(B2, 1, context=second, token=token[:3] + b"\2")


# --- EDHOC

EDHOC_POST = b"\xbb.well-known\x05edhoc\xff"


def shake(wire, token, message_1=b"\xf5one", message_2=b"\x58\x2a" + bytes(range(42))):
    gateway, device = wire.ends()
    wire.datagram(device, HERE, gateway, check.COAP_PORT, bytes([0x44, 2, 0, 1]) + token + EDHOC_POST + message_1)
    wire.datagram(gateway, check.COAP_PORT, device, HERE,
                  bytes([0x64, check.CHANGED, 0, 1]) + token + b"\xc1\x40\xff" + message_2)


def session(number):
    return check.Context({**SESSIONS[number], "name": f"s#{number}"})


def session_request(wire, number, piv, message_3=b"", token=None):
    """With message_3: combined, option 21 behind the OSCORE option."""
    gateway, device = wire.ends()
    context = session(number)
    sealed = context.from_device.encrypt(context.nonce(context.device_id, piv),
                                         b"\x02\xb1t\x01s" + bytes([0x02]) + b"%d%d" % (number, piv), context.aad(piv))
    value = bytes([9, piv]) + context.device_id
    wire.datagram(device, HERE, gateway, check.COAP_PORT,
                  bytes([0x44, 2, 0, 1]) + (token or wire.token(200 + number, piv)) + bytes([0x90 | len(value)]) +
                  value + (b"\xc0" if message_3 else b"") + b"\xff" + message_3 + sealed)


def session_answer(wire, number, piv, **how):
    wire.answer(0, piv, context=session(number), token=wire.token(200 + number, piv), **how)


def session_unknown(wire, number, piv):
    gateway, device = wire.ends()
    wire.datagram(gateway, check.COAP_PORT, device, HERE,
                  bytes([0x64, check.UNAUTHORIZED, 0, 1]) + wire.token(200 + number, piv))


def session_of_before(wire):
    """A combined request and its copy, which gets the same."""
    shake(wire, b"\x20\0\0\0")
    shake(wire, b"\x20\0\0\1")
    for _ in range(2):
        session_request(wire, 0, 0, b"\x43abc")
        session_answer(wire, 0, 0)
    session_request(wire, 0, 1)
    session_answer(wire, 0, 1)


def session_of_after(wire):
    """The gateway has lost the session, and the device agrees on another one."""
    session_request(wire, 0, 2)
    session_unknown(wire, 0, 2)
    shake(wire, b"\x20\0\0\2", b"\xf5two", b"\x58\x2a" + bytes(range(9, 51)))
    session_request(wire, 1, 0, b"\x43def")
    session_answer(wire, 1, 0)


def session_served_after_a_crash(wire):
    session_request(wire, 0, 3)
    session_answer(wire, 0, 3)


def session_nonce_again(wire):
    session_answer(wire, 1, 0, plain=b"\x44\xffother")


def session_challenged(wire):
    session_request(wire, 1, 1)
    session_answer(wire, 1, 1, plain=CHALLENGED, own=5)


def ephemeral_again(wire):
    shake(wire, b"\x20\0\0\3", b"\xf5three", b"\x58\x2a" + bytes(range(9, 50)) + b"\0")


def device_told_without_protection(wire):
    wire.request(1, 70000)
    wire.datagram(GATEWAY, check.COAP_PORT, DEVICE, HERE,
                  bytes([0x64, check.UNAUTHORIZED, 0, 1]) + wire.token(1, 70000))


def good(wire):
    """What may be: answers, a copy of one, a crash with challenges, a copy of a request."""
    wire.mark("added " + " ".join(row["name"] for row in ROWS))
    run_of_b2(wire)
    for i in range(len(ROWS)):
        for piv in (0, 1, 255, 256, 65536):
            wire.exchange(i, piv)
        wire.request(i, 65536)
        wire.answer(i, 65536, b"\x44\xff65536")
    session_of_before(wire)
    wire.mark("crash")
    session_of_after(wire)
    for i in range(len(ROWS)):
        wire.request(i, 65536, port=check.REPLAY_PORT)
        wire.answer(i, 65536, CHALLENGED, own=1 << check.RUN_SHIFT, port=check.REPLAY_PORT)
        wire.request(i, 65537)
        wire.answer(i, 65537, CHALLENGED, own=1 << check.RUN_SHIFT | 1)
        wire.exchange(i, 65538)
        # Its first copy was lost.
        wire.request(i, 65539, port=check.REPLAY_PORT)
        wire.answer(i, 65539, port=check.REPLAY_PORT)
    run_of_b2(wire, b"\x11\0\0\0", R3, R1 + R3, R1)


def two_answers(wire):
    wire.answer(3, 256, b"\x44\xffother")


def own_piv_again(wire):
    wire.request(2, 70000)
    wire.answer(2, 70000, CHALLENGED, own=1 << check.RUN_SHIFT)


def own_piv_as_request(wire):
    # The nonce of a request of another direction, under the gateway's key.
    wire.request(2, 70000)
    wire.answer(2, 70000, nonce=wire.context[2].nonce(wire.context[2].device_id, 256))


def accepted_twice(wire):
    wire.request(4, 256, port=HERE + 1)
    wire.answer(4, 256, b"\x44\xffagain", own=1 << check.RUN_SHIFT | 2, port=HERE + 1)


def replay_answered(wire):
    wire.request(5, 70000)
    wire.mark("crash")
    wire.request(5, 70000, port=check.REPLAY_PORT)
    wire.answer(5, 70000, port=check.REPLAY_PORT)


def challenge_sent_again(wire):
    wire.request(2, 65537)
    wire.answer(2, 65537, CHALLENGED, own=1 << check.RUN_SHIFT | 1)


def challenge_without_own_piv(wire):
    wire.mark("crash")
    wire.request(1, 70000)
    wire.answer(1, 70000, CHALLENGED)


def challenge_of_a_known(wire):
    wire.request(1, 70000)
    wire.answer(1, 70000, CHALLENGED, own=1 << check.RUN_SHIFT | 7)


def unbound(wire):
    wire.answer(6, 300)


def other_aad(wire):
    wire.request(7, 70000)
    wire.answer(7, 70000, aad=wire.context[7].aad(69999))


def other_key(wire):
    wire.request(7, 70000)
    wire.answer(6, 70000, token=wire.token(7, 70000))


def device_repeats(wire):
    wire.request(8, 256, b"y")


def plain(wire):
    wire.datagram(GATEWAY, check.COAP_PORT, DEVICE, HERE, b"\x60\x81\0\1")


def cut(wire):
    wire.frames.append(wire.frames[-1][:-3])


def not_reserved(wire):
    wire.mark("reserved d0=2 d1=1")


def r2_again(wire):
    # The same R2 for another message.
    context = derived(wire, R2 + R1)
    wire.answer(B2, 0, b"\x81\xffother", own=0, context=context, token=b"\x10\0\0\0", r2=check.cbor(R2))


def request_1_served(wire):
    wire.answer(B2, 0, b"\x44", context=derived(wire, R1), token=b"\x10\0\0\0")
    wire.answer(B2, 0, b"\x44\xffother", context=derived(wire, R1), own=9, token=b"\x10\0\0\0")


def request_2_twice(wire):
    wire.answer(B2, 0, b"\x44\xffother", context=derived(wire, R2 + R3), own=1 << check.RUN_SHIFT | 9,
                token=b"\x10\0\0\1")


def derived_nonce_again(wire):
    wire.answer(B2, 1, b"\x44\xffother", context=derived(wire, R2 + R3), token=b"\x10\0\0\2")


# --- observers

def register(wire, i, piv, token=None):
    gateway, device = wire.ends()
    context = wire.context[i]
    sealed = context.from_device.encrypt(context.nonce(context.device_id, piv), b"\x01\x60\x51t", context.aad(piv))
    oscore = bytes([0x19 if context.id_context else 9, piv])
    if context.id_context:
        oscore += bytes([len(context.id_context)]) + context.id_context
    oscore += context.device_id
    wire.datagram(device, HERE, gateway, check.COAP_PORT, bytes([0x44, 5, 0, 1]) + (token or wire.token(i, piv)) +
                  bytes([0x60, 0x30 | len(oscore)]) + oscore + b"\xff" + sealed)


def notify(wire, i, piv, own, plain=b"\x45\x60\xffstate", observe=None, code=0x45, token=None):
    """observe: outside; b"" leaves it out, and None has it as it must be."""
    gateway, device = wire.ends()
    context = wire.context[i]
    sealed = context.from_gateway.encrypt(context.nonce(context.gateway_id, own), plain, context.aad(piv))
    value = check.piv_bytes(own)
    observe = (own & 0xffffff).to_bytes(3, "big") if observe is None else observe
    options = bytes([0x60 | len(observe)]) + observe + b"\x34" if observe else b"\x94"
    wire.datagram(gateway, check.COAP_PORT, device, HERE, bytes([0x54, code, 0, 1]) + (token or wire.token(i, piv)) +
                  options + bytes([3]) + value.rjust(3, b"\0") + b"\xff" + sealed)


OWN = 3 << check.RUN_SHIFT  # above all others here
ERROR = b"\x84"  # 4.04


def observers(wire):
    """Some are told, with a copy on the way, and the second hears of an end."""
    for i in (0, 1):
        register(wire, i, 80)
        for own in (OWN, OWN + 1, OWN + 1, OWN + 70000):
            notify(wire, i, 80, own)
    notify(wire, 1, 80, OWN + 70001, ERROR, b"", check.CHANGED)
    # One registers again under its token, and is told what was on its way.
    register(wire, 3, 80)
    notify(wire, 3, 80, OWN)
    register(wire, 3, 81, token=wire.token(3, 80))
    notify(wire, 3, 80, OWN + 1)
    notify(wire, 3, 81, OWN + 2, token=wire.token(3, 80))
    # A plain answer.
    register(wire, 2, 80)
    wire.answer(2, 80, b"\x45\xffstate")


def notified_after_a_crash(wire):
    observers(wire)
    wire.mark("crash")
    notify(wire, 0, 80, OWN + 80000)


def notified_after_its_end(wire):
    observers(wire)
    notify(wire, 1, 80, OWN + 80000)


def notified_after_a_plain_answer(wire):
    observers(wire)
    notify(wire, 2, 80, OWN)


def notified_out_of_order(wire):
    observers(wire)
    notify(wire, 0, 80, OWN + 2)


def notified_again(wire):
    observers(wire)
    notify(wire, 0, 80, OWN + 70000, b"\x45\x60\xffother")


def notified_with_another_number(wire):
    observers(wire)
    notify(wire, 0, 80, OWN + 70001, observe=b"\1")


def notified_as_the_answer(wire):
    observers(wire)
    register(wire, 4, 80)
    wire.answer(4, 80, b"\x45\x60\xffstate")


def end_told_outside(wire):
    observers(wire)
    notify(wire, 0, 80, OWN + 70001, ERROR)


def strange_mark(wire):
    wire.mark("clesn")


PLANTED = [  # what, how, what the checker must say, and nothing else
    ("nothing", lambda wire: None, set()),
    ("two ciphertexts under one request's nonce", two_answers, {"nonce", "twice"}),
    ("an own Partial IV for the second time", own_piv_again, {"nonce", "fresh", "again"}),
    ("a request's nonce for another request's answer", own_piv_as_request, {"open"}),
    ("a request that is accepted twice, with an own Partial IV", accepted_twice, {"twice"}),
    ("a request from before a crash that is served after it", replay_answered, {"replay"}),
    ("a challenge that is sent again", challenge_sent_again, {"fresh", "again"}),
    ("a challenge under the request's nonce", challenge_without_own_piv, {"fresh"}),
    ("a challenge of a device whose window is known", challenge_of_a_known, {"again"}),
    ("an answer to nothing", unbound, {"bound"}),
    ("an answer that is bound to another request", other_aad, {"open"}),
    ("an answer under another device's key", other_key, {"open"}),
    ("a device that repeats its nonce", device_repeats, {"device"}),
    ("an error without protection", plain, {"plain"}),
    ("a packet that was cut", cut, {"parse"}),
    ("a run that is not on the disk", not_reserved, {"reserved"}),
    ("an R2 that seals a second message", r2_again, {"nonce"}),
    ("a request #2 that is served twice", request_2_twice, {"twice"}),
    ("a request #1 that is served twice", request_1_served, {"twice"}),
    ("two ciphertexts under one nonce of a derived context", derived_nonce_again, {"nonce", "twice"}),
    ("a session that is served after a crash", session_served_after_a_crash, {"outlives"}),
    ("two ciphertexts under one nonce of a session", session_nonce_again, {"nonce", "twice"}),
    ("a session whose window is not known", session_challenged, {"again"}),
    ("an ephemeral key for the second time", ephemeral_again, {"ephemeral"}),
    ("a device with keys that is told without protection", device_told_without_protection, {"plain"}),
    ("observers", observers, set()),
    ("an observer that a later life of the gateway tells", notified_after_a_crash, {"notified"}),
    ("an observer that is told after an error", notified_after_its_end, {"notified"}),
    ("an observer that is none", notified_after_a_plain_answer, {"notified"}),
    ("a notification whose Partial IV is lower", notified_out_of_order, {"notified"}),
    ("two notifications with one own Partial IV", notified_again, {"nonce"}),
    ("a notification with another Observe outside", notified_with_another_number, {"notified"}),
    ("a notification under the request's nonce", notified_as_the_answer, {"notified"}),
    ("an error with Observe outside", end_told_outside, {"notified"}),
    ("a mark that is wrong", strange_mark, {"marks"}),
]


def asked(key, target):
    """A line of the backend's log."""
    return json.dumps({"target": target, "headers": {"idempotency-key": key} if key else {}}) + "\n"


BACKEND = (asked('"f-0"', "/t/d0/0") + asked('"f-1"', "/t/d0/1") + asked(None, "/crash") +
           asked('"f-2"', "/t/d0/65538"))
LOGS = [
    ("logs without fault", BACKEND, "d0 0 CON answered\nd0 9 NON unanswered\n", set()),
    ("one key twice", BACKEND + asked('"f-2"', "/t/d0/65537"), None, {"backend"}),
    ("one request under two keys", BACKEND + asked('"f-3"', "/t/d0/65538"), None, {"backend"}),
    ("a request from before a crash", BACKEND + asked('"f-3"', "/t/d0/255"), None, {"old"}),
    ("a request that nobody captured", BACKEND + asked('"f-3"', "/t/d0/999"), None, {"captured"}),
    ("an answer to what was not captured", None, "d0 999 CON answered\n", {"captured"}),
]
for link in (check.LINK_SLL2, check.LINK_ETHERNET):
    for ipv6 in (False, True):
        for name, plant, wanted in PLANTED:
            wire = Wire(link, ipv6)
            good(wire)
            plant(wire)
            got = wire.findings()
            point(got == wanted, f"planted, link type {link}, IPv{6 if ipv6 else 4}: {name}"
                  + ("" if got == wanted else f": got {got}"))
for name, backend, fleet, wanted in LOGS:
    wire = Wire(check.LINK_ETHERNET)
    good(wire)
    got = wire.findings(backend=backend, fleet=fleet)
    point(got == wanted, f"{name}" + ("" if got == wanted else f": got {got}"))
wire = Wire(check.LINK_ETHERNET)
good(wire)
point(wire.findings(end=False) == {"marks"}, "a capture without its end")
print(f"1..{points}")
raise SystemExit(bad != 0)
