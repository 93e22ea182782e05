#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""usage: parse_back.py FORMAT FILE

Parses bodies of batches with readers that are not ours, and compares them with what was put in. FILE
has lines "record FINGERPRINT PIV UNIX_MS CONTENT-FORMAT METHOD PLAIN SUBJECT PAYLOAD", and for each
body, behind its records, a line "body LENGTH" and the body.
"""
import base64
import datetime
import io
import json
import re
import sys
import urllib.parse

import cbor2

TYPES = {50: "application/json", 0: "text/plain; charset=utf-8", 60: "application/cbor",
         110: "application/senml+json", 11050: "application/json", 51: "application/json-patch+json",
         17: "application/cose; cose-type=cose-mac0", 65000: "application/coap-payload;cf=65000"}
JSON = (50, 51, 110)
DEVICES = ('s\u00e9, "7" \\ x', "sensor-17")
copied = 0


def refuse(what):
    raise ValueError(what)


def no_twins(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("two equal names")
    return dict(pairs)


def strict(text):
    return json.loads(text, parse_constant=refuse, object_pairs_hook=no_twins)


def expect(what, got, want):
    if got != want:
        sys.exit(f"{what}: {got!r} is not {want!r}")


def check_event(event, line, time_name):
    global copied
    _, fingerprint, piv, unix_ms, cf, method, plain, subject, payload = line
    payload, cf = bytes.fromhex(payload), int(cf)
    when = datetime.datetime.utcfromtimestamp(int(unix_ms) // 1000)
    want = {"specversion": "1.0", "type": "coap." + method.lower(), "id": f"{fingerprint}-{piv}",
            "sequence": f"{int(piv):013}",
            time_name: f"{when:%Y-%m-%dT%H:%M:%S}.{int(unix_ms) % 1000:03}000Z"}
    source = event.pop("source")
    expect("source", urllib.parse.unquote(source), "/devices/" + DEVICES[int(plain)])
    if subject != "-":
        want["subject"] = subject
    if cf >= 0:
        want["datacontenttype"] = TYPES[cf]
    if cf == 11050:
        want["contentencoding"] = "deflate"
    data = base64.b64decode(event.pop("data_base64"), validate=True) if "data_base64" in event else None
    if "data" in event:
        value = event.pop("data")
        if cf in JSON:
            expect("data", value, strict(payload.decode()))
            copied += 1
        else:
            expect("content-format of text", cf, 0)
            expect("text", value.encode(), payload)
            copied += 1
    else:
        expect("bytes", data or b"", payload)
    expect("event", event, want)


def cloudevents(body, lines):
    events = strict(body.decode())
    expect("events", len(events), len(lines))
    for event, line in zip(events, lines):
        check_event(event, line, "time")


def lines_of(body):
    expect("the end", body[-1:], b"\n")
    return body[:-1].split(b"\n")


def ndjson(body, lines):
    texts = lines_of(body)
    expect("lines", len(texts), len(lines))
    for text, line in zip(texts, lines):
        if b"\r" in text:
            sys.exit("a line has a CR")
        check_event(strict(text.decode()), line, "time")


def es_bulk(body, lines):
    texts = lines_of(body)
    expect("lines", len(texts), 2 * len(lines))
    for action, text, line in zip(texts[::2], texts[1::2], lines):
        expect("action", strict(action.decode()), {"create": {"_id": f"{line[1]}-{line[2]}"}})
        check_event(strict(text.decode()), line, "@timestamp")


def cbor_seq(body, lines):
    stream = io.BytesIO(body)
    for line in lines:
        _, fingerprint, piv, unix_ms, cf, method, plain, subject, payload = line
        record = cbor2.load(stream)
        record[1] = urllib.parse.unquote(record[1])
        record[4] = round(record[4].timestamp() * 1000)
        expect("record", record, [f"{fingerprint}-{piv}", DEVICES[int(plain)], method,
                                  "" if subject == "-" else subject, int(unix_ms),
                                  None if int(cf) < 0 else int(cf), bytes.fromhex(payload)])
    expect("the end", stream.read(), b"")


LINE = re.compile(r'senml,device=[\w.~%-]+,name=[A-Za-z0-9][\w.:/-]*(,unit=[^\s,="\\]+)?'
                  r' (?:(v|s)=[-+0-9.eE]+|vb=true|vb=false|v[sd]="(?:[^"\\]|\\["\\])*")'
                  r'(?:,s=[-+0-9.eE]+)? \d{1,19}', re.ASCII)


def senml_lines(payload):
    """How many lines a pack has: the records with a value or a sum."""
    based = count = 0
    for record in strict(payload.decode()):
        based = based or "bv" in record or "bs" in record
        count += bool(based or {"v", "vs", "vb", "vd", "s"} & set(record))
    return count


def influx(body, lines):
    texts = lines_of(body)
    expect("lines", len(texts), sum(senml_lines(bytes.fromhex(line[-1])) for line in lines))
    for text in texts:
        if not LINE.fullmatch(text.decode()):
            sys.exit(f"no line: {text!r}")


FORMATS = {"cloudevents": cloudevents, "ndjson": ndjson, "es-bulk": es_bulk, "cbor-seq": cbor_seq,
           "influx": influx}


def main():
    lines, records, bodies = [], 0, 0
    with open(sys.argv[2], "rb") as file:
        while head := file.readline():
            words = head.decode().split(" ")
            if words[0] == "record":
                words[-1] = words[-1].strip()
                lines.append(words)
                continue
            FORMATS[sys.argv[1]](file.read(int(words[1])), lines)
            file.read(1)
            records, bodies, lines = records + len(lines), bodies + 1, []
    expect("records behind the last body", len(lines), 0)
    if not records or (sys.argv[1] not in ("cbor-seq", "influx") and not copied):
        sys.exit("there was nothing to compare")
    print(f"# {sys.argv[1]}: {records} records in {bodies} bodies, {copied} embedded as they are")


main()
