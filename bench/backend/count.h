// SPDX-License-Identifier: BSD-3-Clause
// Counts what the backend does, and requests by their Idempotency-Key.

#ifndef POSTERN_BENCH_BACKEND_COUNT_H
#define POSTERN_BENCH_BACKEND_COUNT_H

#include "bench/backend/text.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct be_key {
	char *text;
	uint64_t count;
};

struct be_count {
	_Atomic uint64_t connections, open, requests, answers, malformed, rekeys, body_bytes;
	bool by_key; // keys are counted, set before threads start
	pthread_mutex_t lock;
	struct be_key *keys; // open addressing
	size_t keys_room, distinct;
	uint64_t without_key;
};

void be_count_init(struct be_count *count);
// Counts a request of this key; NULL: it has none. Any thread.
void be_count_key(struct be_count *count, const char *key);
// Appends all as an object of JSON; all keys or only those that came more than once.
void be_count_json(struct be_count *count, bool all, struct be_text *out);
void be_count_free(struct be_count *count);

#endif
