#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ethernet frames with UDP datagrams in them, each field of which can be made wrong.

  frames.py INTERFACE GATEWAY-MAC [--vlan N] DATAGRAM   sends one (hex), and prints the answer
"""
import argparse
import socket
import struct

GATEWAY, DEVICE = "192.0.2.1", "192.0.2.2"
GATEWAY6, DEVICE6 = "2001:db8::1", "2001:db8::2"


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp(src, dst, payload, sport=40000, dport=5683, length=None, check=None):
    length = 8 + len(payload) if length is None else length
    header = struct.pack("!HHHH", sport, dport, length, 0)
    pseudo = src + dst + struct.pack("!IHBB", 8 + len(payload), 0, 0, 17)
    if check is None:
        check = checksum(pseudo + header + payload) or 0xFFFF
    return header[:6] + struct.pack("!H", check) + payload


def ip4(payload, src=DEVICE, dst=GATEWAY, first=0x45, length=None, fragment=0, check=None, **more):
    src, dst = socket.inet_aton(src), socket.inet_aton(dst)
    body = udp(src, dst, payload, **more)
    length = 20 + len(body) if length is None else length
    header = struct.pack("!BBHHHBBH4s4s", first, 0, length, 1, fragment, 64, 17, 0, src, dst)
    check = checksum(header) if check is None else check
    return header[:10] + struct.pack("!H", check) + header[12:] + body


def ip6(payload, src=DEVICE6, dst=GATEWAY6, first=0x60, length=None, fragment=None, **more):
    src, dst = (socket.inet_pton(socket.AF_INET6, a) for a in (src, dst))
    body, next_header = udp(src, dst, payload, **more), 17
    if fragment is not None:
        body, next_header = struct.pack("!BBHI", 17, 0, fragment, 1) + body, 44
    length = len(body) if length is None else length
    return struct.pack("!BBHHBB", first, 0, 0, length, next_header, 64) + src + dst + body


def frame(packet, to, source, vlan=None):
    tag = struct.pack("!HH", 0x8100, vlan) if vlan is not None else b""
    kind = b"\x86\xdd" if packet[:1] and packet[0] >> 4 == 6 else b"\x08\x00"
    return to + source + tag + kind + packet


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("interface")
    parser.add_argument("mac")
    parser.add_argument("datagram")
    parser.add_argument("--vlan", type=int)
    args = parser.parse_args()
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    raw.bind((args.interface, 0))
    raw.settimeout(60)
    to, source = bytes.fromhex(args.mac.replace(":", "")), raw.getsockname()[4]
    raw.send(frame(ip4(bytes.fromhex(args.datagram)), to, source, args.vlan))
    while True:
        packet, address = raw.recvfrom(65535)
        if address[2] == socket.PACKET_OUTGOING:
            continue
        packet = packet[18 if packet[12:14] == b"\x81\x00" else 14:]
        if packet[9:10] == b"\x11" and packet[22:24] == struct.pack("!H", 40000):
            print(packet[28:].hex())
            return


if __name__ == "__main__":
    main()
