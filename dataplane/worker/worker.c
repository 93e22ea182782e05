// SPDX-License-Identifier: BSD-3-Clause
// A worker's loop: rings, rx, the stages, timers, tx, and sleep when there is nothing to do.

#include "dataplane/worker/worker.h"

#include "base/clock.h"
#include "dataplane/shared/memory.h"
#include "dataplane/shared/ring.h"

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>

#define COMMANDS_BURST    32
#define FROM_KERNEL_BURST 32
#define QUIESCENT_TURNS   256
#define IDLE_TURNS_AWAKE  64          // empty turns before the first nap
#define NAP_NS            (50 * 1000) // of an idle worker, nanoseconds
#define NAP_LONGEST_NS    (1000 * 1000)
#define NAP_SILENT_MS     1000 // without work before naps become longer
#define SHARED_TURNS      32   // turns with work before a worker leaves its CPU to others there
#define PUNT_SLOTS        512
#define NEIGHBOUR_SLOTS   128 // of these, for neighbours alone
#define EVENT_SLOTS       4096
#define COMMAND_SLOTS     4096
#define MBUFS_PER_PORT    4096
#define MBUFS_BASE        4096
#define MBUF_CACHE        256

static struct rte_ring *ring_create(const char *what, unsigned worker, size_t elem, unsigned count)
{
	static unsigned serial; // names of rte_ring are unique in a process
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s%u.%u", what, worker, serial++);
	return rte_ring_create_elem(name, elem, rte_align32pow2(count + 1), SOCKET_ID_ANY,
		RING_F_SP_ENQ | RING_F_SC_DEQ);
}

size_t dp_worker_eal_bytes(unsigned loops, uint32_t exchanges, uint16_t mtu, unsigned ports)
{
	// An mbuf costs its data room, its header and what the mempool puts around it.
	size_t pool = (size_t)(MBUFS_BASE + MBUFS_PER_PORT * ports) *
		(dp_port_data_room(mtu) + sizeof(struct rte_mbuf) + 128);
	size_t rings = 2 * loops * sizeof(dp_handle) * rte_align32pow2(exchanges + 1) +
		2 * sizeof(struct dp_event) * (EVENT_SLOTS + COMMAND_SLOTS);

	return pool + rings + sizeof(struct dp_worker);
}

// Makes the rings to and from every loop, which can hold all exchanges each.
static bool loops_attach(struct dp_worker *w, const struct dp_tables *tables)
{
	bool made = true;

	for (unsigned i = 0; i < tables->loop_count; i++) {
		struct dp_loop *up = tables->loops[i];
		struct dp_loop_port *port = &up->port[w->id];
		uint32_t count = w->exchanges->count;

		port->pool = w->exchanges;
		port->requests = ring_create("requests", w->id, sizeof(dp_handle), count);
		port->responses = ring_create("responses", w->id, sizeof(dp_handle), count);
		made &= port->requests && port->responses;
		w->loop[w->loop_count++] = (struct dp_worker_loop){.port = port, .bell = &up->bell};
	}
	return made;
}

struct dp_worker *dp_worker_create(const struct dp_conf *conf, const struct dp_tables *tables,
	unsigned id, char *err, size_t err_len)
{
	static unsigned serial; // names of mempools are unique in a process
	char name[RTE_MEMPOOL_NAMESIZE];
	struct dp_worker *w = rte_zmalloc("worker", sizeof(*w), 64);

	if (!w) {
		snprintf(err, err_len, "no memory for worker %u", id);
		return NULL;
	}
	w->id = id;
	w->lcore = conf->lcores[id];
	w->nap_when_idle = conf->nap_when_idle;
	w->share_cpus = conf->share_cpus;
	w->affinity_kid = conf->affinity_kid;
	w->worker_count = conf->worker_count;
	w->ack_timeout_ms = conf->ack_timeout_ms ? conf->ack_timeout_ms : DP_ACK_TIMEOUT_MS;
	w->contexts = tables->contexts;
	w->main_bell = tables->bell;
	w->qsbr = tables->qsbr;
	w->run = tables->run;
	w->current_config = tables->policy;
	w->echo = *tables->echo;
	// Ethernet and two VLAN tags around it.
	uint16_t frame = conf->mtu + 14 + 2 * 4;

	snprintf(name, sizeof(name), "mbufs%u.%u", id, serial++);
	w->pool = rte_pktmbuf_pool_create(name, MBUFS_BASE + MBUFS_PER_PORT * conf->port_count,
		MBUF_CACHE, 0, dp_port_data_room(conf->mtu), SOCKET_ID_ANY);
	w->spare_stride = dp_port_data_room(conf->mtu);
	w->spare = dp_map(DP_ANSWERS_BATCH * w->spare_stride, DP_MAP_LAZY);
	w->engine = aead_engine_create(conf->isa);
	w->in_flight_most = RTE_MAX(conf->exchanges / 4, 1u);
	w->exchanges = dp_exchange_pool_create(conf->exchanges, conf->mtu);
	w->in_flight = w->exchanges ? dp_in_flight_create(w->exchanges, w->contexts) : NULL;
	w->unacked = w->exchanges ? dp_unacked_create(w->exchanges, w->contexts) : NULL;
	w->answers = dp_answer_index_create(conf->answers_bytes);
	w->mids = dp_mids_create(id, conf->worker_count, w->ack_timeout_ms);
	bool loops = w->exchanges && loops_attach(w, tables);

	w->events = ring_create("events", id, sizeof(struct dp_event), EVENT_SLOTS);
	w->commands = ring_create("commands", id, sizeof(struct dp_command), COMMAND_SLOTS);
	w->to_kernel = dp_frame_ring_create(PUNT_SLOTS, frame);
	w->from_kernel = dp_frame_ring_create(PUNT_SLOTS, frame);
	bool access = !dp_access_init(w, conf->access_percent);

	if (!w->pool || !w->spare || !w->engine || !w->in_flight || !w->unacked || !w->answers ||
		!w->mids || !loops || !w->events || !w->commands || !w->to_kernel ||
		!w->from_kernel || !access) {
		snprintf(err, err_len, "worker %u: no memory for %s", id,
			!w->pool || !w->spare ? "its mbufs"
				: !w->engine  ? "its AEAD engine, or the forced isa is not there"
				: !w->in_flight || !w->unacked ? "its exchanges"
				: !w->answers                  ? "its answer index"
				: !w->mids                     ? "its message ids"
							       : "its rings");
		dp_worker_free(w);
		return NULL;
	}
	randombytes_buf(&w->jitter, sizeof(w->jitter));
	return w;
}

void dp_worker_free(struct dp_worker *w)
{
	if (!w)
		return;
	dp_frame_ring_free(w->access);
	dp_frame_ring_free(w->from_kernel);
	dp_frame_ring_free(w->to_kernel);
	rte_ring_free(w->commands);
	rte_ring_free(w->events);
	for (unsigned i = 0; i < w->loop_count; i++) {
		rte_ring_free(w->loop[i].port->responses);
		rte_ring_free(w->loop[i].port->requests);
	}
	dp_mids_free(w->mids);
	dp_answer_index_free(w->answers);
	dp_unacked_free(w->unacked);
	dp_in_flight_free(w->in_flight);
	dp_exchange_pool_free(w->exchanges);
	aead_engine_free(w->engine);
	dp_unmap(w->spare, DP_ANSWERS_BATCH * w->spare_stride);
	rte_mempool_free(w->pool);
	sodium_memzero(w, sizeof(*w));
	rte_free(w);
}

void dp_worker_attach(struct dp_worker *w, uint16_t port_id, uint16_t mtu,
	const struct dp_port_addresses *addresses)
{
	struct dp_worker_port *port = &w->port[w->port_count++];

	port->port_id = port_id;
	port->mtu = mtu;
	port->addresses = *addresses;
}

static unsigned commands(struct dp_worker *w)
{
	unsigned n = 0;
	struct dp_command command;

	// A retirement is answered by an event: none is taken without room for that.
	while (n < COMMANDS_BURST && dp_ring_free_count(w->events) &&
		!rte_ring_sc_dequeue_elem(w->commands, &command, sizeof(command))) {
		struct dp_context *ctx = &w->contexts->context[command.context];

		n++;
		if (dp_context_live(ctx) != command.generation)
			continue;
		switch ((enum dp_command_type)command.type) {
		case DP_COMMAND_RETIRE:
			dp_context_abandon(w, command.context);
			__atomic_store_n(&ctx->generation, ctx->generation + 1, __ATOMIC_RELEASE);
			dp_event_send(w, DP_EVENT_RETIRED, command.context, command.generation, 0);
			break;
		case DP_COMMAND_RUN_BASE:
			// A base only rises, and with it the counter starts again from 0.
			if (!(ctx->flags & DP_CONTEXT_OWN_PIV_CLOCK) &&
				command.arg > ctx->run_base) {
				ctx->run_base = command.arg;
				ctx->own_counter = 0;
			}
			break;
		case DP_COMMAND_MARK:
			dp_side(w, command.context)->mark_wanted = false;
			if (ctx->flags & DP_CONTEXT_FLOOR && command.arg > ctx->mark)
				ctx->mark = command.arg;
			break;
		case DP_COMMAND_RESYNC:
			dp_context_resync(w->contexts, command.context, command.arg);
			dp_event_send(
				w, DP_EVENT_STATE, command.context, command.generation, ctx->state);
			break;
		}
	}
	return n;
}

static unsigned from_kernel(struct dp_worker *w)
{
	const uint8_t *frame;
	uint16_t port_id;
	uint16_t len;
	unsigned n = 0;

	while (n < FROM_KERNEL_BURST &&
		(frame = dp_frame_ring_peek(w->from_kernel, &port_id, &len)) != NULL) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

		if (!m || len > rte_pktmbuf_tailroom(m)) {
			dp_count(w, DP_STAT_from_kernel_lost);
			rte_pktmbuf_free(m);
		} else {
			memcpy(rte_pktmbuf_append(m, len), frame, len);
			dp_tx(w, port_id, m);
			dp_count(w, DP_STAT_from_kernel);
		}
		dp_frame_ring_pop(w->from_kernel);
		n++;
	}
	return n;
}

// Strangers may send more than main takes: neighbours have room left, or nobody could reach us
// soon.
static void punt(struct dp_worker *w, uint16_t port_id, const struct rte_mbuf *m)
{
	uint32_t kept_free = dp_frame_is_neighbour(m) ? 0 : NEIGHBOUR_SLOTS;

	// What the kernel does not get from us in one piece it would have to reassemble.
	if (m->nb_segs != 1) {
		dp_count(w, DP_STAT_drop_multi_segment);
	} else if (dp_frame_ring_push_below(w->to_kernel, kept_free, port_id,
			   rte_pktmbuf_mtod(m, const void *), rte_pktmbuf_data_len(m))) {
		dp_count(w, DP_STAT_punted);
		w->ring_main = true;
	} else {
		dp_count(w, DP_STAT_drop_kernel_full);
	}
}

// Stage 2.
static void classify(struct dp_worker *w, const struct dp_worker_port *port, struct pkt_vec *vec)
{
	uint64_t start = rte_rdtsc();
	uint64_t bytes = 0;

	vec->n = 0;
	for (unsigned slot = 0; slot < vec->count; slot++) {
		struct rte_mbuf *m = vec->mbuf[slot];
		enum dp_stat drop;

		bytes += m->pkt_len;
		switch (dp_frame_classify(m, &port->addresses, &vec->net[slot], &drop)) {
		case DP_FRAME_COAP:
			vec->live[vec->n++] = slot;
			break;
		case DP_FRAME_KERNEL:
			punt(w, port->port_id, m);
			break;
		case DP_FRAME_DROP:
			dp_count(w, drop);
			break;
		}
	}
	dp_stat_add(&w->stats, DP_STAT_rx_packets, vec->count);
	dp_stat_add(&w->stats, DP_STAT_rx_bytes, bytes);
	dp_stage_end(w, DP_STAGE_classify, start, vec->count);
}

// All packets of a burst end here: answers are copies, and requests in flight were copied out.
static void burst_free(struct pkt_vec *vec)
{
	for (unsigned slot = 0; slot < vec->count; slot++) {
		if (!vec->opened[slot])
			continue;
		// A plaintext must not stay behind in the pool.
		sodium_memzero((uint8_t *)(uintptr_t)vec->msg[slot].body.payload,
			vec->plaintext_len[slot]);
	}
	rte_pktmbuf_free_bulk(vec->mbuf, vec->count);
}

// Stages 11 to 17 of what is left of a burst, and its end.
static void burst_end(struct dp_worker *w, struct pkt_vec *vec)
{
	if (vec->n)
		dp_request(w, vec);
	// Answers point into the packets until they are sealed.
	dp_answers_flush(w);
	burst_free(vec);
}

void dp_rung_entered(struct dp_worker *w, enum dp_rung rung)
{
	static const enum dp_stat stats[DP_RUNG_COUNT] = {
		[DP_RUNG_LOW] = DP_STAT_overload_low,
		[DP_RUNG_NON] = DP_STAT_overload_non,
		[DP_RUNG_CON] = DP_STAT_overload_con,
	};

	dp_count(w, stats[rung]);
}

static unsigned receive_port(struct dp_worker *w, struct dp_worker_port *port)
{
	struct pkt_vec *vec = &w->vec;
	uint64_t start = rte_rdtsc();

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
	if (vec->n)
		dp_receive(w, vec);
	burst_end(w, vec);
	return vec->count;
}

// The end of a burst from another worker. Its packets go back to the pool of who received them, and
// not into this lcore's cache of that pool: each worker's cache would keep some, and with enough
// workers nobody would receive any more. A thread that is no lcore has no such caches.
static void burst_end_handed(struct dp_worker *w, struct pkt_vec *vec)
{
	struct rte_mempool *pool[DP_BURST];
	unsigned pools = 0;

	for (unsigned slot = 0; slot < vec->count; slot++) {
		const struct rte_mbuf *m = vec->mbuf[slot];

		if (m && (!pools || pool[pools - 1] != m->pool))
			pool[pools++] = m->pool;
	}
	burst_end(w, vec);
	while (pools)
		rte_mempool_cache_flush(NULL, pool[--pools]);
}

// Verified packets of contexts that this worker owns, from the others.
static unsigned receive_handed(struct dp_worker *w)
{
	struct pkt_vec *vec = &w->vec;
	unsigned work = 0;

	for (unsigned from = 0; from < w->worker_count; from++) {
		if (from == w->id || !dp_handoff_take(w, from, vec))
			continue;
		work += vec->count;
		dp_exchanges_watch(w);
		dp_receive_handed(w, vec);
		burst_end_handed(w, vec);
	}
	return work;
}

void dp_transmit(struct dp_worker *w, struct dp_worker_port *port)
{
	uint64_t start = rte_rdtsc();
	uint64_t bytes = 0;

	if (!port->tx_count)
		return;
	for (unsigned i = 0; i < port->tx_count; i++)
		bytes += port->tx[i]->pkt_len;
	unsigned sent = rte_eth_tx_burst(port->port_id, w->id, port->tx, port->tx_count);

	for (unsigned i = sent; i < port->tx_count; i++)
		bytes -= port->tx[i]->pkt_len;
	if (sent < port->tx_count) {
		dp_stat_add(&w->stats, DP_STAT_tx_full, port->tx_count - sent);
		rte_pktmbuf_free_bulk(port->tx + sent, port->tx_count - sent);
	}
	dp_stat_add(&w->stats, DP_STAT_tx_packets, sent);
	dp_stat_add(&w->stats, DP_STAT_tx_bytes, bytes);
	dp_stage_end(w, DP_STAGE_tx, start, sent);
	port->tx_count = 0;
}

unsigned dp_worker_turn(struct dp_worker *w)
{
	unsigned work = 0;

	w->config = __atomic_load_n(w->current_config, __ATOMIC_ACQUIRE);
	w->now_ms = RTE_MAX(w->now_ms, w->ms_start + (rte_rdtsc() - w->tsc_start) / w->tsc_per_ms);
	work += commands(w);
	work += from_kernel(w);
	work += dp_loop_answers(w);
	dp_answers_flush(w);
	work += receive_handed(w);
	work += dp_handoff_acks(w);
	w->full_burst = false;
	for (unsigned i = 0; i < w->port_count; i++)
		work += receive_port(w, &w->port[i]);
	work += dp_deadlines(w);
	dp_answers_flush(w);
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
	dp_overload_init(&w->overload, w->exchanges->count, w->now_ms);
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
	return 0;
}
