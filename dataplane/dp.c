// SPDX-License-Identifier: BSD-3-Clause
// The data plane from main's side.

#include "dataplane/dp.h"

#include "dataplane/dp_inside.h"
#include "dataplane/look.h"
#include "dataplane/shared/quiescent.h"
#include "dataplane/shared/ring.h"
#include "dataplane/worker/handoff.h"
#include "dataplane/worker/make.h"
#include "dataplane/worker/turn.h"

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_pause.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static struct rte_rcu_qsbr *qsbr_create(unsigned threads)
{
	size_t size = rte_rcu_qsbr_get_memsize(threads);
	struct rte_rcu_qsbr *qsbr = rte_zmalloc("qsbr", size, RTE_CACHE_LINE_SIZE);

	if (qsbr && rte_rcu_qsbr_init(qsbr, threads)) {
		rte_free(qsbr);
		return NULL;
	}
	return qsbr;
}

static bool loop_add(struct dp *dp, unsigned workers)
{
	struct dp_loop *up = calloc(1, sizeof(*up) + workers * sizeof(up->port[0]));

	if (!up || dp->loop_count == DP_LOOPS_MAX || dp_doorbell_init(&up->bell)) {
		free(up);
		return false;
	}
	up->count = workers;
	dp->upstream[dp->loop_count++] = up;
	return true;
}

static bool slow_add(struct dp *dp, unsigned workers)
{
	struct dp_slow *slow = calloc(1, sizeof(*slow) + workers * sizeof(slow->lane[0]));

	if (!slow || dp->slow_count == DP_SLOW_THREADS_MAX || dp_doorbell_init(&slow->bell)) {
		free(slow);
		return false;
	}
	slow->thread = dp->slow_count;
	slow->count = workers;
	dp->slow[dp->slow_count++] = slow;
	return true;
}

size_t dp_eal_bytes(const struct dp_conf *conf, bool huge_pages)
{
	return conf->worker_count * dp_worker_eal_bytes(conf, huge_pages);
}

// What a worker is made of, and of which part.
struct making {
	struct dp *dp;
	const struct dp_conf *conf;
	const struct dp_tables *tables;
	int (*make)(void *arg);
	unsigned worker;
	int rc;
	struct error *error;
	bool made; // atomic; main clears it, and the lcore that makes the part sets it then
};

static int make_worker(void *arg)
{
	struct making *m = arg;

	m->dp->worker[m->worker] = dp_worker_create(m->conf, m->tables, m->worker, m->error);
	m->rc = m->dp->worker[m->worker] ? 0 : -ENOMEM;
	return 0;
}

static int make_rings_to(void *arg)
{
	struct making *m = arg;

	m->rc = dp_handoff_connect(m->dp->worker, m->dp->worker_count, m->worker);
	if (m->rc)
		error_set(m->error, m->rc, "no memory for the rings between workers");
	return 0;
}

static int make_and_tell(void *arg)
{
	struct making *m = arg;

	m->make(m);
	__atomic_store_n(&m->made, true, __ATOMIC_RELEASE); // main may use what was made
	return 0;
}

// Has a part made by the lcore that will use it: the kernel and EAL take memory from the NUMA node
// of the CPU that asks for it. An lcore that is not there yet, or is main, leaves it to main.
// Behind EAL's wait the lcore can be launched again; behind made, main sees all that it wrote.
static int make_on_lcore(struct making *m, int (*make)(void *arg))
{
	const unsigned lcore = m->conf->lcores[m->worker];

	m->make = make;
	__atomic_store_n(&m->made, false, __ATOMIC_RELAXED); // the launch publishes it
	if (!rte_lcore_is_enabled(lcore) || lcore == rte_get_main_lcore() ||
		rte_eal_remote_launch(make_and_tell, m, lcore))
		make_and_tell(m);
	else
		rte_eal_wait_lcore(lcore);
	while (!__atomic_load_n(&m->made, __ATOMIC_ACQUIRE))
		rte_pause();
	return m->rc;
}

static int workers_make(struct dp *dp, const struct dp_conf *conf, const struct dp_tables *tables,
	struct error *error)
{
	struct making m = {.dp = dp, .conf = conf, .tables = tables, .error = error};

	for (m.worker = 0; !m.rc && m.worker < conf->worker_count; m.worker++) {
		make_on_lcore(&m, make_worker);
		dp->worker_count += !m.rc;
	}
	for (m.worker = 0; !m.rc && m.worker < dp->worker_count; m.worker++)
		make_on_lcore(&m, make_rings_to);
	return m.rc;
}

struct dp *dp_create(const struct dp_conf *conf, struct error *error)
{
	struct dp_echo_key echo;
	struct dp *dp = calloc(1, sizeof(*dp));

	if (!dp || !conf->worker_count || conf->worker_count > DP_WORKERS_MAX) {
		error_set(error, -EINVAL, "between 1 and %d workers are possible", DP_WORKERS_MAX);
		free(dp);
		errno = EINVAL;
		return NULL;
	}
	dp->bell.fd = -1;
	crypto_shorthash_keygen(dp->retired_hash_key);
	dp->policy = conf->policy;
	dp->run = DP_RUN_NONE;
	dp->drain_ms = DP_DRAIN_MS;
	dp->mtu = conf->mtu;
	dp->exchanges = conf->exchanges;
	dp->qsbr = qsbr_create(conf->worker_count);
	dp->contexts = dp_context_table_create_for(conf->max_devices, conf->worker_count);
	bool made = dp->qsbr && dp->contexts && !dp_doorbell_init(&dp->bell);

	if (dp->contexts)
		dp->contexts->clock.least = conf->clock_least_s - DP_CLOCK_EPOCH_S;

	for (unsigned i = 0; made && i < (conf->loop_count ? conf->loop_count : 1); i++)
		made = loop_add(dp, conf->worker_count);
	for (unsigned i = 0; made && i < conf->slow_threads; i++)
		made = slow_add(dp, conf->worker_count);
	if (made && conf->representations) {
		dp->reps = dp_reps_create(dp->loop_count, conf->representations, dp->qsbr);
		made = dp->reps;
	}
	if (!made) {
		error_set(error, -ENOMEM, "no memory for %u devices", conf->max_devices);
		goto fail;
	}
	randombytes_buf(&echo, sizeof(echo));
	const struct dp_tables tables = {
		.contexts = dp->contexts,
		.loops = dp->upstream,
		.loop_count = dp->loop_count,
		.slow = dp->slow,
		.slow_count = dp->slow_count,
		.bell = &dp->bell,
		.qsbr = dp->qsbr,
		.run = &dp->run,
		.policy = &dp->policy,
		.looks = dp->look,
		.reps = dp->reps,
		.echo = &echo,
	};

	int rc = workers_make(dp, conf, &tables, error);

	sodium_memzero(&echo, sizeof(echo));
	if (!rc)
		return dp;
fail:
	dp_free(dp);
	errno = ENOMEM;
	return NULL;
}

void dp_free(struct dp *dp)
{
	if (!dp)
		return;
	dp_stop(dp);
	for (unsigned kind = 0; kind < DP_LOOK_COUNT; kind++)
		dp_look_end(dp, kind);
	dp_look_turn(dp);
	for (unsigned i = 0; i < dp->port_count; i++)
		dp_port_close(dp->port_ids[i]);
	// Packets in a hand-off ring are of another worker's pool.
	for (unsigned i = 0; i < dp->worker_count; i++)
		dp_handoff_free(dp->worker[i]);
	for (unsigned i = 0; i < dp->worker_count; i++)
		dp_worker_free(dp->worker[i]);
	dp_context_table_free(dp->contexts);
	dp_reps_free(dp->reps);
	rte_free(dp->qsbr);
	for (unsigned i = 0; i < dp->loop_count; i++) {
		dp_doorbell_close(&dp->upstream[i]->bell);
		free(dp->upstream[i]);
	}
	for (unsigned i = 0; i < dp->slow_count; i++) {
		dp_doorbell_close(&dp->slow[i]->bell);
		free(dp->slow[i]);
	}
	dp_doorbell_close(&dp->bell);
	free(dp->retired);
	free(dp);
}

int dp_port_add(struct dp *dp, const struct dp_port_conf *conf, struct dp_port_addresses *addresses,
	struct error *error)
{
	struct rte_mempool *pools[DP_WORKERS_MAX];
	uint16_t port_id;

	if (dp->port_count == DP_PORTS_MAX)
		return error_set(error, -ENOSPC, "port %s: at most %d ports are possible",
			conf->name, DP_PORTS_MAX);
	for (unsigned i = 0; i < dp->worker_count; i++)
		pools[i] = dp->worker[i]->pool;
	struct dp_port_conf open_conf = *conf;

	open_conf.coap_port = addresses->coap_port;
	int rc = dp_port_open(&open_conf, pools, &port_id, addresses->mac, error);

	if (rc < 0)
		return rc;
	rc = dp_port_set_addresses(&open_conf, addresses, error);
	if (rc) {
		dp_port_close(port_id);
		return rc;
	}
	dp->port_ids[dp->port_count++] = port_id;
	dp_port_checksums(port_id, addresses);
	memcpy(addresses->kernel_mac, addresses->mac, 6); // see gw/os/kernel_tap.h
	for (unsigned i = 0; i < dp->worker_count; i++)
		dp_worker_attach(dp->worker[i], port_id, conf->mtu, addresses);
	return port_id;
}

int dp_start(struct dp *dp)
{
	for (unsigned i = 0; i < dp->worker_count; i++) {
		int rc = rte_eal_remote_launch(dp_worker_run, dp->worker[i], dp->worker[i]->lcore);

		dp->running = true;
		if (rc) {
			dp_stop(dp);
			return rc;
		}
	}
	return 0;
}

void dp_stop(struct dp *dp)
{
	if (!dp->running)
		return;
	for (unsigned i = 0; i < dp->worker_count; i++)
		__atomic_store_n(&dp->worker[i]->stop, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < dp->worker_count; i++) {
		rte_eal_wait_lcore(dp->worker[i]->lcore);
		// EAL waits for that, too, but a sanitizer does not see how.
		(void)__atomic_load_n(&dp->worker[i]->stop, __ATOMIC_ACQUIRE);
	}
	dp->running = false;
}

bool dp_running(const struct dp *dp)
{
	return dp->running;
}

struct dp_context_table *dp_contexts(struct dp *dp)
{
	return dp->contexts;
}

struct dp_loop *dp_loop(struct dp *dp, unsigned loop)
{
	return dp->upstream[loop];
}

unsigned dp_loop_count(const struct dp *dp)
{
	return dp->loop_count;
}

struct dp_reps *dp_reps(struct dp *dp)
{
	return dp->reps;
}

struct dp_slow *dp_slow(struct dp *dp, unsigned thread)
{
	return dp->slow[thread];
}

unsigned dp_slow_count(const struct dp *dp)
{
	return dp->slow_count;
}

bool dp_reinject(struct dp *dp, unsigned worker, const struct dp_flow *flow, const uint8_t *coap,
	uint16_t len)
{
	struct dp_worker *w = dp->worker[worker];
	const struct dp_slow_head head = {.flow = *flow, .len = len, .worker = (uint8_t)worker};

	if (!dp_slow_put(w->slow->again, &head, coap))
		return false;
	__atomic_fetch_or(&w->slow_called, UINT64_C(1) << DP_SLOW_MAIN, __ATOMIC_RELEASE);
	return true;
}

struct dp_worker *dp_worker_get(struct dp *dp, unsigned id)
{
	return dp->worker[id];
}

unsigned dp_worker_count(const struct dp *dp)
{
	return dp->worker_count;
}

const struct dp_stats *dp_worker_stats(const struct dp *dp, unsigned worker)
{
	return &dp->worker[worker]->stats;
}

const struct dp_route_stats *dp_worker_route_stats(const struct dp *dp, unsigned worker)
{
	return dp->worker[worker]->route_stats;
}

uint32_t dp_worker_exchanges_free(const struct dp *dp, unsigned worker)
{
	return __atomic_load_n(&dp->worker[worker]->exchanges->free_count, __ATOMIC_RELAXED);
}

uint32_t dp_worker_mbufs(const struct dp *dp, unsigned worker)
{
	return rte_mempool_in_use_count(dp->worker[worker]->pool);
}

uint32_t dp_worker_unacked(const struct dp *dp, unsigned worker)
{
	return dp_unacked_count(dp->worker[worker]->unacked);
}

uint32_t dp_worker_observations(const struct dp *dp, unsigned worker)
{
	const struct dp_observations *all = dp->worker[worker]->observations;

	return all ? dp_observation_count(all) : 0;
}

bool dp_observed_ask(struct dp *dp, unsigned worker, const struct dp_observed_question *question)
{
	struct dp_observed_ask *ask = dp->worker[worker]->observed_ask;

	if (!dp_worker_observations(dp, worker))
		return false;
	ask->question = *question;
	ask->next = question->from;
	ask->count = 0;
	__atomic_store_n(&ask->state, DP_OBSERVED_ASKED, __ATOMIC_RELEASE);
	return true;
}

const struct dp_observed_ask *dp_observed_answer(const struct dp *dp, unsigned worker)
{
	const struct dp_observed_ask *ask = dp->worker[worker]->observed_ask;

	return __atomic_load_n(&ask->state, __ATOMIC_ACQUIRE) == DP_OBSERVED_ANSWERED ? ask : NULL;
}

uint32_t dp_worker_exchanges(const struct dp *dp)
{
	return dp->exchanges;
}

void dp_drain(struct dp *dp, uint32_t return_s)
{
	for (unsigned i = 0; i < dp->worker_count; i++)
		__atomic_store_n(&dp->worker[i]->drain_s, return_s, __ATOMIC_RELAXED);
}

enum dp_rung dp_worker_rung(const struct dp *dp, unsigned worker)
{
	return __atomic_load_n(&dp->worker[worker]->overload.rung, __ATOMIC_RELAXED);
}

uint64_t dp_worker_answers_oldest_ms(const struct dp *dp, unsigned worker)
{
	return __atomic_load_n(&dp->worker[worker]->answers_oldest_ms, __ATOMIC_RELAXED);
}

uint64_t dp_worker_answers_written(const struct dp *dp, unsigned worker)
{
	return __atomic_load_n(&dp->worker[worker]->answers_written, __ATOMIC_RELAXED);
}

uint64_t dp_answers_bytes(const struct dp *dp)
{
	return dp_answer_index_bytes(dp->worker[0]->answers);
}

uint64_t dp_worker_heartbeat(const struct dp *dp, unsigned worker)
{
	return __atomic_load_n(&dp->worker[worker]->heartbeat, __ATOMIC_RELAXED);
}

void dp_policy_swap(struct dp *dp, const struct dp_policy *policy)
{
	__atomic_store_n(&dp->policy, policy, __ATOMIC_RELEASE);
	dp->policy_token = rte_rcu_qsbr_start(dp->qsbr);
}

bool dp_policy_is_settled(const struct dp *dp)
{
	return !dp->running || dp_quiescent_since(dp->qsbr, dp->policy_token);
}

void dp_run_grant(struct dp *dp, uint32_t run)
{
	__atomic_store_n(&dp->run, run, __ATOMIC_RELEASE);
}

bool dp_run(const struct dp *dp, uint32_t *run)
{
	*run = dp->run;
	return *run != DP_RUN_NONE;
}

void dp_clock_grant(struct dp *dp, int64_t limit_s)
{
	__atomic_store_n(&dp->contexts->clock.limit, limit_s - DP_CLOCK_EPOCH_S, __ATOMIC_RELEASE);
}

int64_t dp_clock_used(const struct dp *dp)
{
	int64_t used = __atomic_load_n(&dp->contexts->clock.used, __ATOMIC_RELAXED);

	return used < 0 ? 0 : used + DP_CLOCK_EPOCH_S;
}

struct dp_doorbell *dp_bell(struct dp *dp)
{
	return &dp->bell;
}

bool dp_pending(const struct dp *dp)
{
	uint16_t port_id;
	uint16_t len;

	for (unsigned i = 0; i < dp->worker_count; i++)
		if (!dp_ring_empty(dp->worker[i]->events) ||
			dp_frame_ring_peek(dp->worker[i]->to_kernel, &port_id, &len))
			return true;
	return false;
}

struct dp_frame_ring *dp_to_kernel(struct dp *dp, unsigned worker)
{
	return dp->worker[worker]->to_kernel;
}

struct dp_frame_ring *dp_from_kernel(struct dp *dp, unsigned worker)
{
	return dp->worker[worker]->from_kernel;
}

void dp_access_percent(struct dp *dp, unsigned percent)
{
	for (unsigned i = 0; i < dp->worker_count; i++)
		__atomic_store_n(&dp->worker[i]->access_percent, percent, __ATOMIC_RELAXED);
}

bool dp_access_take(struct dp *dp, unsigned worker, struct dp_access_record *record)
{
	struct dp_frame_ring *ring = dp->worker[worker]->access;
	const uint8_t *slot;
	uint16_t port_id, len;

	if (!ring || !(slot = dp_frame_ring_peek(ring, &port_id, &len)))
		return false;
	memcpy(record, slot, len);
	dp_frame_ring_pop(ring);
	return true;
}
