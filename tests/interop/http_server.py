#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""HTTP servers of Python's for the interop tests: "stdlib" is http.server, "asyncio" a small one on
streams, and "closing" one that closes idle connections at random, just when the next request may be
on its way. Each answers with the method, the target and the body of the request, and counts what it
has performed by its Idempotency-Key. At SIGTERM the counts are printed as JSON."""
import argparse
import asyncio
import collections
import http.server
import json
import random
import select
import signal
import socket
import struct
import sys
import threading

PATIENCE = 30  # seconds for what the client should do at once


class Counts:
    """What was done, by method; any thread."""

    def __init__(self):
        self.lock = threading.Lock()
        self.keys = collections.Counter()
        self.counts = collections.defaultdict(collections.Counter)

    def count(self, what, method):
        with self.lock:
            self.counts[what][method.lower()] += 1

    def perform(self, method, key):
        """A request was read as a whole, and is carried out."""
        with self.lock:
            self.keys[key] += 1
            name = "performed" if self.keys[key] == 1 else "again"
            self.counts[name][method.lower()] += 1

    def print(self):
        with self.lock:
            print(json.dumps(self.counts), flush=True)


counts = Counts()


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        counts.perform(self.command, self.headers["Idempotency-Key"])
        text = f"{self.command} {self.path} {body.decode()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_POST = do_DELETE = answer

    def setup(self):
        super().setup()
        counts.count("connections", "all")

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


class StdlibServer(http.server.ThreadingHTTPServer):
    request_queue_size = 128


def stdlib(args):
    Handler.protocol_version = f"HTTP/{args.version}"
    server = StdlibServer((args.address, args.port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def head_parse(head):
    """Returns method, target, and the fields by their names."""
    lines = head.decode().split("\r\n")
    method, target, _ = lines[0].split(" ")
    return method, target, {name.lower(): value for name, value in
                            (line.split(": ", 1) for line in lines[1:] if line)}


async def asyncio_serve(reader, writer):
    """Chunks, and a Connection: close behind each tenth answer."""
    counts.count("connections", "all")
    number = 0
    try:
        while number < 10:
            method, target, fields = head_parse(await reader.readuntil(b"\r\n\r\n"))
            body = await reader.readexactly(int(fields.get("content-length", 0)))
            counts.perform(method, fields["idempotency-key"])
            number += 1
            text = f"{method} {target} {body.decode()}\n".encode()
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                         b"Connection: %s\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" %
                         (b"close" if number == 10 else b"keep-alive", len(text), text))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


def asyncio_run(args):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(
        asyncio.start_server(asyncio_serve, args.address, args.port, backlog=128))
    threading.Thread(target=loop.run_forever, daemon=True).start()


class ClosingConnection:
    def __init__(self, sock, args, seed):
        self.sock, self.args = sock, args
        self.random = random.Random(seed)
        self.waiting = b""
        self.served = 0

    def read_until(self, length):
        while len(self.waiting) < length:
            more = self.sock.recv(65536)
            if not more:
                return False
            self.waiting += more
        return True

    def request(self):
        """Reads a request. Returns its method, target, fields and body, or None at the end."""
        while b"\r\n\r\n" not in self.waiting:
            if not self.read_until(len(self.waiting) + 1):
                return None
        head, _, self.waiting = self.waiting.partition(b"\r\n\r\n")
        method, target, fields = head_parse(head)
        length = int(fields.get("content-length", 0))
        if not self.read_until(length):
            return None
        body, self.waiting = self.waiting[:length], self.waiting[length:]
        return method, target, fields, body

    def stays_idle(self):
        """Whether nothing comes for a random time."""
        return self.served and not self.waiting and not select.select(
            [self.sock], [], [], self.random.uniform(0, self.args.idle / 1e6))[0]

    def close_idle(self):
        if self.args.how == "fin":
            # What comes now was sent before the client could know.
            counts.count("closed", "fin")
            self.sock.shutdown(socket.SHUT_WR)
            try:
                request = self.request()
            except ConnectionResetError:
                request = None
            if request:
                counts.count("crossed", request[0])
        elif self.random.random() < 0.5:
            counts.count("closed", "rst")
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            counts.count("closed", "close")

    def serve(self):
        counts.count("connections", "all")
        while not self.stays_idle():
            request = self.request()
            if not request:
                return
            method, target, fields, body = request
            counts.perform(method, fields["idempotency-key"])
            if self.served and self.random.random() * 100 < self.args.cut:
                counts.count("cut", method)
                return
            text = f"{method} {target} {body.decode()}\n".encode()
            self.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" %
                              (len(text), text))
            self.served += 1
        self.close_idle()

    def run(self):
        with self.sock:
            try:
                self.serve()
            except ConnectionError:
                pass


def closing(args):
    listener = socket.create_server((args.address, args.port), backlog=128)

    def accept():
        number = 0
        while True:
            sock, _ = listener.accept()
            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number += 1
            conn = ClosingConnection(sock, args, args.seed * 1000003 + number)
            threading.Thread(target=conn.run, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def main():
    kinds = {"stdlib": stdlib, "asyncio": asyncio_run, "closing": closing}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--version", choices=("1.0", "1.1"), default="1.1", help="stdlib: of HTTP")
    parser.add_argument("--idle", type=int, default=1000,
                        help="closing: most microseconds for which a connection is idle")
    parser.add_argument("--how", choices=("fin", "rst"), default="fin",
                        help="closing: with FIN, reading on, or by close(), half of them with RST")
    parser.add_argument("--cut", type=int, default=0, help="closing: percent of requests on used "
                        "connections that are performed, but not answered")
    parser.add_argument("--seed", type=int, default=1, help="closing: of what is random")
    args = parser.parse_args()
    sys.setswitchinterval(0.0005)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    kinds[args.kind](args)
    print("listening", flush=True)
    signal.sigwait([signal.SIGTERM])
    counts.print()


main()
