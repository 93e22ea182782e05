// SPDX-License-Identifier: BSD-3-Clause
// The usual inner message is read in one pass, and says what the slow way says.

#include "tests/unit/dataplane/worker/inner_both.h"
#include "tests/unit/guard.h"
#include "tests/unit/hex.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define MESSAGE_MAX 512

static const struct coap_body bare = {.option_count = 1, .oscore_count = 1};
static struct dp_route_index *routes, *permits;
static struct dp_inner_rules rules;
static struct guard guard;
static uint64_t state = 1;

static void both_init(void)
{
	routes = inner_routes_create();
	guard = guard_create(MESSAGE_MAX + DP_INNER_OVER);
	permits = inner_permits_create();
	cr_assert(routes && permits);
	rules = (struct dp_inner_rules){.routes = routes, .permit = permits};
}

static void both_fini(void)
{
	dp_route_index_free(routes);
	dp_route_index_free(permits);
	guard_free(&guard);
}

TestSuite(dp_inner, .init = both_init, .fini = both_fini);

static uint32_t rnd(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 32) * below >> 32;
}

// Reads a message both ways. It ends DP_INNER_OVER bytes in front of a page that faults.
static void read_both(
	struct inner_both *both, const struct coap_body *outer, const uint8_t *message, size_t len)
{
	uint8_t *copy = guard_take(&guard, len + DP_INNER_OVER);

	memcpy(copy, message, len);
	for (unsigned i = 0; i < DP_INNER_OVER; i++)
		copy[len + i] = rnd(256);
	inner_both_read(both, &rules, outer, copy, len);
}

Test(dp_inner, what_is_usual_and_what_is_not)
{
	static const struct {
		const char *message;
		bool taken;
		int route;
	} cases[] = {
		{"01", true, 10}, {"02", true, DP_ROUTE_METHOD}, {"02 b3 747631", true, 4},
		{"02 b3 747631 10", true, 4},          // Content-Format 0
		{"02 b3 747631 11 32 ff 00", true, 4}, // and a payload
		{"02 b3 747631 12 2d16 ff ffff", true, 4},
		{"05 b3 747631 11 3c 51 32 ff 00", true, 4},      // and Accept
		{"01 60 53 747631 43 613d31 03 623d32", true, 4}, // Observe, two queries
		{"01 b7 64657669636573 03 613132 05 7374617465", true, 1},
		{"02 b7 64657669636573 08 7365742d616c6c5f", true, 0},
		{"02 b7 64657669636573 08 7365742d616c6c60", false, 0}, // "`"
		{"01 bc 74656d706572617475726531 0c 7477656c76652d6279746573", true, 5},
		{"01 bc 74656d706572617475726531 0c 7477656c76652d6279746c73", true, 6},
		{"01 bc 74656d706572617475726531 0c 7477656c76652d62792f6573", false, 0}, // "/"
		{"03 b1 7a", true, DP_ROUTE_NONE}, {"00 b3 747631", false, 0}, // code 0.00
		{"08 b3 747631", false, 0},                                    // 0.08
		{"44 b3 747631", false, 0},                                    // 2.04
		{"02 b3 747631 ff", false, 0},                                 // no payload
		{"02 b3 7476", false, 0},                                      // cut off
		{"02 b1 61 00", false, 0},                                     // an empty segment
		{"02 b3 612e62", false, 0},                                    // "a.b"
		{"02 b2 2e2e", false, 0},                                      // ".."
		{"02 b2 c3a4", false, 0},                                      // not ASCII
		{"02 bd 03 30303132346230303134623564346139", false, 0},       // 16 bytes
		{"02 b3 747631 11 32 01 32", false, 0}, // Content-Format twice
		{"02 b3 747631 13 000032", false, 0},   // of three bytes
		{"02 b3 747631 21 00", false, 0},       // unknown, critical
		{"02 b3 747631 31 00", false, 0},       // Max-Age
		{"02 b3 747631 c1 06", false, 0},       // Block2
		{"02 b3 747631 d1 ea 02", false, 0},    // No-Response
		{"02 91 00", false, 0},                 // OSCORE
	};
	struct inner_both both;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len;
		uint8_t *message = hex_decode(cases[i].message, &len);

		read_both(&both, &bare, message, len);
		cr_expect(inner_both_agree(&both), "%s", cases[i].message);
		cr_expect_eq(both.taken, cases[i].taken, "%s", cases[i].message);
		cr_expect(!both.taken || both.usual.route == cases[i].route, "%s: %d",
			cases[i].message, both.usual.route);
		free(message);
	}
}

Test(dp_inner, what_stands_outside_is_not_usual)
{
	static const uint8_t message[] = {COAP_GET, 0xb3, 't', 'v', '1'};
	static const uint8_t host[] = {0x31, 'h', 0x60};
	struct coap_body outer;
	struct inner_both both;

	cr_assert_eq(coap_body_parse(&outer, host, sizeof(host)), COAP_OK);
	read_both(&both, &outer, message, sizeof(message));
	cr_expect(!both.taken);
	cr_expect(inner_both_agree(&both));
}

Test(dp_inner, so_many_segments_and_options_are_usual)
{
	uint8_t message[64] = {COAP_GET, 0xb1, 'a'};
	struct inner_both both;

	for (unsigned options = 2; options < 20; options++) {
		for (unsigned segments = 1; segments <= options; segments++) {
			for (unsigned i = 1; i < options; i++) {
				message[1 + 2 * i] = i == segments ? 0x41 : 0x01;
				message[2 + 2 * i] = 'a';
			}
			read_both(&both, &bare, message, 1 + 2 * options);
			cr_expect(inner_both_agree(&both));
			cr_expect_eq(both.taken, segments <= 8 && options <= 16, "%u of %u",
				segments, options);
		}
	}
}

// Each byte that there is, at each place of a segment of each length.
Test(dp_inner, every_byte_at_every_place_of_a_segment)
{
	uint8_t message[16] = {COAP_GET};
	struct inner_both both;

	for (unsigned len = 1; len <= 12; len++) {
		message[1] = 0xb0 + len;
		for (unsigned at = 0; at < len; at++) {
			for (unsigned byte = 0; byte < 256; byte++) {
				memset(message + 2, 'z', len);
				message[2 + at] = byte;
				read_both(&both, &bare, message, 2 + len);
				cr_assert(inner_both_agree(&both), "%u at %u of %u", byte, at, len);
			}
		}
	}
}

static const char *const segments[] = {"tv1", "devices", "set-all_", "state", "temperature1",
	"twelve-bytes", "00124b0014b5d4a9", "a.b", "a", ""};

// A message of options that are mostly usual.
static size_t message_make(uint8_t message[MESSAGE_MAX])
{
	static const uint16_t numbers[] = {COAP_OPT_IF_MATCH, COAP_OPT_ETAG, COAP_OPT_IF_NONE_MATCH,
		COAP_OPT_OBSERVE, COAP_OPT_URI_PATH, COAP_OPT_CONTENT_FORMAT, COAP_OPT_URI_QUERY,
		COAP_OPT_ACCEPT, COAP_OPT_SIZE1, COAP_OPT_NO_RESPONSE};
	struct coap_writer writer;
	uint8_t value[16];

	coap_writer_init(&writer, message, MESSAGE_MAX);
	coap_write_code(&writer, rnd(50) ? 1 + rnd(7) : rnd(256));
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		bool path = numbers[i] == COAP_OPT_URI_PATH;
		unsigned most = path ? 4 : rnd(8) ? 0 : rnd(16) ? 1 : 2;

		for (unsigned n = rnd(most + 1); n; n--) {
			const char *text = segments[rnd(rnd(8) ? 6 : 10)];

			for (unsigned k = 0; k < sizeof(value); k++)
				value[k] = rnd(256);
			if (path)
				coap_write_option(&writer, numbers[i], text, strlen(text));
			else
				coap_write_option(&writer, numbers[i], value, rnd(rnd(8) ? 3 : 16));
		}
	}
	memset(value, rnd(256), sizeof(value));
	coap_write_payload(&writer, value, rnd(sizeof(value)));
	return coap_writer_len(&writer);
}

Test(dp_inner, both_ways_agree)
{
	uint8_t message[MESSAGE_MAX];
	struct inner_both both;
	unsigned taken = 0, refused = 0, routed = 0;

	for (unsigned i = 0; i < 200000; i++) {
		size_t len = message_make(message);

		if (rnd(4) == 0)
			message[rnd(len)] = rnd(256);
		if (rnd(16) == 0)
			len = 1 + rnd(len);
		read_both(&both, &bare, message, len);
		cr_assert(inner_both_agree(&both), "message %u", i);
		taken += both.taken;
		refused += both.verdict.code != 0;
		routed += both.taken && both.usual.route >= 0;
	}
	cr_expect_gt(taken, 60000, "%u", taken);
	cr_expect_gt(refused, 20000, "%u", refused);
	cr_expect_gt(routed, 20000, "%u", routed);
}
