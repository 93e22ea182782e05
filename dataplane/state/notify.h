// SPDX-License-Identifier: BSD-3-Clause
// When a notification goes out, and how (RFC 7641): rules without state.

#ifndef POSTERN_DATAPLANE_STATE_NOTIFY_H
#define POSTERN_DATAPLANE_STATE_NOTIFY_H

#include "dataplane/shared/bucket.h"

#include <stdbool.h>
#include <stdint.h>

#define DP_NOTIFY_CONFIRM_S (24 * 3600) // RFC 7641 section 4.5: at least so often
// An hour early, as one that was not acknowledged is known to be lost only minutes later.
#define DP_NOTIFY_EARLY_S  3600
#define DP_NOTIFY_LEAST_MS 3000 // between two that nothing is new in
#define DP_NOTIFY_TRIES    5    // of a confirmable one: the first, and MAX_RETRANSMIT more

// Without an estimate of the round-trip time a server sends one NON notification in 3 s on average
// (RFC 7641 section 4.5.1): a bucket of four, so that a change is not told late because of the one
// before.
#define DP_NOTIFY_RATE_COST (DP_NOTIFY_LEAST_MS * DP_BUCKET_PER_MS)
#define DP_NOTIFY_RATE_FILL (4 * DP_NOTIFY_RATE_COST)

// Whether the next notification is confirmable: `since` were not, in a row, since second con_s.
static inline bool dp_notify_confirms(unsigned since, unsigned each, uint32_t con_s, uint32_t now_s)
{
	return since + 1 >= each || now_s - con_s >= DP_NOTIFY_CONFIRM_S - DP_NOTIFY_EARLY_S;
}

// How long after a notification with that Max-Age the same is sent again, in milliseconds: a
// quarter of Max-Age is for the spread, and a twentieth is left for the way. `spread` is at random,
// of all 32 bits. Never sooner than least_ms, whatever Max-Age is.
static inline uint64_t dp_notify_refresh_ms(uint32_t max_age_s, uint32_t least_ms, uint32_t spread)
{
	uint64_t age_ms = max_age_s * UINT64_C(1000);
	uint64_t wait_ms = age_ms - age_ms / 20 - (age_ms / 4 * spread >> 32);

	if (least_ms < DP_NOTIFY_LEAST_MS)
		least_ms = DP_NOTIFY_LEAST_MS;
	return wait_ms > least_ms ? wait_ms : least_ms;
}

// Milliseconds until a notification is sent at the latest, though Max-Age allows more: the one that
// is confirmable each day. `spread` is at random, of all 32 bits.
static inline uint64_t dp_notify_daily_ms(uint32_t con_s, uint32_t now_s, uint32_t spread)
{
	uint32_t since_s = now_s - con_s, most_s = DP_NOTIFY_CONFIRM_S - DP_NOTIFY_EARLY_S;
	uint64_t left_ms = since_s < most_s ? (most_s - since_s) * UINT64_C(1000) : 0;

	return left_ms + (DP_NOTIFY_EARLY_S / 2 * UINT64_C(1000) * spread >> 32);
}

// Milliseconds until the bucket of an observation has room for one more NON notification, which it
// is taken from if that is 0.
static inline uint32_t dp_notify_rate(uint32_t *rate_at, uint32_t now)
{
	if (dp_bucket_take(rate_at, now, DP_NOTIFY_RATE_FILL, DP_NOTIFY_RATE_COST))
		return 0;
	uint32_t room = DP_NOTIFY_RATE_FILL - DP_NOTIFY_RATE_COST;
	uint32_t missing = dp_bucket_missing(*rate_at, now, DP_NOTIFY_RATE_FILL);

	return (missing - room) / DP_BUCKET_PER_MS + 1;
}

#endif
