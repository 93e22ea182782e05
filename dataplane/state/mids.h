// SPDX-License-Identifier: BSD-3-Clause
// Message ids of a worker's own messages: 1 for confirmable ones and 0 for others | number of the
// worker | a counter of the peer's. Peers are endpoints, as RFC 7252 section 4.4 counts ids: all
// devices behind one address and port have one counter. A keyed hash tells peers apart; those that
// share a counter share its ids.
//
// Confirmable ones: whichever worker receives the acknowledgement sees whose it is. A peer never
// sees one again within EXCHANGE_LIFETIME: its counter does not go round faster, there just is no
// id then.
//
// Non-confirmable ones: when all were used, the oldest comes again. No answer is withheld for want
// of an id.

#ifndef POSTERN_DATAPLANE_STATE_MIDS_H
#define POSTERN_DATAPLANE_STATE_MIDS_H

#include "dataplane/shared/flow.h"

#include <stdbool.h>
#include <stdint.h>

#define DP_MID_NON         0x7fff // bits of the ids of non-confirmable messages
#define DP_MID_WORKER_NONE UINT32_MAX

// EXCHANGE_LIFETIME (RFC 7252 section 4.8.2), with the MAX_RETRANSMIT, ACK_RANDOM_FACTOR and
// MAX_LATENCY of there: 247 s for an ACK_TIMEOUT of 2 s.
static inline uint64_t dp_exchange_lifetime_ms(uint32_t ack_timeout_ms)
{
	return ack_timeout_ms * UINT64_C(15) * 3 / 2 + 2 * 100000 + ack_timeout_ms;
}

// An id may be used for the first time so much later than it was taken, and no later.
#define DP_MID_KEPT_MS 10000

struct dp_mids;

// For worker `id` of so many. NULL and errno on failure.
struct dp_mids *dp_mids_create(unsigned id, unsigned workers, uint32_t ack_timeout_ms);
void dp_mids_free(struct dp_mids *mids);

// The next id for the remote endpoint of a flow; false if too many were used too lately. It does
// not come again for EXCHANGE_LIFETIME and DP_MID_KEPT_MS.
bool dp_mid_take(struct dp_mids *mids, const struct dp_flow *flow, uint64_t now_ms, uint16_t *mid)
	__attribute__((warn_unused_result));
// The next id of a non-confirmable message to that endpoint.
uint16_t dp_mid_non(struct dp_mids *mids, const struct dp_flow *flow);
// Which worker makes such ids of confirmable messages, DP_MID_WORKER_NONE if none does.
unsigned dp_mid_worker(const struct dp_mids *mids, uint16_t mid);
// The same of messages of both kinds: a RST may be for either.
unsigned dp_mid_worker_any(const struct dp_mids *mids, uint16_t mid);

#endif
