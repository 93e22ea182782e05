// SPDX-License-Identifier: BSD-3-Clause
// Reads an answer of HTTP/1.1 as it comes, strictly: what two readers could understand differently
// is refused (RFC 9112 sections 2.2, 5, 6 and 7). No I/O.

#ifndef POSTERN_GW_HTTP_H1_ANSWER_H
#define POSTERN_GW_HTTP_H1_ANSWER_H

#include "gw/http/engine.h"

// What comes next.
enum h1_part {
	H1_PART_STATUS,
	H1_PART_FIELDS,
	H1_PART_BODY,       // `left` bytes
	H1_PART_TO_END,     // what comes until the connection ends
	H1_PART_CHUNK_SIZE, // a line
	H1_PART_CHUNK,      // `left` bytes
	H1_PART_CHUNK_END,  // an empty line
	H1_PART_TRAILER,
	H1_PART_WHOLE, // nothing
};

struct h1_answer {
	struct http_transfer *transfer;
	struct http_body *body;
	enum h1_part part;
	bool begun;      // a byte came
	bool old;        // HTTP/1.0
	bool keeps;      // the server keeps the connection open after it
	uint32_t for_ms; // and for how long, as it says; 0: it does not say
	uint64_t left;
	size_t line_len;
	char *line; // the beginning of one that is not whole; HTTP_REPLY_HEAD bytes, or NULL
};

// For the next answer on a connection. body->received is 0. Memory of the line is kept.
void h1_answer_start(
	struct h1_answer *answer, struct http_transfer *transfer, struct http_body *body);
void h1_answer_free(struct h1_answer *answer);

// Whether the head of the final answer is whole.
bool h1_answer_has_head(const struct h1_answer *answer);
// Takes what the server sent. Stops behind a whole answer: *taken is the number of bytes of it.
// Returns HTTP_ERR_none or why the answer is given up.
enum http_error h1_answer_take(struct h1_answer *answer, const void *data, size_t len,
	size_t *taken) __attribute__((warn_unused_result));
// The server ended the connection, cleanly. Returns HTTP_ERR_none if the answer is whole now, or
// HTTP_ERR_reset.
enum http_error h1_answer_end(struct h1_answer *answer) __attribute__((warn_unused_result));

#endif
