// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/dataplane/worker/pass_bed.h"

#include "dataplane/shared/passthrough.h"

#include <criterion/criterion.h>

#define ENTRY(n, kid_byte, always)                                                           \
	{                                                                                    \
		.kid_len = 1, .kid = {kid_byte}, .route = (n), .slot = SLOT + (n),           \
		.timeout_ms = BED_TIMEOUT_MS, .max_in_flight = MAX_IN_FLIGHT,                \
		.all = {DP_RATE_SECOND / 100, DP_RATE_SECOND},                               \
		.prefix = {DP_RATE_SECOND / 100, DP_RATE_SECOND / 2}, .echo_always = always, \
	}

static const struct dp_pass entries[] = {ENTRY(0, KID, true), ENTRY(1, KID_LARGE, false)};
static struct dp_pass_table *table;
uint16_t mid;
uint64_t piv;

const uint8_t protected[PASS_PROTECTED] = {
	COAP_CHANGED, 0x90, COAP_PAYLOAD_MARK, 1, 2, 3, 4, 5, 6, 7, 8, 9};

void pass_bed_init(void)
{
	bed_make_exchanges(&bed, 1, 1, EXCHANGES);
	bed_stop_clock(&bed);
	table = dp_pass_table_create(entries, RTE_DIM(entries));
	bed.policy.pass = table;
	bed_device_make(&device, KID, AEAD_AES_CCM_16_64_128);
	mid = 1;
	piv = 0;
}

void pass_bed_fini(void)
{
	bed_free(&bed);
	dp_pass_table_free(table);
}

void most_from_one_network(void)
{
	struct dp_pass wide[RTE_DIM(entries)];

	memcpy(wide, entries, sizeof(wide));
	for (unsigned i = 0; i < RTE_DIM(wide); i++)
		wide[i].max_in_flight = 4 * EXCHANGES;
	dp_pass_table_free(table);
	bed.policy.pass = table = dp_pass_table_create(wide, RTE_DIM(wide));
}

void ask_from(
	const struct dp_flow *flow, enum coap_type type, const uint8_t *echo, const char *payload)
{
	const uint8_t *token = request.token;
	uint8_t coap[BED_MESSAGE_MAX];
	struct coap_writer writer;
	struct coap_msg msg;

	bed_seal_path(&device, &request, type, mid++, piv++, COAP_POST, "up", payload);
	if (echo) {
		cr_assert_eq(coap_msg_parse(&msg, request.coap, request.len), COAP_OK);
		coap_writer_init(&writer, coap, sizeof(coap));
		coap_write_header(&writer, type, msg.code, msg.mid, token, request.token_len);
		coap_write_option(&writer, COAP_OPT_OSCORE, msg.body.oscore, msg.body.oscore_len);
		coap_write_option(&writer, COAP_OPT_ECHO, echo, DP_ECHO_LEN);
		coap_write_payload(&writer, msg.body.payload, msg.body.payload_len);
		request.len = (uint16_t)coap_writer_len(&writer);
		memcpy(request.coap, coap, request.len);
	}
	bed_send(&bed, flow, request.coap, request.len);
	bed_turn(&bed);
}

void ask(enum coap_type type)
{
	ask_from(&bed.flow, type, NULL, "x");
}

const uint8_t *expect_unprotected(uint8_t code)
{
	struct coap_option echo;

	cr_assert(bed_receive(&bed, &answer), "no answer");
	cr_expect_eq(
		answer.msg.code, code, "code %u.%02u", answer.msg.code >> 5, answer.msg.code & 31);
	cr_expect_not(answer.protected);
	cr_expect_null(answer.msg.body.payload, "no words to whoever it is");
	cr_expect_eq(answer.msg.token_len, request.token_len);
	cr_expect_arr_eq(answer.msg.token, request.token, request.token_len);
	return coap_option_find(&answer.msg.body, COAP_OPT_ECHO, &echo) && echo.len == DP_ECHO_LEN
		? echo.value
		: NULL;
}

void serve(const uint8_t *bytes, size_t len)
{
	dp_handle handle;

	cr_assert_not_null(bed_upstream_take(&bed, &handle), "nothing was passed through");
	bed_upstream_answer(&bed, handle, bytes, len);
	bed_turn(&bed);
}

void show(const struct dp_flow *flow)
{
	uint8_t echo[DP_ECHO_LEN];

	ask_from(flow, COAP_NON, NULL, "x");
	const uint8_t *value = expect_unprotected(COAP_UNAUTHORIZED);

	cr_assert_not_null(value);
	memcpy(echo, value, sizeof(echo));
	ask_from(flow, COAP_NON, echo, "x");
	serve(protected, sizeof(protected));
	cr_assert(bed_receive(&bed, &answer));
}

struct dp_shared *taken(dp_handle *handle)
{
	struct dp_shared *shared = bed_upstream_take(&bed, handle);

	cr_assert_not_null(shared, "nothing was passed through");
	return shared;
}

void expect_nothing_passed(void)
{
	dp_handle handle;

	cr_expect_null(bed_upstream_take(&bed, &handle));
}

void expect_protected(enum coap_type type, const uint8_t *bytes, size_t len)
{
	cr_assert(bed_receive(&bed, &answer), "no answer");
	cr_expect_eq(answer.msg.type, type);
	cr_expect_eq(answer.msg.code, bytes[0]);
	const size_t head = 4u + request.token_len;

	cr_assert_eq(answer.len, head + len - 1);
	cr_expect_arr_eq(answer.msg.token, request.token, request.token_len);
	cr_expect_arr_eq(answer.coap + head, bytes + 1, len - 1);
}
