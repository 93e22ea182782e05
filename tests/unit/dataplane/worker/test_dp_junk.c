// SPDX-License-Identifier: BSD-3-Clause
// What strangers send costs little: options are counted, ids of a length that nobody has are not
// read, and what cannot be served at all is refused early.

#include "dataplane/worker/inner.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

#include <criterion/criterion.h>

static struct bed bed;
static struct bed_device device;
static struct bed_answer answer;

static void setup(void)
{
	bed_make(&bed);
	bed_device_make(&device, 0, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
}

static void teardown(void)
{
	bed_free(&bed);
}

TestSuite(dp_junk, .init = setup, .fini = teardown);

// The request with so many options in front of the OSCORE option: empty ones, If-Match.
static void send_with_options(const struct bed_request *request, unsigned more)
{
	uint8_t coap[BED_MESSAGE_MAX];
	const unsigned head = 4 + request->token_len;

	memcpy(coap, request->coap, head);
	memset(coap + head, 0, more);
	if (more)
		coap[head] = COAP_OPT_IF_MATCH << 4;
	memcpy(coap + head + more, request->coap + head, request->len - head);
	if (more) // the delta of the OSCORE option
		coap[head + more] -= COAP_OPT_IF_MATCH << 4;
	bed_send(&bed, &bed.flow, coap, request->len + more);
	bed_turn(&bed);
}

Test(dp_junk, outer_options_are_counted)
{
	struct bed_request request;

	bed_seal_path(&device, &request, COAP_CON, 1, 1, COAP_POST, "discard", "x");
	send_with_options(&request, DP_OUTER_OPTIONS_MAX);
	send_with_options(&request, 1400);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_many_options), 2);
	cr_expect_not(bed_receive(&bed, &answer));
	bed.policy.verbose_errors = true;
	send_with_options(&request, DP_OUTER_OPTIONS_MAX);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.type, COAP_RST);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_many_options), 3);
	send_with_options(&request, DP_OUTER_OPTIONS_MAX - 1);
	cr_assert(bed_receive(&bed, &answer));
	cr_assert(bed_open(&device, &request, &answer));
	cr_expect_eq(answer.plaintext[0], COAP_CHANGED);
}

// POST /discard with so many empty Uri-Query options.
static void send_with_queries(unsigned n, uint64_t piv)
{
	uint8_t plaintext[BED_MESSAGE_MAX];
	struct bed_request request;
	struct coap_writer writer;

	coap_writer_init(&writer, plaintext, sizeof(plaintext));
	coap_write_code(&writer, COAP_POST);
	coap_write_option(&writer, COAP_OPT_URI_PATH, "discard", 7);
	while (n--)
		coap_write_option(&writer, COAP_OPT_URI_QUERY, "", 0);
	bed_seal(&device, &request, COAP_CON, piv, piv, plaintext, coap_writer_len(&writer));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_assert(bed_open(&device, &request, &answer));
}

Test(dp_junk, too_many_inner_options_are_refused)
{
	send_with_queries(DP_INNER_OPTIONS_MAX - 1, 1);
	cr_expect_eq(answer.plaintext[0], COAP_CHANGED);
	send_with_queries(DP_INNER_OPTIONS_MAX, 2);
	cr_expect_eq(answer.plaintext[0], COAP_BAD_REQUEST);
	cr_expect_arr_eq(answer.plaintext + answer.plaintext_len - 16, "Too many options", 16);
	send_with_queries(1400, 3);
	cr_expect_eq(answer.plaintext[0], COAP_BAD_REQUEST);
}

// A plain request of so many empty Uri-Path options, CON or NON.
static void send_plain(enum coap_type type, unsigned segments)
{
	uint8_t coap[32];
	struct coap_writer writer;

	coap_writer_init(&writer, coap, sizeof(coap));
	coap_write_header(&writer, type, COAP_GET, 0x1234, (const uint8_t *)"t", 1);
	while (segments--)
		coap_write_option(&writer, COAP_OPT_URI_PATH, "", 0);
	bed_send(&bed, &bed.flow, coap, coap_writer_len(&writer));
	bed_turn(&bed);
}

// The shortest request leaves no room for the text: at most three times its bytes may be sent.
Test(dp_junk, plain_coap_is_unauthorized)
{
	for (unsigned segments = 0; segments < 10; segments++) {
		enum coap_type type = segments % 2 ? COAP_NON : COAP_CON;

		bed.policy.verbose_errors = false;
		send_plain(type, segments);
		cr_expect_not(bed_receive(&bed, &answer));
		cr_expect_eq(bed_count(&bed, DP_STAT_drop_no_oscore), 2 * segments + 1);
		bed.policy.verbose_errors = true;
		send_plain(type, segments);
		cr_assert(bed_receive(&bed, &answer), "%u segments", segments);
		cr_expect_eq(answer.msg.code, COAP_UNAUTHORIZED);
		cr_expect_eq(
			bed_count(&bed, DP_STAT_drop_no_oscore), 2 * segments + 2, "the reason");
		cr_expect_eq(answer.msg.type, type == COAP_CON ? COAP_ACK : COAP_NON);
		cr_expect_eq(answer.msg.token_len, 1);
		cr_expect_leq(answer.len, 3 * (4 + 1 + segments));
		cr_expect_eq(answer.msg.body.payload != NULL, 3 * (4 + 1 + segments) >= 23);
	}
	for (unsigned i = 0; i < 1000; i++)
		send_plain(COAP_CON, 0);
	cr_expect_lt(bed_count(&bed, DP_STAT_rx_errors_sent), 500, "limited as others");
}

// RFC 9668: the option says that the payload is not ciphertext alone.
Test(dp_junk, edhoc_outside_is_refused_before_anything_is_opened)
{
	struct bed_request request;
	uint8_t coap[BED_MESSAGE_MAX];

	bed_seal_path(&device, &request, COAP_CON, 1, 1, COAP_POST, "discard", "x");
	// Behind the OSCORE option: 21 = 9 + 12. Before the marker of the payload.
	const uint8_t *marker = memchr(request.coap + 7, COAP_PAYLOAD_MARK, request.len - 7u);

	cr_assert_not_null(marker);
	size_t head = (size_t)(marker - request.coap);

	memcpy(coap, request.coap, head);
	coap[head] = (COAP_OPT_EDHOC - COAP_OPT_OSCORE) << 4;
	memcpy(coap + head + 1, marker, request.len - head);
	bed_send(&bed, &bed.flow, coap, request.len + 1u);
	bed_turn(&bed);
	cr_expect_not(bed_receive(&bed, &answer));
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_edhoc), 1);
	bed.policy.verbose_errors = true;
	bed_send(&bed, &bed.flow, coap, request.len + 1u);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.code, COAP_BAD_OPTION);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 0, "its Partial IV is not spent");
}

// RFC 8613 section 4.1.3.4.2: a fragment, which has no tag of its own.
Test(dp_junk, blocks_outside_are_refused_before_anything_is_opened)
{
	static const uint16_t numbers[] = {
		COAP_OPT_Q_BLOCK1, COAP_OPT_BLOCK2, COAP_OPT_BLOCK1, COAP_OPT_Q_BLOCK2};
	struct bed_request request;
	uint8_t coap[BED_MESSAGE_MAX];

	bed_seal_path(&device, &request, COAP_CON, 1, 1, COAP_POST, "discard", "x");
	const uint8_t *marker = memchr(request.coap + 7, COAP_PAYLOAD_MARK, request.len - 7u);

	cr_assert_not_null(marker);
	size_t head = (size_t)(marker - request.coap);

	for (unsigned i = 0; i < RTE_DIM(numbers); i++) {
		unsigned delta = numbers[i] - COAP_OPT_OSCORE;
		size_t len = head;

		bed.policy.verbose_errors = false;
		memcpy(coap, request.coap, head);
		if (delta > COAP_OPT_NIBBLE_PLAIN) {
			coap[len++] = 0xd1;
			coap[len++] = (uint8_t)(delta - 13);
		} else {
			coap[len++] = (uint8_t)(delta << 4 | 1);
		}
		coap[len++] = 0x0e; // 0/1/1024
		memcpy(coap + len, marker, request.len - head);
		len += request.len - head;
		bed_send(&bed, &bed.flow, coap, len);
		bed_turn(&bed);
		cr_expect_not(bed_receive(&bed, &answer));
		cr_expect_eq(bed_count(&bed, DP_STAT_drop_outer_block), 2 * i + 1);
		bed.policy.verbose_errors = true;
		bed_send(&bed, &bed.flow, coap, len);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
		cr_expect_eq(answer.msg.code, COAP_BAD_OPTION);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 0, "no Partial IV is spent");
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_tag), 0, "nor is it a forgery");
}

Test(dp_junk, edhoc_inside_is_refused)
{
	static const uint8_t plaintext[] = {COAP_POST, 0xb7, 'd', 'i', 's', 'c', 'a', 'r', 'd',
		(COAP_OPT_EDHOC - COAP_OPT_URI_PATH) << 4};
	struct bed_request request;

	bed_seal(&device, &request, COAP_CON, 1, 1, plaintext, sizeof(plaintext));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_assert(bed_open(&device, &request, &answer));
	cr_expect_eq(answer.plaintext[0], COAP_BAD_OPTION);
	bed_seal(&device, &request, COAP_NON, 2, 2, plaintext, sizeof(plaintext));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_expect_not(bed_receive(&bed, &answer), "a NON is rejected (RFC 7252 section 5.4.1)");
	cr_expect_eq(bed_count(&bed, DP_STAT_requests_rejected), 1);
}
