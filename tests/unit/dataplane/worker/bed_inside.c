// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/dataplane/worker/bed_inside.h"

#include "dataplane/worker/event.h"

#include <rte_launch.h>
#include <rte_lcore.h>

#include <stdlib.h>

static struct dp_worker *worker_at(const struct bed *bed, unsigned worker)
{
	return dp_worker_get(bed->dp, worker);
}

void bed_fast_paths(struct bed *bed, bool fast)
{
	for (unsigned i = 0; i < bed->workers; i++)
		worker_at(bed, i)->fast_paths = fast;
}

unsigned bed_turn_one(struct bed *bed, unsigned worker)
{
	return dp_worker_turn(worker_at(bed, worker));
}

static int turn_once(void *worker)
{
	dp_worker_turn(worker);
	return 0;
}

void bed_turn_on_lcores(struct bed *bed)
{
	for (unsigned i = 0; i < bed->workers; i++) {
		struct dp_worker *w = worker_at(bed, i);

		if (rte_eal_remote_launch(turn_once, w, w->lcore) || rte_eal_wait_lcore(w->lcore))
			abort();
	}
}

uint64_t bed_now_ms(const struct bed *bed)
{
	return bed->w->now_ms;
}

void bed_fast_clock(struct bed *bed, unsigned times)
{
	bed->w->tsc_per_ms /= times;
}

void bed_clock_set(struct bed *bed)
{
	dp_worker_set_clock(bed->w);
}

void bed_clock_behind(struct bed *bed, unsigned worker, uint64_t ms)
{
	worker_at(bed, worker)->ms_start -= ms;
}

bool bed_event_take(struct bed *bed, unsigned worker, struct dp_event *event)
{
	return !rte_ring_dequeue_elem(worker_at(bed, worker)->events, event, sizeof(*event));
}

unsigned bed_events_take(struct bed *bed, unsigned worker, enum dp_event_type type)
{
	struct dp_event event;
	unsigned n = 0;

	while (bed_event_take(bed, worker, &event))
		n += event.type == type;
	return n;
}

unsigned bed_events_count(const struct bed *bed, unsigned worker)
{
	return rte_ring_count(worker_at(bed, worker)->events);
}

void bed_events_fill(struct bed *bed, unsigned worker)
{
	struct dp_event event = {.type = DP_EVENT_STATE};

	while (!rte_ring_sp_enqueue_elem(worker_at(bed, worker)->events, &event, sizeof(event)))
		;
}

unsigned bed_mbufs_take(struct bed *bed, struct rte_mbuf **all, unsigned room)
{
	unsigned n = 0;

	while (n < room && (all[n] = rte_pktmbuf_alloc(bed->w->pool)))
		n++;
	return n;
}

struct rte_mempool *bed_worker_pool(const struct bed *bed, unsigned worker)
{
	return worker_at(bed, worker)->pool;
}

unsigned bed_tx_room(const struct bed *bed)
{
	return RTE_DIM(bed->w->port[0].tx);
}

const struct aead_engine *bed_worker_engine(const struct bed *bed, unsigned worker)
{
	return worker_at(bed, worker)->engine;
}

const struct dp_exchange_pool *bed_exchanges(const struct bed *bed, unsigned worker)
{
	return worker_at(bed, worker)->exchanges;
}

const struct dp_exchange *bed_exchange(const struct bed *bed, dp_handle handle)
{
	return dp_exchange_at(bed->w->exchanges, dp_handle_index(handle));
}

struct dp_mids *bed_mids(const struct bed *bed)
{
	return bed->w->mids;
}

void bed_mids_use_up(struct bed *bed, uint64_t now_ms)
{
	uint16_t mid;

	for (unsigned i = 0; dp_mid_take(bed->w->mids, &bed->flow, now_ms, &mid); i++)
		if (i == UINT16_MAX)
			abort(); // ids without end
}

void bed_answers_forget(struct bed *bed)
{
	for (unsigned i = 0; i < bed->workers; i++) {
		struct dp_worker *w = worker_at(bed, i);

		dp_answer_index_free(w->answers);
		w->answers = dp_answer_index_create(BED_ANSWERS_BYTES);
		if (!w->answers)
			abort();
	}
}

void bed_window_forget(struct bed *bed, uint32_t context)
{
	osc_window_set(&bed->w->contexts->context[context].window, 0, 0);
}

void bed_echo_make(const struct bed *bed, uint32_t context, uint32_t generation, uint64_t phase,
	uint64_t then_ms, uint8_t value[DP_ECHO_LEN])
{
	dp_echo_make(&bed->w->echo, context, generation, phase, then_ms, value);
}

void bed_set_ack_timeout(struct bed *bed, uint32_t ms)
{
	bed->w->ack_timeout_ms = ms;
}

void bed_set_nap(struct bed *bed)
{
	bed->w->nap_when_idle = true;
}

void bed_set_access_percent(struct bed *bed, unsigned percent)
{
	bed->w->access_percent = percent;
}

void bed_never_overloaded(struct bed *bed)
{
	for (unsigned i = 0; i < bed->workers; i++)
		dp_overload_init(&worker_at(bed, i)->overload, UINT32_MAX, bed->w->now_ms);
}
