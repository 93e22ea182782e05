// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/make.h"

#include "base/clock.h"
#include "dataplane/port/mbuf_pool.h"
#include "dataplane/shared/memory.h"
#include "dataplane/shared/representation.h"
#include "dataplane/shared/ring.h"
#include "dataplane/worker/access.h"
#include "dataplane/worker/lanes.h"
#include "dataplane/worker/passthrough.h"
#include "dataplane/worker/refused.h"
#include "dataplane/worker/slow.h"

#include <rte_malloc.h>

#include <sodium.h>
#include <stdio.h>

#define PUNT_SLOTS    512
#define EVENT_SLOTS   4096
#define COMMAND_SLOTS 4096
#define MBUF_CACHE    256

static struct rte_ring *ring_create(size_t elem, unsigned count)
{
	return dp_ring_create(elem, rte_align32pow2(count + 1));
}

unsigned dp_worker_pool_mbufs(const struct dp_conf *conf)
{
	// A cache keeps half as many again. Besides the worker main has one, which sets up queues.
	const unsigned caches = 2 * (MBUF_CACHE + MBUF_CACHE / 2);
	// A burst, the answers to it, and what drivers take for the next burst before they give it.
	const unsigned in_hand = DP_BURST + DP_ANSWERS_BATCH + DP_BURST;

	return conf->queue_mbufs + caches + in_hand + conf->port_count * DP_TX_ROOM +
		dp_lanes_mbufs(conf->worker_count);
}

// All but the name.
static struct dp_mbuf_pool_conf pool_conf(const struct dp_conf *conf)
{
	return (struct dp_mbuf_pool_conf){
		.count = conf->mbufs ? conf->mbufs : dp_worker_pool_mbufs(conf),
		.cache = MBUF_CACHE,
		.data_room = dp_port_data_room(conf->mtu),
		.socket = SOCKET_ID_ANY,
		.for_nic = conf->has_nic,
	};
}

size_t dp_worker_eal_bytes(const struct dp_conf *conf, bool huge_pages)
{
	const struct dp_mbuf_pool_conf pool = pool_conf(conf);

	return dp_mbuf_pool_eal_bytes(&pool, huge_pages) + sizeof(struct dp_worker);
}

// false: no memory.
static bool observations_create(struct dp_worker *w, const struct dp_conf *conf)
{
	if (!w->reps || !conf->observations)
		return true;
	w->observations = dp_observations_create(
		conf->observations, w->reps->loops * w->reps->table[0].slots, clock_ms());
	w->observed_ask = calloc(1, sizeof(*w->observed_ask));
	return w->observations && w->observed_ask;
}

// Makes the rings to and from every loop, which can hold all exchanges each, and room for observers
// of what the loops publish; and the lanes of the slow path.
static bool loops_attach(
	struct dp_worker *w, const struct dp_conf *conf, const struct dp_tables *tables)
{
	bool made = true;

	for (unsigned i = 0; i < tables->loop_count; i++) {
		struct dp_loop *up = tables->loops[i];
		struct dp_loop_port *port = &up->port[w->id];
		uint32_t count = w->exchanges->shared.count;

		port->pool = &w->exchanges->shared;
		port->requests = ring_create(sizeof(dp_handle), count);
		port->responses = ring_create(sizeof(dp_handle), count);
		made &= port->requests && port->responses;
		if (conf->observations && tables->reps) {
			port->changes = ring_create(sizeof(uint32_t), tables->reps->table[i].slots);
			made &= port->changes != NULL;
		}
		w->loop[w->loop_count++] = (struct dp_worker_loop){.port = port, .bell = &up->bell};
	}
	return made && !dp_slow_attach(w, conf, tables) && observations_create(w, conf);
}

static void spare_create(struct dp_worker *w, const struct dp_conf *conf)
{
	w->spare_stride = dp_port_data_room(conf->mtu);
	w->spare = dp_map(2 * DP_ANSWERS_BATCH * w->spare_stride, DP_MAP_LAZY);
	w->stored = w->spare ? w->spare + DP_ANSWERS_BATCH * w->spare_stride : NULL;
}

struct dp_worker *dp_worker_create(const struct dp_conf *conf, const struct dp_tables *tables,
	unsigned id, struct error *error)
{
	static unsigned serial; // names of mempools are unique in a process
	char name[RTE_MEMPOOL_NAMESIZE];
	struct dp_worker *w = rte_zmalloc("worker", sizeof(*w), 64);

	if (!w) {
		error_set(error, -ENOMEM, "no memory for worker %u", id);
		return NULL;
	}
	w->id = id;
	w->lcore = conf->lcores[id];
	w->nap_when_idle = conf->nap_when_idle;
	w->share_cpus = conf->share_cpus;
	w->fast_paths = !conf->slow_paths;
	w->affinity_kid = conf->affinity_kid;
	w->worker_count = conf->worker_count;
	w->ack_timeout_ms = conf->ack_timeout_ms ? conf->ack_timeout_ms : DP_ACK_TIMEOUT_MS;
	w->contexts = tables->contexts;
	w->reps = tables->reps;
	w->main_bell = tables->bell;
	w->qsbr = tables->qsbr;
	w->run = tables->run;
	w->current_policy = tables->policy;
	w->current_looks = tables->looks;
	w->echo = *tables->echo;
	uint16_t frame = conf->mtu + 14 + 2 * 4; // Ethernet and two VLAN tags

	snprintf(name, sizeof(name), "mbufs%u.%u", id, serial++);
	struct dp_mbuf_pool_conf pool = pool_conf(conf);

	pool.name = name;
	w->pool = dp_mbuf_pool_create(&pool);
	spare_create(w, conf);
	w->engine = aead_engine_create(conf->isa);
	if (w->engine)
		aead_engine_wipe_later(w->engine); // at the end of each turn
	w->in_flight_most = RTE_MAX(conf->exchanges / 4, 1u);
	w->exchanges = dp_exchange_pool_create(conf->exchanges, conf->mtu);
	w->in_flight = w->exchanges ? dp_in_flight_create(w->exchanges, w->contexts) : NULL;
	w->unacked = w->exchanges ? dp_unacked_create(w->exchanges, w->contexts) : NULL;
	w->answers = dp_answer_index_create(conf->answers_bytes);
	w->mids = dp_mids_create(id, conf->worker_count, w->ack_timeout_ms);
	w->route_stats = dp_map(DP_ROUTE_SLOTS * sizeof(struct dp_route_stats), DP_MAP_LAZY);
	bool loops = w->exchanges && loops_attach(w, conf, tables);

	w->events = ring_create(sizeof(struct dp_event), EVENT_SLOTS);
	w->commands = ring_create(sizeof(struct dp_command), COMMAND_SLOTS);
	w->to_kernel = dp_frame_ring_create(PUNT_SLOTS, frame);
	w->from_kernel = dp_frame_ring_create(PUNT_SLOTS, frame);
	bool access = !dp_access_init(w, conf->access_percent) && !dp_refused_init(w);

	if (!w->pool || !w->spare || !w->engine || !w->in_flight || !w->unacked || !w->answers ||
		!w->mids || !w->route_stats || !loops || !w->events || !w->commands ||
		!w->to_kernel || !w->from_kernel || !access || dp_pass_init(w)) {
		error_set(error, -ENOMEM, "worker %u: no memory for %s", id,
			!w->pool || !w->spare ? "its mbufs"
				: !w->engine  ? "its AEAD engine, or the forced isa is not there"
				: !w->in_flight || !w->unacked ? "its exchanges"
				: !w->answers                  ? "its answer index"
				: !w->mids                     ? "its message ids"
				: !w->route_stats              ? "its counters"
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
	dp_slow_free(w);
	dp_pass_free(w);
	dp_refused_free(w);
	dp_frame_ring_free(w->access);
	dp_frame_ring_free(w->from_kernel);
	dp_frame_ring_free(w->to_kernel);
	dp_ring_free(w->commands, sizeof(struct dp_command));
	dp_ring_free(w->events, sizeof(struct dp_event));
	for (unsigned i = 0; i < w->loop_count; i++) {
		dp_ring_free(w->loop[i].port->changes, sizeof(uint32_t));
		dp_ring_free(w->loop[i].port->responses, sizeof(dp_handle));
		dp_ring_free(w->loop[i].port->requests, sizeof(dp_handle));
	}
	dp_unmap(w->route_stats, DP_ROUTE_SLOTS * sizeof(struct dp_route_stats));
	dp_mids_free(w->mids);
	dp_answer_index_free(w->answers);
	dp_observations_free(w->observations);
	free(w->observed_ask);
	dp_unacked_free(w->unacked);
	dp_in_flight_free(w->in_flight);
	dp_exchange_pool_free(w->exchanges);
	aead_engine_free(w->engine);
	dp_unmap(w->spare, 2 * DP_ANSWERS_BATCH * w->spare_stride);
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
	dp_frame_usual_init(&port->usual, addresses);
}
