// SPDX-License-Identifier: BSD-3-Clause
// What a request costs in the real worker, from rx to tx, without a NIC: requests a second and core
// cycles by stage, by number of devices and kind of traffic. See bench/README.md.
//
// A feeder, outside the clock, copies sealed requests from a compact store into mbufs and puts them
// on the ring of a ring port; dp_worker_turn() alone is timed. Every request has a Partial IV of
// its own; windows are reset between rounds, and a round goes through the devices in random order.

#include "bench/pipeline.h"

#include "bench/aead_measure.h"
#include "dataplane/dp.h"
#include "dataplane/oscore/protect.h"
#include "dataplane/worker/make.h"

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKETS_MIN   (1u << 16) // of one round
#define PAYLOAD_LEN   32
#define ROUNDS_MAX    64
#define ANSWERS_BYTES (64u << 20)
#define FEED_PORT     40000
#define HOSTILE       10 // of so many packets of the mix one is good

enum traffic {
	TRAFFIC_GOOD,    // CON
	TRAFFIC_UNKNOWN, // kid that nobody has
	TRAFFIC_BAD_TAG,
	TRAFFIC_REPLAY,    // NON, Partial IV used before
	TRAFFIC_MALFORMED, // cut in an option
	TRAFFIC_HOSTILE,   // 9 of 10 are one of the four before, 1 is good
	TRAFFIC_COPIES,    // see pipeline_shares.c
	TRAFFIC_NEIGHBOUR, // the same
	TRAFFIC_JUNK,      // see pipeline_junk.c
	TRAFFIC_ROUTES,    // the same
	TRAFFIC_COUNT,
};

static const char *const traffic_names[TRAFFIC_COUNT] = {"good", "unknown-kid", "bad-tag", "replay",
	"malformed", "hostile-90", "copies", "neighbour", "junk", "routes"};

static struct {
	bool json, quick;
	unsigned rounds;
	long devices; // -1: all
	int traffic;  // -1: all
} options = {.rounds = 7, .devices = -1, .traffic = -1};

static const unsigned device_counts[] = {1, 1000, 100000, 1000000};
static const struct dp_segment segments[] = {{"discard", 7}, {"echo", 4}, {"up", 2}};
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
};
static struct dp_policy config = {.routes = routes, .route_count = RTE_DIM(routes)};

double cycles_per_tsc; // the time-stamp counter is not the core's clock

static struct rte_ring *rx, *tx;
static struct rte_mempool *pool;
static uint16_t port_id;
static struct aead_engine *engine;

void die(const char *what)
{
	fprintf(stderr, "pipeline: %s\n", what);
	exit(EXIT_FAILURE);
}

// --- packets -------------------------------------------------------------------------------------

void packet_seal(struct packet *packet, const struct device *device, uint64_t piv,
	enum coap_type type, const char *path)
{
	static const char payload[PAYLOAD_LEN + 1] = "{\"t\":21.5,\"unit\":\"Cel\",\"n\":1715}";
	struct osc_option option = {
		.piv = piv, .piv_len = 1, .has_kid = true, .kid = device->kid, .kid_len = 4};
	uint8_t plaintext[64], ciphertext[80], value[OSC_OPTION_LEN_MAX], aad[OSC_AAD_ROOM];
	uint8_t token[2] = {piv >> 8, piv};
	struct coap_writer writer;
	struct aead_op op;

	coap_writer_init(&writer, plaintext, sizeof(plaintext));
	coap_write_code(&writer, COAP_POST);
	coap_write_option(&writer, COAP_OPT_URI_PATH, path, strlen(path));
	coap_write_payload(&writer, payload, PAYLOAD_LEN);
	size_t len = coap_writer_len(&writer);

	const struct osc_id_piv request = {device->kid, 4, piv};
	const struct osc_op_input input = {
		.alg = AEAD_AES_CCM_16_64_128,
		.key = device->keys.recipient_key,
		.common_iv = device->keys.common_iv,
		.request = request,
		.nonce = request,
		.in = plaintext,
		.out = ciphertext,
		.len = len,
	};

	osc_op_prepare(&op, aad, &input);
	if (!len || aead_seal_batch(engine, AEAD_AES_CCM_16_64_128, &op, 1) != 1)
		die("a request cannot be sealed");
	int value_len = osc_option_encode(&option, value, sizeof(value));

	coap_writer_init(&writer, packet->coap, sizeof(packet->coap));
	coap_write_header(&writer, type, COAP_POST, piv, token, sizeof(token));
	coap_write_option(&writer, COAP_OPT_OSCORE, value, value_len);
	coap_write_payload(&writer, ciphertext, len + 8);
	packet->len = coap_writer_len(&writer);
	if (value_len < 0 || !packet->len)
		die("a request does not fit the store");
}

static void packet_make(struct bed *bed, unsigned i, enum traffic traffic, const char *path)
{
	struct packet *packet = &bed->packet[i];
	const struct device *device = &bed->device[i % bed->device_count];
	struct device nobody = *device;
	// From 1: a PIV of 0 is for replays.
	uint64_t piv = 1 + i / bed->device_count;

	switch (traffic) {
	case TRAFFIC_UNKNOWN:
		nobody.kid[3] ^= 0x80;
		packet_seal(packet, &nobody, piv, COAP_CON, path);
		return;
	case TRAFFIC_REPLAY:
		packet_seal(packet, device, 0, COAP_NON, path);
		return;
	case TRAFFIC_HOSTILE:
		packet_make(bed, i, i % HOSTILE ? TRAFFIC_UNKNOWN + i % 4 : TRAFFIC_GOOD, path);
		return;
	default:
		break;
	}
	packet_seal(packet, device, piv, COAP_CON, path);
	if (traffic == TRAFFIC_BAD_TAG)
		packet->coap[packet->len - 1] ^= 1;
	if (traffic == TRAFFIC_MALFORMED)
		packet->len = 9; // inside the OSCORE option
}

static void packets_make(struct bed *bed, enum traffic traffic, const char *path)
{
	uint64_t seed = 7;

	for (unsigned i = 0; i < bed->packet_count; i++)
		packet_make(bed, i, traffic, path);
	// Each device in turn, in random order, so that no prefetcher knows the next one.
	for (unsigned first = 0; first < bed->packet_count; first += bed->device_count) {
		struct packet *turn = &bed->packet[first];
		unsigned n = RTE_MIN(bed->device_count, bed->packet_count - first);

		for (unsigned i = n - 1; i > 0; i--) {
			unsigned k = random_next(&seed) % (i + 1);
			struct packet swap = turn[i];

			turn[i] = turn[k];
			turn[k] = swap;
		}
	}
}

// --- bed -----------------------------------------------------------------------------------------

static void port_make(void)
{
	const struct rte_eth_conf eth = {0};

	pool = rte_pktmbuf_pool_create(
		"feeder", 4 * DP_BURST - 1, 0, 0, dp_port_data_room(1500), SOCKET_ID_ANY);
	rx = rte_ring_create(
		"feeder_rx", 2 * DP_BURST, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	tx = rte_ring_create(
		"feeder_tx", 4 * DP_BURST, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (!pool || !rx || !tx)
		die("no memory for the port");
	int port = rte_eth_from_rings("feeder", &rx, 1, &tx, 1, 0);

	if (port < 0 || rte_eth_dev_configure(port, 1, 1, &eth) ||
		rte_eth_rx_queue_setup(port, 0, 64, 0, NULL, pool) ||
		rte_eth_tx_queue_setup(port, 0, 64, 0, NULL) || rte_eth_dev_start(port))
		die("the ring port cannot start");
	port_id = port;
}

void bed_make(struct bed *bed, unsigned device_count, uint32_t exchanges, uint8_t max_in_flight)
{
	static const unsigned lcores[] = {1};
	const struct dp_conf conf = {
		.lcores = lcores,
		.worker_count = 1,
		.max_devices = device_count + 1, // one more of pipeline_junk.c
		.exchanges = exchanges,
		.answers_bytes = ANSWERS_BYTES,
		.port_count = 1,
		.mtu = 1500,
		.policy = &config,
	};
	const struct dp_port_addresses addresses = {
		.coap_port = rte_cpu_to_be_16(COAP_PORT),
		.mac = {2, 0, 0, 0, 0, 1},
		.kernel_mac = {2, 0, 0, 0, 0, 1},
		.count = 1,
		.address[0] = {.family = 4, .addr = {192, 0, 2, 1}},
	};
	struct error error;
	uint64_t seed = 42;

	config.max_in_flight = max_in_flight;
	*bed = (struct bed){.device_count = device_count};
	config.index = dp_route_index_create(routes, RTE_DIM(routes));
	if (!config.index)
		die("no memory");
	bed->packet_count = RTE_MAX(PACKETS_MIN, device_count);
	bed->device = calloc(device_count, sizeof(*bed->device));
	bed->context = calloc(device_count, sizeof(*bed->context));
	bed->packet = calloc(bed->packet_count, sizeof(*bed->packet));
	bed->dp = dp_create(&conf, &error);
	if (!bed->dp)
		die(error.text);
	if (!bed->device || !bed->context || !bed->packet)
		die("no memory");
	bed->w = dp_worker_get(bed->dp, 0);
	dp_worker_attach(bed->w, port_id, 1500, &addresses);
	dp_worker_begin(bed->w);
	for (unsigned i = 0; i < device_count; i++) {
		struct device *device = &bed->device[i];
		struct dp_context_params params = {
			.alg = AEAD_AES_CCM_16_64_128,
			.sender_id_len = 1,
			.sender_id = {1},
			.keys = &device->keys,
			.window_known = true,
		};
		uint32_t generation;

		random_fill(&seed, (uint8_t *)&device->keys, sizeof(device->keys));
		device->kid[0] = 0x10;
		device->kid[1] = i >> 16;
		device->kid[2] = i >> 8;
		device->kid[3] = i & 0x7f; // the high bit makes an unknown one
		device->kid[0] |= i >> 7 & 1;
		dp_context_key_make(
			dp_contexts(bed->dp), &params.key, device->kid, 4, false, NULL, 0);
		if (dp_context_place(
			    dp_contexts(bed->dp), &params.key, &bed->context[i], &generation))
			die("a device does not fit the table");
		dp_context_publish(dp_contexts(bed->dp), bed->context[i], &params);
	}
}

void bed_free(struct bed *bed)
{
	dp_free(bed->dp);
	dp_route_index_free((struct dp_route_index *)(uintptr_t)config.index);
	free(bed->device);
	free(bed->context);
	free(bed->packet);
}

struct aead_engine *bench_engine(void)
{
	return engine;
}

void windows_reset(struct bed *bed)
{
	for (unsigned i = 0; i < bed->device_count; i++) {
		struct dp_context *ctx = &dp_contexts(bed->dp)->context[bed->context[i]];

		osc_window_open_at(&ctx->window, 0);
		ctx->state = DP_CONTEXT_ACTIVE;
		dp_side(bed->w, bed->context[i])->probe_second = bed->w->now_ms / 1000;
	}
}

void feed_coap(const uint8_t *const *coap, const uint16_t *len, unsigned n, uint16_t port)
{
	struct dp_flow flow = {
		.local_addr = {192, 0, 2, 2},
		.remote_addr = {192, 0, 2, 1},
		.local_mac = {2, 0, 0, 0, 0, 2},
		.remote_mac = {2, 0, 0, 0, 0, 1},
		.local_port = rte_cpu_to_be_16(port),
		.remote_port = rte_cpu_to_be_16(COAP_PORT),
		.family = 4,
	};
	struct rte_mbuf *m[DP_BURST];

	if (rte_pktmbuf_alloc_bulk(pool, m, n))
		die("the feeder has no mbufs");
	for (unsigned i = 0; i < n; i++) {
		memcpy(rte_pktmbuf_mtod_offset(m[i], uint8_t *, dp_frame_overhead(&flow)), coap[i],
			len[i]);
		dp_frame_encapsulate(m[i], &flow, len[i]);
	}
	if (rte_ring_enqueue_bulk(rx, (void **)m, n, NULL) != n)
		die("the ring of the port is full");
}

void feed(struct bed *bed, unsigned first, unsigned n)
{
	const uint8_t *coap[DP_BURST];
	uint16_t len[DP_BURST];

	for (unsigned i = 0; i < n; i++) {
		coap[i] = bed->packet[first + i].coap;
		len[i] = bed->packet[first + i].len;
	}
	feed_coap(coap, len, n, FEED_PORT);
}

void drain(void)
{
	void *m[DP_BURST];
	unsigned n;

	while ((n = rte_ring_dequeue_burst(tx, m, DP_BURST, NULL)))
		rte_pktmbuf_free_bulk((struct rte_mbuf **)m, n);
}

// --- measurement ---------------------------------------------------------------------------------

struct result {
	double pps[ROUNDS_MAX];
	double cycles; // core cycles a packet, of the fastest round
	double stage[DP_STAGE_COUNT];
	uint64_t answers;
};

static double round_run(struct bed *bed, struct result *result)
{
	struct dp_stats before;
	uint64_t ticks = 0;

	windows_reset(bed);
	before = bed->w->stats;
	for (unsigned i = 0; i < bed->packet_count; i += DP_BURST) {
		unsigned n = RTE_MIN((unsigned)DP_BURST, bed->packet_count - i);

		feed(bed, i, n);
		uint64_t start = rte_rdtsc();

		dp_worker_turn(bed->w);
		ticks += rte_rdtsc() - start;
		drain();
	}
	double cycles = ticks * cycles_per_tsc / bed->packet_count;

	result->answers = bed->w->stats.count[DP_STAT_answers] - before.count[DP_STAT_answers];
	if (!result->cycles || cycles < result->cycles) {
		result->cycles = cycles;
		for (unsigned s = 0; s < DP_STAGE_COUNT; s++)
			result->stage[s] = (bed->w->stats.cycles[s] - before.cycles[s]) *
				cycles_per_tsc / bed->packet_count;
	}
	return bed->packet_count / ((double)ticks / rte_get_tsc_hz());
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void report(
	const struct bed *bed, enum traffic traffic, const char *path, struct result *result)
{
	double bytes = (double)dp_context_table_bytes(dp_contexts(bed->dp)) / bed->device_count;

	qsort(result->pps, options.rounds, sizeof(double), compare);
	double median = result->pps[options.rounds / 2];

	if (!options.json) {
		printf("%-12s %-8s %8u  %6.2f M/s (%.2f to %.2f)  %6.0f cycles:",
			traffic_names[traffic], path, bed->device_count, median / 1e6,
			result->pps[0] / 1e6, result->pps[options.rounds - 1] / 1e6,
			result->cycles);
		for (unsigned s = 0; s < DP_STAGE_COUNT; s++)
			if (result->stage[s] >= 0.5)
				printf(" %s %.0f", dp_stage_infos[s].name, result->stage[s]);
		printf("\n");
	} else {
		printf("{\"bench\":\"pipeline\",\"traffic\":\"%s\",\"upstream\":\"builtin:%s\","
		       "\"devices\":%u,\"pps_median\":%.0f,\"pps_min\":%.0f,\"pps_max\":%.0f,"
		       "\"cycles_per_packet\":%.1f,\"stages\":{",
			traffic_names[traffic], path, bed->device_count, median, result->pps[0],
			result->pps[options.rounds - 1], result->cycles);
		for (unsigned s = 0; s < DP_STAGE_COUNT; s++)
			printf("%s\"%s\":%.1f", s ? "," : "", dp_stage_infos[s].name,
				result->stage[s]);
		printf("},\"answered\":%.4f,\"bytes_per_device\":%.1f}\n",
			(double)result->answers / bed->packet_count, bytes);
	}
	fflush(stdout);
}

static void measure(struct bed *bed, enum traffic traffic, const char *path)
{
	struct result result = {0};

	if (options.traffic >= 0 && options.traffic != (int)traffic)
		return;
	packets_make(bed, traffic, path);
	round_run(bed, &result); // warms up
	result.cycles = 0;
	for (unsigned i = 0; i < options.rounds; i++)
		result.pps[i] = round_run(bed, &result);
	// What is not done is not measured.
	uint64_t good = traffic == TRAFFIC_GOOD ? bed->packet_count
		: traffic == TRAFFIC_HOSTILE    ? (bed->packet_count + HOSTILE - 1) / HOSTILE
						: 0;

	if (result.answers != good)
		die("not every request was treated as its kind must be");
	report(bed, traffic, path, &result);
}

// What is measured with other numbers of devices than --devices names.
static bool wanted(enum traffic traffic)
{
	return options.devices < 0 && (options.traffic < 0 || options.traffic == (int)traffic);
}

static void measure_devices(unsigned device_count)
{
	struct bed bed;

	bed_make(&bed, device_count, 64, 0);
	measure(&bed, TRAFFIC_GOOD, "discard");
	if (!options.quick)
		measure(&bed, TRAFFIC_GOOD, "echo");
	for (enum traffic t = TRAFFIC_UNKNOWN; t <= TRAFFIC_HOSTILE; t++)
		measure(&bed, t, "discard");
	bed_free(&bed);
}

static void usage(void)
{
	fputs("Usage: pipeline [--json] [--quick] [--rounds N] [--devices N] [--traffic NAME]\n"
	      "Measures the worker from rx to tx on a ring port.\n",
		stdout);
}

__attribute__((noreturn, format(printf, 1, 2))) static void mistake(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("pipeline: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

static unsigned long number_parse(const char *option, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end)
		mistake("--%s: \"%s\" is no number", option, text);
	return n;
}

static int traffic_parse(const char *name)
{
	for (int t = 0; t < TRAFFIC_COUNT; t++)
		if (!strcmp(name, traffic_names[t]))
			return t;
	mistake("--traffic: \"%s\" is none of good, unknown-kid, bad-tag, replay, malformed, "
		"hostile-90, copies, neighbour, junk, routes",
		name);
}

static long devices_parse(const char *text)
{
	unsigned long n = number_parse("devices", text);

	for (unsigned i = 0; i < RTE_DIM(device_counts); i++)
		if (n == device_counts[i])
			return (long)n;
	mistake("--devices: %s is none of 1, 1000, 100000, 1000000", text);
}

static void options_parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"quick", no_argument, NULL, 'q'},
		{"rounds", required_argument, NULL, 'r'},
		{"devices", required_argument, NULL, 'd'},
		{"traffic", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "jqr:d:t:h", longs, NULL)) != -1) {
		switch (opt) {
		case 'j':
			options.json = true;
			break;
		case 'q':
			options.quick = true;
			break;
		case 'r':
			options.rounds = number_parse("rounds", optarg);
			break;
		case 'd':
			options.devices = devices_parse(optarg);
			break;
		case 't':
			options.traffic = traffic_parse(optarg);
			break;
		case 'h':
			usage();
			exit(EXIT_SUCCESS);
		default:
			exit(2); // getopt said why
		}
	}
	if (optind != argc)
		mistake("\"%s\" is one argument too many", argv[optind]);
	if (!options.rounds || options.rounds > ROUNDS_MAX)
		mistake("--rounds is 1 to %d", ROUNDS_MAX);
}

int main(int argc, char **argv)
{
	char *eal[] = {"pipeline", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"512", "--lcores", "0,1@0", "--log-level", "error", NULL};

	options_parse(argc, argv);
	if (sodium_init() < 0 || rte_eal_init(RTE_DIM(eal) - 1, eal) < 0)
		die("EAL cannot start");
	engine = aead_engine_create(NULL);
	if (!engine)
		die("no AEAD engine");
	cycles_per_tsc = core_ghz() * 1e9 / rte_get_tsc_hz();
	port_make();
	for (unsigned i = 0; i < RTE_DIM(device_counts); i++) {
		if (options.devices >= 0 && options.devices != (long)device_counts[i])
			continue;
		if (options.traffic > TRAFFIC_HOSTILE)
			continue;
		if (options.quick && options.devices < 0 && device_counts[i] != 1000 &&
			device_counts[i] != 1000000)
			continue;
		measure_devices(device_counts[i]);
	}
	if (wanted(TRAFFIC_COPIES))
		copies_measure(options.json, options.rounds);
	if (wanted(TRAFFIC_NEIGHBOUR))
		neighbour_measure(options.json);
	if (wanted(TRAFFIC_JUNK))
		junk_measure(options.json, options.rounds);
	if (wanted(TRAFFIC_ROUTES))
		routes_measure(options.json);
	aead_engine_free(engine);
	rte_eal_cleanup();
	return EXIT_SUCCESS;
}
