#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""usage: edhoc_lakers_device.py ADDRESS GATEWAY.json DEVICE.json STRANGER.json [ROUNDS]

lakers as a device of the gateway at ADDRESS, over UDP and without a CoAP library: EDHOC (method 3, suite 2) with
message_3 in the first request and by itself, and the request under the keys that lakers exports, by tests/smoke/oscore.
The files are those of postern-coap --edhoc-make; the gateway does not know the stranger, whose kid is the device's.
A line "ok - WHAT" or "not ok - WHAT" for each way."""
import importlib.machinery
import importlib.util
import json
import os
import socket
import sys

import cbor2
import lakers

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../smoke/oscore")
LOADER = importlib.machinery.SourceFileLoader("oscore", PATH)
oscore = importlib.util.module_from_spec(importlib.util.spec_from_loader("oscore", LOADER))
LOADER.exec_module(oscore)

ROUNDS = int(sys.argv[5]) if len(sys.argv) > 5 else 20
OWN = {"kid": lakers.CredentialTransfer.ByReference, "value": lakers.CredentialTransfer.ByValue}
POST, CHANGED, BAD = 2, 0x44, 0x80
EDHOC_OPTION = (21, b"")


def load(path):
    """Private key and credential of a file."""
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    data = data[0] if isinstance(data, list) else data
    return bytes.fromhex(data.get("private_key", "")), lakers.Credential(bytes.fromhex(data["credential"]))


class Wire:
    """Confirmable requests, sent again until they are answered."""

    def __init__(self, address):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect((address, 5683))
        self.sock.settimeout(2)
        self.mid = 0

    def ask(self, options, payload):
        """Returns the answer as it came."""
        self.mid += 1
        head = bytes([0x44, POST]) + self.mid.to_bytes(2, "big") + b"lake"
        self.request = head + oscore.encode_options(options) + b"\xff" + payload
        for _ in range(10):
            self.sock.send(self.request)
            try:
                while True:
                    answer = self.sock.recv(4096)
                    if answer[1] and answer[4:8] == b"lake" and (answer[0] & 0x30 != 0x20 or answer[2:4] == head[2:4]):
                        return answer
            except socket.timeout:
                pass
        raise TimeoutError("no answer")

    def edhoc(self, payload):
        """A POST to /.well-known/edhoc. Returns code and payload of the answer."""
        answer = self.ask([(11, b".well-known"), (11, b"edhoc"), (12, b"\x41")], payload)
        return answer[1], oscore.split(answer)[2]


def protect(initiator, c_i, c_r, path):
    """Keys of the context, and the OSCORE option and ciphertext of a first request."""
    keys = oscore.Keys({
        "master_secret": bytes(initiator.edhoc_exporter(0, [], 16)).hex(),
        "master_salt": bytes(initiator.edhoc_exporter(1, [], 8)).hex(),
        "sender_id": c_r.hex(), "recipient_id": c_i.hex()})
    plain = bytes([POST]) + oscore.encode_options([(11, b"t"), (11, path.encode())]) + b"\xffon"
    sealed = keys.aead(keys.sender_key).encrypt(keys.nonce(keys.sender, b"\0"), plain, keys.aad(b"\0"))
    return keys, (9, b"\x09\0" + c_r), sealed


def opened(keys, answer):
    """The inner code of an answer, or None if it is not protected."""
    _, options, sealed = oscore.split(answer)
    if 9 not in dict(options):
        return None
    piv, _, kid = oscore.oscore_option(dict(options)[9])
    nonce = keys.nonce(kid, piv) if piv else keys.nonce(keys.sender, b"\0")
    return keys.aead(keys.recipient_key).decrypt(nonce, sealed, keys.aad(b"\0"))[0]


def shake_hands(address, device, gateway, way, combined, tamper=False):
    """A handshake and a request. Returns the inner code, or what it came to."""
    wire, c_i = Wire(address), b"\x01"
    secret, credential = device
    initiator = lakers.EdhocInitiator()
    message_1 = bytes(initiator.prepare_message_1(c_i=c_i))
    code, message_2 = wire.edhoc(b"\xf5" + message_1)
    if code != CHANGED:
        return f"message_1: {code:#x}"
    c_r, _, _ = initiator.parse_message_2(message_2)
    c_r = bytes(c_r)
    initiator.verify_message_2(secret, credential, gateway[1])
    message_3, _ = initiator.prepare_message_3(OWN[way])
    message_3 = bytes(message_3)
    if tamper:
        message_3 = message_3[:-1] + bytes([message_3[-1] ^ 1])
    initiator.completed_without_message_4()
    keys, option, sealed = protect(initiator, c_i, c_r, way)
    if combined:
        answer = wire.ask([option, EDHOC_OPTION], message_3 + sealed)
    else:
        code, payload = wire.edhoc(cbor2.dumps(c_r) + message_3)
        if (code, payload) != (CHANGED, b""):
            return "refused" if (code, payload[:1]) == (BAD, b"\x01") else f"message_3: {code:#x}"
        answer = wire.ask([option], sealed)
    inner = opened(keys, answer)
    if inner is None:
        return "refused" if (answer[1], oscore.split(answer)[2][:1]) == (BAD, b"\x01") else f"unprotected {answer[1]:#x}"
    return f"{inner:#x}"


def main():
    """Prints the points."""
    address = sys.argv[1]
    gateway, device, stranger = (load(path) for path in sys.argv[2:5])
    thief = stranger[0], device[1]  # another's credential, and not its key
    cases = [(f"{'message_3 in the first request' if combined else 'message_3 by itself'}, credential by {way}",
              device, way, combined, False, f"{CHANGED:#x}", ROUNDS // 4) for combined in (True, False) for way in OWN]
    cases += [(f"{what} is refused, {'with a request' if combined else 'by itself'}", who, way, combined, tamper, "refused", 2)
              for combined in (True, False)
              for what, who, way, tamper in (
                  ("a credential that the gateway does not have", stranger, "value", False),
                  ("another one for a kid that it has", stranger, "kid", False),
                  ("a key that is not that of the credential", thief, "kid", False),
                  ("a message_3 that was changed", device, "kid", True))]
    for what, who, way, combined, tamper, wanted, rounds in cases:
        got = [shake_hands(address, who, gateway, way, combined, tamper) for _ in range(rounds)]
        good = got == rounds * [wanted]
        print("ok" if good else "not ok", "-", f"{rounds} times: {what}", flush=True)
        if not good:
            print(f"# {got}")


main()
