// SPDX-License-Identifier: BSD-3-Clause

#include "bench/pipeline_bed.h"

#include "bench/aead_measure.h"
#include "dataplane/oscore/protect.h"
#include "dataplane/worker/make.h"

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACKETS_MIN   (1u << 16) // of one round
#define PAYLOAD_LEN   32
#define ANSWERS_BYTES (64u << 20)
#define RX_SLOTS      (2 * DP_BURST) // of the port, a worker
#define TX_SLOTS      (4 * DP_BURST)
#define FEED_PORT     40000
#define IPV6_GATEWAY                         \
	{                                    \
		0x20, 1, 0xd, 0xb8, [15] = 1 \
	}
#define IPV6_DEVICES                         \
	{                                    \
		0x20, 1, 0xd, 0xb8, [15] = 2 \
	}

static const struct dp_segment segments[] = {{"discard", 7}, {"echo", 4}, {"up", 2}, {"cached", 6}};
static const struct dp_route routes[] = {
	{.segments = &segments[0],
		.segment_count = 1,
		.methods = 0xfe,
		.target = DP_TARGET_DISCARD},
	{.segments = &segments[1], .segment_count = 1, .methods = 0xfe, .target = DP_TARGET_ECHO},
	{.segments = &segments[2],
		.segment_count = 1,
		.methods = 0xfe,
		.target = DP_TARGET_UPSTREAM,
		.timeout_ms = 60000},
	{.segments = &segments[3],
		.segment_count = 1,
		.methods = 1 << COAP_GET,
		.target = DP_TARGET_UPSTREAM,
		.timeout_ms = 60000,
		.cache_id = BED_CACHE_ID,
		.cache_shared = true,
		.home = 1},
};
static struct dp_policy policy = {
	.routes = routes,
	.route_count = RTE_DIM(routes),
	.observe_per_device = 16,
	.observe_confirm = 16,
	.observe_burst = 64,
	.observe_max_age_s = 60,
};

static struct rte_ring *rx[BED_WORKERS_MAX], *tx[BED_WORKERS_MAX]; // by worker
static uint16_t port_id;
static struct aead_engine *engine;
static unsigned cpu;
static int scheduler; // the policy that the program was started with
static struct sched_param scheduler_param;

void bed_die(const char *what)
{
	fprintf(stderr, "pipeline: %s\n", what);
	exit(EXIT_FAILURE);
}

static void packet_seal(struct bed_packet *packet, const struct bed_device *device, uint64_t piv,
	enum coap_type type, uint8_t code, const char *path)
{
	static const char payload[PAYLOAD_LEN + 1] = "{\"t\":21.5,\"unit\":\"Cel\",\"n\":1715}";
	struct osc_option option = {
		.piv = piv, .piv_len = 1, .has_kid = true, .kid = device->kid, .kid_len = 4};
	uint8_t plaintext[64], ciphertext[96], value[OSC_OPTION_LEN_MAX], aad[OSC_AAD_ROOM];
	uint8_t token[2] = {piv >> 8, piv};
	struct coap_writer writer;
	struct aead_op op;

	coap_writer_init(&writer, plaintext, sizeof(plaintext));
	coap_write_code(&writer, code);
	coap_write_option(&writer, COAP_OPT_URI_PATH, path, strlen(path));
	coap_write_payload(&writer, payload, code == COAP_GET ? 0 : PAYLOAD_LEN);
	size_t len = coap_writer_len(&writer);

	const struct osc_id_piv request = {device->kid, 4, piv};
	const struct osc_op_input input = {
		.alg = device->alg,
		.key = device->keys.recipient_key,
		.common_iv = device->keys.common_iv,
		.request = request,
		.nonce = request,
		.in = plaintext,
		.out = ciphertext,
		.len = len,
	};

	osc_op_prepare(&op, aad, &input);
	if (!len || aead_seal_batch(engine, device->alg, &op, 1) != 1)
		bed_die("a request cannot be sealed");
	int value_len = osc_option_encode(&option, value, sizeof(value));

	coap_writer_init(&writer, packet->coap, sizeof(packet->coap));
	coap_write_header(&writer, type, COAP_POST, piv, token, sizeof(token));
	coap_write_option(&writer, COAP_OPT_OSCORE, value, value_len);
	coap_write_payload(&writer, ciphertext, len + aead_algs[device->alg].tag_len);
	packet->len = coap_writer_len(&writer);
	if (value_len < 0 || !packet->len)
		bed_die("a request does not fit the store");
}

void bed_packet_seal(struct bed_packet *packet, const struct bed_device *device, uint64_t piv,
	enum coap_type type, const char *path)
{
	packet_seal(packet, device, piv, type, COAP_POST, path);
}

void bed_packet_seal_get(
	struct bed_packet *packet, const struct bed_device *device, uint64_t piv, const char *path)
{
	packet_seal(packet, device, piv, COAP_CON, COAP_GET, path);
}

static struct rte_ring *ring_make(const char *what, unsigned worker, unsigned slots)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "feeder_%s%u", what, worker);
	struct rte_ring *ring =
		rte_ring_create(name, slots, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);

	if (!ring)
		bed_die("no memory for the port");
	return ring;
}

static void port_make(void)
{
	const struct rte_eth_conf eth = {0};

	for (unsigned i = 0; i < BED_WORKERS_MAX; i++) {
		rx[i] = ring_make("rx", i, RX_SLOTS);
		tx[i] = ring_make("tx", i, TX_SLOTS);
	}
	// Without a pool of its own: the feeder takes the place of the driver.
	struct rte_mempool *pool =
		rte_pktmbuf_pool_create("feeder", 1, 0, 0, RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	int port = rte_eth_from_rings("feeder", rx, BED_WORKERS_MAX, tx, BED_WORKERS_MAX, 0);
	bool made = pool && port >= 0 &&
		!rte_eth_dev_configure(port, BED_WORKERS_MAX, BED_WORKERS_MAX, &eth);

	for (unsigned i = 0; made && i < BED_WORKERS_MAX; i++)
		made = !rte_eth_rx_queue_setup(port, i, 64, 0, NULL, pool) &&
			!rte_eth_tx_queue_setup(port, i, 64, 0, NULL);
	if (!made || rte_eth_dev_start(port))
		bed_die("the ring port cannot start");
	port_id = port;
}

static void device_make(struct bed *bed, unsigned i, enum aead_alg alg, uint64_t *seed)
{
	struct bed_device *device = &bed->device[i];
	struct dp_context_params params = {
		.alg = alg,
		.sender_id_len = 1,
		.sender_id = {1},
		.keys = &device->keys,
		.window_known = true,
	};
	uint32_t generation;

	random_fill(seed, (uint8_t *)&device->keys, sizeof(device->keys));
	device->alg = alg;
	device->kid[0] = 0x10;
	device->kid[1] = i >> 16;
	device->kid[2] = i >> 8;
	device->kid[3] = i & 0x7f; // the high bit makes an unknown one
	device->kid[0] |= i >> 7 & 1;
	dp_context_key_make(dp_contexts(bed->dp), &params.key, device->kid, 4, false, NULL, 0);
	if (dp_context_place(
		    dp_contexts(bed->dp), &params.key, NULL, &bed->context[i], &generation))
		bed_die("a device does not fit the table");
	dp_context_publish(dp_contexts(bed->dp), bed->context[i], &params);
}

static void worker_make(struct bed *bed, unsigned worker, const struct dp_port_addresses *addresses)
{
	struct bed_descriptors *descriptors = &bed->descriptors[worker];
	struct dp_worker *w = dp_worker_get(bed->dp, worker);

	dp_worker_attach(w, port_id, 1500, addresses);
	dp_worker_begin(w);
	if (rte_pktmbuf_alloc_bulk(w->pool, descriptors->mbuf, BED_DESCRIPTORS))
		bed_die("the feeder has no mbufs");
}

void bed_make(struct bed *bed, const struct bed_conf *bed_conf)
{
	static const unsigned lcores[BED_WORKERS_MAX] = {0, 1};
	const unsigned device_count = bed_conf->device_count;
	const struct dp_conf conf = {
		.lcores = lcores,
		.worker_count = bed_conf->worker_count ? bed_conf->worker_count : 1,
		.max_devices = device_count + 1, // one more of pipeline_junk.c
		.exchanges = bed_conf->exchanges,
		.answers_bytes = ANSWERS_BYTES,
		.representations = bed_conf->representations,
		.observations = bed_conf->observations,
		.port_count = 1,
		.queue_mbufs = RX_SLOTS + TX_SLOTS,
		.mtu = 1500,
		.policy = &policy,
	};
	const struct dp_port_addresses addresses = {
		.coap_port = rte_cpu_to_be_16(COAP_PORT),
		.mac = {2, 0, 0, 0, 0, 1},
		.kernel_mac = {2, 0, 0, 0, 0, 1},
		.count = 2,
		.address[0] = {.family = 4, .addr = {192, 0, 2, 1}},
		.address[1] = {.family = 6, .addr = IPV6_GATEWAY},
	};
	struct error error;
	uint64_t seed = 42;

	policy.max_in_flight = bed_conf->max_in_flight;
	*bed = (struct bed){.device_count = device_count, .worker_count = conf.worker_count};
	bed_flow_set(bed, false, false);
	policy.index = dp_route_index_create(routes, RTE_DIM(routes));
	if (!policy.index)
		bed_die("no memory");
	bed->packet_count = RTE_MAX(PACKETS_MIN, device_count);
	bed->device = calloc(device_count, sizeof(*bed->device));
	bed->context = calloc(device_count, sizeof(*bed->context));
	bed->packet = calloc(bed->packet_count, sizeof(*bed->packet));
	bed->dp = dp_create(&conf, &error);
	if (!bed->dp)
		bed_die(error.text);
	if (!bed->device || !bed->context || !bed->packet)
		bed_die("no memory");
	bed->w = dp_worker_get(bed->dp, 0);
	for (unsigned i = 0; i < bed->worker_count; i++)
		worker_make(bed, i, &addresses);
	for (unsigned i = 0; i < device_count; i++)
		device_make(bed, i, bed_conf->alg, &seed);
}

void bed_free(struct bed *bed)
{
	for (unsigned i = 0; i < bed->worker_count; i++)
		rte_pktmbuf_free_bulk(bed->descriptors[i].mbuf, BED_DESCRIPTORS);
	dp_free(bed->dp);
	dp_route_index_free((struct dp_route_index *)(uintptr_t)policy.index);
	free(bed->device);
	free(bed->context);
	free(bed->packet);
}

void bed_windows_reset(struct bed *bed)
{
	for (unsigned i = 0; i < bed->device_count; i++) {
		struct dp_context *ctx = &dp_contexts(bed->dp)->context[bed->context[i]];

		osc_window_open_at(&ctx->window, 0);
		ctx->state = DP_CONTEXT_ACTIVE;
		// The next round's requests are others, of which no answer is known.
		ctx->generation += 2;
		dp_side(bed->w, bed->context[i])->probe_second = bed->w->now_ms / 1000;
	}
}

void bed_flow_set(struct bed *bed, bool ipv6, bool vlan)
{
	const struct dp_flow ipv4_flow = {
		.local_addr = {192, 0, 2, 2},
		.remote_addr = {192, 0, 2, 1},
		.local_mac = {2, 0, 0, 0, 0, 2},
		.remote_mac = {2, 0, 0, 0, 0, 1},
		.local_port = rte_cpu_to_be_16(FEED_PORT),
		.remote_port = rte_cpu_to_be_16(COAP_PORT),
		.family = 4,
	};

	bed->flow = ipv4_flow;
	bed->flow.has_vlan = vlan;
	bed->flow.vlan_tci = vlan ? 7 : 0;
	if (!ipv6)
		return;
	bed->flow.family = 6;
	memcpy(bed->flow.local_addr, (const uint8_t[16])IPV6_DEVICES, 16);
	memcpy(bed->flow.remote_addr, (const uint8_t[16])IPV6_GATEWAY, 16);
}

// Takes the next n mbufs of the queue, as a driver does when packets came, and puts new ones
// behind.
static void descriptors_take(struct bed *bed, unsigned worker, struct rte_mbuf **m, unsigned n)
{
	struct bed_descriptors *descriptors = &bed->descriptors[worker];
	struct rte_mbuf *new[DP_BURST];

	if (rte_pktmbuf_alloc_bulk(dp_worker_get(bed->dp, worker)->pool, new, n))
		bed_die("the feeder has no mbufs");
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf **place = &descriptors->mbuf[descriptors->next++ % BED_DESCRIPTORS];

		m[i] = *place;
		*place = new[i];
	}
}

static void feed(struct bed *bed, unsigned worker, const struct dp_flow *flow,
	const uint8_t *const *coap, const uint16_t *len, unsigned n)
{
	struct rte_mbuf *m[DP_BURST];

	descriptors_take(bed, worker, m, n);
	for (unsigned i = 0; i < n; i++) {
		memcpy(rte_pktmbuf_mtod_offset(m[i], uint8_t *, dp_frame_overhead(flow)), coap[i],
			len[i]);
		dp_frame_encapsulate(m[i], flow, len[i]);
	}
	if (rte_ring_enqueue_bulk(rx[worker], (void **)m, n, NULL) != n)
		bed_die("the ring of the port is full");
}

void bed_feed_coap(
	struct bed *bed, const uint8_t *const *coap, const uint16_t *len, unsigned n, uint16_t port)
{
	struct dp_flow flow = bed->flow;

	flow.local_port = rte_cpu_to_be_16(port);
	feed(bed, 0, &flow, coap, len, n);
}

void bed_feed(struct bed *bed, unsigned worker, unsigned first, unsigned n)
{
	const uint8_t *coap[DP_BURST];
	uint16_t len[DP_BURST];

	for (unsigned i = 0; i < n; i++) {
		coap[i] = bed->packet[first + i].coap;
		len[i] = bed->packet[first + i].len;
	}
	feed(bed, worker, &bed->flow, coap, len, n);
}

void bed_drain(unsigned worker)
{
	void *m[DP_BURST];
	unsigned n;

	while ((n = rte_ring_dequeue_burst(tx[worker], m, DP_BURST, NULL)))
		rte_pktmbuf_free_bulk((struct rte_mbuf **)m, n);
}

struct aead_engine *bed_engine(void)
{
	return engine;
}

unsigned bed_cpu(void)
{
	return cpu;
}

// EAL waits for each of its threads in naps of 1 us, which on a busy machine are over before they
// begin: on one CPU, under a real-time policy, the thread that it waits for would get no turn.
static int eal_init(int argc, char **argv)
{
	const struct sched_param usual = {0};

	scheduler = sched_getscheduler(0);
	if (scheduler < 0 || sched_getparam(0, &scheduler_param) ||
		sched_setscheduler(0, SCHED_OTHER, &usual))
		return -1;
	const int rc = rte_eal_init(argc, argv);

	return sched_setscheduler(0, scheduler, &scheduler_param) ? -1 : rc;
}

void bed_thread_as_started(void)
{
	if (sched_setscheduler(0, scheduler, &scheduler_param))
		bed_die("the second worker cannot have the policy of the first");
}

void bed_start(bool two_cpus)
{
	char lcores[32];
	int current = sched_getcpu();

	// EAL pins this thread, and would take CPU 0 whatever taskset says.
	cpu = current < 0 ? 0 : current;
	if (two_cpus && sysconf(_SC_NPROCESSORS_ONLN) < 2)
		bed_die("two workers at once need two CPUs");
	snprintf(lcores, sizeof(lcores), "0@%u,1@%u", cpu, two_cpus ? !cpu : cpu);
	char *eal[] = {"pipeline", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"512", "--lcores", lcores, "--log-level", "error", NULL};

	if (sodium_init() < 0 || eal_init(RTE_DIM(eal) - 1, eal) < 0)
		bed_die("EAL cannot start");
	engine = aead_engine_create(NULL);
	if (!engine)
		bed_die("no AEAD engine");
	port_make();
}

void bed_stop(void)
{
	aead_engine_free(engine);
	rte_eal_cleanup();
}
