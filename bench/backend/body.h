// SPDX-License-Identifier: BSD-3-Clause
// Finds the end of a request's body, which comes in any pieces: by its length or in chunks
// (RFC 9112 section 7.1).

#ifndef POSTERN_BENCH_BACKEND_BODY_H
#define POSTERN_BENCH_BACKEND_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum be_body_state {
	BE_BODY_DONE,
	BE_BODY_LENGTH,     // left bytes are to come
	BE_BODY_SIZE,       // in the size of a chunk
	BE_BODY_EXTENSION,  // behind the size
	BE_BODY_SIZE_END,   // LF is to come
	BE_BODY_CHUNK,      // left bytes of a chunk are to come
	BE_BODY_CHUNK_CR,   // CR is to come
	BE_BODY_CHUNK_END,  // LF is to come
	BE_BODY_TRAILER,    // at the start of a line of the trailer
	BE_BODY_FIELD,      // in such a line
	BE_BODY_FIELD_END,  // LF is to come
	BE_BODY_TRAILER_END // the last LF is to come
};

struct be_body {
	enum be_body_state state;
	uint64_t left;
	unsigned digits; // of the chunk's size
	unsigned extra;  // bytes of extensions and trailer so far
};

void be_body_start(struct be_body *body, bool chunked, uint64_t length);

// Takes bytes of the body from the front of what arrived, *data_len of them at data being content.
// Returns how many, 0 if the body is done or nothing arrived, or -400.
ssize_t be_body_take(struct be_body *body, const char *buf, size_t len, const char **data,
	size_t *data_len) __attribute__((warn_unused_result));

#endif
