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
	unsigned batch;
	size_t count; // messages, a multiple of the batch
	// Message i is ops[i % ring]; ring is a power of two, and at least AEAD_BATCH_MAX.
	struct aead_op *ops;
	size_t ring;
	// With more contexts than stay in the cache: the context of message i is order[i], and is
	// asked for two batches ahead. Else NULL, and the ops have their keys.
	const uint32_t *order;
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

static inline struct aead_op *work_op(const struct work *work, size_t i)
{
	return &work->ops[i & (work->ring - 1)];
}

// What every contestant does before the batch that begins at message `first`: gives contexts to the
// messages two batches behind it, and asks for them. key_lines is how many cache lines it reads of
// a key that starts at keys + index * stride.
static inline void batch_prefetch(const struct work *work, size_t first, const uint8_t *keys,
	unsigned stride, unsigned key_lines)
{
	const size_t ahead = 2 * work->batch, end = first + ahead + work->batch;

	if (!work->order)
		return;
	for (size_t i = first ? first + ahead : 0; i < end && i < work->count; i++) {
		const size_t index = work->order[i];

		work_op(work, i)->key = work->contexts + index * CONTEXT_SIZE;
		for (unsigned line = 0; line < key_lines; line++)
			__builtin_prefetch(keys + index * stride + 64 * line);
	}
}

#endif
