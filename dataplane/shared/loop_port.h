// SPDX-License-Identifier: BSD-3-Clause
// The rings between the workers and the upstream loops. Each ring has one producer and one
// consumer; a handle names an exchange in the pool of the worker. All requests of a device go to
// the same loop.

#ifndef POSTERN_DATAPLANE_SHARED_LOOP_PORT_H
#define POSTERN_DATAPLANE_SHARED_LOOP_PORT_H

#include "dataplane/shared/doorbell.h"
#include "dataplane/shared/exchange.h"
#include "dataplane/shared/ring.h"

#define DP_LOOPS_MAX 16

// Which of so many loops has the requests of the context at this index.
static inline unsigned dp_loop_of(uint32_t context, unsigned loops)
{
	return (uint64_t)(context * UINT32_C(0x9e3779b1)) * loops >> 32;
}

// What a loop shares with one worker.
struct dp_loop_port {
	const struct dp_shared_pool *pool; // of the worker
	struct rte_ring *requests;         // worker -> loop; full: the worker answers 5.03
	struct rte_ring *responses; // loop -> worker; holds the whole pool, so it cannot fill
	struct rte_ring *changes;   // loop -> worker: slots, see change.h; NULL: nobody observes
};

// All of a loop's ports; immutable once workers run.
struct dp_loop {
	struct dp_doorbell bell; // rung by workers when the loop sleeps
	unsigned count;          // workers
	struct dp_loop_port port[];
};

// Loop: takes up to n handles from one worker. Returns how many.
static inline unsigned dp_loop_receive(struct dp_loop_port *port, dp_handle *out, unsigned n)
{
	return rte_ring_sc_dequeue_burst_elem(port->requests, out, sizeof(*out), n, NULL);
}

// Loop: hands one exchange back. The shared half is the worker's again.
static inline void dp_loop_respond(struct dp_loop_port *port, dp_handle handle)
{
	int rc = rte_ring_sp_enqueue_elem(port->responses, &handle, sizeof(handle));

	(void)rc; // cannot be full, see above
}

// Loop: whether any worker has something for it. For the check after dp_doorbell_arm().
static inline bool dp_loop_pending(const struct dp_loop *up)
{
	for (unsigned i = 0; i < up->count; i++)
		if (!dp_ring_empty(up->port[i].requests))
			return true;
	return false;
}

// Any thread: whether a worker has answers of this loop to take.
static inline bool dp_loop_answers_pending(const struct dp_loop *up)
{
	for (unsigned i = 0; i < up->count; i++)
		if (!dp_ring_empty(up->port[i].responses))
			return true;
	return false;
}

#endif
