// SPDX-License-Identifier: BSD-3-Clause
// The rings between the workers and the threads of the slow path, which do what a worker must not:
// derive keys out of a Master Secret, or agree on one. A worker copies a message whole; what comes
// back is a message to send. A ring has one producer and one consumer; all messages of a kid go to
// one thread, and so do those of EDHOC that name one, as connection identifier; a message_1, which
// names none, and blocks of messages go to that of their endpoint.
//
// Main has a ring to each worker besides: requests that are to pass its stages once more, when the
// context that they ask for has been published (dp_reinject()).

#ifndef POSTERN_DATAPLANE_SHARED_SLOW_H
#define POSTERN_DATAPLANE_SHARED_SLOW_H

#include "dataplane/shared/copy_ring.h"
#include "dataplane/shared/doorbell.h"
#include "dataplane/shared/flow.h"

#include <stdbool.h>
#include <stdint.h>

#define DP_SLOW_THREADS_MAX 8
#define DP_SLOW_MAIN        63 // bit of main in the word by which a worker is called

enum dp_slow_kind {
	DP_SLOW_UNKNOWN,  // nobody has the name, and the device of the kid has rederive: b2
	DP_SLOW_WINDOW,   // verified by the worker, whose window is unknown: has no plaintext
	DP_SLOW_EDHOC,    // an unprotected POST to /.well-known/edhoc (RFC 9528 appendix A.2)
	DP_SLOW_COMBINED, // message_3 of EDHOC in front of an OSCORE request (RFC 9668)
};

// In front of each message in a ring.
struct dp_slow_head {
	struct dp_flow flow;  // where the request came from
	uint64_t fingerprint; // DP_SLOW_WINDOW: of the keys that verified it
	uint16_t len;         // bytes of the CoAP message behind this
	uint8_t kind;         // enum dp_slow_kind; of requests only
	uint8_t worker;       // that received it
	uint8_t pad[4];
	uint8_t coap[];
};
_Static_assert(sizeof(struct dp_slow_head) == 80, "records are aligned to 8");

// What a thread shares with one worker.
struct dp_slow_lane {
	struct dp_copy_ring *requests; // worker -> thread
	struct dp_copy_ring *answers;  // thread -> worker
	uint64_t *called;              // of the worker: bit n: thread n has put something, atomic
};

// All lanes of a thread. Immutable once workers run, but for the rings.
struct dp_slow {
	struct dp_doorbell bell; // rung by workers when the thread sleeps
	unsigned thread;         // number
	unsigned count;          // workers
	struct dp_slow_lane lane[];
};

// Producer of any of the rings: puts a message, unless there is no room. The head's len says how
// many bytes coap has.
bool dp_slow_put(struct dp_copy_ring *ring, const struct dp_slow_head *head, const uint8_t *coap)
	__attribute__((warn_unused_result));
// Consumer: the oldest message, or NULL. It stays in place until dp_copy_ring_pop().
static inline const struct dp_slow_head *dp_slow_peek(struct dp_copy_ring *ring)
{
	uint32_t len;

	return (const struct dp_slow_head *)dp_copy_ring_peek(ring, &len);
}

// Thread: has a worker send this message. False if the ring is full.
bool dp_slow_answer(struct dp_slow *slow, unsigned worker, const struct dp_flow *flow,
	const uint8_t *coap, uint16_t len) __attribute__((warn_unused_result));
// Thread: whether a worker has something for it. For the check after dp_doorbell_arm().
bool dp_slow_pending(const struct dp_slow *slow);

#endif
