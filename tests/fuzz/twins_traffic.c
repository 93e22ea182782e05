// SPDX-License-Identifier: BSD-3-Clause
// Packets of the usual shape, really sealed, of which some differ in single fields: in the frame,
// the CoAP message, the OSCORE option, the plaintext, or in what a driver says.

#include "dataplane/oscore/protect.h"
#include "dataplane/port/frame.h"
#include "dataplane/state/echo.h"
#include "tests/fuzz/twins.h"
#include "tests/fuzz/twins_frame.h"

#include <stdlib.h>

#define HISTORY     64
#define PLAIN_MAX   4096
#define MESSAGE_MAX (TWINS_FRAME_MAX - 70)

static uint64_t random_state;

uint32_t twins_random(void)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return random_state >> 32;
}

static uint32_t below(uint32_t n)
{
	return (uint64_t)twins_random() * n >> 32;
}

static bool one_in(uint32_t n)
{
	return below(n) == 0;
}

static struct aead_engine *engine;
static struct twins_packet history[HISTORY];
static unsigned history_count;
static uint64_t next_piv[TWINS_DEVICES];
static bool slow_loop; // the upstream loop answers late

// --- options -------------------------------------------------------------------------------------

static size_t nibble(uint8_t *at, uint32_t value, uint8_t *out)
{
	if (value < 13) {
		*out = value;
		return 0;
	}
	if (value < 269) {
		*out = 13;
		at[0] = value - 13;
		return 1;
	}
	*out = 14;
	at[0] = (value - 269) >> 8;
	at[1] = value - 269;
	return 2;
}

// Options in ascending order; the caller has room.
struct options {
	uint8_t *at;
	uint16_t last;
};

static void option_put(struct options *options, uint16_t number, const void *value, size_t len)
{
	uint8_t *head = options->at++, delta_nibble, len_nibble;

	options->at += nibble(options->at, number - options->last, &delta_nibble);
	options->at += nibble(options->at, len, &len_nibble);
	*head = delta_nibble << 4 | len_nibble;
	memcpy(options->at, value, len);
	options->at += len;
	options->last = number;
}

// Now and then one of these, with a value of some length.
static void option_maybe(struct options *options, uint16_t number, unsigned one_of, size_t len_max)
{
	uint8_t value[64];

	if (!one_in(one_of))
		return;
	do {
		size_t len = one_in(8) ? below(20) : below(len_max + 1);

		for (size_t i = 0; i < len; i++)
			value[i] = one_in(2) ? below(3) : 'a' + below(26);
		option_put(options, number, value, len);
	} while (one_in(4));
}

static void path_put(struct options *options)
{
	static const char *const served[] = {
		"discard", "discard", "discard", "echo", "echo", "up", "up", "tv1", "low", "get"};
	static const char *const others[] = {"none", "discar", "discard1", "Discard", "", "a",
		"uploadlongname", "echoecho", "ec"};
	const char *name =
		one_in(10) ? others[below(RTE_DIM(others))] : served[below(RTE_DIM(served))];
	static const char odd[] = "/%. \x80\xc3\xff\0:?#A";
	uint8_t long_name[255];

	if (one_in(64)) {
		memset(long_name, 'a', sizeof(long_name));
		option_put(options, COAP_OPT_URI_PATH, long_name, 1 + below(255));
	} else if (!one_in(100)) {
		option_put(options, COAP_OPT_URI_PATH, name, strlen(name));
	}
	if (one_in(16)) { // with one byte that is no letter, or a few
		size_t len = 1 + below(one_in(4) ? 24 : 9);

		memset(long_name, 'a', len);
		do
			long_name[below(len)] = odd[below(sizeof(odd) - 1)];
		while (one_in(2));
		option_put(options, COAP_OPT_URI_PATH, long_name, len);
	}
	while (one_in(name[0] == 'u' || name[0] == 'l' ? 3 : 40))
		option_put(options, COAP_OPT_URI_PATH, one_in(16) ? ".." : "a", one_in(16) ? 2 : 1);
}

static void echo_put(const struct twins *twins, struct options *options, unsigned device)
{
	const struct dp_worker *w = twins->w[0];
	uint32_t index = twins->device[device].context;
	uint8_t value[DP_ECHO_LEN];

	dp_echo_make(&w->echo, index, w->contexts->context[index].generation,
		w->contexts->side[index].unknown_phases, twins->now_ms, value);
	value[below(DP_ECHO_LEN)] ^= one_in(8);
	option_put(options, COAP_OPT_ECHO, value, sizeof(value));
}

// --- messages ------------------------------------------------------------------------------------

// Bytes of code, options and payload.
static size_t plaintext_make(const struct twins *twins, unsigned device, uint8_t *out)
{
	static const uint8_t codes[] = {COAP_POST, COAP_POST, COAP_POST, COAP_GET, COAP_PUT,
		COAP_FETCH, COAP_DELETE, COAP_IPATCH};
	struct options options = {.at = out + 1};
	bool plain = !one_in(4); // no option but the path, and perhaps a format

	out[0] = one_in(64) ? below(256) : codes[below(RTE_DIM(codes))];
	if (!plain) {
		option_maybe(&options, COAP_OPT_IF_MATCH, 24, 8);
		option_maybe(&options, COAP_OPT_URI_HOST, 24, 9);
		option_maybe(&options, COAP_OPT_ETAG, 24, 8);
		option_maybe(&options, COAP_OPT_IF_NONE_MATCH, 32, 0);
		option_maybe(&options, COAP_OPT_OBSERVE, 12, 3);
		option_maybe(&options, COAP_OPT_URI_PORT, 24, 2);
	}
	path_put(&options);
	option_maybe(&options, COAP_OPT_CONTENT_FORMAT, plain ? 4 : 2, 2);
	if (!plain) {
		option_maybe(&options, COAP_OPT_MAX_AGE, 32, 4);
		option_maybe(&options, COAP_OPT_URI_QUERY, 4, 14);
		option_maybe(&options, COAP_OPT_HOP_LIMIT, 16, 1);
		option_maybe(&options, COAP_OPT_ACCEPT, 8, 2);
		option_maybe(&options, COAP_OPT_Q_BLOCK1, 48, 3);
		option_maybe(&options, COAP_OPT_BLOCK2, 16, 3);
		option_maybe(&options, COAP_OPT_BLOCK1, 16, 3);
		option_maybe(&options, COAP_OPT_PROXY_URI, 48, 12);
		option_maybe(&options, COAP_OPT_PROXY_SCHEME, 48, 4);
		option_maybe(&options, COAP_OPT_SIZE1, 24, 4);
	}
	if (!twins->device[device].window_known ? one_in(2) : one_in(64))
		echo_put(twins, &options, device);
	if (!plain) {
		option_maybe(&options, COAP_OPT_NO_RESPONSE, 6, 1);
		option_maybe(&options, COAP_OPT_REQUEST_TAG, 32, 8);
		option_maybe(&options, 2000 + below(2), 24, 8);
		option_maybe(&options, 65000 + below(500), 48, 8);
	}
	// None, short, some, or as much as fits.
	size_t len = one_in(8) ? 0 : one_in(32) ? below(1400) : one_in(4) ? below(300) : below(65);

	if (len || one_in(64))
		*options.at++ = COAP_PAYLOAD_MARK;
	memset(options.at, 'p', len);
	if (len)
		options.at[below(len)] = twins_random();
	size_t all = options.at + len - out;

	if (one_in(40)) {
		out[below(RTE_MIN(all, 24u))] ^= 1 << below(8);
		all -= one_in(4) ? below(RTE_MIN(all, 8u)) : 0;
	}
	return all;
}

// The value of the OSCORE option. Returns its length.
static size_t oscore_value(const struct twins_device *device, uint64_t piv, uint8_t *out)
{
	uint8_t piv_len = piv >> 32 ? 5 : piv >> 24 ? 4 : piv >> 16 ? 3 : piv >> 8 ? 2 : 1;
	bool context =
		device->id_context_len && (!device->kid_len || !one_in(3)); // else by the alias
	uint8_t *at = out;

	if (one_in(200))
		piv_len = below(8);
	*at++ = piv_len | 0x08 | (context || one_in(100) ? 0x10 : 0);
	for (unsigned i = piv_len; i-- > 0;)
		*at++ = piv >> RTE_MIN(8 * i, 63u);
	if (out[0] & 0x10) {
		uint8_t len = context ? device->id_context_len : below(20);

		*at++ = one_in(200) ? below(256) : len;
		memcpy(at, device->id_context, RTE_MIN(len, sizeof(device->id_context)));
		at += RTE_MIN(len, sizeof(device->id_context));
	}
	memcpy(at, device->kid, device->kid_len);
	at += device->kid_len;
	if (one_in(100))
		out[below(at - out)] ^= 1 << below(8);
	if (one_in(200))
		at -= below(at - out);
	return at - out;
}

static size_t token_put(uint8_t *at, uint8_t *tkl)
{
	size_t len = one_in(2) ? 2 + below(3) : below(9);
	uint8_t *start = at;

	if (one_in(50))
		len = one_in(2) ? 8 + below(14) : below(TWINS_TOKEN_LONG);
	at += nibble(at, len, tkl);
	if (one_in(400))
		*tkl = below(16);
	for (size_t i = 0; i < len; i++)
		*at++ = twins_random();
	return at - start;
}

static void seal(const struct twins_device *device, uint64_t piv, uint8_t *plaintext, size_t len,
	uint8_t *out)
{
	const struct osc_id_piv request = {device->kid, device->kid_len, piv};
	const struct osc_op_input input = {
		.alg = device->alg,
		.key = device->keys.recipient_key,
		.common_iv = device->keys.common_iv,
		.request = request,
		.nonce = request,
		.in = plaintext,
		.out = out,
		.len = len,
	};
	uint8_t aad[OSC_AAD_ROOM];
	struct aead_op op;

	osc_op_prepare(&op, aad, &input);
	if (aead_seal_batch(engine, device->alg, &op, 1) != 1)
		abort();
}

static uint64_t piv_choose(unsigned device)
{
	uint64_t piv = next_piv[device];

	switch (below(32)) {
	case 0:
		return piv - RTE_MIN(piv, (uint64_t)1 + below(70)); // seen, or too old
	case 1:
		return piv - RTE_MIN(piv, (uint64_t)1); // the one before
	case 2:
		piv += below(40);
		break;
	default:
		break;
	}
	next_piv[device] = RTE_MIN(piv + 1, OSC_PIV_MAX);
	return piv;
}

static void outer_options_maybe(struct options *options, bool behind)
{
	if (!one_in(40))
		return;
	if (!behind) {
		option_maybe(options, COAP_OPT_URI_HOST, 2, 9);
		option_maybe(options, COAP_OPT_OBSERVE, 3, 2);
		option_maybe(options, COAP_OPT_URI_PORT, 4, 2);
		return;
	}
	option_maybe(options, COAP_OPT_OSCORE, 16, 3);
	option_maybe(options, COAP_OPT_MAX_AGE, 4, 1);
	option_maybe(options, COAP_OPT_HOP_LIMIT, 2, 1);
	option_maybe(options, COAP_OPT_EDHOC, 4, 0);
	option_maybe(options, COAP_OPT_PROXY_SCHEME, 4, 4);
	option_maybe(options, 2048 + below(100), 4, 40);
}

// A sealed request of this device, as CoAP. Returns its length.
static size_t message_make(const struct twins *twins, unsigned device, uint8_t *out)
{
	const struct twins_device *d = &twins->device[device];
	uint64_t piv = piv_choose(device);
	uint8_t plaintext[PLAIN_MAX], value[300], tkl;
	size_t len = plaintext_make(twins, device, plaintext);
	uint8_t type = one_in(3) ? COAP_NON : COAP_CON;

	if (one_in(100))
		type = below(4);
	struct options options = {.at = out + 4 + token_put(out + 4, &tkl)};

	out[0] = (one_in(500) ? below(4) : COAP_VERSION) << 6 | type << 4 | tkl;
	out[1] = one_in(100) ? below(256) : one_in(8) ? COAP_FETCH : COAP_POST;
	out[2] = twins_random();
	out[3] = twins_random();
	outer_options_maybe(&options, false);
	size_t value_len = oscore_value(d, piv, value);

	if (!one_in(200))
		option_put(&options, COAP_OPT_OSCORE, value, value_len);
	outer_options_maybe(&options, true);
	if (one_in(300))
		return options.at - out; // no payload
	*options.at++ = COAP_PAYLOAD_MARK;
	size_t head = options.at - out;
	size_t tag_len = aead_algs[d->alg].tag_len;

	len = RTE_MIN(len, MESSAGE_MAX - head - tag_len);
	seal(d, piv, plaintext, len, options.at);
	if (one_in(24))
		options.at[below(len + tag_len)] ^= 1 << below(8); // a bad tag
	if (one_in(200))
		return head + below(tag_len + 1);
	return head + len + tag_len;
}

// --- packets -------------------------------------------------------------------------------------

static void ack_make(struct twins *twins, struct twins_packet *packet)
{
	uint8_t coap[4] = {COAP_VERSION << 6 | COAP_ACK << 4, 0, twins_random(), twins_random()};
	struct dp_flow flow;

	twins_flow(&flow, below(TWINS_DEVICES), packet->port);
	if (twins->con_count && !one_in(4)) {
		const struct twins_con *con = &twins->con[below(
			RTE_MIN(twins->con_count, (unsigned)RTE_DIM(twins->con)))];

		// It went from flow.remote to flow.local.
		flow = con->flow;
		coap[2] = con->mid >> 8;
		coap[3] = con->mid;
	}
	if (one_in(4))
		coap[0] = COAP_VERSION << 6 | COAP_RST << 4;
	if (one_in(8))
		coap[0] = COAP_VERSION << 6 | COAP_CON << 4; // a ping
	twins_frame(packet, &flow, coap, sizeof(coap));
}

static void packet_make(struct twins *twins, struct twins_packet *packet, unsigned device)
{
	static uint8_t coap[TWINS_FRAME_MAX + 512];
	struct dp_flow flow;

	if (one_in(40)) {
		ack_make(twins, packet);
		return;
	}
	if (one_in(100)) {
		twins_frame_noise(packet);
		return;
	}
	if (history_count && one_in(16)) { // a copy, or nearly one
		uint8_t port = packet->port;

		*packet = history[below(RTE_MIN(history_count, (unsigned)HISTORY))];
		if (one_in(2))
			packet->port = port;
		if (one_in(4))
			twins_frame_change(packet);
		return;
	}
	twins_flow(&flow, one_in(32) ? below(TWINS_DEVICES) : device, packet->port);
	size_t len = message_make(twins, device, coap);

	twins_frame(packet, &flow, coap, RTE_MIN(len, (size_t)MESSAGE_MAX));
	if (one_in(8))
		twins_frame_change(packet);
	history[history_count++ % HISTORY] = *packet;
}

static void respond(struct twins *twins)
{
	static const uint8_t codes[] = {COAP_CHANGED, COAP_CHANGED, COAP_CONTENT, COAP_CONTENT,
		COAP_CREATED, COAP_NOT_FOUND, COAP_BAD_GATEWAY, COAP_VALID};
	uint8_t response[PLAIN_MAX];
	unsigned n = below(twins->held_count + 1);

	if (slow_loop ? !one_in(40) : one_in(3))
		return;
	while (n--) {
		struct options options = {.at = response + 1};

		response[0] = codes[below(RTE_DIM(codes))];
		if (one_in(4)) {
			option_maybe(&options, COAP_OPT_ETAG, 2, 8);
			option_maybe(&options, COAP_OPT_LOCATION_PATH, 4, 10);
			option_maybe(&options, COAP_OPT_CONTENT_FORMAT, 2, 2);
			option_maybe(&options, COAP_OPT_MAX_AGE, 2, 4);
		}
		size_t len = one_in(3) ? 0 : one_in(16) ? below(1400) : below(65);

		if (len)
			*options.at++ = COAP_PAYLOAD_MARK;
		memset(options.at, 'r', len);
		len += options.at - response;
		if (one_in(100))
			len = one_in(2) ? 0 : 1600;
		twins_respond(twins, below(twins->held_count), response, len);
	}
}

// A frame of the kernel, for the worker to send.
static void from_kernel(struct twins *twins, unsigned port)
{
	uint8_t frame[200];
	unsigned len = 14 + below(sizeof(frame) - 14);

	memset(frame, twins_random(), sizeof(frame));
	for (unsigned i = 0; i < 2; i++)
		if (!dp_frame_ring_push(
			    twins->w[i]->from_kernel, twins->w[i]->port[port].port_id, frame, len))
			abort();
}

static void policy_choose(struct dp_policy *policy)
{
	policy->verbose_errors = one_in(3);
	policy->verbose_replay = one_in(3);
	policy->max_in_flight = one_in(3) ? 1 + below(4) : 0;
	policy->rate_cost = one_in(6) ? 1 + below(400) : 0;
	policy->rate_fill = policy->rate_cost * 3;
}

void twins_traffic(struct twins *twins, uint64_t seed, unsigned packets)
{
	static const uint64_t bases[] = {
		0, 0, 200, 250, 65500, 16777200, UINT64_C(4294967200), OSC_PIV_MAX - 4000};
	uint64_t until = twins->packets + packets;
	uint64_t base;

	if (!engine && !(engine = aead_engine_create(NULL)))
		abort();
	twins->seed = seed;
	random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	base = bases[below(RTE_DIM(bases))];
	slow_loop = one_in(8);
	policy_choose(&twins->policy);
	for (unsigned i = 0; i < TWINS_DEVICES; i++)
		next_piv[i] = base;
	history_count = 0;
	twins_begin(twins, base);
	while (twins->packets < until) {
		unsigned n = one_in(4) ? 1 + below(DP_BURST) : 1 + below(8);
		bool usual = one_in(2); // bursts of many devices, or of few
		unsigned first = below(TWINS_DEVICES),
			 spread = usual ? TWINS_DEVICES : 1 + below(3);
		uint8_t port = one_in(3);

		while (n--) {
			struct twins_packet packet = {.port = port};

			packet_make(twins, &packet, (first + below(spread)) % TWINS_DEVICES);
			twins_feed(twins, &packet);
		}
		if (one_in(40))
			from_kernel(twins, port);
		twins_turn(twins, one_in(50) ? below(5000) : below(3));
		respond(twins);
	}
	// What is under way ends before the next input.
	while (twins->held_count)
		twins_respond(twins, 0, (const uint8_t[]){COAP_CHANGED}, 1);
	for (unsigned i = 0; i < 4; i++)
		twins_turn(twins, 1);
}
