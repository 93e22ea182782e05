// SPDX-License-Identifier: BSD-3-Clause
// CBOR (RFC 8949) to JSON (RFC 8259) and back, SenML (RFC 8428) included, by the table of
// docs/http.md. Pure functions: nothing is kept from one call to the next, and what is written is
// never longer than the caller's room.
//
// Both directions are total over the table and refuse all else with the place: a device or a
// backend is told which value it was, and nothing is rounded, replaced or left out.

#ifndef POSTERN_GW_TRANSLATE_TRANSLATE_H
#define POSTERN_GW_TRANSLATE_TRANSLATE_H

#include <stddef.h>
#include <stdint.h>

#define TR_DEPTH_MAX 16                  // arrays and maps inside each other
#define TR_KEYS_MAX  4096                // keys of the maps that are open at one place
#define TR_INT_MAX   ((uint64_t)1 << 53) // an integer and its neighbours are doubles up to here
#define TR_PLACE_MAX 47                  // bytes of the name of a place

enum tr_form {
	TR_PLAIN,
	TR_SENML, // the maps of the outermost array are records with the labels of RFC 8428 table 4
};

enum tr_verdict {
	TR_OK,
	TR_REFUSED,   // `fault` says what and where
	TR_TOO_LONG,  // the result has no room
	TR_NO_MEMORY, // only from tr_json_to_cbor()
};

// What is refused. `what` is a constant text. `place` is where: the indices and keys that lead
// there, "/1/v" (as in RFC 6901), its end cut off with "..." if it is long; or "byte 17", from 0,
// for what is no CBOR or JSON at all, and for the outermost value.
struct tr_fault {
	const char *what;
	char place[TR_PLACE_MAX + 1];
};

// Writes the JSON text of one CBOR item, UTF-8 without blanks and without a 0 at its end, to out
// (room bytes). *out_len is its length. Allocates nothing.
enum tr_verdict tr_cbor_to_json(enum tr_form form, const uint8_t *cbor, size_t len, char *out,
	size_t room, size_t *out_len, struct tr_fault *fault) __attribute__((warn_unused_result));

// Writes the CBOR item of one JSON text in its preferred serialization (RFC 8949 section 4.1) to
// out (room bytes). *out_len is its length. Allocates about 80 bytes for each byte of JSON at most.
enum tr_verdict tr_json_to_cbor(enum tr_form form, const char *json, size_t len, uint8_t *out,
	size_t room, size_t *out_len, struct tr_fault *fault) __attribute__((warn_unused_result));

#endif
