// SPDX-License-Identifier: BSD-3-Clause
// The replay window of a recipient context (RFC 8613 section 7.4): a 64-bit bitmap that shifts
// below the highest Partial IV seen. It has one writer, and is set only after the tag verified.

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
	if (piv >= w->next)
		return OSC_WINDOW_NEW;
	uint64_t below = w->next - 1 - piv;
	if (below >= OSC_WINDOW_SIZE)
		return OSC_WINDOW_OLD;
	return w->bits >> below & 1 ? OSC_WINDOW_SEEN : OSC_WINDOW_NEW;
}

// Checks and marks in one step: a PIV is OSC_WINDOW_NEW to one caller only. Anything else leaves
// the window as it was.
static inline enum osc_window_verdict osc_window_commit(struct osc_window *w, uint64_t piv)
{
	enum osc_window_verdict verdict = osc_window_check(w, piv);

	if (verdict != OSC_WINDOW_NEW)
		return verdict;
	if (piv < w->next) {
		w->bits |= UINT64_C(1) << (w->next - 1 - piv);
		return OSC_WINDOW_NEW;
	}
	uint64_t shift = piv + 1 - w->next;
	w->bits = (shift < OSC_WINDOW_SIZE ? w->bits << shift : 0) | 1;
	w->next = piv + 1;
	return OSC_WINDOW_NEW;
}

// Makes piv the highest seen and everything below it old or seen (RFC 8613 appendix B.1.2: the
// request whose Echo is valid sets the lower limit).
static inline void osc_window_open_at(struct osc_window *w, uint64_t piv)
{
	w->next = piv + 1;
	w->bits = UINT64_MAX;
}

#endif
