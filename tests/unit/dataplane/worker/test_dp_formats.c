// SPDX-License-Identifier: BSD-3-Clause
// Content-Formats that a route takes: payloads of others are 4.15 before anybody is asked. And
// blocks that builtin:core does not take.

#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

#include <criterion/criterion.h>

static struct bed bed;
static struct bed_device device;
static struct bed_request request;
static struct bed_answer answer;
static struct dp_route routes[16];
static uint64_t piv;

static void init(void)
{
	static const uint16_t formats[] = {0, 60, 11542};

	bed_make(&bed);
	bed_stop_clock(&bed);
	bed_device_make(&device, 2, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
	cr_assert_leq(bed.policy.route_count, RTE_DIM(routes));
	memcpy(routes, bed.policy.routes, bed.policy.route_count * sizeof(routes[0]));
	for (unsigned i = 0; i < bed.policy.route_count; i++) {
		routes[i].formats = formats;
		routes[i].format_count = RTE_DIM(formats);
		routes[i].formats_say = "Content-Format 0, 60 or 11542 only";
	}
	bed.policy.routes = routes;
	piv = 0;
}

static void fini(void)
{
	bed_free(&bed);
}

TestSuite(dp_formats, .init = init, .fini = fini);

// Returns the code of the answer, 0 if an upstream loop has the request.
static uint8_t ask(uint8_t code, int format, const char *payload)
{
	struct coap_writer writer;
	uint8_t plaintext[64];
	dp_handle handle;

	coap_writer_init(&writer, plaintext, sizeof(plaintext));
	coap_write_code(&writer, code);
	coap_write_option(&writer, COAP_OPT_URI_PATH, (const uint8_t *)"up", 2);
	if (format >= 0)
		coap_write_option_uint(&writer, COAP_OPT_CONTENT_FORMAT, (uint32_t)format);
	coap_write_payload(&writer, payload, strlen(payload));
	piv++;
	bed_seal(&device, &request, COAP_NON, piv, piv, plaintext, coap_writer_len(&writer));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	if (bed_upstream_take(&bed, &handle)) {
		static const uint8_t changed = COAP_CHANGED;

		bed_upstream_answer(&bed, handle, &changed, 1);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
		return 0;
	}
	cr_assert(bed_receive(&bed, &answer));
	cr_assert(bed_open(&device, &request, &answer), "it is protected");
	return answer.plaintext[0];
}

Test(dp_formats, others_are_4_15)
{
	static const uint8_t methods[] = {COAP_POST, COAP_PUT, COAP_FETCH, COAP_PATCH, COAP_IPATCH};

	for (unsigned fast = 0; fast < 2; fast++) {
		bed_fast_paths(&bed, fast);
		for (unsigned i = 0; i < RTE_DIM(methods); i++) {
			cr_expect_eq(ask(methods[i], 60, "x"), 0);
			cr_expect_eq(ask(methods[i], 0, "x"), 0);
			cr_expect_eq(ask(methods[i], 11542, ""), 0);
			cr_expect_eq(ask(methods[i], -1, ""), 0, "nothing is of no format");
			cr_expect_eq(ask(methods[i], 50, "x"), COAP_UNSUPPORTED_CONTENT_FORMAT);
			cr_expect(strstr((const char *)answer.plaintext + 1, "11542 only") != NULL);
			cr_expect_eq(ask(methods[i], 50, ""), COAP_UNSUPPORTED_CONTENT_FORMAT);
			cr_expect_eq(ask(methods[i], -1, "x"), COAP_UNSUPPORTED_CONTENT_FORMAT);
		}
		cr_expect_eq(ask(COAP_GET, 50, "x"), 0, "of a GET it means nothing");
		cr_expect_eq(ask(COAP_DELETE, -1, "x"), 0);
	}
}

Test(dp_formats, without_a_list_all_are_taken)
{
	for (unsigned i = 0; i < bed.policy.route_count; i++)
		routes[i].format_count = 0;
	cr_expect_eq(ask(COAP_POST, 50, "x"), 0);
	cr_expect_eq(ask(COAP_POST, -1, "x"), 0);
}

// Loops make no request of a body for it.
Test(dp_formats, the_list_of_routes_takes_no_body_in_blocks)
{
	// Uri-Path up, then Block1 0/1/16 or Block2 1/0/16.
	static const uint8_t block1[] = {COAP_GET, 0xb2, 'u', 'p', 0xd1, 27 - 11 - 13, 0x08, 0xff,
		'x'},
			     block2[] = {COAP_GET, 0xb2, 'u', 'p', 0xc1, 0x10};
	dp_handle handle;

	for (unsigned i = 0; i < bed.policy.route_count; i++)
		if (routes[i].target == DP_TARGET_UPSTREAM)
			routes[i].target = DP_TARGET_CORE;
	cr_expect_eq(ask(COAP_GET, -1, ""), 0, "a loop answers");
	piv++;
	bed_seal(&device, &request, COAP_NON, piv, piv, block1, sizeof(block1));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert_null(bed_upstream_take(&bed, &handle));
	cr_assert(bed_receive(&bed, &answer));
	cr_assert(bed_open(&device, &request, &answer));
	cr_expect_eq(answer.plaintext[0], COAP_BAD_OPTION);
	piv++;
	bed_seal(&device, &request, COAP_NON, piv, piv, block2, sizeof(block2));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert_not_null(bed_upstream_take(&bed, &handle), "a later block of it is asked for");
}
