#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""usage: ingest.py PORT: takes batches of CloudEvents, prints what it takes, answers for each."""
import base64
import http.server
import json
import sys

seen = set()


def take(event):
    """The status of one event."""
    if "data" in event:
        data = event["data"]
    else:
        data = base64.b64decode(event.get("data_base64", ""))
    if not isinstance(data, dict) or "v" not in data:
        return 422
    if event["id"] not in seen:
        seen.add(event["id"])
        print(event["source"], event.get("subject", ""), data["v"], flush=True)
    return 201


class Ingest(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"items": [{"status": take(event)} for event in events]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Ingest).serve_forever()
