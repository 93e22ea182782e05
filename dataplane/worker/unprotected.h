// SPDX-License-Identifier: BSD-3-Clause
// Answers that are not protected: errors (RFC 8613 section 8.2) and RST. A worker sends at most so
// many a second.

#ifndef POSTERN_DATAPLANE_WORKER_UNPROTECTED_H
#define POSTERN_DATAPLANE_WORKER_UNPROTECTED_H

#include "dataplane/worker/refused.h"
#include "dataplane/worker/worker.h"

// Sends an error with the token of the request and Max-Age 0, if the budget of this second is not
// used up. For dp_unprotected_error().
void dp_unprotected_error_send(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	uint8_t code, const char *diagnostic);

// The same, but 5.03, which asks the device to come again in so many seconds.
void dp_unprotected_busy(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, uint32_t max_age_s);

// dp_unprotected_error_send() if the policy wants it, which is seldom so. The packet ends in
// `reason`, whether or not an error is sent.
static inline void dp_unprotected_error(struct dp_worker *w, const struct pkt_vec *vec,
	unsigned slot, bool wanted, uint8_t code, const char *diagnostic, enum dp_stat reason)
{
	if (unlikely(wanted))
		dp_unprotected_error_send(w, vec, slot, code, diagnostic);
	dp_drop(w, vec, slot, reason);
}

// Sends RST for a confirmable message (RFC 7252 section 4.2). The packet ends in `stat`.
void dp_unprotected_rst(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, enum dp_stat stat);
// Ends a message that cannot be processed: RST for a CON if errors are wanted, else silence.
void dp_unprotected_reject(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, enum dp_stat reason);

// Ends a replay: 4.01 if the policy wants it, else silence.
static inline void dp_replay(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	dp_unprotected_error(w, vec, slot, w->policy->verbose_replay, COAP_UNAUTHORIZED,
		"Replay detected", DP_STAT_drop_replay);
}

#endif
