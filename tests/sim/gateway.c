// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/gateway.h"

#include "base/clock.h"
#include "dataplane/dp_inside.h"
#include "dataplane/worker/make.h"
#include "dataplane/worker/turn.h"
#include "gw/daemon/drain.h"
#include "gw/daemon/load.h"
#include "gw/daemon/loop.h"
#include "gw/daemon/push.h"
#include "gw/daemon/start.h"
#include "gw/daemon/stop.h"
#include "tests/sim/disk.h"
#include "tests/sim/net.h"
#include "tests/sim/settings.h"
#include "tests/sim/threads.h"

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include <stdlib.h>
#include <string.h>

#define MBUFS   511
#define ANSWERS (32 * 1024) // bytes of a worker's answer index
#define RX_ROOM 64

struct gateway gateway;
static uint16_t port_id;
static pthread_t main_thread;

// --- what a process finds ---------------------------------------------------------------------

static uint16_t rx(void *queue, struct rte_mbuf **m, uint16_t n)
{
	unsigned worker = (uintptr_t)queue - 1;

	return gateway.dead ? 0 : net_arrive(worker, gateway.worker[worker]->pool, m, n);
}

static uint16_t tx(void *queue, struct rte_mbuf **m, uint16_t n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!gateway.dead)
			net_leave(m[i], port_id);
		rte_pktmbuf_free(m[i]);
	}
	return n;
}

static void port_make(void)
{
	static void *queues[SIM_WORKERS];
	struct rte_ring *ring = rte_ring_create("sim", RX_ROOM, SOCKET_ID_ANY, 0);
	struct rte_ring *rings[SIM_WORKERS] = {ring, ring};
	struct rte_mempool *pool = rte_pktmbuf_pool_create("sim", 63, 0, 0, 2048, SOCKET_ID_ANY);
	int port = rte_eth_from_rings("sim", rings, SIM_WORKERS, rings, SIM_WORKERS, 0);
	struct rte_eth_conf eth = {0};

	if (!ring || !pool || port < 0 ||
		rte_eth_dev_configure(port, SIM_WORKERS, SIM_WORKERS, &eth))
		abort();
	for (unsigned i = 0; i < SIM_WORKERS; i++) {
		queues[i] = (void *)(uintptr_t)(i + 1);
		if (rte_eth_rx_queue_setup(port, i, 64, 0, NULL, pool) ||
			rte_eth_tx_queue_setup(port, i, 64, 0, NULL))
			abort();
	}
	if (rte_eth_dev_start(port))
		abort();
	port_id = port;
	rte_eth_fp_ops[port].rx_pkt_burst = rx;
	rte_eth_fp_ops[port].tx_pkt_burst = tx;
	rte_eth_fp_ops[port].rxq.data = queues;
	rte_eth_fp_ops[port].txq.data = queues;
}

void gateway_init(void)
{
	char *argv[] = {"sim", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m", "64",
		"--lcores", "0", "--log-level", "error", NULL};

	if (rte_eal_init(RTE_DIM(argv) - 1, argv) < 0)
		abort();
	port_make();
}

// The workers are turned by the schedule.
int __wrap_rte_eal_remote_launch(int (*run)(void *), void *arg, unsigned lcore);
int __wrap_rte_eal_remote_launch(int (*run)(void *), void *arg, unsigned lcore)
{
	struct dp_worker *w = arg;

	dp_worker_begin(w);
	w->tsc_per_ms = UINT64_MAX; // time is that of dp_worker_set_clock() alone
	rte_rcu_qsbr_thread_register(w->qsbr, w->id);
	rte_rcu_qsbr_thread_online(w->qsbr, w->id);
	return 0;
}

int __wrap_rte_eal_wait_lcore(unsigned lcore);
int __wrap_rte_eal_wait_lcore(unsigned lcore)
{
	for (unsigned i = 0; i < SIM_WORKERS; i++) {
		struct dp_worker *w = gateway.worker[i];

		rte_rcu_qsbr_thread_offline(w->qsbr, w->id);
		rte_rcu_qsbr_thread_unregister(w->qsbr, w->id);
	}
	return 0;
}

// Frames of the kernel are of no interest, and their rings the largest part of a gateway.
struct dp_frame_ring *__real_dp_frame_ring_create(unsigned slots, uint16_t frame_max);
struct dp_frame_ring *__wrap_dp_frame_ring_create(unsigned slots, uint16_t frame_max);
struct dp_frame_ring *__wrap_dp_frame_ring_create(unsigned slots, uint16_t frame_max)
{
	return __real_dp_frame_ring_create(8, frame_max);
}

// There is no control socket whose file could be gone.
int __wrap_ctl_server_look(struct ctl_server *server);
int __wrap_ctl_server_look(struct ctl_server *server)
{
	return 0;
}

int __wrap_ctl_server_fd(const struct ctl_server *server);
int __wrap_ctl_server_fd(const struct ctl_server *server)
{
	return -2; // nobody calls: verbs are called by the schedule
}

void __wrap_log_line(enum conf_log_level level, const char *format, ...);
void __wrap_log_line(enum conf_log_level level, const char *format, ...)
{
	char text[256];
	va_list args;

	if (!sim.trace)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("#   log: %s\n", text);
}

void __wrap_log_stop(void);
void __wrap_log_stop(void)
{
}

// --- start, in the order of gw/daemon/start.c and with its steps
// --------------------------------------------------

static struct kek *kek_get(void)
{
	struct error error;
	struct kek *kek;

	must(!kek_load(DISK_KEK, &kek, &error), "the kek: %s", error.text);
	return kek;
}

static int open_store(struct daemon *daemon)
{
	const unsigned failed = disk_failed();
	struct error error = {0};
	int rc;

	daemon->kek = kek_get();
	const struct store_config config = {.directory = DISK_STORE,
		.runtime = DISK_RUNTIME,
		.kek = daemon->kek,
		.reserved = daemon->reserved,
		.machine_file = DISK_MACHINE,
		.boot_file = DISK_BOOT,
		.max_devices = GATEWAY_DEVICES};

	rc = store_open(&config, &daemon->store, &error);
	if (rc)
		sim_trace("the store does not open: %s", error.text);
	// Whatever a crash left, it is a store of ours.
	must(!rc || disk_mood_now() != DISK_GOOD || disk_failed() != failed,
		"the store does not open: %s", error.text);
	if (!rc)
		daemon->registry.vault = vault_create(daemon->store);
	return rc;
}

static int start_dp(struct daemon *daemon)
{
	static const unsigned lcores[SIM_WORKERS] = {0, 0};
	const struct dp_port_addresses addresses = {
		.coap_port = rte_cpu_to_be_16(NET_COAP_PORT),
		.mac = {2, 0, 0, 0, 0, 1},
		.kernel_mac = {2, 0, 0, 0, 0, 1},
		.count = 1,
		.address[0] = {.family = 4, .addr = {192, 0, 2, 1}},
	};
	const struct conf_handshakes *handshakes = &daemon->conf->handshakes;
	const struct dp_conf conf = {
		.lcores = lcores,
		.worker_count = SIM_WORKERS,
		.loop_count = 1,
		.max_devices = GATEWAY_DEVICES,
		.exchanges = GATEWAY_EXCHANGES,
		.answers_bytes = ANSWERS,
		.port_count = 1,
		.queue_mbufs = RX_ROOM,
		.mbufs = MBUFS,
		.mtu = 1500,
		.observations = daemon->conf->observe.entries,
		.representations = 2 * (daemon->conf->cache.entries + 1),
		.clock_least_s = store_clock_least(daemon->store),
		.slow_threads = handshakes->threads,
		.slow_rate = handshakes->rate,
		.slow_prefix_rate = handshakes->prefix_rate,
		.policy = &daemon->snapshot->routes.policy,
	};
	struct error error;

	daemon->dp = dp_create(&conf, &error);
	must(daemon->dp, "no data plane: %s", error.text);
	// So few that the oldest one has to go at times.
	dp_contexts(daemon->dp)->draining_max = 1 + sim_rnd(4);
	for (unsigned i = 0; i < SIM_WORKERS; i++) {
		gateway.worker[i] = dp_worker_get(daemon->dp, i);
		dp_worker_attach(gateway.worker[i], port_id, 1500, &addresses);
	}
	return registry_init(&daemon->registry, daemon->dp, GATEWAY_DEVICES);
}

static void *run_main(void *arg)
{
	pthread_setname_np(pthread_self(), "main");
	daemon_run(arg);
	return NULL;
}

static int start_all(struct daemon *daemon)
{
	bool needs_run = false;
	int rc = open_store(daemon);

	if (!rc)
		rc = start_dp(daemon);
	if (!rc)
		rc = load_devices(daemon, &needs_run);
	if (!rc)
		rc = start_threads(daemon);
	if (!rc)
		rc = push_open(daemon);
	if (!rc)
		rc = loop_open(daemon);
	return rc ? rc : start_store(daemon, needs_run);
}

bool gateway_start(void)
{
	struct daemon *daemon = &gateway.daemon;

	must(!gateway.up, "two processes");
	*daemon = (struct daemon){.signal_fd = -1, .epoll_fd = -1};
	gateway.up = true;
	gateway.dead = gateway.serving = false;
	gateway.lives++;
	sim_trace("start %u", ++sim.lives);
	daemon->conf = settings_start();
	must(!start_configured(daemon), "the configuration is not taken");
	int rc = start_all(daemon);

	if (!rc && !gateway.dead) {
		daemon->started_ms = clock_ms();
		rc = dp_start(daemon->dp);
		must(!rc && !pthread_create(&main_thread, NULL, run_main, daemon), "workers");
		gateway.serving = true;
		return true;
	}
	sim_trace("start failed: %d", rc);
	if (!gateway.dead) {
		daemon_stop(daemon);
		disk_process_gone();
		gateway.up = false;
	}
	return false;
}

// --- end --------------------------------------------------------------------------------------

bool gateway_stops(void)
{
	return gateway.serving && gateway.daemon.drain.stop;
}

static void stop(void)
{
	if (gateway.serving && !gateway.dead && sim_rnd(2)) { // as a signal does it
		if (!gateway.daemon.drain.stop)
			drain_to_stop(&gateway.daemon);
		for (unsigned turns = 0; !gateway.daemon.stopping; turns++) {
			must(turns < 100000, "a drain without end");
			sim_threads_idle();
		}
	}
	if (gateway.serving) {
		gateway.daemon.stopping = true;
		pthread_join(main_thread, NULL);
	}
	daemon_stop(&gateway.daemon);
	must(!sim_threads_count(), "threads are left");
	gateway.up = gateway.serving = gateway.dead = false;
}

void gateway_stop(void)
{
	sim_trace("clean stop");
	stop();
	sim.stops++;
}

void gateway_crash(bool power)
{
	if (gateway.dead || !gateway.up)
		return;
	sim_trace("crash: %s", power ? "power" : "process");
	gateway.dead = true;
	gateway.power = power;
	sim.crashes++;
	disk_mood(DISK_DEAD);
}

void gateway_clear(void)
{
	uint64_t ms = sim.ms;

	stop();
	sim.ms = ms;
	disk_process_gone();
	disk_mood(DISK_GOOD);
	if (!gateway.power)
		return;
	disk_power_cut();
	sim.boots++;
	sim.mono_offset = (int64_t)sim_rnd(UINT64_C(1) << 33) - (int64_t)sim.ms;
}

// --- turns and rules --------------------------------------------------------------------------

unsigned gateway_worker_turn(unsigned worker)
{
	struct dp_worker *w = gateway.worker[worker];

	if (sim.no_faults || sim_rnd(8))
		dp_worker_set_clock(w);
	sim.lag_ms = 0;
	for (unsigned i = 0; i < SIM_WORKERS; i++)
		if (sim_mono_ms() - gateway.worker[i]->now_ms > sim.lag_ms)
			sim.lag_ms = sim_mono_ms() - gateway.worker[i]->now_ms;
	unsigned work = dp_worker_turn(w);

	if (!work || sim_once_in(4))
		rte_rcu_qsbr_quiescent(w->qsbr, w->id);
	return work;
}

// No key has two windows: whatever names lead to it.
static void check_keys(const struct dp_context_table *table)
{
	for (uint32_t i = 0; i < table->entries; i++) {
		const struct dp_context *ctx = &table->context[i];

		for (uint32_t k = 0; dp_context_live(ctx) && k < i; k++)
			must(!dp_context_live(&table->context[k]) ||
					memcmp(table->context[k].recipient_key, ctx->recipient_key,
						DP_KEY_INLINE),
				"contexts %u and %u have one key", k, i);
	}
}

// What is in flight of a context is with its owner.
static void check_in_flight(const struct dp_context_table *table)
{
	for (uint32_t i = 0; i < table->entries; i++) {
		const struct dp_context *ctx = &table->context[i];
		unsigned count = 0;

		if (!dp_context_live(ctx) || ctx->in_flight == DP_INDEX_NONE)
			continue;
		must(ctx->owner < SIM_WORKERS, "context %u: in flight with nobody", i);
		const struct dp_exchange *all = gateway.worker[ctx->owner]->exchanges->worker_half;

		for (uint32_t x = ctx->in_flight; x != DP_INDEX_NONE; x = all[x].next)
			must(all[x].context == i && ++count <= ctx->in_flight_count,
				"context %u: exchange %u of worker %u is not its own", i, x,
				ctx->owner);
		must(count == ctx->in_flight_count, "context %u: %u in flight, not %u", i, count,
			ctx->in_flight_count);
	}
}

void gateway_check(void)
{
	if (!gateway.serving || gateway.dead)
		return;
	check_keys(dp_contexts(gateway.daemon.dp));
	check_in_flight(dp_contexts(gateway.daemon.dp));
	for (unsigned i = sim.event % 8 ? SIM_WORKERS : 0; i < SIM_WORKERS; i++)
		must(dp_worker_mbufs(gateway.daemon.dp, i) <= MBUFS, "packet buffers");
}

bool gateway_is_idle(void)
{
	for (unsigned i = 0; i < SIM_WORKERS; i++)
		if (dp_worker_exchanges_free(gateway.daemon.dp, i) != GATEWAY_EXCHANGES)
			return false;
	return !gateway.daemon.drain.begun && gateway.daemon.reload.phase == RELOAD_IDLE &&
		!dp_devices_retiring(gateway.daemon.dp);
}

void gateway_check_idle(void)
{
	for (unsigned i = 0; i < SIM_WORKERS; i++) {
		must(dp_worker_exchanges_free(gateway.daemon.dp, i) == GATEWAY_EXCHANGES,
			"worker %u: %u of %u exchanges are free", i,
			dp_worker_exchanges_free(gateway.daemon.dp, i), GATEWAY_EXCHANGES);
		must(!dp_worker_mbufs(gateway.daemon.dp, i),
			"worker %u: %u packet buffers are missing", i,
			dp_worker_mbufs(gateway.daemon.dp, i));
	}
	must(!dp_devices_retiring(gateway.daemon.dp), "a context is never gone");
	must(!dp_contexts_draining(gateway.daemon.dp), "a context drains for ever");
	must(gateway.daemon.reload.phase == RELOAD_IDLE, "a reload has no end");
	must(!gateway.daemon.drain.begun, "a drain has no end");
}

void gateway_tell(void)
{
	if (!gateway.up || !gateway.daemon.dp)
		return;
	for (unsigned i = 0; i < SIM_WORKERS; i++)
		for (unsigned s = 0; s < DP_STAT_COUNT; s++) {
			uint64_t n = dp_stat_read(dp_worker_stats(gateway.daemon.dp, i), s);

			if (n)
				printf("#   worker %u: %s %lu\n", i, dp_stat_infos[s].name, n);
		}
	for (size_t i = 0; i < gateway.daemon.alarm_count; i++)
		printf("#   alarm: %s\n", gateway.daemon.alarm[i]);
	const struct dp_context_table *table = dp_contexts(gateway.daemon.dp);

	for (uint32_t i = 0; i < table->entries; i++) {
		const struct dp_context *ctx = &table->context[i];

		if (dp_context_live(ctx))
			printf("#   context %u: %s, %s, owner %u, next %lu, base %u, counter %u\n",
				i, gateway.daemon.registry.entry[i].name,
				dp_context_state_name(ctx->state), ctx->owner, ctx->window.next,
				ctx->run_base, ctx->own_counter);
	}
}
