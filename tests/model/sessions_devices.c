// SPDX-License-Identifier: BSD-3-Clause
// Sessions: the devices, and what is foretold of their packets.

#include "tests/model/sessions.h"

#include <string.h>

static uint64_t state;

void rnd_seed(uint64_t from)
{
	state = (from + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

uint64_t rnd(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state * UINT64_C(0x2545f4914f6cdd1d) >> 16) % below;
}

void device_keys(struct model_device *d)
{
	unsigned n = d - devices;

	bed_device_make(&d->bed, n % 4 == 2 ? 1 + n : 2 + n, n % AEAD_ALG_COUNT);
	d->bed.params.has_id_context = d->contextual;
	d->bed.params.id_context_len = d->contextual;
	d->bed.params.id_context[0] = n;
	d->keys++;
	memcpy(d->bed.params.secret, &d->keys, sizeof(d->keys));
	d->bed.params.secret[sizeof(d->keys)] = n;
	cr_assert_eq(osc_derive(&d->bed.keys, &d->bed.params), 0);
	d->next = rnd(3) ? 0 : rnd(1000);
	d->echo_context = 0;
	d->highest = 0;
	d->floor = 0;
	d->mark = 0;
	memset(d->seen, 0, PIVS);
}

int64_t wall_read(void)
{
	return wall_ms / 1000 + DP_CLOCK_EPOCH_S;
}

void device_add(struct model_device *d, bool window_known)
{
	uint8_t own_piv = d->by_clock ? DP_CONTEXT_OWN_PIV_CLOCK
		: d->own_piv          ? DP_CONTEXT_OWN_PIV_ALWAYS
				      : 0;
	struct dp_context *ctx;

	bed_device_add_with(&bed, &d->bed, window_known,
		own_piv | (d->no_echo ? DP_CONTEXT_FLOOR : 0), d->mark);
	ctx = &dp_contexts(bed.dp)->context[d->bed.context];
	d->context++;
	if (d->by_clock)
		// New keys begin at once, others in the second after all that were used.
		d->clock_next =
			(window_known ? wall_ms / 1000 : RTE_MAX(wall_ms / 1000, wall_used) + 1)
			<< DP_CLOCK_BITS;
	else
		// What the store sees to: a returning key goes on in a run of its own.
		ctx->run_base = ++d->base;
	d->there = true;
	d->window_known = window_known || d->no_echo;
	if (d->no_echo && !window_known) {
		// Below the mark anything may have been accepted.
		d->floor = d->mark;
		d->highest = d->mark;
	} else if (!window_known) {
		// A lower limit is all that is left of what was known.
		ctx->window.next = d->highest ? rnd(d->highest + 1) : 0;
		d->floor = ctx->window.next;
		d->highest = 0;
		memset(d->seen, 0, PIVS);
	}
}

// In the place of main.
static void on_event(void *arg, const struct dp_event *event)
{
	for (unsigned i = 0; i < DEVICES; i++) {
		struct model_device *d = &devices[i];

		if (!d->there || d->bed.context != event->context ||
			d->bed.generation != event->generation)
			continue;
		if (event->type == DP_EVENT_RUN_BASE_WANTED) {
			d->base++;
			d->base_due = true;
		}
		if (event->type == DP_EVENT_MARK_WANTED) {
			d->mark = RTE_MAX(d->mark, event->arg);
			d->mark_due = true;
		}
	}
}

// Tells owners what is durable now. One that is about to be another is told later.
static bool raise_due(void)
{
	bool later = false;

	for (unsigned i = 0; i < DEVICES; i++) {
		struct model_device *d = &devices[i];
		int rc = 0;

		d->base_due &= d->there;
		d->mark_due &= d->there;
		if (d->base_due)
			rc = dp_run_base_raise(bed.dp, d->bed.context, d->bed.generation, d->base);
		must(!rc || rc == -EAGAIN, "its owner asked");
		d->base_due &= rc != 0;
		rc = 0;
		if (d->mark_due)
			rc = dp_mark_raise(bed.dp, d->bed.context, d->bed.generation, d->mark);
		must(!rc || rc == -EAGAIN, "its owner asked");
		d->mark_due &= rc != 0;
		later |= d->base_due || d->mark_due;
	}
	return later;
}

void poll_all(void)
{
	bool more = true;

	while (more) {
		dp_poll(bed.dp, on_event, NULL);
		more = raise_due();
		if (more)
			turn();
		for (unsigned i = 0; i < WORKERS; i++)
			more |= bed_events_count(&bed, i) > 0;
	}
	if (!leaving || dp_devices_retiring(bed.dp) || dp_contexts_draining(bed.dp))
		return;
	for (unsigned i = 0; i < HISTORY; i++) {
		struct model_request *r = &history[i];

		// Main's clock stands, and all contexts may drain at once: none is retired before.
		must(!r->leaving || !r->draining || r->answered || clock_was_set(r),
			"what was under way in a context that drains has an answer");
		r->gone |= r->leaving;
		r->leaving = false;
	}
	leaving = false;
}

void foretell(struct model_request *r)
{
	struct model_device *d = &devices[r->from];
	uint64_t piv = r->bed.piv;

	if (!d->there || r->keys != d->keys || piv < d->floor || d->seen[piv])
		return;
	if (r->by_kid && d->namesake && d->namesake->there)
		return;
	if (d->by_clock && d->clock_next >> DP_CLOCK_BITS > wall_ms / 1000)
		return;
	if (d->no_echo && piv >= d->mark)
		return;
	if (!d->window_known) {
		if (!r->echo_context || r->echo_context != d->context ||
			clock_ms - r->echo_ms > ECHO_STALE)
			return;
		d->window_known = true;
		d->floor = piv;
	} else if (piv + OSC_WINDOW_SIZE < d->highest) {
		return;
	}
	d->seen[piv] = 1;
	if (piv + 1 > d->highest)
		d->highest = piv + 1;
	must(!r->accepted, "a request accepted twice");
	r->accepted = true;
	accepted++;
}
