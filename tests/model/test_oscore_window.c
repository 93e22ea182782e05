// SPDX-License-Identifier: BSD-3-Clause
// The replay window against a plain set of all Partial IVs ever accepted (RFC 8613 section 7.4).

#include "dataplane/oscore/window.h"

#include <criterion/criterion.h>
#include <stdbool.h>

#define PIV_MAX ((UINT64_C(1) << 40) - 1)

Test(oscore_window, sequences_that_peers_got_wrong)
{
	static const struct {
		uint64_t pivs[6];
		const char *verdicts; // per PIV: N new, S seen, O old
	} cases[] = {
		{{5, 7, 5, 7}, "NNSS"},
		{{5, 7, 6, 5}, "NNNS"},
		{{10, 7, 10, 7}, "NNSS"},
		{{3, 5, 4, 4}, "NNNS"},
		{{8, 10, 8}, "NNS"},
		{{31, 33, 32, 31, 33}, "NNNSS"},
		{{0, 0, 1, 0}, "NSNS"},
		{{255, 256, 255, 256}, "NNSS"}, // from 256 on every replay was accepted
		{{256, 512, 256, 512, 513}, "NNOSN"},
		{{0, 63, 0, 64, 0, 1}, "NNSNON"}, // the window's last place, and just below it
		{{0, 64, 0}, "NNO"},              // a shift by the whole window
		{{1, 1000, 1, 937, 936}, "NNONO"},
		{{UINT32_MAX, UINT64_C(1) << 32, UINT32_MAX}, "NNS"},
		{{PIV_MAX, PIV_MAX, PIV_MAX - 1, 0}, "NSNO"},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct osc_window w = {0};

		for (unsigned j = 0; cases[i].verdicts[j]; j++) {
			enum osc_window_verdict want = cases[i].verdicts[j] == 'N' ? OSC_WINDOW_NEW
				: cases[i].verdicts[j] == 'S'                      ? OSC_WINDOW_SEEN
										   : OSC_WINDOW_OLD;
			cr_expect_eq(
				osc_window_check(&w, cases[i].pivs[j]), want, "check %u.%u", i, j);
			cr_expect_eq(osc_window_commit(&w, cases[i].pivs[j]), want, "commit %u.%u",
				i, j);
		}
	}
}

// A forged packet is checked and never committed: nothing of it may stay.
Test(oscore_window, a_forged_partial_iv_moves_nothing)
{
	struct osc_window w = {0};

	cr_assert_eq(osc_window_commit(&w, 10), OSC_WINDOW_NEW);
	struct osc_window before = w;
	cr_expect_eq(osc_window_check(&w, PIV_MAX), OSC_WINDOW_NEW);
	cr_expect_eq(osc_window_check(&w, 9), OSC_WINDOW_NEW);
	cr_expect_eq(w.next, before.next);
	cr_expect_eq(w.bits, before.bits);
	cr_expect_eq(osc_window_commit(&w, 11), OSC_WINDOW_NEW);
}

Test(oscore_window, what_is_refused_moves_nothing)
{
	struct osc_window w = {0};

	cr_assert_eq(osc_window_commit(&w, 100), OSC_WINDOW_NEW);
	struct osc_window before = w;
	cr_expect_eq(osc_window_commit(&w, 100), OSC_WINDOW_SEEN);
	cr_expect_eq(osc_window_commit(&w, 1), OSC_WINDOW_OLD);
	cr_expect_eq(w.next, before.next);
	cr_expect_eq(w.bits, before.bits);
}

// Appendix B.1.2: nothing at or below the challenged request is accepted any more.
Test(oscore_window, opened_at_a_partial_iv_refuses_it_and_all_below)
{
	static const uint64_t at[] = {0, 1, 62, 63, 64, 65, 256, UINT64_C(1) << 32, PIV_MAX - 1};

	for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		struct osc_window w = {0};

		osc_window_open_at(&w, at[i]);
		for (uint64_t back = 0; back <= 200 && back <= at[i]; back++)
			cr_expect_neq(osc_window_check(&w, at[i] - back), OSC_WINDOW_NEW);
		cr_expect_eq(osc_window_commit(&w, at[i] + 1), OSC_WINDOW_NEW);
		cr_expect_eq(osc_window_commit(&w, at[i]), OSC_WINDOW_SEEN);
	}
}

// All sequences of SEQUENCE PIVs out of these, committed one after the other. The model is the list
// of what was accepted before.
static const uint64_t places[] = {0, 1, 2, 62, 63, 64, 65, 127, 128};
enum { PLACES = sizeof(places) / sizeof(places[0]), SEQUENCE = 7 };

static enum osc_window_verdict model_verdict(const uint64_t *accepted, unsigned n, uint64_t piv)
{
	uint64_t highest = 0;

	for (unsigned i = 0; i < n; i++) {
		if (accepted[i] > highest)
			highest = accepted[i];
	}
	if (n && piv + OSC_WINDOW_SIZE <= highest)
		return OSC_WINDOW_OLD;
	for (unsigned i = 0; i < n; i++) {
		if (accepted[i] == piv)
			return OSC_WINDOW_SEEN;
	}
	return OSC_WINDOW_NEW;
}

static unsigned long differences;

static void try_all(
	struct osc_window w, uint64_t *accepted, unsigned n, unsigned left, uint64_t base)
{
	for (unsigned i = 0; left && i < PLACES; i++) {
		uint64_t piv = base + places[i];
		struct osc_window next = w;
		enum osc_window_verdict want = model_verdict(accepted, n, piv);

		differences += osc_window_check(&w, piv) != want;
		differences += osc_window_commit(&next, piv) != want;
		accepted[n] = piv;
		try_all(next, accepted, n + (want == OSC_WINDOW_NEW), left - 1, base);
	}
}

Test(oscore_window, agrees_with_a_set_on_all_short_sequences)
{
	static const uint64_t bases[] = {0, (UINT64_C(1) << 32) - 64, PIV_MAX - 128};
	uint64_t accepted[SEQUENCE + 1];

	// The longest from 0, where next is 0 at first; elsewhere the arithmetic is what matters.
	for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
		try_all((struct osc_window){0}, accepted, 0, i ? SEQUENCE - 2 : SEQUENCE, bases[i]);
	cr_expect_eq(differences, 0);
}

// A set of the accepted PIVs that are near the highest; what is farther down is old whether it was
// seen or not.
enum { MEMORY = 4096 };
struct model {
	uint64_t seen[MEMORY]; // PIV + 1, at its place modulo MEMORY
	uint64_t next;
};

static enum osc_window_verdict model_commit(struct model *m, uint64_t piv)
{
	if (piv + OSC_WINDOW_SIZE < m->next)
		return OSC_WINDOW_OLD;
	if (m->seen[piv % MEMORY] == piv + 1)
		return OSC_WINDOW_SEEN;
	m->seen[piv % MEMORY] = piv + 1;
	if (piv >= m->next)
		m->next = piv + 1;
	return OSC_WINDOW_NEW;
}

Test(oscore_window, agrees_with_a_set_on_10_million_random_steps)
{
	static const uint64_t starts[] = {0, 200, 65400, UINT32_MAX - 100, PIV_MAX - 100000};
	enum { STEPS = 2000000 }; // of each start
	unsigned long verdicts[3] = {0};
	uint64_t state = 42;

	for (unsigned s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
		static struct model model;
		struct osc_window w = {0};
		unsigned long differ = 0;

		memset(&model, 0, sizeof(model));
		for (unsigned i = 0; i < STEPS; i++) {
			state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
			uint32_t random = (uint32_t)(state >> 32);
			uint64_t top = model.next ? model.next : starts[s];
			uint64_t piv;

			switch (random % 16) {
			case 0: // a gap, now and then beyond the window
				piv = top + (random >> 4) % 200;
				break;
			case 1:
			case 2:
				piv = top;
				break;
			case 3: // far below
				piv = top - (random >> 4) % (top < 1000 ? top + 1 : 1000);
				break;
			default: // around the window
				piv = top - (random >> 4) % (top < 80 ? top + 1 : 80);
			}
			if (piv > PIV_MAX) { // used up: begin again at the start of the range
				memset(&model, 0, sizeof(model));
				w = (struct osc_window){0};
				continue;
			}
			enum osc_window_verdict want = model_commit(&model, piv);
			differ += osc_window_check(&w, piv) != want;
			differ += osc_window_commit(&w, piv) != want;
			verdicts[want]++;
		}
		cr_expect_eq(differ, 0, "start %llu", (unsigned long long)starts[s]);
	}
	for (unsigned i = 0; i < 3; i++)
		cr_expect_gt(verdicts[i], 100000, "verdict %u was hardly tried", i);
}
