#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The resources of the OSCORE interop test specification, as an HTTP backend.

  oscore_resources.py ADDRESS PORT

All answers say max-age=60, which CoAP leaves out because it is the default, but that of hello/3.
"""
import http.server
import sys

HELLO = b"Hello World!"
asked = {}  # how often each resource that is observed was asked for


class Resources(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body=b"", max_age=60, etag=None):
        self.send_response(status)
        self.send_header("Cache-Control", f"max-age={max_age}")
        if etag:
            self.send_header("ETag", f'"{etag}"')
        if body:
            self.send_header("Content-Type", "text/plain; charset=utf-8")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        if (self.command, path) in (("GET", "/oscore/hello/1"), ("GET", "/oscore/hello/coap")):
            self.say(200, HELLO)
        elif (self.command, self.path) == ("GET", "/oscore/hello/2?first=1"):
            self.say(200, HELLO, etag="2b")
        elif (self.command, path) == ("GET", "/oscore/hello/3"):
            self.say(200, HELLO, max_age=5)
        elif (self.command, path) == ("POST", "/oscore/hello/6"):
            self.say(200, body)
        elif (self.command, path) == ("PUT", "/oscore/hello/7"):
            wanted = self.headers.get("If-Match")
            failed = self.headers.get("If-None-Match") == "*" or wanted not in (None, '"7b"')
            self.say(412 if failed else 204)
        elif (self.command, path) == ("DELETE", "/oscore/test"):
            asked.clear()
            self.say(204)
        elif self.command == "GET" and path in ("/oscore/observe1", "/oscore/observe2"):
            self.tell(path)
        else:
            self.say(404)

    def tell(self, path):
        """Another state whenever it is asked for: one, two, and then observe1 is gone."""
        asked[path] = asked.get(path, 0) + 1
        if asked[path] == 1:
            self.say(200, b"one")
        elif path == "/oscore/observe2" or asked[path] == 2:
            self.say(200, b"two")
        else:
            self.say(404, b"Terminate Observe")

    do_GET = do_POST = do_PUT = do_DELETE = serve


server = http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Resources)
print("listening", flush=True)
server.serve_forever()
