// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/turn.h"

#include "base/clock.h"
#include "crypto/aead.h"
#include "dataplane/worker/command.h"
#include "dataplane/worker/handoff.h"
#include "dataplane/worker/kernel.h"
#include "dataplane/worker/lanes.h"
#include "dataplane/worker/look.h"
#include "dataplane/worker/notify.h"
#include "dataplane/worker/refused.h"
#include "dataplane/worker/returned.h"
#include "dataplane/worker/seal.h"
#include "dataplane/worker/send.h"
#include "dataplane/worker/shed.h"
#include "dataplane/worker/slow.h"
#include "dataplane/worker/stages.h"

#include <rte_ethdev.h>

#include <sched.h>
#include <sodium.h>
#include <sys/prctl.h>
#include <time.h>

#define QUIESCENT_TURNS  256
#define IDLE_TURNS_AWAKE 64          // empty turns before the first nap
#define NAP_NS           (50 * 1000) // of an idle worker, nanoseconds
#define NAP_LONGEST_NS   (1000 * 1000)
#define NAP_SILENT_MS    1000 // without work before naps become longer
#define SHARED_TURNS     32   // turns with work before a worker leaves its CPU to others there

// Stage 2.
static void classify(struct dp_worker *w, const struct dp_worker_port *port, struct pkt_vec *vec)
{
	uint64_t start = rte_rdtsc();
	uint64_t usual = 0;
	uint64_t bytes = 0;

	if (w->fast_paths)
		usual = dp_frame_usual_classify(&port->usual, vec->mbuf, vec->count, vec->net);
	vec->n = 0;
	for (unsigned slot = 0; slot < vec->count; slot++) {
		struct rte_mbuf *m = vec->mbuf[slot];
		enum dp_stat drop;

		bytes += m->pkt_len;
		if (likely(usual >> slot & 1)) {
			vec->live[vec->n++] = slot;
			continue;
		}
		switch (dp_frame_classify(m, &port->addresses, &vec->net[slot], &drop)) {
		case DP_FRAME_COAP:
			vec->live[vec->n++] = slot;
			break;
		case DP_FRAME_KERNEL:
			dp_kernel_give(w, port->port_id, m);
			break;
		case DP_FRAME_DROP:
			dp_drop_frame(w, m, port->port_id, drop);
			break;
		}
	}
	dp_stat_add(&w->stats, DP_STAT_rx_packets, vec->count);
	dp_stat_add(&w->stats, DP_STAT_rx_bytes, bytes);
	dp_stage_end(w, DP_STAGE_classify, start, vec->count);
}

// A plaintext must not stay behind in the pool.
static void burst_wipe(const struct pkt_vec *vec)
{
	for (unsigned slot = 0; slot < vec->count; slot++)
		if (vec->opened[slot])
			sodium_memzero((uint8_t *)(uintptr_t)vec->msg[slot].body.payload,
				vec->plaintext_len[slot]);
}

// Stages 15 to 17 for the answers of a burst, and its end. Packets that became answers or went to
// another worker are no longer in it; requests in flight were copied out.
static void burst_end(struct dp_worker *w, struct pkt_vec *vec)
{
	dp_lanes_call(w); // ACKs
	// Answers point into the packets until they are sealed.
	dp_answers_flush(w);
	burst_wipe(vec);
	rte_pktmbuf_free_bulk(vec->mbuf, vec->count);
}

static unsigned receive_port(struct dp_worker *w, struct dp_worker_port *port)
{
	struct pkt_vec *vec = &w->vec;
	uint64_t start = rte_rdtsc();

	vec->from = w->id;
	vec->copies = false;
	vec->reinjected = false;
	vec->count = rte_eth_rx_burst(port->port_id, w->id, vec->mbuf, DP_BURST);
	if (!vec->count)
		return 0;
	w->full_burst |= vec->count == DP_BURST;
	dp_exchanges_watch(w);
	for (unsigned slot = 0; slot < vec->count; slot++) {
		rte_prefetch0(rte_pktmbuf_mtod(vec->mbuf[slot], const void *));
		vec->mbuf[slot]->port = port->port_id; // not every driver says it
		vec->opened[slot] = false;
	}
	dp_stage_end(w, DP_STAGE_rx, start, vec->count);
	classify(w, port, vec);
	if (unlikely(w->looked))
		dp_look_received(w, vec);
	dp_stages_run(w, vec, false);
	burst_end(w, vec);
	return vec->count;
}

// Ends a burst from another worker. Its packets go back to the pool of their receiver at once, past
// this lcore's cache of that pool: each worker's cache would keep some, and with enough workers the
// pool would run dry.
static void burst_end_handed(struct dp_worker *w, struct pkt_vec *vec)
{
	struct rte_mempool *pool = NULL;
	void *mbufs[DP_BURST];
	unsigned n = 0;

	dp_answers_flush(w);
	burst_wipe(vec);
	for (unsigned slot = 0; slot < vec->count; slot++) {
		// One segment each, as classify took no others.
		struct rte_mbuf *m =
			vec->mbuf[slot] ? rte_pktmbuf_prefree_seg(vec->mbuf[slot]) : NULL;

		if (!m)
			continue;
		if (n && m->pool != pool) {
			rte_mempool_generic_put(pool, mbufs, n, NULL);
			n = 0;
		}
		pool = m->pool;
		mbufs[n++] = m;
	}
	if (n)
		rte_mempool_generic_put(pool, mbufs, n, NULL);
}

// From the other workers: verified packets of contexts that this one owns, and ACKs.
static unsigned receive_handed(struct dp_worker *w)
{
	struct pkt_vec *vec = &w->vec;
	unsigned work = 0;

	for (uint64_t called = dp_lanes_called(w); called; called &= called - 1) {
		unsigned from = __builtin_ctzll(called);

		if (dp_handoff_take(w, from, vec)) {
			work += vec->count;
			dp_exchanges_watch(w);
			dp_stages_run(w, vec, true);
			burst_end_handed(w, vec);
		}
		work += dp_handoff_acks(w, from);
	}
	return work;
}

// From main: requests of contexts that were published since they came. They pass from stage 3 on.
static unsigned receive_reinjected(struct dp_worker *w)
{
	struct pkt_vec *vec = &w->vec;

	if (!dp_slow_reinjected(w, vec))
		return 0;
	dp_exchanges_watch(w);
	dp_stages_run(w, vec, false);
	burst_end(w, vec);
	return vec->count;
}

unsigned dp_worker_turn(struct dp_worker *w)
{
	unsigned work = 0;

	w->policy = __atomic_load_n(w->current_policy, __ATOMIC_ACQUIRE);
	dp_looks_read(w);
	w->now_tsc = rte_rdtsc();
	w->now_ms = RTE_MAX(w->now_ms, w->ms_start + (w->now_tsc - w->tsc_start) / w->tsc_per_ms);
	dp_refused_turn(w);
	work += dp_commands(w);
	work += dp_kernel_take(w);
	work += dp_loop_answers(w);
	dp_answers_flush(w);
	work += receive_handed(w);
	if (unlikely(dp_slow_called(w))) {
		work += dp_slow_answers(w);
		work += receive_reinjected(w);
	}
	w->full_burst = false;
	for (unsigned i = 0; i < w->port_count; i++)
		work += receive_port(w, &w->port[i]);
	work += dp_deadlines(w);
	dp_answers_flush(w);
	work += dp_notify_turn(w);
	aead_engine_wipe(w->engine);
	dp_exchanges_watch(w);
	enum dp_rung rung = dp_overload_turn(&w->overload, w->full_burst, w->now_ms);

	if (unlikely(rung))
		dp_rung_entered(w, rung);
	for (unsigned i = 0; i < w->port_count; i++)
		dp_transmit(w, &w->port[i]);
	for (unsigned i = 0; i < w->loop_count; i++) {
		if (!w->loop[i].ring)
			continue;
		w->loop[i].ring = false;
		dp_doorbell_ring(w->loop[i].bell);
	}
	if (w->slow && unlikely(w->slow->to_ring))
		dp_slow_ring(w);
	if (w->ring_main) {
		w->ring_main = false;
		dp_doorbell_ring(w->main_bell);
	}
	dp_count(w, DP_STAT_turns);
	if (!work)
		dp_count(w, DP_STAT_turns_idle);
	__atomic_store_n(&w->heartbeat, w->heartbeat + 1, __ATOMIC_RELAXED);
	return work;
}

void dp_worker_set_clock(struct dp_worker *w)
{
	w->tsc_start = rte_rdtsc();
	w->ms_start = clock_ms();
}

void dp_worker_begin(struct dp_worker *w)
{
	w->tsc_per_ms = rte_get_tsc_hz() / 1000;
	dp_worker_set_clock(w);
	w->now_ms = w->ms_start;
	w->started_s = w->now_ms / 1000;
	w->error_tokens_ms = w->now_ms - 1000;
	dp_wheel_init(&w->wheel, w->now_ms);
	dp_overload_init(&w->overload, w->exchanges->shared.count, w->now_ms);
}

// Short naps at first. In a long silence each is twice as long as the one before, up to what the
// first packet after it may wait.
uint32_t dp_nap_ns(uint32_t last_ns, uint64_t silent_ms)
{
	if (silent_ms < NAP_SILENT_MS || !last_ns)
		return NAP_NS;
	return RTE_MIN(2 * last_ns, (uint32_t)NAP_LONGEST_NS);
}

int dp_worker_run(void *worker)
{
	struct dp_worker *w = worker;
	struct timespec nap = {0};
	unsigned idle = 0;
	unsigned busy = 0;
	uint64_t worked_ms;

	// A nap is to last as long as it says, not 50 us more.
	prctl(PR_SET_TIMERSLACK, 1000UL);
	dp_worker_begin(w);
	worked_ms = w->now_ms;
	rte_rcu_qsbr_thread_register(w->qsbr, w->id);
	rte_rcu_qsbr_thread_online(w->qsbr, w->id);
	for (uint64_t turn = 0; !__atomic_load_n(&w->stop, __ATOMIC_RELAXED); turn++) {
		if (dp_worker_turn(w)) {
			idle = 0;
			busy++;
			nap.tv_nsec = 0;
			worked_ms = w->now_ms;
		} else {
			idle++;
		}
		if (turn % QUIESCENT_TURNS == 0) {
			rte_rcu_qsbr_quiescent(w->qsbr, w->id);
			dp_worker_set_clock(w); // no system call: the vDSO
			__atomic_store_n(&w->answers_oldest_ms,
				dp_answer_index_oldest_ms(w->answers, w->now_ms), __ATOMIC_RELAXED);
			__atomic_store_n(&w->answers_written, dp_answer_index_written(w->answers),
				__ATOMIC_RELAXED);
		}
		if (w->share_cpus && (idle || busy >= SHARED_TURNS)) {
			busy = 0;
			sched_yield();
		}
		if (idle > IDLE_TURNS_AWAKE && w->nap_when_idle) {
			rte_rcu_qsbr_quiescent(w->qsbr, w->id);
			dp_count(w, DP_STAT_sleeps);
			nap.tv_nsec = dp_nap_ns(nap.tv_nsec, w->now_ms - worked_ms);
			nanosleep(&nap, NULL);
		}
	}
	rte_rcu_qsbr_thread_offline(w->qsbr, w->id);
	rte_rcu_qsbr_thread_unregister(w->qsbr, w->id);
	__atomic_store_n(&w->stop, DP_WORKER_OVER, __ATOMIC_RELEASE);
	return 0;
}
