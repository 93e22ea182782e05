// SPDX-License-Identifier: BSD-3-Clause
// What an exchange is at, as its worker sees it, and where it may go from there.
//
//   state            the exchange                               goes on to
//   FREE             is in the free list                        TAKEN
//   TAKEN            is being filled                            HELD, FREE (no loop takes it),
//                                                               ANSWERED_ACKED (a 5.04 of another)
//   HELD             is with an upstream loop                   HELD_ACKED, ABANDONED, ANSWERED
//   HELD_ACKED       the same; its request got an empty ACK     ABANDONED_ACKED, ANSWERED_ACKED,
//                                                               ABANDONED (the device is removed)
//   ABANDONED        is with a loop; its answer is not wanted    FREE
//   ABANDONED_ACKED  the same; copies get the empty ACK again   ABANDONED, FREE
//   ANSWERED         has its answer in the batch                SEALED, FREE (cannot be sent)
//   ANSWERED_ACKED   the same, of a separate answer             SEALED_ACKED, UNSEALED, FREE
//   SEALED           has spent its nonce; never sealed again    FREE
//   SEALED_ACKED     the same, of a separate answer             UNACKED, FREE
//   UNSEALED         lacks a message id or Partial IV for now   ANSWERED_ACKED, FREE
//   UNACKED          is sent again until it is acknowledged     FREE
//
// So an answer is sealed at most once, as no way leads from SEALED to ANSWERED but through FREE;
// and what a loop holds is not given back before its handle is.
//
// Two functions give an exchange back: dp_exchange_end() of dataplane/worker/exchanges.h, for each
// state, and dp_exchange_give() which it calls, for tests and benchmarks in the place of a worker.

#ifndef POSTERN_DATAPLANE_STATE_EXCHANGE_STATE_H
#define POSTERN_DATAPLANE_STATE_EXCHANGE_STATE_H

#include <stdbool.h>

enum dp_exchange_state {
	DP_EXCHANGE_FREE,
	DP_EXCHANGE_TAKEN,
	DP_EXCHANGE_HELD,
	DP_EXCHANGE_HELD_ACKED,
	DP_EXCHANGE_ABANDONED,
	DP_EXCHANGE_ABANDONED_ACKED,
	DP_EXCHANGE_ANSWERED,
	DP_EXCHANGE_ANSWERED_ACKED,
	DP_EXCHANGE_SEALED,
	DP_EXCHANGE_SEALED_ACKED,
	DP_EXCHANGE_UNSEALED,
	DP_EXCHANGE_UNACKED,
	DP_EXCHANGE_STATE_COUNT,
};

#define DP_EXCHANGE_BIT(state) (1u << DP_EXCHANGE_##state)

// The table above.
static inline bool dp_exchange_may(enum dp_exchange_state from, enum dp_exchange_state to)
{
	static const unsigned next[DP_EXCHANGE_STATE_COUNT] = {
		[DP_EXCHANGE_FREE] = DP_EXCHANGE_BIT(TAKEN),
		[DP_EXCHANGE_TAKEN] = DP_EXCHANGE_BIT(HELD) | DP_EXCHANGE_BIT(ANSWERED_ACKED) |
			DP_EXCHANGE_BIT(FREE),
		[DP_EXCHANGE_HELD] = DP_EXCHANGE_BIT(HELD_ACKED) | DP_EXCHANGE_BIT(ABANDONED) |
			DP_EXCHANGE_BIT(ANSWERED),
		[DP_EXCHANGE_HELD_ACKED] = DP_EXCHANGE_BIT(ABANDONED_ACKED) |
			DP_EXCHANGE_BIT(ABANDONED) | DP_EXCHANGE_BIT(ANSWERED_ACKED),
		[DP_EXCHANGE_ABANDONED] = DP_EXCHANGE_BIT(FREE),
		[DP_EXCHANGE_ABANDONED_ACKED] = DP_EXCHANGE_BIT(ABANDONED) | DP_EXCHANGE_BIT(FREE),
		[DP_EXCHANGE_ANSWERED] = DP_EXCHANGE_BIT(SEALED) | DP_EXCHANGE_BIT(FREE),
		[DP_EXCHANGE_ANSWERED_ACKED] = DP_EXCHANGE_BIT(SEALED_ACKED) |
			DP_EXCHANGE_BIT(UNSEALED) | DP_EXCHANGE_BIT(FREE),
		[DP_EXCHANGE_SEALED] = DP_EXCHANGE_BIT(FREE),
		[DP_EXCHANGE_SEALED_ACKED] = DP_EXCHANGE_BIT(UNACKED) | DP_EXCHANGE_BIT(FREE),
		[DP_EXCHANGE_UNSEALED] = DP_EXCHANGE_BIT(ANSWERED_ACKED) | DP_EXCHANGE_BIT(FREE),
		[DP_EXCHANGE_UNACKED] = DP_EXCHANGE_BIT(FREE),
	};

	return next[from] >> to & 1;
}

// Its request got an empty ACK: the answer is a separate one.
static inline bool dp_exchange_is_acked(enum dp_exchange_state state)
{
	return (DP_EXCHANGE_BIT(HELD_ACKED) | DP_EXCHANGE_BIT(ABANDONED_ACKED) |
		       DP_EXCHANGE_BIT(ANSWERED_ACKED) | DP_EXCHANGE_BIT(SEALED_ACKED) |
		       DP_EXCHANGE_BIT(UNSEALED) | DP_EXCHANGE_BIT(UNACKED)) >>
		state &
		1;
}

// Its handle is with an upstream loop.
static inline bool dp_exchange_is_held(enum dp_exchange_state state)
{
	return (DP_EXCHANGE_BIT(HELD) | DP_EXCHANGE_BIT(HELD_ACKED) | DP_EXCHANGE_BIT(ABANDONED) |
		       DP_EXCHANGE_BIT(ABANDONED_ACKED)) >>
		state &
		1;
}

static inline bool dp_exchange_is_abandoned(enum dp_exchange_state state)
{
	return state == DP_EXCHANGE_ABANDONED || state == DP_EXCHANGE_ABANDONED_ACKED;
}

// Its separate answer waits, to be sealed or to be acknowledged: it is in struct dp_unacked.
static inline bool dp_exchange_is_delivering(enum dp_exchange_state state)
{
	return state == DP_EXCHANGE_UNSEALED || state == DP_EXCHANGE_UNACKED;
}

#endif
