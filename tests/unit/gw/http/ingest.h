// SPDX-License-Identifier: BSD-3-Clause
// An HTTP/1.1 server that takes batches, remembers each request, and answers as the test says.

#ifndef POSTERN_TESTS_UNIT_GW_HTTP_INGEST_H
#define POSTERN_TESTS_UNIT_GW_HTTP_INGEST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INGEST_REQUESTS 4096 // remembered

struct ingest_request {
	char *head; // ends with 0
	char *body; // the same
	size_t body_len;
	char key[128]; // Idempotency-Key without quotes
	char path[256];
	unsigned records; // counted by "specversion"
};

struct ingest;

// Called by one thread at a time. Returns the whole answer, or NULL: the connection is closed
// without one. `number`: of requests before this one.
typedef const char *ingest_answer(
	struct ingest *ingest, const struct ingest_request *request, unsigned number);

struct ingest *ingest_start(ingest_answer *answer, void *arg);
void ingest_stop(struct ingest *ingest);
uint16_t ingest_port(const struct ingest *ingest);
void *ingest_arg(struct ingest *ingest);

// Requests so far, and one of them; it stays as it is.
unsigned ingest_count(const struct ingest *ingest);
void ingest_wait(struct ingest *ingest, unsigned count);
const struct ingest_request *ingest_get(struct ingest *ingest, unsigned number);
// In an answer: waits until the test calls ingest_release().
void ingest_hold(struct ingest *ingest);
void ingest_release(struct ingest *ingest);

#define INGEST_OK "HTTP/1.1 204 No Content\r\n\r\n"

// An answer with this status and body, valid until the next call.
const char *ingest_reply(int status, const char *headers, const char *body);

#endif
