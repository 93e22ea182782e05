// SPDX-License-Identifier: BSD-3-Clause
// What becomes of a packet at its owner does not depend on where it arrived.

#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>

static struct bed bed;
static struct bed_device device;
static struct bed_request request;
static struct bed_answer answer;

static void no_event(void *arg, const struct dp_event *event)
{
}

// A request of its own makes worker 0 the owner.
static void claim(void)
{
	bed.queue = 0;
	bed_seal_path(&device, &request, COAP_CON, 0, 0, COAP_POST, "echo", "x");
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
}

static uint32_t chance(uint32_t below)
{
	static uint64_t state = 1;

	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (state >> 33) % below;
}

// The same ciphertext in another message: with a token of any length, and options around the OSCORE
// option, some of which are refused.
static void dress_otherwise(struct bed_request *r)
{
	static const uint16_t around[] = {COAP_OPT_URI_HOST, COAP_OPT_HOP_LIMIT,
		COAP_OPT_PROXY_SCHEME, COAP_OPT_SIZE1, 65000};
	const struct bed_request plain = *r;
	uint8_t token[300];
	uint8_t value[20];
	struct coap_writer writer;
	struct coap_msg msg;

	cr_assert_eq(coap_msg_parse(&msg, plain.coap, plain.len), COAP_OK);
	memset(token, chance(256), sizeof(token));
	memset(value, chance(4), sizeof(value));
	coap_writer_init(&writer, r->coap, sizeof(r->coap));
	coap_write_header(&writer, msg.type, msg.code, msg.mid, token,
		chance(4) ? chance(9) : chance(sizeof(token)));
	if (chance(4) == 0)
		coap_write_option(&writer, around[0], value, 1 + chance(sizeof(value) - 1));
	coap_write_option(&writer, COAP_OPT_OSCORE, msg.body.oscore, msg.body.oscore_len);
	for (unsigned i = 1; i < RTE_DIM(around); i++)
		if (chance(6) == 0)
			coap_write_option(&writer, around[i], value,
				around[i] == COAP_OPT_HOP_LIMIT ? 1 : chance(sizeof(value)));
	coap_write_payload(&writer, msg.body.payload, msg.body.payload_len);
	r->len = coap_writer_len(&writer);
	cr_assert(r->len);
}

// The keys are those of before each time, so that even the bytes of the answers are the same.
Test(dp_handed, a_packet_that_is_handed_over_ends_as_one_that_is_not)
{
	static const char *const paths[] = {"echo", "discard", "nowhere", "get", "..", "up/x"};
	struct dp_context_key key;

	bed_make_workers(&bed, 2, false);
	bed_stop_clock(&bed);
	bed_device_make(&device, 0x0a, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
	bed_device_key(&device, &key);
	for (unsigned n = 0; n < 400; n++) {
		struct bed_answer got[2];
		uint64_t count[2][DP_STAT_answers_separate + 1];
		bool answered[2];
		struct bed_request sealed;

		bed_seal_path(&device, &sealed, chance(2) ? COAP_CON : COAP_NON, n,
			1 + chance(50000), COAP_POST, paths[chance(RTE_DIM(paths))],
			chance(3) ? "a payload" : NULL);
		dress_otherwise(&sealed);
		for (unsigned away = 0; away < 2; away++) {
			claim();
			for (unsigned i = 0; i < RTE_DIM(count[0]); i++)
				count[away][i] = bed_count(&bed, i);
			bed.queue = away;
			bed_send_request(&bed, &sealed);
			bed_turn(&bed);
			for (unsigned i = 0; i < RTE_DIM(count[0]); i++)
				count[away][i] = bed_count(&bed, i) - count[away][i];
			cr_assert_eq(count[away][DP_STAT_handed_over], away);
			count[away][DP_STAT_handed_over] = 0;
			answered[away] = bed_receive(&bed, &got[away]);
			cr_assert_eq(dp_device_remove(bed.dp, &key), 0);
			bed_turn(&bed);
			dp_poll(bed.dp, no_event, NULL);
			bed_device_add(&bed, &device, true);
			dp_handle handle;

			if (bed_upstream_take(&bed, &handle))
				bed_upstream_answer(&bed, handle, (const uint8_t[]){COAP_VALID}, 1);
			bed_turn(&bed);
		}
		cr_assert_arr_eq(count[0], count[1], sizeof(count[0]), "request %u", n);
		cr_assert_eq(answered[0], answered[1]);
		if (!answered[0])
			continue;
		cr_assert_eq(got[0].len, got[1].len);
		// A NON has a message id of its own.
		got[0].coap[2] = got[1].coap[2], got[0].coap[3] = got[1].coap[3];
		cr_assert(!memcmp(got[0].coap, got[1].coap, got[0].len), "request %u", n);
	}
	bed_free(&bed);
}
