// SPDX-License-Identifier: BSD-3-Clause
// The worst junk of each kind that a stranger can send, compared to good requests; and what the
// look-up of a route costs with few and many of them.

#include "bench/pipeline_junk.h"

#include "bench/core_clock.h"
#include "bench/pipeline_bed.h"
#include "dataplane/oscore/protect.h"

#include <rte_cycles.h>

#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES     1000
#define COAP_MAX    1472 // bytes of a datagram in an MTU of 1500
#define PASSES      8    // of all devices in a round
#define CONTEXT_LEN 248  // the longest kid context that leaves room for a kid of 4 bytes
#define LOOKUPS     100000
#define ROUTES_MAX  4096

struct frame {
	uint16_t len;
	uint8_t coap[COAP_MAX];
};

// What a kind of packet has that the smallest one has not.
struct kind {
	const char *name;
	enum dp_stat end;   // where all packets of the kind end
	uint16_t options;   // empty ones, in front of the OSCORE option
	uint16_t token_len; // bytes
	bool kid_context;   // of CONTEXT_LEN bytes
	bool unknown;       // a kid that no device has
	bool bad_tag;
	bool replayed; // from another port, of a request that was answered
	bool full;     // the payload fills the datagram
	bool plain;    // no OSCORE option
	bool cut;      // an option runs past the end
	uint8_t empty; // 1 + the type of an Empty message
};

static const struct kind kinds[] = {
	{.name = "good", .end = DP_STAT_rx_requests},
	{.name = "good, full", .end = DP_STAT_rx_requests, .full = true},
	{.name = "unknown kid", .end = DP_STAT_drop_unknown_context, .unknown = true},
	{.name = "unknown kid, kid context",
		.end = DP_STAT_drop_unknown_context,
		.unknown = true,
		.kid_context = true},
	{.name = "unknown kid, kid context, options",
		.end = DP_STAT_drop_unknown_context,
		.unknown = true,
		.kid_context = true,
		.options = DP_OUTER_OPTIONS_MAX - 1},
	{.name = "the same, token of 1 100",
		.end = DP_STAT_drop_unknown_context,
		.unknown = true,
		.kid_context = true,
		.options = DP_OUTER_OPTIONS_MAX - 1,
		.token_len = 1100},
	{.name = "the same, full",
		.end = DP_STAT_drop_unknown_context,
		.unknown = true,
		.kid_context = true,
		.options = DP_OUTER_OPTIONS_MAX - 1,
		.full = true},
	{.name = "1 400 options", .end = DP_STAT_drop_many_options, .options = 1400},
	{.name = "malformed behind options",
		.end = DP_STAT_drop_coap_format,
		.options = DP_OUTER_OPTIONS_MAX - 1,
		.cut = true},
	{.name = "no OSCORE, options",
		.end = DP_STAT_drop_no_oscore,
		.options = DP_OUTER_OPTIONS_MAX,
		.plain = true},
	{.name = "replay, CON, answered before", .end = DP_STAT_drop_replay, .replayed = true},
	{.name = "replay, full", .end = DP_STAT_drop_replay, .replayed = true, .full = true},
	{.name = "bad tag", .end = DP_STAT_drop_tag, .bad_tag = true},
	{.name = "bad tag, options",
		.end = DP_STAT_drop_tag,
		.bad_tag = true,
		.options = DP_OUTER_OPTIONS_MAX - 1},
	{.name = "bad tag, full", .end = DP_STAT_drop_tag, .bad_tag = true, .full = true},
	{.name = "ping", .end = DP_STAT_rx_pings, .empty = 1 + COAP_CON},
	{.name = "ACK of nothing", .end = DP_STAT_drop_coap_ack, .empty = 1 + COAP_ACK},
};

static void options_write(struct coap_writer *writer, unsigned n)
{
	while (n--)
		coap_write_option(writer, COAP_OPT_IF_MATCH, NULL, 0);
}

// POST /discard of a device, sealed.
static size_t ciphertext_make(const struct bed_device *device, uint8_t *out, size_t payload_len)
{
	static uint8_t payload[COAP_MAX];
	uint8_t plaintext[COAP_MAX], aad[OSC_AAD_ROOM];
	struct coap_writer writer;
	struct aead_op op;

	coap_writer_init(&writer, plaintext, sizeof(plaintext));
	coap_write_code(&writer, COAP_POST);
	coap_write_option(&writer, COAP_OPT_URI_PATH, "discard", 7);
	coap_write_payload(&writer, payload, payload_len);
	size_t len = coap_writer_len(&writer);

	const struct osc_id_piv request = {device->kid, 4, 1};
	const struct osc_op_input input = {
		.alg = AEAD_AES_CCM_16_64_128,
		.key = device->keys.recipient_key,
		.common_iv = device->keys.common_iv,
		.request = request,
		.nonce = request,
		.in = plaintext,
		.out = out,
		.len = len,
	};

	osc_op_prepare(&op, aad, &input);
	if (!len || aead_seal_batch(bed_engine(), AEAD_AES_CCM_16_64_128, &op, 1) != 1)
		bed_die("a request cannot be sealed");
	return len + 8;
}

static void frame_make(
	struct frame *frame, const struct bed_device *device, const struct kind *kind)
{
	static uint8_t zeros[COAP_MAX];
	uint8_t kid[4], value[OSC_OPTION_LEN_MAX], ciphertext[COAP_MAX];
	struct osc_option option = {
		.piv = 1, .piv_len = 1, .has_kid = true, .kid = kid, .kid_len = 4};
	struct coap_writer writer;

	memcpy(kid, device->kid, sizeof(kid));
	kid[3] ^= kind->unknown ? 0x80 : 0;
	option.has_kid_context = kind->kid_context;
	option.kid_context = zeros;
	option.kid_context_len = kind->kid_context ? CONTEXT_LEN : 0;
	if (kind->empty) {
		coap_empty_make(frame->coap, kind->empty - 1, 1);
		frame->len = COAP_EMPTY_LEN;
		return;
	}
	coap_writer_init(&writer, frame->coap, sizeof(frame->coap));
	coap_write_header(&writer, COAP_CON, COAP_POST, 1, zeros, kind->token_len + 2u);
	options_write(&writer, kind->options);
	if (!kind->plain) {
		int value_len = osc_option_encode(&option, value, sizeof(value));

		if (value_len < 0)
			bed_die("an option cannot be encoded");
		coap_write_option(&writer, COAP_OPT_OSCORE, value, (size_t)value_len);
		size_t head = coap_writer_len(&writer);
		// Code, path, and two markers; the tag.
		size_t payload = kind->full ? COAP_MAX - head - 1 - 1 - 8 - 1 - 8 : 32;

		coap_write_payload(
			&writer, ciphertext, ciphertext_make(device, ciphertext, payload));
	}
	frame->len = (uint16_t)coap_writer_len(&writer);
	if (!frame->len)
		bed_die("a packet does not fit its frame");
	if (kind->bad_tag)
		frame->coap[frame->len - 1] ^= 1;
	if (kind->cut)
		frame->len = (uint16_t)(6 + kind->options + 3); // inside the OSCORE option
}

// All devices once, from one port. Returns the cycles that the worker took.
static uint64_t pass(struct bed *bed, const struct frame *frames, uint16_t port)
{
	uint64_t ticks = 0;

	for (unsigned first = 0; first < DEVICES; first += DP_BURST) {
		unsigned n = RTE_MIN((unsigned)DP_BURST, DEVICES - first);
		const uint8_t *coap[DP_BURST];
		uint16_t len[DP_BURST];

		for (unsigned i = 0; i < n; i++) {
			coap[i] = frames[first + i].coap;
			len[i] = frames[first + i].len;
		}
		bed_feed_coap(bed, coap, len, n, port);
		uint64_t start = rte_rdtsc();

		dp_worker_turn(bed->w);
		ticks += rte_rdtsc() - start;
		bed_drain(0);
	}
	return ticks;
}

static double kind_measure(
	struct bed *bed, struct frame *frames, const struct kind *kind, unsigned rounds)
{
	double least = HUGE_VAL;

	for (unsigned i = 0; i < DEVICES; i++)
		frame_make(&frames[i], &bed->device[i], kind);
	bed_windows_reset(bed);
	if (kind->replayed)
		pass(bed, frames, 40000);
	for (unsigned round = 0; round < rounds; round++) {
		uint64_t before = dp_stat_read(&bed->w->stats, kind->end), ticks = 0;
		struct core_clock clock = {0};

		for (unsigned i = 0; i < PASSES; i++) {
			if (!kind->replayed)
				bed_windows_reset(bed);
			ticks += pass(bed, frames, kind->replayed ? 40001 : 40000);
			core_clock_sample(&clock);
		}
		if (dp_stat_read(&bed->w->stats, kind->end) - before != PASSES * DEVICES)
			bed_die(kind->name);
		least = RTE_MIN(least, ticks * core_clock_cycles_per_tick(&clock));
	}
	return least / (PASSES * DEVICES);
}

// A device with the longest ID Context, so that those of strangers are not refused by their length.
static void longest_context_add(struct bed *bed)
{
	static const uint8_t zeros[CONTEXT_LEN];
	struct osc_keys keys = {0};
	struct dp_context_params params = {
		.alg = AEAD_AES_CCM_16_64_128, .keys = &keys, .window_known = true};
	uint32_t index, generation;

	dp_context_key_make(dp_contexts(bed->dp), &params.key, zeros, 4, true, zeros, CONTEXT_LEN);
	if (dp_context_place(dp_contexts(bed->dp), &params.key, NULL, &index, &generation))
		bed_die("a device does not fit the table");
	dp_context_publish(dp_contexts(bed->dp), index, &params);
}

void junk_measure(bool json, unsigned rounds)
{
	struct frame *frames = calloc(DEVICES, sizeof(*frames));
	double good = 0, full = 0;
	struct bed bed;

	if (!frames)
		bed_die("no memory");
	bed_make(&bed, &(struct bed_conf){.device_count = DEVICES, .exchanges = 64});
	longest_context_add(&bed);
	for (unsigned i = 0; i < RTE_DIM(kinds); i++) {
		double cycles = kind_measure(&bed, frames, &kinds[i], rounds);

		if (i == 0)
			good = cycles;
		if (i == 1)
			full = cycles;
		double same = frames[0].len > COAP_MAX / 2 ? full : good;

		if (json)
			printf("{\"bench\":\"pipeline\",\"traffic\":\"junk\",\"kind\":\"%s\","
			       "\"bytes\":%u,\"cycles_per_packet\":%.1f,\"of_good\":%.3f,"
			       "\"of_good_as_long\":%.3f}\n",
				kinds[i].name, frames[0].len, cycles, cycles / good,
				same ? cycles / same : 1);
		else
			printf("%-34s %4u bytes  %6.0f cycles  %3.0f %% of a good request, "
			       "%3.0f %% of one as long\n",
				kinds[i].name, frames[0].len, cycles, 100 * cycles / good,
				same ? 100 * cycles / same : 100);
		fflush(stdout);
	}
	free(frames);
	bed_free(&bed);
}

static void routes_measure_count(bool json, unsigned count)
{
	static char name[ROUTES_MAX][8];
	static struct dp_segment segment[ROUTES_MAX];
	static struct dp_route route[ROUTES_MAX];
	double least = HUGE_VAL;
	uint64_t found = 0;

	for (unsigned i = 0; i < count; i++) {
		int len = snprintf(name[i], sizeof(name[i]), "r%u", i);

		segment[i] = (struct dp_segment){.text = name[i], .len = (uint16_t)len};
		route[i] = (struct dp_route){
			.segments = &segment[i], .segment_count = 1, .rest = true, .methods = 0xfe};
	}
	struct dp_route_index *index = dp_route_index_create(route, count);

	if (!index)
		bed_die("no memory");
	for (unsigned round = 0; round < 20; round++) {
		uint64_t start = rte_rdtsc();

		for (unsigned i = 0; i < LOOKUPS; i++) {
			static struct dp_path path = {.count = 2};

			path.segment[0] = path.segment[1] =
				segment[(i * UINT32_C(0x9e3779b1) >> 8) % count];
			found += dp_route_find(index, &path, COAP_POST) >= 0;
		}
		uint64_t ticks = rte_rdtsc() - start;
		struct core_clock clock = {0};

		core_clock_sample(&clock);
		least = RTE_MIN(least, ticks * core_clock_cycles_per_tick(&clock));
	}
	dp_route_index_free(index);
	if (found != 20 * LOOKUPS)
		bed_die("a route was not found");
	double cycles = least / LOOKUPS;

	if (json)
		printf("{\"bench\":\"pipeline\",\"traffic\":\"routes\",\"routes\":%u,"
		       "\"cycles_per_lookup\":%.1f}\n",
			count, cycles);
	else
		printf("%-12s %5u  %6.0f cycles a look-up\n", "routes", count, cycles);
}

void routes_measure(bool json)
{
	routes_measure_count(json, 1);
	routes_measure_count(json, 100);
	routes_measure_count(json, ROUTES_MAX);
}
