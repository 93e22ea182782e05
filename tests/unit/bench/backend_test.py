#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""usage: backend_test.py POSTERN_BACKEND
What postern-backend does is what other tests rely on: bytes in, bytes out, over its sockets.
"""
import http.client
import json
import os
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import traceback

PROGRAM = sys.argv[1]
PATIENCE = 30
folder = tempfile.TemporaryDirectory()


class Backend:
    """The program, on any port unless told otherwise."""

    def __init__(self, *args, listen=("127.0.0.1:0",)):
        command = [PROGRAM, "--until-eof"]
        for address in listen:
            command += ["--listen", address]
        self.process = subprocess.Popen([*command, *args], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.urls = [self.process.stdout.readline().decode().strip() for _ in listen]

    def connect(self, url=0, tls=None):
        url = self.urls[url]
        if url.startswith("http+unix:"):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(PATIENCE)
            s.connect(url[len("http+unix:"):])
            return s
        host, port = url.split("//")[1].rsplit(":", 1)
        s = socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE)
        return tls.wrap_socket(s) if tls else s

    def end(self):
        """Ends it. Returns what it printed."""
        out, self.err = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, (self.process.returncode, self.err)
        return out.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.returncode is None:
            self.end()


def request(target, method="GET", body=b"", headers=""):
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} {target} HTTP/1.1\r\nHost: x\r\n{length}{headers}\r\n".encode() + body


def everything(s):
    """What comes until the end; b"RST" last if it is one."""
    got = b""
    while True:
        try:
            more = s.recv(65536)
        except ConnectionResetError:
            return got + b"RST"
        if not more:
            return got
        got += more


class Answers:
    """Reads answers of a connection in turn."""

    def __init__(self, s):
        self.s, self.data = s, b""

    def send(self, *requests):
        self.s.sendall(b"".join(requests))
        return self

    def more(self):
        data = self.s.recv(65536)
        assert data, f"closed behind {self.data!r}"
        self.data += data

    def take(self, length):
        while len(self.data) < length:
            self.more()
        got, self.data = self.data[:length], self.data[length:]
        return got

    def line(self):
        while b"\r\n" not in self.data:
            self.more()
        return self.take(self.data.index(b"\r\n") + 2)[:-2].decode()

    def answer(self, bodyless=False):
        """(status, headers, body)"""
        status, headers, body = int(self.line().split()[1]), {}, b""
        while line := self.line():
            name, value = line.split(": ", 1)
            headers[name] = value
        if "Transfer-Encoding" in headers:
            while size := int(self.line(), 16):
                body += self.take(size)
                assert self.line() == ""
            assert self.line() == ""
        elif "Content-Length" in headers and not bodyless:
            body = self.take(int(headers["Content-Length"]))
        return status, headers, body

    def closed(self):
        return self.data == b"" and everything(self.s) == b""


def ask(backend, target, **more):
    return Answers(backend.connect()).send(request(target, **more)).answer()


POINTS = []


def point(f):
    POINTS.append((f.__name__.replace("_", " "), f))


@point
def an_answer_tells_what_was_asked():
    with Backend("--name", "one") as b:
        headers = {"Content-Type": "text/plain", "Content-Length": "16"}
        assert ask(b, "/t/a?x=y") == (200, headers, b"GET /t/a?x=y one")


@point
def status_size_and_headers_are_as_asked():
    with Backend() as b:
        status, headers, body = ask(
            b, "/?status=429&size=7&retry_after=9&h=X-A:%20b%26c&h=Content-Type:a/b&keepalive=5")
        assert (status, body) == (429, b"xxxxxxx")
        assert headers == {"Retry-After": "9", "X-A": "b&c", "Content-Type": "a/b",
                           "Content-Length": "7", "Keep-Alive": "timeout=5"}, headers


@point
def statuses_without_a_body_have_none():
    with Backend() as b:
        a = Answers(b.connect())
        for status in (204, 304):
            assert a.send(request(f"/?status={status}")).answer() == (status, {}, b"")
        status, headers, _ = a.send(request("/?size=9", "HEAD")).answer(bodyless=True)
        assert (status, headers["Content-Length"]) == (200, "9")
        assert a.send(request("/last")).answer()[2] == b"GET /last"


@point
def bodies_come_back_however_they_were_framed():
    chunks = b"5;x=\"y\"\r\nhello\r\n0a\r\n, backend!\r\n0\r\nTrailer: t\r\n\r\n"
    with Backend() as b:
        a = Answers(b.connect())
        for _ in range(2):
            status, headers, body = a.send(request("/?echo=1&chunked=1&chunk=4", "PUT", b"x" * 99,
                                                   "Content-Type: a/b\r\n")).answer()
            assert (status, headers["Content-Type"], body) == (200, "a/b", b"x" * 99)
            a.send(request("/?echo=1", "POST", headers="Transfer-Encoding: chunked\r\n"), chunks)
            assert a.answer()[2] == b"hello, backend!"


@point
def requests_may_come_byte_by_byte_and_many_at_once():
    one = request("/?echo=1", "POST", b"abc")
    two = request("/?echo=1", "POST", b"3\r\ndef\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\n")
    two = two.replace(b"Content-Length: 13\r\n", b"")
    with Backend() as b:
        s = b.connect()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in one + two:
            s.sendall(bytes([byte]))
        a = Answers(s)
        assert [a.answer()[2] for _ in range(2)] == [b"abc", b"def"]
        a.send((one + two) * 500)
        assert [a.answer()[2] for _ in range(1000)] == [b"abc", b"def"] * 500


@point
def long_bodies_pass_both_ways():
    body = os.urandom(3 << 20)
    for tls in (None, client_tls()):
        with Backend(*(() if not tls else certificate())) as b:
            a = Answers(b.connect(tls=tls))
            assert a.send(request("/?echo=1", "POST", body)).answer()[2] == body
            assert len(a.send(request("/?size=5000000")).answer()[2]) == 5000000
            assert a.send(request("/x", "POST", body)).answer()[2] == b"POST /x"


@point
def a_client_that_does_not_read_holds_up_nobody():
    with Backend() as b:
        stuck = b.connect()
        stuck.sendall(request("/?size=4000000") * 50)
        assert ask(b, "/other")[0] == 200
        a = Answers(stuck)
        assert all(len(a.answer()[2]) == 4000000 for _ in range(50))


@point
def malformed_requests_are_refused_and_the_connection_closes():
    host = "Host: x\r\n"
    rows = [
        (400, "GET /\r\n\r\n"), (400, f"GET / HTTP/1.1\n{host}\n"), (400, f"\r\nGET / HTTP/1.1\r\n{host}\r\n"),
        (400, "GET / HTTP/1.1\r\n\r\n"), (400, f"GET / HTTP/1.1\r\n{host}{host}\r\n"),
        (505, f"GET / HTTP/2.0\r\n{host}\r\n"), (505, f"GET / HTTP/1.12\r\n{host}\r\n"),
        (400, f"G(T / HTTP/1.1\r\n{host}\r\n"), (400, f"GET  / HTTP/1.1\r\n{host}\r\n"),
        (400, f"GET /\x7f HTTP/1.1\r\n{host}\r\n"), (400, f"GET /\xe9 HTTP/1.1\r\n{host}\r\n"),
        (400, f"GET / HTTP/1.1\r\n{host}A : b\r\n\r\n"), (400, f"GET / HTTP/1.1\r\n{host}A: b\r\n c\r\n\r\n"),
        (400, f"GET / HTTP/1.1\r\n{host}A: b\rc\r\n\r\n"), (400, f"GET / HTTP/1.1\r\n{host}\rA: b\r\n\r\n"), (400, f"GET / HTTP/1.1\r\n{host}A: \0\r\n\r\n"),
        (400, f"GET / HTTP/1.1\r\n{host}A: \x01\r\n\r\n"), (400, f"GET / HTTP/1.1\r\n{host}A\r\n\r\n"),
        (400, f"PUT / HTTP/1.1\r\n{host}Content-Length: 1, 1\r\n\r\nx"),
        (400, f"PUT / HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
        (400, f"PUT / HTTP/1.1\r\n{host}Content-Length: +1\r\n\r\nx"),
        (400, f"PUT / HTTP/1.1\r\n{host}Content-Length:\r\n\r\nx"),
        (400, f"PUT / HTTP/1.1\r\n{host}Content-Length: 99999999999999999999\r\n\r\nx"),
        (400, f"PUT / HTTP/1.1\r\n{host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (501, f"PUT / HTTP/1.1\r\n{host}Transfer-Encoding: gzip, chunked\r\n\r\n"),
        (400, "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (417, f"PUT / HTTP/1.1\r\n{host}Expect: wonders\r\n\r\n"),
        (431, f"GET / HTTP/1.1\r\n{host}A: {'x' * 70000}\r\n\r\n"),
        (431, f"GET / HTTP/1.1\r\n{host}" + "A: b\r\n" * 200 + "\r\n"),
    ]
    put = f"PUT / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n"
    rows += [(400, put + chunks) for chunks in (
        "\r\n", ";x\r\n", "g\r\n", "-1\r\n", "1 \r\nx\r\n", "1\nx\r\n", "1\r\nxx\r\n", "1\r\nx\n0\r\n",
        "1234567890abcdef0\r\n", "0\r\n A: b\r\n\r\n", "0\r\nA: b\n\r\n", "0\r\nA: \x01\r\n\r\n",
        "1;\x01\r\nx\r\n", "1;" + "x" * 5000 + "\r\n", "0\r\n" + "A: b\r\n" * 5000 + "\r\n")]
    with Backend("--count") as b:
        for status, text in rows:
            a = Answers(b.connect()).send(text.encode("latin-1"))
            got = a.answer()
            assert (got[0], got[1]["Connection"]) == (status, "close"), (status, got, text[:99])
            a.s.close()
        stats = json.loads(b.end())
        assert (stats["malformed"], stats["open"]) == (len(rows), 0), stats
        assert b.err.count(b"malformed request") == len(rows)


@point
def queries_that_make_no_sense_are_refused():
    with Backend() as b:
        for query in ("delay=x", "status=99", "close=soon", "h=X", "h=X:a%0db", "h=:a", "chunked=2",
                      "fail=101", "size=", "delay=5-3", "h=X:" + "x" * 400 + "&h=Y:" + "y" * 400 +
                      "&h=Z:" + "z" * 400):
            status, headers, body = ask(b, "/?" + query)
            assert (status, headers["Connection"]) == (400, "close"), query
            assert body.split(b" ")[0] == query[:1].encode() or body.split(b" ")[0] in query.encode()
        assert ask(b, "/?other=1&%&=&&x")[0] == 200


@point
def it_closes_where_it_is_asked_to():
    with Backend() as b:
        whole = everything(Answers(b.connect()).send(request("/?size=100&close=after")).s)
        head = len(whole) - 100
        assert whole.startswith(b"HTTP/1.1 200 OK\r\n") and whole.endswith(b"\r\n\r\n" + b"x" * 100)
        assert b"Connection" not in whole
        for query, length in (("close=before", 0), ("close=head", head // 2), ("close=body", head + 50),
                              ("close_at=0", 0), ("close_at=3", 3), (f"close_at={head}", head),
                              ("close_at=9999", head + 100)):
            got = everything(Answers(b.connect()).send(request("/?size=100&" + query)).s)
            assert got == whole[:length], (query, got)
        said = everything(Answers(b.connect()).send(request("/?size=100&close=said")).s)
        assert b"\r\nConnection: close\r\n" in said
        for query, length in (("close=rst", head + 50), ("close=before&reset=1", 0),
                              ("close_at=7&reset=1", 7)):
            s = b.connect()
            got = everything(Answers(s).send(request("/?size=100&" + query)).s)
            # What was sent before the RST may be lost with it.
            assert got.endswith(b"RST") and whole[:length].startswith(got[:-3]), (query, got)


@point
def the_end_of_the_connection_ends_a_body():
    with Backend() as b:
        got = everything(Answers(b.connect()).send(request("/?eof=1&size=5")).s)
        assert got.endswith(b"\r\n\r\nxxxxx") and b"Content-Length" not in got


@point
def what_is_surplus_comes_behind_the_answer():
    with Backend() as b:
        a = Answers(b.connect()).send(request("/?surplus=2&surplus_bytes=3"))
        bodies = [a.answer()[2] for _ in range(3)]
        assert bodies == [b"GET /?surplus=2&surplus_bytes=3", b"surplus 1\n", b"surplus 2\n"]
        assert a.take(3) == b"xxx"


@point
def interim_answers_come_first():
    with Backend() as b:
        a = Answers(b.connect())
        a.send(request("/?interim=2"), request("/?interim=1&interim_status=100"))
        assert [a.answer()[0] for _ in range(5)] == [103, 103, 200, 100, 200]


@point
def a_client_that_waits_is_told_to_continue():
    head = "PUT /?echo=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    with Backend() as b:
        a = Answers(b.connect()).send(head.encode())
        assert a.answer()[0] == 100
        assert a.send(b"abc").answer()[2] == b"abc"


@point
def early_answers_precede_the_body():
    head = "PUT /?early=1{} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
    with Backend() as b:
        a = Answers(b.connect()).send(head.format("").encode())
        assert a.answer()[0] == 200
        assert a.send(b"x" * 100000, request("/next")).answer()[2] == b"GET /next"
        # It takes what comes before it closes, so that the answer is not lost.
        a = Answers(b.connect()).send(head.format("&close=after").encode(), b"x" * 50000)
        assert a.answer()[0] == 200
        a.send(b"x" * 50000)
        assert a.closed()


@point
def delays_are_waited_for_and_hold_up_nobody_else():
    with Backend("--count") as b:
        start = time.monotonic()
        a = Answers(b.connect()).send(request("/?delay=150"), request("/?delay=3600000&slow=0"))
        endless = Answers(b.connect()).send(request("/?delay=3600000"))
        assert ask(b, "/")[0] == 200
        assert a.answer()[0] == 200
        assert time.monotonic() - start > 0.149
        assert a.answer()[0] == 200
        endless.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        endless.s.close()
        while json.loads(a.send(request("/stats")).answer()[2])["open"] > 1:
            pass  # until it has noticed
        assert a.send(request("/?delay=5-9")).answer()[0] == 200


@point
def so_many_of_a_hundred_fail_and_the_seed_says_which():
    runs = []
    for seed in ("7", "7", "8"):
        with Backend("--seed", seed, "--answer", "fail=30&fail_status=500") as b:
            a = Answers(b.connect()).send(request("/") * 1000)
            runs.append([a.answer()[0] for _ in range(1000)])
    assert runs[0] == runs[1] != runs[2]
    assert all(set(run) == {200, 500} and 200 < run.count(500) < 400 for run in runs)


@point
def unique_answers_differ():
    with Backend() as b:
        a = Answers(b.connect()).send(request("/?unique=1") * 100)
        bodies = [a.answer()[2] for _ in range(100)]
        assert len(set(bodies)) == 100 and all(len(x.split(b" ")[0]) == 16 for x in bodies)


@point
def a_connection_has_its_limits():
    with Backend("--max-requests", "3") as b:
        a = Answers(b.connect()).send(request("/") * 5)
        assert ["Connection" in a.answer()[1] for _ in range(3)] == [False, False, True]
        assert a.closed()
    with Backend("--idle", "1000") as b:  # no client is so slow that it is idle before it begins
        late = Answers(b.connect()).send(request("/?delay=1100"))
        others = [Answers(b.connect()), Answers(b.connect()).send(request("/")[:9])]
        assert late.answer()[0] == 200 and late.closed()
        assert all(a.closed() for a in others)


@point
def what_the_client_says_of_its_connection_counts():
    with Backend() as b:
        for head, stays in (("GET / HTTP/1.0\r\n\r\n", False),
                            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", True),
                            ("GET / HTTP/1.1\r\nHost: x\r\nConnection: x, Close\r\n\r\n", False),
                            ("GET / HTTP/1.1\r\nHost: x\r\nConnection: closed\r\n\r\n", True)):
            a = Answers(b.connect()).send(head.encode())
            status, headers, _ = a.answer()
            assert (status, "Connection" not in headers) == (200, stays), head
            assert a.send(request("/")).answer()[0] == 200 if stays else a.closed()


@point
def everything_is_discarded():
    for args, tls in (((), None), (certificate(), client_tls())):
        with Backend("--discard", "--count", "--threads", "2", *args) as b:
            for url in range(len(b.urls)):
                a = Answers(b.connect(url, tls))
                for size in (0, 1, 100, 8192, 8193, 70000, 1000000):
                    a.send(request("/?status=500&close=rst", "POST", b"x" * size))
                    assert a.answer() == (204, {}, b"")
                a.send(request("/", "POST", b"x" * 300) * 100)
                assert all(a.answer()[0] == 204 for _ in range(100))
                a.send(request("/", "PUT", headers="Connection: close\r\n"))
                assert a.answer() == (204, {"Connection": "close"}, b"") and a.closed()
            stats = json.loads(b.end())
            assert (stats["requests"], stats["answers"], stats["body_bytes"]) == (
                108, 108, 1086486 + 30000), stats


@point
def requests_are_counted_by_key():
    def key(text):
        return f"Idempotency-Key: \"{text}\"\r\n"

    with Backend("--count", "--threads", "3") as b:
        for i in range(3000):
            if i % 1000 == 0:
                a = Answers(b.connect())
            assert a.send(request("/", "POST", headers=key(i % 1500))).answer()[0] == 200
        a.send(request("/")).answer()
        _, headers, body = a.send(request("/stats")).answer()
        stats = json.loads(body)
        assert headers["Content-Type"] == "application/json"
        assert (stats["requests"], stats["connections"], stats["without_key"]) == (3001, 3, 1), stats
        assert stats["distinct_keys"] == 1500
        assert stats["repeated"] == {f'"{i}"': 2 for i in range(1500)}
        a.send(request("/", "POST", headers=key("once"))).answer()
        assert json.loads(a.send(request("/stats?keys=1")).answer()[2])["keys"]['"once"'] == 1
        assert '"once"' not in json.loads(b.end())["repeated"]
    with Backend() as b:
        assert ask(b, "/stats")[2] == b"GET /stats"


@point
def the_log_has_each_request():
    path = os.path.join(folder.name, "log")
    with Backend("--log", path, "--name", "one", "--threads", "2") as b:
        ask(b, "/a?x=%20", method="PUT", body=b"\x00\xff\"\\", headers="X-A: b\r\n")
        ask(b, "/b?close=before&early=1&close=said")
    with open(path, encoding="ascii") as f:
        first, second = map(json.loads, f)
    assert (first["method"], first["target"], first["server"]) == ("PUT", "/a?x=%20", "one")
    assert first["body"].encode("latin-1") == b"\x00\xff\"\\"
    assert first["headers"] == {"host": "x", "content-length": "4", "x-a": "b"}
    assert first["peer"].startswith("127.0.0.1:")
    assert (second["target"], second["connection"]) == ("/b?close=before&early=1&close=said", 2)


@point
def it_listens_on_all_kinds_of_sockets():
    path = os.path.join(folder.name, "socket")
    listen = ("127.0.0.1:0", "[::1]:0", "unix:" + path)
    for _ in range(2):  # a socket of before is replaced
        with Backend(listen=listen) as b:
            assert b.urls[1].startswith("http://[::1]:") and b.urls[2] == "http+unix:" + path
            for url in range(3):
                assert Answers(b.connect(url)).send(request("/")).answer()[0] == 200
            if not os.path.exists(path + ".left"):
                os.link(path, path + ".left")
        assert not os.path.exists(path)
        os.rename(path + ".left", path) if os.path.exists(path + ".left") else None


@point
def it_ends_when_it_is_told_to():
    read, write = os.pipe()
    p = subprocess.Popen([PROGRAM, "-l", "127.0.0.1:0", "--count", "--ready-fd", str(write)],
                         pass_fds=[write], stdout=subprocess.PIPE)
    os.close(write)
    with os.fdopen(read) as f:
        url = f.read()  # it closes the descriptor
    c = http.client.HTTPConnection(url.strip().split("//")[1], timeout=PATIENCE)
    c.request("GET", "/")
    assert c.getresponse().read() == b"GET /"
    p.send_signal(signal.SIGTERM)
    assert json.loads(p.communicate(timeout=PATIENCE)[0])["requests"] == 1
    assert p.returncode == 0


def certificate():
    path = os.path.join(folder.name, "pem")
    if not os.path.exists(path):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x", "-keyout", path,
                        "-out", path + ".crt"], check=True, capture_output=True)
        with open(path + ".crt", encoding="ascii") as crt, open(path, "a", encoding="ascii") as f:
            f.write(crt.read())
    return ("--cert", path)


def client_tls(version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version:
        context.minimum_version = context.maximum_version = version
    return context


@point
def tls_says_when_it_ends_unless_asked_not_to():
    def end(query):
        context = client_tls()
        context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
        s = socket.create_connection(b.connect().getpeername(), timeout=PATIENCE)
        s = context.wrap_socket(s, suppress_ragged_eofs=False)
        try:
            return everything(Answers(s).send(request("/?size=10&" + query)).s)[-10:]
        except ssl.SSLError:
            return "ragged"

    with Backend(*certificate()) as b:
        assert b.urls[0].startswith("https://")
        assert end("eof=1") == b"x" * 10
        assert end("close=body") == b"0\r\n\r\nxxxxx"
        assert end("close=after&close_notify=0") == "ragged"


@point
def tls_sessions_resume_unless_there_are_no_tickets():
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for args, resumes in (((), True), (("--no-tickets",), False)):
            with Backend(*certificate(), *args) as b:
                context = client_tls(version)
                context.set_alpn_protocols(["h2", "http/1.1"])
                session = None
                for turn in range(2):
                    s = socket.create_connection(b.connect().getpeername(), timeout=PATIENCE)
                    s = context.wrap_socket(s, session=session)
                    assert Answers(s).send(request("/")).answer()[0] == 200
                    assert s.selected_alpn_protocol() == "http/1.1"
                    assert s.session_reused == (turn == 1 and resumes), (version, args)
                    session = s.session if resumes else None
    with Backend(*certificate(), "--tls", "1.2") as b:
        assert b.connect(tls=client_tls()).version() == "TLSv1.2"
    with Backend(*certificate(), "--tls", "1.3") as b:
        assert b.connect(tls=client_tls()).version() == "TLSv1.3"


@point
def tls_has_new_keys_while_a_connection_is_idle():
    with Backend(*certificate(), "--tls", "1.3", "--rekey", "1", "--count") as b:
        s = b.connect(tls=client_tls())
        a = Answers(s)
        for _ in range(3):
            assert a.send(request("/")).answer()[0] == 200
            assert select.select([s], [], [], PATIENCE)[0], "nothing comes behind the answer"
        assert a.send(request("/")).answer()[0] == 200
        s.close()
        assert json.loads(b.end())["rekeys"] >= 3


@point
def clients_may_need_a_certificate():
    cert = certificate()[1]
    with Backend("--cert", cert, "--client-ca", cert, "--tls", "1.2") as b:
        try:
            Answers(b.connect(tls=client_tls())).send(request("/")).answer()
            raise AssertionError("no certificate was asked for")
        except (ssl.SSLError, ConnectionError):
            pass
        context = client_tls()
        context.load_cert_chain(cert)
        assert Answers(b.connect(tls=context)).send(request("/")).answer()[0] == 200


@point
def a_command_line_without_sense_is_refused():
    for args, status in ((["x"], 2), (["--idle", "0"], 2), (["-a", "delay=x"], 2), (["--key", "k"], 2),
                         (["--cert", "/nonexistent"], 1), (["-l", "127.0.0.1:70000"], 1),
                         (["-l", "nowhere:1"], 1), (["-l", "127.0.0.1"], 1), (["-l", "unix:"], 1)):
        p = subprocess.run([PROGRAM, *args], capture_output=True, timeout=PATIENCE, check=False)
        assert p.returncode == status and p.stderr.startswith(b"postern-backend: "), (args, p)
    p = subprocess.run([PROGRAM, "--help"], capture_output=True, timeout=PATIENCE, check=True)
    assert b"surplus_bytes=N" in p.stdout


print(f"1..{len(POINTS)}")
for name, run in POINTS:
    try:
        run()
        print(f"ok - {name}", flush=True)
    except Exception:  # pylint: disable=broad-except
        print(f"not ok - {name}")
        print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), flush=True)
