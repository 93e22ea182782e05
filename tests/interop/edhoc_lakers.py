#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""usage: edhoc_lakers.py EDHOC_PIPE [ROUNDS]

Handshakes of gw/edhoc with lakers, an independent implementation of EDHOC (method 3, suite 2), in both
roles. A line "ok - WHAT" or "not ok - WHAT" for each way; what is changed on the way must be refused by both."""
import random
import subprocess
import sys

import cbor2
import lakers
from cryptography.hazmat.primitives.asymmetric import ec

ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 50
WAYS = {"kid": lakers.CredentialTransfer.ByReference, "value": lakers.CredentialTransfer.ByValue}
random.seed(9528)


class Pipe:
    """Our end."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, *words):
        """Returns the words of the answer."""
        texts = [w if isinstance(w, str) else w.hex() or "-" for w in words]
        self.process.stdin.write(" ".join(texts) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()


class End:
    """A key pair with its credential."""

    def __init__(self, kid):
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_numbers()
        cose = {1: 2, 2: kid, -1: 1, -2: public.x.to_bytes(32, "big"), -3: public.y.to_bytes(32, "big")}
        self.secret = key.private_numbers().private_value.to_bytes(32, "big")
        self.ccs = cbor2.dumps({2: "device", 8: {1: cose}})
        self.credential = lakers.Credential(self.ccs)


def changed(message, rate=0.3):
    """The message, at times with another bit than it had. Returns it, and whether it has."""
    if random.random() > rate:
        return message, False
    at = random.randrange(len(message) * 8)
    other = bytearray(message)
    other[at // 8] ^= 1 << at % 8
    return bytes(other), True


def refuses(function, *arguments):
    """Whether lakers raises an error."""
    try:
        function(*arguments)
    except BaseException:  # of whatever class it has for this; a panic of Rust is no Exception
        return True
    return False


def keys(end):
    """Secret and salt, as we print them."""
    return [bytes(end.edhoc_exporter(0, [], 16)).hex(), bytes(end.edhoc_exporter(1, [], 8)).hex()]


def we_respond(pipe, way, tamper):
    """A handshake with lakers as Initiator. Whether everything went as it should."""
    device, gateway = End(b"\x2b"), End(b"\x0a")
    initiator = lakers.EdhocInitiator()
    message_1 = bytes(initiator.prepare_message_1(c_i=random.choice([b"\x01", b"\x18", b"\x37"])))
    message_1, was = changed(message_1, tamper)
    c_r = random.choice([b"\x27", b"\x99"])  # lakers takes one byte
    said = pipe.say("responder", gateway.secret, gateway.ccs, device.ccs, way, c_r, message_1)
    if said[0] == "refused":
        return was
    message_2, was_2 = changed(bytes.fromhex(said[0]), tamper)
    was |= was_2
    try:
        initiator.parse_message_2(message_2)
        initiator.verify_message_2(device.secret, device.credential, gateway.credential)
    except BaseException:
        return was
    if was:
        return False
    message_3, _ = initiator.prepare_message_3(WAYS[way])
    message_3, was = changed(bytes(message_3), tamper)
    said = pipe.say("message_3", message_3)
    if said[0] == "refused" or was:
        return said[0] == "refused" and was
    message_4, was = changed(bytes.fromhex(said[0]), tamper)
    if refuses(initiator.process_message_4, message_4) != was:
        return False
    return was or keys(initiator) == said[1:]


def we_initiate(pipe, way, tamper):
    """The same with lakers as Responder."""
    device, gateway = End(b"\x2b"), End(b"\x0a")
    responder = lakers.EdhocResponder(gateway.secret, gateway.credential)
    c_i = random.choice([b"\x01", b"\x18", b"\x37"])
    message_1 = bytes.fromhex(pipe.say("initiator", "3", "2", device.secret, device.ccs, gateway.ccs, way, c_i)[0])
    message_1, was = changed(message_1, tamper)
    try:
        responder.process_message_1(message_1)
        message_2 = bytes(responder.prepare_message_2(WAYS[way], random.choice([b"\x27", b"\x99"])))
    except BaseException:
        return was
    message_2, was_2 = changed(message_2, tamper)
    was |= was_2
    said = pipe.say("message_2", message_2)
    if said[0] == "refused" or was:
        return said[0] == "refused" and was
    message_3, was = changed(bytes.fromhex(said[0]), tamper)
    try:
        responder.parse_message_3(message_3)
        responder.verify_message_3(device.credential)
    except BaseException:
        return was
    if was:
        return False
    message_4, was = changed(bytes(responder.prepare_message_4()), tamper)
    if (pipe.say("message_4", message_4)[0] == "refused") != was:
        return False
    return was or keys(responder) == said[1:]


def main():
    """Prints the points."""
    pipe = Pipe(sys.argv[1])
    for role, play in (("Responder", we_respond), ("Initiator", we_initiate)):
        for way in WAYS:
            for tamper in (0, 0.3):
                good = sum(play(pipe, way, tamper) for _ in range(ROUNDS))
                what = f"{ROUNDS} handshakes as {role}, credentials by {way}"
                what += ", changed on the way" if tamper else ""
                print("ok" if good == ROUNDS else "not ok", "-", what, flush=True)
                if good != ROUNDS:
                    print(f"# {ROUNDS - good} went wrong")
    pipe.process.stdin.close()
    return pipe.process.wait()


sys.exit(main())
