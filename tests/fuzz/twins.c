// SPDX-License-Identifier: BSD-3-Clause

#include "tests/fuzz/twins.h"

#include "dataplane/worker/make.h"
#include "dataplane/worker/turn.h"

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ANSWERS_BYTES (256u << 10)
#define EXACT_MBUFS   (2 * DP_BURST)
#define GARBAGE       96 // bytes around a frame that are not the same in both
#define MTU_OF(port)  ((port) ? 1280 : 1500)
#define TIME_0        UINT64_C(1000000) // milliseconds

const uint8_t twins_ipv4[4] = {192, 0, 2, 1};
const uint8_t twins_ipv6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
const uint8_t twins_mac[6] = {2, 0, 0, 0, 0, 1};
const uint8_t twins_kernel_mac[6] = {2, 0, 0, 0, 0, 3};

struct twins_side twins_side[2];
static struct rte_ring *rx[TWINS_PORTS], *tx[TWINS_PORTS];
static uint16_t port_ids[TWINS_PORTS];
static unsigned fed;
static struct twins_packet fed_packet[DP_BURST]; // for the report
static const struct twins *running;
static int64_t clock_s;

void twins_dump(const char *what, const uint8_t *data, unsigned len)
{
	fprintf(stderr, "%s:", what);
	for (unsigned i = 0; i < len; i++)
		fprintf(stderr, "%02x", data[i]);
	fputc('\n', stderr);
}

void twins_differ(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "fast and slow paths differ: seed %lu, after %lu packets: ", running->seed,
		running->packets);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	for (unsigned i = 0; i < fed; i++) {
		const struct twins_packet *p = &fed_packet[i];

		fprintf(stderr, "packet %u: port %u len %u pkt_len %u off %u flags %lx refcnt %u",
			i, p->port, p->len, p->pkt_len, p->data_off, p->ol_flags, p->refcnt);
		twins_dump(p->exact ? ", exact" : "", p->data, RTE_MIN(p->len, TWINS_FRAME_MAX));
	}
	abort();
}

void twins_must(bool cond, const char *what)
{
	if (cond)
		return;
	fprintf(stderr, "twins: %s\n", what);
	abort();
}

// --- random numbers and time ---------------------------------------------------------------------

// libsodium's: the same for both, each from its beginning.
static uint64_t random_state[2];
static unsigned random_of;

static void random_fill(void *buf, size_t len)
{
	uint8_t *bytes = buf;
	uint64_t *state = &random_state[random_of];

	for (size_t i = 0; i < len; i++) {
		*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		bytes[i] = *state >> 33;
	}
}

static uint32_t random_word(void)
{
	uint32_t word;

	random_fill(&word, sizeof(word));
	return word;
}

static const char *random_name(void)
{
	return "twins";
}

static int64_t clock_read(void)
{
	return clock_s;
}

// --- making --------------------------------------------------------------------------------------

static const struct dp_segment segments[] = {
	{"tv1", 3}, {"up", 2}, {"discard", 7}, {"echo", 4}, {"get", 3}, {"low", 3}, {"a", 1}};

#define ALL_METHODS 0xfe

static const struct dp_route routes[] = {
	{.segments = &segments[0],
		.segment_count = 1,
		.methods = ALL_METHODS,
		.target = DP_TARGET_UPSTREAM,
		.timeout_ms = 3000},
	{.segments = &segments[1],
		.segment_count = 1,
		.rest = true,
		.methods = ALL_METHODS,
		.target = DP_TARGET_UPSTREAM,
		.timeout_ms = 10000},
	{.segments = &segments[2],
		.segment_count = 1,
		.methods = ALL_METHODS,
		.target = DP_TARGET_DISCARD},
	{.segments = &segments[3],
		.segment_count = 1,
		.methods = ALL_METHODS,
		.target = DP_TARGET_ECHO},
	{.segments = &segments[4],
		.segment_count = 1,
		.methods = 1 << COAP_GET,
		.target = DP_TARGET_DISCARD},
	{.segments = &segments[5],
		.segment_count = 1,
		.methods = ALL_METHODS,
		.target = DP_TARGET_ECHO,
		.low_priority = true},
	{.segments = &segments[5], // low, a
		.segment_count = 2,
		.methods = ALL_METHODS,
		.target = DP_TARGET_DISCARD},
};

static void port_start(unsigned port)
{
	const struct rte_eth_conf eth = {0};
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "rx%u", port);
	rx[port] = rte_ring_create(name, 2 * DP_BURST, SOCKET_ID_ANY, 0);
	snprintf(name, sizeof(name), "tx%u", port);
	tx[port] = rte_ring_create(name, TWINS_SENT_MAX, SOCKET_ID_ANY, 0);
	twins_must(rx[port] && tx[port], "no rings");
	snprintf(name, sizeof(name), "twin%u", port);
	int id = rte_eth_from_rings(name, &rx[port], 1, &tx[port], 1, 0);

	twins_must(id >= 0 && !rte_eth_dev_configure(id, 1, 1, &eth) &&
			!rte_eth_rx_queue_setup(id, 0, 64, 0, NULL, twins_side[0].exact) &&
			!rte_eth_tx_queue_setup(id, 0, 64, 0, NULL) && !rte_eth_dev_start(id),
		"a ring port cannot start");
	port_ids[port] = id;
}

static void start_once(void)
{
	static struct randombytes_implementation implementation = {
		.implementation_name = random_name,
		.random = random_word,
		.buf = random_fill,
	};
	static bool done;
	char *argv[] = {"twins", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"256", "--lcores", "0", "--log-level", "error", NULL};

	if (done)
		return;
	done = true;
	twins_must(!randombytes_set_implementation(&implementation) && sodium_init() >= 0,
		"libsodium");
	twins_must(rte_eal_init(RTE_DIM(argv) - 1, argv) >= 0, "EAL cannot start");
	for (unsigned i = 0; i < 2; i++) {
		char name[RTE_RING_NAMESIZE];

		snprintf(name, sizeof(name), "exact%u", i);
		twins_side[i].exact = rte_pktmbuf_pool_create(
			name, EXACT_MBUFS - 1, 0, 0, RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
		twins_must(twins_side[i].exact != NULL, "no mbufs");
	}
	for (unsigned port = 0; port < TWINS_PORTS; port++)
		port_start(port);
}

// Devices of all algorithms, lengths of ids and kinds.
static void device_describe(struct twins_device *device, unsigned i)
{
	static const uint8_t flags[] = {0, 0, 0, DP_CONTEXT_OWN_PIV_ALWAYS, 0,
		DP_CONTEXT_OWN_PIV_CLOCK, DP_CONTEXT_FLOOR, 0};

	random_fill(&device->keys, sizeof(device->keys));
	device->alg = i % 3 ? AEAD_AES_CCM_16_64_128 : i / 3 % AEAD_ALG_COUNT;
	device->kid_len = i % 8;
	if (device->kid_len > osc_id_len_max(device->alg))
		device->kid_len = osc_id_len_max(device->alg);
	random_fill(device->kid, sizeof(device->kid));
	device->kid[0] = i;
	device->flags = flags[i / 2 % RTE_DIM(flags)];
	device->window_known = i % 7 != 3;
	// Of one without a kid of its own the ID Context is the name.
	device->id_context_len = !device->kid_len && i ? 1 + i % 15 : i % 5 == 4 ? 8 : 0;
	random_fill(device->id_context, sizeof(device->id_context));
	device->id_context[0] = i;
	device->max_message = i % 9 == 5 ? 128 : i % 11 == 5 ? 1400 : 0;
}

static void device_add(const struct twins *twins, unsigned plane, struct twins_device *device)
{
	struct dp_context_table *table = dp_contexts(twins->dp[plane]);
	struct dp_context_params params = {
		.alg = device->alg,
		.flags = device->flags,
		.sender_id_len = device->kid_len == 1 ? 2 : 1,
		.sender_id = {0xff, 0xfe},
		.limits.max_message = device->max_message,
		.keys = &device->keys,
		.fingerprint = device->kid[0] * UINT64_C(0x9e3779b97f4a7c15),
		.mark = UINT64_C(1) << 41,
		.window_known = device->window_known,
	};
	uint32_t index, generation;

	dp_context_key_make(table, &params.key, device->kid, device->kid_len,
		device->id_context_len, device->id_context, device->id_context_len);
	twins_must(!dp_context_place(table, &params.key, NULL, &index, &generation),
		"a device does not fit");
	dp_context_publish(table, index, &params);
	twins_must(!plane || device->context == index, "devices have other indices");
	device->context = index;
}

// The clock stands, and moves by hand.
static void worker_begin(const struct twins *twins, struct dp_worker *w)
{
	for (unsigned port = 0; port < TWINS_PORTS; port++) {
		struct dp_port_addresses addresses = {
			.coap_port = rte_cpu_to_be_16(COAP_PORT),
			.count = 2,
			.ip_checksum_offload = port,
			.udp_checksum_offload = port,
			.address[0] = {.family = 4},
			.address[1] = {.family = 6},
		};

		memcpy(addresses.mac, twins_mac, 6);
		memcpy(addresses.kernel_mac, twins_kernel_mac, 6);
		memcpy(addresses.address[0].addr, twins_ipv4, 4);
		memcpy(addresses.address[1].addr, twins_ipv6, 16);
		dp_worker_attach(w, port_ids[port], MTU_OF(port), &addresses);
	}
	dp_worker_begin(w);
	w->tsc_per_ms = UINT64_MAX;
	w->now_ms = w->ms_start = twins->now_ms;
	w->started_s = w->now_ms / 1000;
	w->error_tokens_ms = w->now_ms - 1000;
	dp_wheel_init(&w->wheel, w->now_ms);
	dp_overload_init(&w->overload, TWINS_EXCHANGES, w->now_ms);
}

void twins_make(struct twins *twins, unsigned kind)
{
	static const unsigned lcores[] = {0};
	struct dp_conf conf = {
		.lcores = lcores,
		.worker_count = 1,
		.loop_count = 1 + kind / 2 % 2,
		.max_devices = 2 * TWINS_DEVICES,
		.exchanges = TWINS_EXCHANGES,
		.answers_bytes = ANSWERS_BYTES,
		.port_count = TWINS_PORTS,
		.mtu = 1500,
		.access_percent = kind % 2 ? 100 : 0,
		.policy = &twins->policy,
	};
	struct error error;

	start_once();
	*twins = (struct twins){
		.policy = {.routes = routes, .route_count = RTE_DIM(routes)}, .now_ms = TIME_0};
	running = twins;
	twins->policy.index = dp_route_index_create(routes, RTE_DIM(routes));
	twins_must(twins->policy.index != NULL, "no memory");
	random_of = 0;
	random_state[0] = kind;
	for (unsigned i = 0; i < TWINS_DEVICES; i++)
		device_describe(&twins->device[i], i);
	for (unsigned i = 0; i < 2; i++) {
		conf.slow_paths = i;
		random_of = i;
		random_state[i] = UINT64_C(1) << 32 | kind;
		twins->dp[i] = dp_create(&conf, &error);
		twins_must(twins->dp[i] != NULL, error.text);
		twins->w[i] = dp_worker_get(twins->dp[i], 0);
		dp_contexts(twins->dp[i])->clock.read = clock_read;
		dp_run_grant(twins->dp[i], 5);
		dp_clock_grant(twins->dp[i], INT64_MAX);
		worker_begin(twins, twins->w[i]);
		for (unsigned k = 0; k < TWINS_DEVICES; k++)
			device_add(twins, i, &twins->device[k]);
	}
}

void twins_free(struct twins *twins)
{
	for (unsigned i = 0; i < 2; i++)
		dp_free(twins->dp[i]);
	dp_route_index_free((struct dp_route_index *)(uintptr_t)twins->policy.index);
}

void twins_begin(struct twins *twins, uint64_t piv)
{
	for (unsigned i = 0; i < 2; i++) {
		struct dp_context_table *table = dp_contexts(twins->dp[i]);

		for (unsigned k = 0; k < TWINS_DEVICES; k++) {
			const struct twins_device *device = &twins->device[k];
			struct dp_context *ctx = &table->context[device->context];

			if (!device->window_known) {
				dp_context_resync(table, device->context, 0);
				ctx->window.next = 0;
				continue;
			}
			osc_window_open_at(&ctx->window, piv);
			ctx->state = DP_CONTEXT_ACTIVE;
			if (device->flags & DP_CONTEXT_FLOOR)
				ctx->mark = piv + 100;
			if (k % 16 == 6) // its own Partial IVs are nearly used up
				ctx->own_counter = DP_COUNTER_MAX - 20;
		}
	}
	twins_turn(twins, 120000);
}

// --- feeding -------------------------------------------------------------------------------------

static void mbuf_fill(struct twins_side *s, struct dp_worker *w, const struct twins_packet *packet,
	uint8_t garbage)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(packet->exact ? s->exact : w->pool);
	unsigned stored = RTE_MIN(packet->len, TWINS_FRAME_MAX);

	twins_must(m != NULL, "no mbuf is left: they leak");
	s->fed[fed] = m;
	s->buf_addr[fed] = NULL;
	s->buf_len[fed] = m->buf_len;
	if (packet->exact) {
		s->buf_addr[fed] = m->buf_addr;
		m->buf_len = packet->data_off + stored;
		m->buf_addr = malloc(m->buf_len ? m->buf_len : 1);
		twins_must(m->buf_addr != NULL, "no memory");
	}
	m->data_off = packet->data_off;
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
	unsigned before = RTE_MIN(packet->data_off, GARBAGE);
	unsigned behind = packet->exact
		? 0
		: RTE_MIN(m->buf_len - packet->data_off - stored, (unsigned)GARBAGE);

	// Nothing may depend on what is around a frame.
	memset(data - before, garbage, before);
	memcpy(data, packet->data, stored);
	memset(data + stored, garbage, behind);
	m->data_len = packet->len;
	m->pkt_len = packet->pkt_len;
	m->ol_flags = packet->ol_flags;
	m->packet_type = packet->packet_type;
	m->vlan_tci = packet->vlan_tci;
	m->nb_segs = packet->nb_segs;
	m->port = garbage;
	m->hash.rss = garbage;
	if (packet->buf_len)
		m->buf_len = packet->buf_len;
	rte_mbuf_refcnt_set(m, packet->refcnt);
}

void twins_feed(struct twins *twins, const struct twins_packet *packet)
{
	twins_must(fed < DP_BURST, "more than a burst");
	for (unsigned i = 0; i < 2; i++)
		mbuf_fill(&twins_side[i], twins->w[i], packet,
			(((i ? 0x35 : 0x5a) ^ twins->packets) | 0x80));
	fed_packet[fed++] = *packet;
	twins->packets++;
}

// Whether a part of a payload that twins_traffic.c writes stands in the memory of a packet that
// ended: 'p' in a whole word.
static bool plaintext_left(const struct rte_mbuf *m, unsigned len)
{
	const uint8_t *buf = m->buf_addr;

	for (unsigned at = 0; at + 8 <= len; at += 8)
		if (!memcmp(buf + at, "pppppppp", 8))
			return true;
	return false;
}

// Frees what the test holds of the packets that were fed, once nobody else has them.
static void fed_release(void)
{
	for (unsigned k = 0; k < fed; k++) {
		for (unsigned i = 0; i < 2; i++) {
			struct rte_mbuf *m = twins_side[i].fed[k];

			if (fed_packet[k].refcnt > 1) {
				if (rte_mbuf_refcnt_read(m) != 1)
					twins_differ("packet %u: %u hold it that was shared", k,
						rte_mbuf_refcnt_read(m));
				m->nb_segs = 1;
				rte_pktmbuf_free_seg(m);
			}
			if (plaintext_left(m, fed_packet[k].data_off + fed_packet[k].len))
				twins_differ("packet %u of plane %u leaves plaintext", k, i);
			if (twins_side[i].buf_addr[k]) {
				free(m->buf_addr);
				m->buf_addr = twins_side[i].buf_addr[k];
			}
			m->buf_len = twins_side[i].buf_len[k];
		}
	}
	fed = 0;
}

static void turn(struct dp_worker *w, struct twins_side *s)
{
	for (unsigned k = 0; k < fed; k++)
		twins_must(
			!rte_ring_enqueue(rx[fed_packet[k].port], s->fed[k]), "the ring is full");
	dp_worker_turn(w);
	for (unsigned port = 0; port < TWINS_PORTS; port++)
		s->sent_count[port] = rte_ring_dequeue_burst(
			tx[port], (void **)s->sent[port], TWINS_SENT_MAX, NULL);
}

void twins_turn(struct twins *twins, uint64_t ms)
{
	twins->now_ms += ms;
	clock_s = DP_CLOCK_EPOCH_S + 1000000 + twins->now_ms / 1000;
	for (unsigned i = 0; i < 2; i++) {
		random_of = i;
		twins->w[i]->ms_start = twins->now_ms;
		turn(twins->w[i], &twins_side[i]);
	}
	twins_compare(twins);
	fed_release();
	for (unsigned i = 0; i < 2; i++)
		if (rte_mempool_in_use_count(twins->w[i]->pool))
			twins_differ("%u mbufs of plane %u are in use",
				rte_mempool_in_use_count(twins->w[i]->pool), i);
}

void twins_respond(struct twins *twins, unsigned at, const uint8_t *response, uint16_t len)
{
	dp_handle handle = twins->held[at];

	twins->held[at] = twins->held[--twins->held_count];
	for (unsigned i = 0; i < 2; i++) {
		const struct dp_shared_pool *pool = dp_loop(twins->dp[i], 0)->port[0].pool;
		struct dp_shared *shared = dp_shared_get(pool, handle);

		twins_must(shared != NULL, "a handle is stale that the loop has");
		unsigned loop = dp_loop_of(shared->request.context, dp_loop_count(twins->dp[i]));

		memcpy(dp_shared_response(shared), response, RTE_MIN(len, pool->data_room));
		shared->response.len = len;
		dp_loop_respond(&dp_loop(twins->dp[i], loop)->port[0], handle);
	}
}
