#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prints b2_vectors.h: messages of RFC 8613 appendix B.2, computed with python3-cryptography and
python3-cbor2 alone, for test_b2.c to be compared with."""
import hashlib
import hmac

import cbor2
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ALGS = {  # ours: COSE number, key and nonce length, AEAD
    "AEAD_AES_CCM_16_64_128": (10, 16, 13, lambda key: AESCCM(key, 8)),
    "AEAD_AES_128_GCM": (1, 16, 12, AESGCM),
    "AEAD_CHACHA20_POLY1305": (24, 32, 12, ChaCha20Poly1305),
}


def some(label, length):
    """Bytes that look random and never change."""
    return hashlib.shake_128(label.encode()).digest(length)


class Context:
    def __init__(self, alg, secret, salt, device, gateway, id_context):
        self.cose, key_len, self.nonce_len, self.aead = ALGS[alg]
        self.device, self.gateway = device, gateway

        def derive(ident, kind, length):
            info = cbor2.dumps([ident, id_context, self.cose, kind, length])
            return HKDF(SHA256(), length, salt, info).derive(secret)

        self.device_key = derive(device, "Key", key_len)
        self.gateway_key = derive(gateway, "Key", key_len)
        self.iv = derive(b"", "IV", self.nonce_len)

    def nonce(self, ident, piv):
        room = self.nonce_len - 6
        plain = bytes([len(ident)]) + ident.rjust(room, b"\0") + piv.rjust(5, b"\0")
        return bytes(a ^ b for a, b in zip(plain, self.iv))

    def seal(self, key, ident, piv, request_piv, plain):
        inner = cbor2.dumps([1, [self.cose], self.device, request_piv, b""])
        return self.aead(key).encrypt(self.nonce(ident, piv), plain,
                                      cbor2.dumps(["Encrypt0", b"", inner]))


def message(kind, code, mid, token, option, sealed):
    length = len(option)
    head = bytes([0x90 | length]) if length < 13 else bytes([0x9d, length - 13])
    return (bytes([0x40 | kind << 4 | len(token), code]) + mid.to_bytes(2, "big") + token + head
            + option + b"\xff" + sealed)


def option(piv, kid_context, kid):
    wrapped = cbor2.dumps(kid_context)
    return bytes([len(piv) | 0x18]) + piv + bytes([len(wrapped)]) + wrapped + kid


def vector(name, alg, device, gateway, salt_len, id1_len, r3, piv, kind=0):
    secret, salt = some(name + "secret", 16), some(name + "salt", salt_len)
    id1, mac_key = some(name + "r1", id1_len), some(name + "mac", 32)
    if r3 is None:
        r3 = id1
    nonce, number, count, now_s = some(name + "nonce", 8), 77, 3, 60 * 1000 + 7
    mac = hmac.new(mac_key, nonce + b"".join(n.to_bytes(8, "big") for n in
                                              (number, count, now_s // 60)), "sha256").digest()
    r2 = nonce + mac[:8]
    token, plain = some(name + "token", 4), b"\x01\xb1\x74"  # GET /t
    keys = [Context(alg, secret, salt, device, gateway, ident) for ident in (id1, r2 + id1, r2 + r3)]
    one = message(kind, 2, 0x1234, token, option(piv, id1, device),
                  keys[0].seal(keys[0].device_key, device, piv, piv, plain))
    answer = message(1 if kind else 2, 0x44, 0 if kind else 0x1234, token,
                     option(b"\0", r2, gateway),
                     keys[1].seal(keys[1].gateway_key, gateway, b"\0", piv, b"\x81"))
    two = message(kind, 2, 0x1235, token, option(b"\x01", r2 + r3, device),
                  keys[2].seal(keys[2].device_key, device, b"\x01", b"\x01", plain))
    texts = dict(secret=secret, salt=salt, device=device, gateway=gateway, mac_key=mac_key,
                 id1=id1, id3=r2 + r3, r2=r2, request_1=one, response_1=answer, request_2=two,
                 recipient_key=keys[2].device_key, sender_key=keys[2].gateway_key,
                 common_iv=keys[2].iv)
    print(f'\t{{\n\t\t.name = "{name}",\n\t\t.alg = {alg},')
    print(f"\t\t.device_number = {number},\n\t\t.count = {count},\n\t\t.now_s = {now_s},")
    for field, value in texts.items():
        digits = value.hex()
        lines = [digits[i:i + 72] for i in range(0, len(digits), 72)] or [""]
        print(f"\t\t.{field} =" + "".join(f'\n\t\t\t"{line}"' for line in lines) + ",")
    print("\t},")


print("""// SPDX-License-Identifier: BSD-3-Clause
// Made by b2_vectors.py, which shares nothing with postern. Bytes are hexadecimal.

// clang-format off
static const struct {
	const char *name;
	enum aead_alg alg;
	uint64_t device_number, count, now_s;
	const char *secret, *salt, *device, *gateway, *mac_key, *id1, *id3, *r2;
	const char *request_1, *response_1, *request_2;
	const char *recipient_key, *sender_key, *common_iv;
} vectors[] = {""")
vector("usual", "AEAD_AES_CCM_16_64_128", b"\x01", b"\x02", 8, 8, some("r3", 8), b"\0")
vector("long ids", "AEAD_AES_CCM_16_64_128", b"sensor7", b"gateway", 0, 48, some("R3", 48), b"\x05")
vector("no kid, r3 is r1, non", "AEAD_AES_128_GCM", b"", b"\x07", 1, 23, None, b"\x01\x00", kind=1)
vector("one byte each", "AEAD_CHACHA20_POLY1305", b"dev", b"", 16, 1, b"\xff", b"\xff\xff\xff\xff\xff")
print("};\n// clang-format on")
