// SPDX-License-Identifier: BSD-3-Clause
// What a request asks the backend to do, by its query; be_behaviour_help lists all keys.

#ifndef POSTERN_BENCH_BACKEND_BEHAVIOUR_H
#define POSTERN_BENCH_BACKEND_BEHAVIOUR_H

#include <stdbool.h>
#include <stdint.h>

#define BE_HEADERS_ROOM 1024
#define BE_WHY_MAX      128

enum be_close {
	BE_CLOSE_NOT,
	BE_CLOSE_BEFORE, // instead of an answer
	BE_CLOSE_HEAD,   // in the middle of the head
	BE_CLOSE_BODY,   // in the middle of the body
	BE_CLOSE_AT,     // behind close_at bytes of the answer
	BE_CLOSE_AFTER,  // behind the answer, without announcing it
	BE_CLOSE_SAID,   // the same with Connection: close
};

struct be_behaviour {
	uint32_t status;
	uint32_t delay_ms, delay_most_ms; // at random between them
	uint32_t slow_percent;            // are answered late
	uint32_t size;                    // of the body
	bool sized;                       // else the body is a text
	bool chunked;
	uint32_t chunk; // bytes of each
	bool until_eof; // neither chunks nor a length
	enum be_close close;
	uint32_t close_at;
	bool reset;        // closing is with RST
	bool close_notify; // precedes closing on TLS
	uint32_t surplus;  // answers
	uint32_t surplus_bytes;
	bool early; // answers when it has the head
	uint32_t fail_percent, fail_status;
	uint32_t keepalive_s; // in Keep-Alive; 0: no such header
	bool keepalive;
	uint32_t interim, interim_status;
	bool echo; // the body of the request comes back, with its type
	bool unique;
	char headers[BE_HEADERS_ROOM]; // lines, each with CR LF
};

extern const struct be_behaviour be_behaviour_default;
// Lines about the keys of a query.
extern const char be_behaviour_help[];

// Overwrites what a query (KEY=VALUE&...) says, escapes (%20) taken back; keys that are not known
// are passed over. Returns true, or false with a line about what is wrong.
bool be_behaviour_parse(struct be_behaviour *behaviour, const char *query, char why[BE_WHY_MAX])
	__attribute__((warn_unused_result));

#endif
