#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""usage: handshake_lakers.py: how many handshakes a second lakers does as Responder, for bench/handshake
--rival. Method 3, suite 2, credentials by kid; lakers comes from PyPI (tests/interop/requirements.txt)."""
import time

import cbor2
import lakers
from cryptography.hazmat.primitives.asymmetric import ec

ROUNDS = 300


def credential(kid):
    """A private key and the CCS of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_numbers()
    cose = {1: 2, 2: bytes([kid]), -1: 1, -2: public.x.to_bytes(32, "big"), -3: public.y.to_bytes(32, "big")}
    ccs = cbor2.dumps({2: "device", 8: {1: cose}})
    return key.private_numbers().private_value.to_bytes(32, "big"), lakers.Credential(ccs)


def main():
    """Prints the number."""
    secret_i, cred_i = credential(0x2b)
    secret_r, cred_r = credential(0x0a)
    taken = []
    for _ in range(ROUNDS):
        initiator = lakers.EdhocInitiator()
        message_1 = initiator.prepare_message_1(c_i=b"\x01")
        start = time.perf_counter()
        responder = lakers.EdhocResponder(secret_r, cred_r)
        responder.process_message_1(message_1)
        message_2 = responder.prepare_message_2(lakers.CredentialTransfer.ByReference, b"\x07")
        middle = time.perf_counter()
        initiator.parse_message_2(message_2)
        initiator.verify_message_2(secret_i, cred_i, cred_r)
        message_3, _ = initiator.prepare_message_3(lakers.CredentialTransfer.ByReference)
        go_on = time.perf_counter()
        responder.parse_message_3(message_3)
        responder.verify_message_3(cred_i)
        responder.completed_without_message_4()
        responder.edhoc_exporter(0, [], 16)
        responder.edhoc_exporter(1, [], 8)
        taken.append(middle - start + time.perf_counter() - go_on)
    print(1 / sorted(taken)[ROUNDS // 2])


main()
