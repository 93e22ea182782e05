// SPDX-License-Identifier: BSD-3-Clause
// The replay window of a recipient context (RFC 8613 section 7.4): the highest Partial IV accepted,
// and a bitmap of the 64 PIVs up to it. The worker that owns the context is the only writer, and
// writes only after the tag has verified. Other threads may read it as a hint: each of the two
// words is read whole, but one may be newer than the other.

#ifndef POSTERN_DATAPLANE_OSCORE_WINDOW_H
#define POSTERN_DATAPLANE_OSCORE_WINDOW_H

#include <stdint.h>

#define OSC_WINDOW_SIZE 64

// All zero: no PIV was accepted yet. Written by the owner.
struct osc_window {
	uint64_t next; // highest PIV accepted + 1; 0: none
	uint64_t bits; // bit i: PIV next - 1 - i was accepted
};

enum osc_window_verdict {
	OSC_WINDOW_NEW = 0,
	OSC_WINDOW_SEEN,
	OSC_WINDOW_OLD, // below the window: it may or may not have been accepted
};

// Any thread: looks a PIV up and changes nothing.
static inline enum osc_window_verdict osc_window_check(const struct osc_window *w, uint64_t piv)
{
	uint64_t next = __atomic_load_n(&w->next, __ATOMIC_RELAXED);
	uint64_t bits = __atomic_load_n(&w->bits, __ATOMIC_RELAXED);

	if (piv >= next)
		return OSC_WINDOW_NEW;
	uint64_t below = next - 1 - piv;
	if (below >= OSC_WINDOW_SIZE)
		return OSC_WINDOW_OLD;
	return bits >> below & 1 ? OSC_WINDOW_SEEN : OSC_WINDOW_NEW;
}

// Owner: stores both words.
static inline void osc_window_set(struct osc_window *w, uint64_t next, uint64_t bits)
{
	__atomic_store_n(&w->bits, bits, __ATOMIC_RELAXED);
	__atomic_store_n(&w->next, next, __ATOMIC_RELAXED);
}

// Owner: accepts a PIV if it is new, so that OSC_WINDOW_NEW is returned once for each PIV.
// Otherwise the window does not change.
static inline enum osc_window_verdict osc_window_commit(struct osc_window *w, uint64_t piv)
{
	enum osc_window_verdict verdict = osc_window_check(w, piv);

	if (verdict != OSC_WINDOW_NEW)
		return verdict;
	if (piv < w->next) {
		osc_window_set(w, w->next, w->bits | UINT64_C(1) << (w->next - 1 - piv));
		return OSC_WINDOW_NEW;
	}
	uint64_t shift = piv + 1 - w->next;
	osc_window_set(w, piv + 1, (shift < OSC_WINDOW_SIZE ? w->bits << shift : 0) | 1);
	return OSC_WINDOW_NEW;
}

// Owner: starts the window at piv, so that only higher PIVs are new (RFC 8613 appendix B.1.2: the
// request that has a valid Echo sets the lower limit).
static inline void osc_window_open_at(struct osc_window *w, uint64_t piv)
{
	osc_window_set(w, piv + 1, UINT64_MAX);
}

#endif
