// SPDX-License-Identifier: BSD-3-Clause
// The work that bench/aead measures, and the libraries that do the same work.

#ifndef POSTERN_BENCH_AEAD_RIVALS_H
#define POSTERN_BENCH_AEAD_RIVALS_H

#include "crypto/aead.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTEXT_SIZE  128 // bytes of a device context, the key at its start
#define SCHEDULE_SIZE 192 // bytes of an expanded AES-128 key as ipsec-mb wants it: 176 and padding

struct work {
	enum aead_alg alg;
	bool sealing;
	bool prefetch; // contexts do not stay in the cache: fetch them a batch ahead
	unsigned batch;
	size_t count; // messages, a multiple of the batch
	struct aead_op *ops;
	size_t body_len;          // bytes from an op's AAD to the end of its message
	const uint8_t *contexts;  // ops' keys point into it
	const uint8_t *schedules; // of the same contexts in the same order
};

struct rival;

// Does all work once. Returns how many messages came out right.
typedef size_t rival_run_fn(struct rival *rival, const struct work *work);

struct rival {
	const char *name;
	rival_run_fn *run;
	bool (*can)(const struct rival *rival, const struct work *work);
	void *state;
	bool checked; // submit with the library's checks
	bool flushed; // each batch is complete before the next one starts
};

// The rivals on this machine: fills at most room of them, returns how many. Those of one name are
// ways to use one library, of which the fastest counts.
unsigned rivals_create(struct rival *rivals, unsigned room);

// Expands a 16-byte key to SCHEDULE_SIZE bytes. False without ipsec-mb.
bool rival_key_expand(uint8_t *schedule, const uint8_t *key);

// What every contestant does before the batch at ops[first]: asks for the batch behind it.
// key_lines is how many cache lines it reads of a key that starts at key + index * stride.
static inline void batch_prefetch(const struct work *work, size_t first, const uint8_t *keys,
	unsigned stride, unsigned key_lines)
{
	const size_t next = first + work->batch, behind = next + work->batch;

	if (!work->prefetch || behind + work->batch > work->count)
		return;
	for (unsigned k = 0; k < work->batch; k++) {
		const struct aead_op *op = &work->ops[next + k];
		const size_t index = (size_t)(op->key - work->contexts) / CONTEXT_SIZE;

		__builtin_prefetch(&work->ops[behind + k]);
		for (unsigned line = 0; line < key_lines; line++)
			__builtin_prefetch(keys + index * stride + 64 * line);
		for (size_t at = 0; at < work->body_len; at += 64)
			__builtin_prefetch(op->aad + at);
	}
}

#endif
