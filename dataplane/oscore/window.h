// SPDX-License-Identifier: BSD-3-Clause
// The replay window of a recipient context (RFC 8613 section 7.4): a 64-bit bitmap that shifts
// below the highest Partial IV seen. It has one writer, and is set only after the tag verified.
// Other threads may read it as a hint: each of its two words is whole, but they need not be of one
// moment.

#ifndef POSTERN_OSCORE_WINDOW_H
#define POSTERN_OSCORE_WINDOW_H

#include <stdint.h>

#define OSC_WINDOW_SIZE 64

// All zero: nothing was seen, every PIV is new.
struct osc_window {
	uint64_t next; // highest PIV seen + 1; 0: none
	uint64_t bits; // bit i: PIV next - 1 - i was seen
};

enum osc_window_verdict {
	OSC_WINDOW_NEW = 0,
	OSC_WINDOW_SEEN,
	OSC_WINDOW_OLD, // below the window: seen or not is unknown
};

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

static inline void osc_window_set(struct osc_window *w, uint64_t next, uint64_t bits)
{
	__atomic_store_n(&w->bits, bits, __ATOMIC_RELAXED);
	__atomic_store_n(&w->next, next, __ATOMIC_RELAXED);
}

// Checks and marks in one step: a PIV is OSC_WINDOW_NEW to one caller only. Anything else leaves
// the window as it was.
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

// Makes piv the highest seen and everything below it old or seen (RFC 8613 appendix B.1.2: the
// request whose Echo is valid sets the lower limit).
static inline void osc_window_open_at(struct osc_window *w, uint64_t piv)
{
	osc_window_set(w, piv + 1, UINT64_MAX);
}

#endif
