// SPDX-License-Identifier: BSD-3-Clause
// The log: a line of JSON for each request, written before it is answered.

#ifndef POSTERN_BENCH_BACKEND_RECORD_H
#define POSTERN_BENCH_BACKEND_RECORD_H

#include "bench/backend/request.h"
#include "bench/backend/text.h"

#include <stddef.h>
#include <stdint.h>

// Writes the line up to the body over what is in text.
void be_record_start(struct be_text *text, const struct be_request *request, const char *server,
	const char *peer, uint64_t connection);
// Ends it with the body and writes it in one call.
void be_record_write(struct be_text *text, const char *body, size_t body_len, int fd);

#endif
