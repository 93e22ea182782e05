// SPDX-License-Identifier: BSD-3-Clause
// An entry of the access log, which is one request, and its line as JSON. docs/access-log.md
// describes it.

#ifndef POSTERN_GW_UPSTREAM_ACCESS_LINE_H
#define POSTERN_GW_UPSTREAM_ACCESS_LINE_H

#include "gw/http/errors.h"
#include "gw/map/request.h"

#include <stddef.h>
#include <stdint.h>

#define UP_CREDENTIAL_LEN 8 // bytes of the SHA-256 of a credential that name it

// Texts are NULL, and numbers 0, where there is nothing to say.
struct up_access_entry {
	uint64_t unix_ms;
	const char *device;
	const uint8_t *credential; // of its session: UP_CREDENTIAL_LEN bytes
	uint8_t method;            // CoAP code of the request
	const uint8_t *body; // encoded options and payload of the request; only the path is taken
	size_t body_len, in; // in: bytes of the whole request
	const char *route, *upstream, *server;
	int status;   // of HTTP
	uint8_t code; // of CoAP
	size_t out;   // bytes of the answer's plaintext
	uint64_t queued_ms, connect_ms, total_ms;
	unsigned tries;       // servers asked
	const uint8_t *trace; // MAP_TRACE_LEN bytes, the trace id of its traceparent
	const char *batch;    // key of the batch that it went with
	unsigned batch_size;  // readings in it
	enum http_error error;
	bool abandoned; // the worker gave up waiting for the answer
	bool sent;      // the last server may have seen the request
	bool own;       // answered by a worker, for no upstream
	bool pushed;    // no device's: a service pushed it, and `status` is what it was told
};

// The reason code: two characters.
const char *up_access_reason(const struct up_access_entry *entry);
// Writes the line with its end. Returns its length, 0 if there is not enough room.
size_t up_access_line_write(const struct up_access_entry *entry, char *buf, size_t room);

#endif
