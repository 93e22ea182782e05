// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/dataplane/worker/dp_bed.h"

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include <stdio.h>
#include <stdlib.h>

// Without Criterion, so that plain programs may use the bed, too.
#define must(cond)                                                                         \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                           \
		}                                                                          \
	} while (0)

#define BED_MBUFS       1023
#define BED_MANY_MBUFS  2047 // of each of many workers, which do not fill their rings
#define BED_FRAME_MAX   2048 // a port may hand us more than its MTU
#define BED_HEADERS_MAX 64

static const struct dp_segment segments[] = {
	{"tv1", 3}, {"up", 2}, {"discard", 7}, {"echo", 4}, {"get", 3}, {"low", 3}};

#define BED_ALL 0xfe

// The route of a segment, which is counted in the slot after its number.
#define ROUTE(n, ...)                                                                      \
	{                                                                                  \
		.segments = &segments[n], .segment_count = 1, .slot = (n) + 1, __VA_ARGS__ \
	}

static const struct dp_route routes[] = {
	ROUTE(0, .methods = BED_ALL, .target = DP_TARGET_UPSTREAM, .timeout_ms = BED_TIMEOUT_MS),
	ROUTE(1, .methods = BED_ALL, .target = DP_TARGET_UPSTREAM, .timeout_ms = BED_TIMEOUT_MS,
		.rest = true),
	ROUTE(2, .methods = BED_ALL, .target = DP_TARGET_DISCARD),
	ROUTE(3, .methods = BED_ALL, .target = DP_TARGET_ECHO),
	ROUTE(4, .methods = 1 << COAP_GET, .target = DP_TARGET_DISCARD),
	ROUTE(5, .methods = BED_ALL, .target = DP_TARGET_ECHO, .low_priority = true),
};

void bed_eal_init_mb(unsigned mb)
{
	static bool done;
	char memory[16];
	char *argv[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		memory, "--lcores", "0,(1,2,3)@0", "--log-level", "error", NULL};

	snprintf(memory, sizeof(memory), "%u", mb);
	if (!done)
		must(rte_eal_init(RTE_DIM(argv) - 1, argv) >= 0);
	done = true;
}

void bed_eal_init(void)
{
	bed_eal_init_mb(128);
}

static uint16_t many_rx(void *queue, struct rte_mbuf **m, uint16_t n)
{
	return rte_ring_dequeue_burst(queue, (void **)m, n, NULL);
}

static uint16_t many_tx(void *queue, struct rte_mbuf **m, uint16_t n)
{
	return rte_ring_enqueue_burst(queue, (void **)m, n, NULL);
}

// In the place of the ring driver's functions, which know fewer queues.
static void port_widen(struct bed *bed, uint16_t port_id)
{
	static void *rx[DP_WORKERS_MAX], *tx[DP_WORKERS_MAX];
	struct rte_eth_fp_ops *port = &rte_eth_fp_ops[port_id];

	for (unsigned i = 0; i < DP_WORKERS_MAX; i++) {
		rx[i] = bed->rx[i];
		tx[i] = bed->tx;
	}
	port->rx_pkt_burst = many_rx;
	port->tx_pkt_burst = many_tx;
	port->rxq.data = rx;
	port->txq.data = tx;
}

// Gives the workers a port of rings, with a queue each, and starts their clocks.
static void port_make(struct bed *bed, unsigned workers)
{
	const struct dp_port_addresses addresses = {
		.coap_port = rte_cpu_to_be_16(COAP_PORT),
		.mac = {2, 0, 0, 0, 0, 1},
		.kernel_mac = {2, 0, 0, 0, 0, 1},
		.count = 2,
		.address = {{.family = 4, .addr = {192, 0, 2, 1}},
			{.family = 4, .addr = {192, 0, 2, 9}}},
	};

	bed->tx = rte_ring_create("bed_tx", BED_RING, SOCKET_ID_ANY, 0);
	must(bed->pool && bed->tx);
	struct rte_ring *tx[DP_WORKERS_MAX];

	for (unsigned i = 0; i < workers; i++) {
		char name[RTE_RING_NAMESIZE];

		snprintf(name, sizeof(name), "bed_rx%u", i);
		bed->rx[i] = rte_ring_create(name, BED_RING, SOCKET_ID_ANY, 0);
		must(bed->rx[i] != NULL);
		tx[i] = bed->tx;
	}
	unsigned queues = RTE_MIN(workers, (unsigned)BED_WORKERS_MAX);
	int port = rte_eth_from_rings("bed", bed->rx, queues, tx, queues, 0);

	must(port >= 0);
	struct rte_eth_conf eth = {0};

	must(rte_eth_dev_configure(port, queues, queues, &eth) == 0);
	for (unsigned i = 0; i < queues; i++) {
		must(rte_eth_rx_queue_setup(port, i, 64, 0, NULL, bed->pool) == 0);
		must(rte_eth_tx_queue_setup(port, i, 64, 0, NULL) == 0);
	}
	must(rte_eth_dev_start(port) == 0);
	if (queues < workers)
		port_widen(bed, port);
	bed->flow.port_id = port;
	for (unsigned i = 0; i < workers; i++) {
		dp_worker_attach(dp_worker_get(bed->dp, i), port, 1500, &addresses);
		dp_worker_begin(dp_worker_get(bed->dp, i));
		// Retransmissions are spread by chance, but in each run alike.
		dp_worker_get(bed->dp, i)->jitter = 0;
	}
}

static void make(struct bed *bed, unsigned workers, unsigned loops, bool affinity_kid,
	uint32_t exchanges, uint32_t devices, size_t answers_bytes)
{
	unsigned lcores[DP_WORKERS_MAX];
	const struct dp_conf conf = {
		.lcores = lcores,
		.loop_count = loops,
		.worker_count = workers,
		.affinity_kid = affinity_kid,
		.max_devices = devices,
		.exchanges = exchanges,
		.representations = BED_REPRESENTATIONS,
		.observations = BED_OBSERVATIONS,
		.answers_bytes = answers_bytes,
		.port_count = 1,
		.queue_mbufs = BED_QUEUE_MBUFS,
		.mbufs = workers <= BED_WORKERS_MAX ? 0 : BED_MANY_MBUFS,
		.mtu = 1500,
		.access_percent = 100,
		.slow_threads = BED_SLOW_THREADS,
		.slow_rate = BED_SLOW_RATE,
		.slow_prefix_rate = BED_SLOW_PREFIX_RATE,
		.slow_edhoc_len = BED_SLOW_EDHOC_LEN,
		.policy = &bed->policy,
	};
	struct error error;

	bed_eal_init();
	for (unsigned i = 0; i < DP_WORKERS_MAX; i++)
		lcores[i] = 1 + i % BED_WORKERS_MAX;
	struct dp_route_index *index = dp_route_index_create(routes, RTE_DIM(routes));

	must(index != NULL);
	*bed = (struct bed){
		.workers = workers,
		.policy = {.routes = routes, .route_count = RTE_DIM(routes), .index = index},
		.index = index,
		.flow =
			{
				.local_addr = {192, 0, 2, 1},
				.remote_addr = {192, 0, 2, 2},
				.local_mac = {2, 0, 0, 0, 0, 1},
				.remote_mac = {2, 0, 0, 0, 0, 2},
				.local_port = rte_cpu_to_be_16(COAP_PORT),
				.remote_port = rte_cpu_to_be_16(40000),
				.family = 4,
			},
	};
	bed->dp = dp_create(&conf, &error);
	if (!bed->dp) {
		fprintf(stderr, "%s\n", error.text);
		abort();
	}
	dp_clock_grant(bed->dp, INT64_MAX);
	bed->w = dp_worker_get(bed->dp, 0);
	bed->pool = rte_pktmbuf_pool_create(
		"bed", BED_MBUFS, 0, 0, RTE_PKTMBUF_HEADROOM + BED_FRAME_MAX, SOCKET_ID_ANY);
	port_make(bed, workers);
	bed->pool_full = rte_mempool_avail_count(bed->pool);
	bed->worker_pool_full = rte_mempool_avail_count(bed->w->pool);
}

void bed_make_loops(struct bed *bed, unsigned loops)
{
	make(bed, 1, loops, false, BED_EXCHANGES, BED_DEVICES, BED_ANSWERS_BYTES);
}

void bed_make_workers(struct bed *bed, unsigned workers, bool affinity_kid)
{
	make(bed, workers, 1, affinity_kid, BED_EXCHANGES, BED_DEVICES, BED_ANSWERS_BYTES);
}

void bed_make_many(struct bed *bed, unsigned workers, bool affinity_kid)
{
	make(bed, workers, 1, affinity_kid, BED_EXCHANGES, BED_DEVICES, BED_ANSWERS_BYTES);
}

void bed_make_exchanges(struct bed *bed, unsigned workers, unsigned loops, uint32_t exchanges)
{
	make(bed, workers, loops, false, exchanges, BED_DEVICES, BED_ANSWERS_BYTES);
}

void bed_make_fleet(struct bed *bed, uint32_t devices, size_t answers_bytes)
{
	make(bed, 1, 1, false, BED_EXCHANGES, devices, answers_bytes);
}

void bed_make(struct bed *bed)
{
	bed_make_loops(bed, 1);
}

void bed_free(struct bed *bed)
{
	struct bed_answer answer;

	while (bed_receive(bed, &answer))
		;
	// Criterion does not count what fails after a test: only an abort is noticed.
	if (rte_mempool_avail_count(bed->pool) != bed->pool_full ||
		rte_mempool_avail_count(bed->w->pool) != bed->worker_pool_full) {
		fprintf(stderr, "mbufs leaked\n");
		abort();
	}
	// A packet that is handed over ends at one worker and comes to another.
	uint64_t came = bed_count(bed, DP_STAT_rx_packets) + bed_count(bed, DP_STAT_taken_over) +
		bed_count(bed, DP_STAT_reinjected);

	if (bed_ends(bed) != came) {
		fprintf(stderr, "%lu packets came, %lu ends\n", came, bed_ends(bed));
		abort();
	}
	rte_eth_dev_stop(bed->flow.port_id);
	rte_eth_dev_close(bed->flow.port_id);
	dp_free(bed->dp);
	dp_route_index_free(bed->index);
	rte_mempool_free(bed->pool);
}

void bed_device_make(struct bed_device *device, uint8_t id, enum aead_alg alg)
{
	static const uint8_t secret[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	static const uint8_t salt[] = {0x9e, 0x7c, 0xa9, 0x22, 0x23, 0x78, 0x63, 0x40};

	*device = (struct bed_device){
		.params =
			{
				.alg = alg,
				.secret_len = sizeof(secret),
				.salt_len = sizeof(salt),
				.sender_id_len = id != 0, // 0: the empty kid of C.1
				.sender_id = {id},
				.recipient_id_len = 1,
				.recipient_id = {1},
			},
	};
	memcpy(device->params.secret, secret, sizeof(secret));
	memcpy(device->params.salt, salt, sizeof(salt));
	must(osc_derive(&device->keys, &device->params) == 0);
}

void bed_device_key(const struct bed_device *device, struct dp_context_key *key)
{
	dp_context_key_make(
		NULL, key, device->params.sender_id, device->params.sender_id_len, false, NULL, 0);
}

void bed_device_name(
	const struct bed *bed, const struct bed_device *device, struct dp_context_key *key)
{
	const struct osc_params *params = &device->params;

	dp_context_key_make(dp_contexts(bed->dp), key, params->sender_id, params->sender_id_len,
		params->has_id_context, params->id_context, params->id_context_len);
}

void bed_device_add(struct bed *bed, struct bed_device *device, bool window_known)
{
	bed_device_add_with(bed, device, window_known, 0, 0);
}

void bed_device_add_with(
	struct bed *bed, struct bed_device *device, bool window_known, uint8_t flags, uint64_t mark)
{
	struct osc_keys keys = device->keys;
	struct dp_context_key key;
	struct dp_context_params params = {
		.alg = device->params.alg,
		.flags = flags,
		.mark = mark,
		.sender_id_len = device->params.recipient_id_len,
		.keys = &keys,
		.fingerprint = 0x1122334455667788,
		.window_known = window_known,
	};

	// The gateway's sender is the device's recipient.
	memcpy(keys.sender_key, device->keys.recipient_key, AEAD_KEY_MAX);
	memcpy(keys.recipient_key, device->keys.sender_key, AEAD_KEY_MAX);
	memcpy(params.sender_id, device->params.recipient_id, OSC_KID_LEN_MAX);
	bed_device_name(bed, device, &key);
	must(dp_context_place(
		     dp_contexts(bed->dp), &key, NULL, &device->context, &device->generation) == 0);
	dp_context_publish(dp_contexts(bed->dp), device->context, &params);
}

// Some engine of the device's own.
static struct aead_engine *device_engine(void)
{
	static struct aead_engine *engine;

	if (!engine)
		engine = aead_engine_create("openssl");
	must(engine != NULL);
	return engine;
}

void bed_seal(const struct bed_device *device, struct bed_request *request, enum coap_type type,
	uint16_t mid, uint64_t piv, const uint8_t *plaintext, size_t len)
{
	const struct osc_params *params = &device->params;
	struct osc_option option = {
		.piv = piv,
		.piv_len = 1,
		.has_kid = true,
		.kid = params->sender_id,
		.kid_len = params->sender_id_len,
		.has_kid_context = device->sends_id_context,
		.kid_context = params->id_context,
		.kid_context_len = params->id_context_len,
	};
	uint8_t value[OSC_OPTION_LEN_MAX];
	uint8_t ciphertext[BED_MESSAGE_MAX];
	uint8_t aad[OSC_AAD_ROOM];
	struct coap_writer writer;
	struct aead_op op;

	*request = (struct bed_request){
		.piv = piv, .mid = mid, .type = type, .token_len = 2, .token = {mid >> 8, mid}};
	const struct osc_id_piv made = {params->sender_id, params->sender_id_len, piv};
	const struct osc_op_input input = {
		.alg = params->alg,
		.key = device->keys.sender_key,
		.common_iv = device->keys.common_iv,
		.request = made,
		.nonce = made,
		.in = plaintext,
		.out = ciphertext,
		.len = len,
	};

	osc_op_prepare(&op, aad, &input);
	must(aead_seal_batch(device_engine(), params->alg, &op, 1) == 1);
	int value_len = osc_option_encode(&option, value, sizeof(value));

	must(value_len > 0);
	coap_writer_init(&writer, request->coap, sizeof(request->coap));
	coap_write_header(&writer, type, COAP_POST, mid, request->token, request->token_len);
	coap_write_option(&writer, COAP_OPT_OSCORE, value, value_len);
	coap_write_payload(&writer, ciphertext, len + aead_algs[params->alg].tag_len);
	request->len = coap_writer_len(&writer);
	must(request->len);
}

void bed_seal_path(const struct bed_device *device, struct bed_request *request,
	enum coap_type type, uint16_t mid, uint64_t piv, uint8_t code, const char *path,
	const char *payload)
{
	uint8_t plaintext[BED_MESSAGE_MAX];
	const char *slash = strchr(path, '/');
	struct coap_writer writer;

	coap_writer_init(&writer, plaintext, sizeof(plaintext));
	coap_write_code(&writer, code);
	coap_write_option(
		&writer, COAP_OPT_URI_PATH, path, slash ? (size_t)(slash - path) : strlen(path));
	if (slash)
		coap_write_option(&writer, COAP_OPT_URI_PATH, slash + 1, strlen(slash + 1));
	if (payload)
		coap_write_payload(&writer, payload, strlen(payload));
	bed_seal(device, request, type, mid, piv, plaintext, coap_writer_len(&writer));
}

// A driver fills buffers of the pool that it has for the worker's queue.
static struct rte_mbuf *frame_alloc(struct bed *bed, size_t len)
{
	struct rte_mempool *own = dp_worker_get(bed->dp, bed->queue)->pool;
	struct rte_mbuf *m = NULL;

	if (!bed->strange_frames &&
		RTE_PKTMBUF_HEADROOM + BED_HEADERS_MAX + len <= rte_pktmbuf_data_room_size(own))
		m = rte_pktmbuf_alloc(own);
	return m ? m : rte_pktmbuf_alloc(bed->pool);
}

void bed_send(struct bed *bed, const struct dp_flow *flow, const uint8_t *coap, size_t len)
{
	struct rte_mbuf *m = frame_alloc(bed, len);
	struct dp_flow back = *flow;

	must(m != NULL);
	bed->sent = m;
	if (bed->headroom)
		m->data_off = bed->headroom;
	memcpy(back.local_addr, flow->remote_addr, 16);
	memcpy(back.remote_addr, flow->local_addr, 16);
	memcpy(back.local_mac, flow->remote_mac, 6);
	memcpy(back.remote_mac, flow->local_mac, 6);
	back.local_port = flow->remote_port;
	back.remote_port = flow->local_port;
	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, dp_frame_overhead(&back)), coap, len);
	dp_frame_encapsulate(m, &back, len);
	must(rte_ring_enqueue(bed->rx[bed->queue], m) == 0);
}

void bed_send_request(struct bed *bed, const struct bed_request *request)
{
	bed_send(bed, &bed->flow, request->coap, request->len);
}

void bed_send_empty(struct bed *bed, const struct dp_flow *flow, enum coap_type type, uint16_t mid)
{
	uint8_t coap[COAP_EMPTY_LEN];

	coap_empty_make(coap, type, mid);
	bed_send(bed, flow, coap, sizeof(coap));
}

void bed_turn(struct bed *bed)
{
	unsigned work;

	do {
		work = 0;
		for (unsigned i = 0; i < bed->workers; i++)
			work += dp_worker_turn(dp_worker_get(bed->dp, i));
	} while (work);
}

void bed_later(struct bed *bed, uint64_t ms)
{
	for (unsigned i = 0; i < bed->workers; i++)
		dp_worker_get(bed->dp, i)->ms_start += ms;
}

void bed_stop_clock(struct bed *bed)
{
	for (unsigned i = 0; i < bed->workers; i++)
		dp_worker_get(bed->dp, i)->tsc_per_ms = UINT64_MAX;
}

void bed_run_clock(struct bed *bed)
{
	for (unsigned i = 0; i < bed->workers; i++)
		dp_worker_get(bed->dp, i)->tsc_per_ms = rte_get_tsc_hz() / 1000;
}

bool bed_receive(struct bed *bed, struct bed_answer *answer)
{
	struct rte_mbuf *m;
	struct dp_frame_info info;
	struct dp_port_addresses device = {.coap_port = bed->flow.remote_port, .count = 2};
	enum dp_stat drop;

	if (rte_ring_dequeue(bed->tx, (void **)&m))
		return false;
	// The device's eyes: what comes is checked as strictly as what goes.
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);

	memset(answer, 0, sizeof(*answer));
	device.address[0].family = 4;
	memcpy(device.address[0].addr, frame + 14 + 16, 4);
	memcpy(device.mac, frame, 6);
	memcpy(device.kernel_mac, frame, 6);
	memcpy(&device.coap_port, frame + 14 + 20 + 2, 2);
	// An answer is a sound packet.
	must(dp_frame_classify(m, &device, &info, &drop) == DP_FRAME_COAP);
	m->port = bed->flow.port_id; // nobody sets it in a buffer that is sent
	dp_frame_flow(m, &info, &answer->flow);
	answer->mbuf = m;
	answer->len = info.coap_len;
	memcpy(answer->coap, frame + info.coap_off, info.coap_len);
	rte_pktmbuf_free(m);
	must(coap_msg_parse(&answer->msg, answer->coap, answer->len) == COAP_OK);
	answer->protected = answer->msg.body.oscore != NULL;
	return true;
}

bool bed_open(const struct bed_device *device, const struct bed_request *request,
	struct bed_answer *answer)
{
	const struct osc_params *params = &device->params;
	const struct coap_body *body = &answer->msg.body;
	int len = osc_plaintext_len(params->alg, body->payload_len);
	uint8_t aad[OSC_AAD_ROOM];
	struct osc_option option;
	struct aead_op op;

	if (!answer->protected || len < 0 ||
		osc_option_parse(&option, body->oscore, body->oscore_len) != OSC_OPTION_OK ||
		option.has_kid != (option.piv_len != 0))
		return false;
	answer->has_piv = option.piv_len != 0;
	answer->piv = option.piv;
	const struct osc_id_piv asked = {params->sender_id, params->sender_id_len, request->piv};
	const struct osc_id_piv own = {option.kid, option.kid_len, option.piv};
	const struct osc_op_input input = {
		.alg = params->alg,
		.key = device->keys.recipient_key,
		.common_iv = device->keys.common_iv,
		.request = asked,
		.nonce = option.piv_len ? own : asked,
		.in = body->payload,
		.out = answer->plaintext,
		.len = len,
	};

	osc_op_prepare(&op, aad, &input);
	answer->plaintext_len = len;
	return aead_open_batch(device_engine(), params->alg, &op, 1) == 1;
}

uint64_t bed_count(const struct bed *bed, enum dp_stat stat)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < bed->workers; i++)
		sum += dp_stat_read(dp_worker_stats(bed->dp, i), stat);
	return sum;
}

uint64_t bed_ends(const struct bed *bed)
{
	uint64_t sum = bed_count(bed, DP_STAT_punted) + bed_count(bed, DP_STAT_handed_over) +
		bed_count(bed, DP_STAT_acks_handed_over);

	for (unsigned i = 0; i < DP_STAT_COUNT; i++) {
		const char *name = dp_stat_infos[i].name;

		if (!strncmp(name, "drop_", 5))
			sum += bed_count(bed, i);
	}
	for (unsigned i = DP_STAT_rx_requests; i <= DP_STAT_rx_pass_challenges; i++)
		if (i != DP_STAT_rx_errors_sent && i != DP_STAT_rx_format_rst) // beside a reason
			sum += bed_count(bed, i);
	return sum;
}

// The loop that has a request: the home of its route, or that of its device.
static unsigned loop_of(const struct bed *bed, const struct dp_shared *shared)
{
	const struct dp_route *route = &bed->policy.routes[shared->request.route];

	return route->home ? route->home - 1u
			   : dp_loop_of(shared->request.context, dp_loop_count(bed->dp));
}

struct dp_shared *bed_upstream_take(struct bed *bed, dp_handle *handle)
{
	for (unsigned i = 0; i < dp_loop_count(bed->dp); i++) {
		struct dp_loop_port *port = &dp_loop(bed->dp, i)->port[0];

		if (!dp_loop_receive(port, handle, 1))
			continue;
		struct dp_shared *shared = dp_shared_get(port->pool, *handle);

		must(shared != NULL);
		must(loop_of(bed, shared) == i);
		return shared;
	}
	return NULL;
}

void bed_upstream_answer(struct bed *bed, dp_handle handle, const uint8_t *plaintext, size_t len)
{
	const struct dp_shared_pool *pool = dp_loop(bed->dp, 0)->port[0].pool;
	struct dp_shared *shared = dp_shared_get(pool, handle);

	must(shared != NULL);
	memcpy(dp_shared_response(shared), plaintext, len);
	shared->response.len = len;
	dp_loop_respond(&dp_loop(bed->dp, loop_of(bed, shared))->port[0], handle);
}
