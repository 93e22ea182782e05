// SPDX-License-Identifier: BSD-3-Clause
// Content-Type and Content-Encoding become a Content-Format, and Accept is kept.

#include "tests/unit/gw/map/bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

// RFC 8075 section 6.
Test(map_media, content_format)
{
	static const struct map_bed_row rows[] = {
		{"GET", "200|Content-Type: text/plain; charset=utf-8#x", "2.05 cf=0 max-age=0 |x"},
		{"GET", "200|Content-Type: text/plain;charset=UTF-8#x", "2.05 cf=0 max-age=0 |x"},
		{"GET", "200|Content-Type: text/plain#x", "2.05 cf=0 max-age=0 |x"},
		{"GET", "200|Content-Type: Text/HTML#x", "2.05 cf=0 max-age=0 |x"},
		{"GET", "200|Content-Type: text/plain; charset=iso-8859-1#x",
			"2.05 cf=42 max-age=0 |x"},
		// Text that is not UTF-8 is no text.
		{"GET", "200|Content-Type: text/plain#caf\xe9", "2.05 cf=42 max-age=0 |caf\xe9"},
		{"GET", "200|Content-Type: text/plain; charset=utf-8#\xc3(",
			"2.05 cf=42 max-age=0 |\xc3("},
		{"GET", "200|Content-Type: text/html#\xff", "2.05 cf=42 max-age=0 |\xff"},
		{"GET", "200|Content-Type: text/css#\xff", "2.05 cf=42 max-age=0 |\xff"},
		{"GET", "200|Content-Type: text/css#\xc3\xa9", "2.05 cf=20000 max-age=0 |\xc3\xa9"},
		{"GET", "200|Content-Type: text/plain#caf\xc3\xa9",
			"2.05 cf=0 max-age=0 |caf\xc3\xa9"},
		{"GET accept=0", "200|Content-Type: text/plain#\xff",
			"4.06 max-age=0 |no such format"},
		{"POST |q", "200|Content-Type: text/plain#\xff", "2.04 cf=42 |\xff"},
		{"GET", "200|Content-Type: application/json#x", "2.05 cf=50 max-age=0 |x"},
		{"GET", "200|Content-Type: application/json; charset=utf-8#x",
			"2.05 cf=50 max-age=0 |x"},
		{"GET", "200|Content-Type: application/json; v=1#x", "2.05 cf=50 max-age=0 |x"},
		{"GET", "200|Content-Type: application/cose; cose-type=\"cose-sign1\"#x",
			"2.05 cf=18 max-age=0 |x"},
		{"GET", "200|Content-Type: application/cose#x", "2.05 cf=42 max-age=0 |x"},
		{"GET", "200|Content-Type: application/senml+cbor#x", "2.05 cf=112 max-age=0 |x"},
		{"GET", "200|Content-Type: application/vnd.oma.lwm2m+json#x",
			"2.05 cf=11543 max-age=0 |x"},
		{"GET", "200|Content-Type: application/problem+json#x", "2.05 cf=50 max-age=0 |x"},
		{"GET", "200|Content-Type: application/x+cbor#x", "2.05 cf=60 max-age=0 |x"},
		{"GET", "200|Content-Type: application/soap+xml#x", "2.05 cf=41 max-age=0 |x"},
		{"GET", "200|Content-Type: text/xml#x", "2.05 cf=41 max-age=0 |x"},
		{"GET", "200|Content-Type: video/mp4#x", "2.05 cf=42 max-age=0 |x"},
		{"GET", "200|Content-Type: nonsense#x", "2.05 cf=42 max-age=0 |x"},
		{"GET", "200|Content-Type: application/coap-payload;cf=4711#x",
			"2.05 cf=4711 max-age=0 |x"},
		{"GET", "200|Content-Type: application/coap-payload; cf=\"65535\"#x",
			"2.05 cf=65535 max-age=0 |x"},
		{"GET", "200|Content-Type: application/coap-payload;cf=65536#x",
			"2.05 cf=42 max-age=0 |x"},
		{"GET", "200#x", "2.05 max-age=0 |x"},
		{"GET", "200|Content-Type: application/json", "2.05 max-age=0"},
		{"GET", "200|Content-Type: application/json|Content-Encoding: identity#x",
			"2.05 cf=50 max-age=0 |x"},
		{"GET", "200|Content-Type: application/json|Content-Encoding: Deflate#x",
			"2.05 cf=11050 max-age=0 |x"},
		{"GET", "200|Content-Type: application/cbor|Content-Encoding: deflate#x",
			"2.05 cf=11060 max-age=0 |x"},
		{"GET", "200|Content-Type: application/json|Content-Encoding: gzip#x",
			"5.02 max-age=0 |backend answer encoded"},
		{"GET", "200|Content-Encoding: br#x", "5.02 max-age=0 |backend answer encoded"},
		{"GET", "200|Content-Type: application/oscore#x",
			"5.02 max-age=0 |backend answer not allowed"},
		{"GET", "200|Content-Type: application/coap-payload;cf=10001#x",
			"5.02 max-age=0 |backend answer not allowed"},
		{"POST |q", "200|Content-Type: application/cbor#x", "2.04 cf=60 |x"},
	};

	CHECK(rows);
}

// RFC 7252 section 5.10.4.
Test(map_media, accept)
{
	static const struct map_bed_row rows[] = {
		{"GET accept=50", "200|Content-Type: application/json#x",
			"2.05 cf=50 max-age=0 |x"},
		{"GET accept=60", "200|Content-Type: application/json#x",
			"4.06 max-age=0 |no such format"},
		{"GET accept=50", "200#x", "4.06 max-age=0 |no such format"},
		{"GET accept=42", "200#x", "2.05 max-age=0 |x"},
		{"GET accept=50", "204", "2.05 max-age=0"},
		{"GET accept=11050", "200|Content-Type: application/json#x",
			"4.06 max-age=0 |no such format"},
		{"GET accept=60", "406", "4.06 max-age=0"},
		{"POST accept=50 |q", "200|Content-Type: application/json#x", "2.04 cf=50 |x"},
	};

	CHECK(rows);
}
