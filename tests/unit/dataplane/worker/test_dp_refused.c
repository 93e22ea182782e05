// SPDX-License-Identifier: BSD-3-Clause
// Requests that OSCORE refuses (RFC 8613 section 8.2), and messages that are no requests (RFC 7252
// section 4.2): what is answered, in which form, and that nothing is moved by them.

#include "tests/unit/dataplane/worker/one_device.h"
#include "tests/unit/hex.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(dp_refused, .init = one_device_init, .fini = one_device_fini);

// An unprotected error has Max-Age 0, a diagnostic, the token of the request, and no more: it is
// piggybacked for a CON, and a NON for a NON.
static void expect_error(uint8_t code, const char *diagnostic)
{
	struct coap_option_iter iter;
	struct coap_option option;

	cr_assert(bed_receive(&bed, &answer), "%s", diagnostic);
	cr_expect_eq(answer.msg.code, code, "%s", diagnostic);
	cr_expect_eq(answer.msg.type, request.type == COAP_CON ? COAP_ACK : COAP_NON);
	if (request.type == COAP_CON)
		cr_expect_eq(answer.msg.mid, request.mid);
	cr_expect_eq(answer.msg.token_len, request.token_len);
	cr_expect_arr_eq(answer.msg.token, request.token, request.token_len);
	cr_expect_not(answer.protected);
	coap_option_iter_init(&iter, &answer.msg.body);
	cr_assert(coap_option_next(&iter, &option));
	cr_expect_eq(option.number, COAP_OPT_MAX_AGE);
	cr_expect_eq(option.len, 0, "0 seconds");
	cr_expect_not(coap_option_next(&iter, &option), "no Content-Format");
	cr_assert_eq(answer.msg.body.payload_len, strlen(diagnostic));
	cr_expect_arr_eq(answer.msg.body.payload, diagnostic, strlen(diagnostic));
	cr_expect_leq(answer.len, 3 * request.len);
}

static uint64_t window_next(void)
{
	return dp_contexts(bed.dp)->context[device.context].window.next;
}

// RFC 8613 sections 7.4 and 8.2: all three are unprotected, and sent only if the policy says so.
Test(dp_refused, the_three_errors)
{
	struct bed_device stranger;
	uint64_t piv = 10;
	uint16_t mid = 1;

	bed_device_make(&stranger, 0x77, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
	for (unsigned verbose = 0; verbose < 2; verbose++) {
		bed.policy.verbose_errors = verbose;
		bed.policy.verbose_replay = verbose;
		for (unsigned type = COAP_CON; type <= COAP_NON; type++, piv++) {
			bed_seal_path(
				&stranger, &request, type, mid++, piv, COAP_POST, "echo", "x");
			bed_send_request(&bed, &request);
			bed_turn(&bed);
			if (verbose)
				expect_error(COAP_UNAUTHORIZED, "Security context not found");
			expect_silence();
			bed_seal_path(&device, &request, type, mid++, piv, COAP_POST, "echo", "x");
			request.coap[request.len - 1] ^= 1;
			uint64_t before = window_next();

			bed_send_request(&bed, &request);
			bed_turn(&bed);
			if (verbose)
				expect_error(COAP_BAD_REQUEST, "Decryption failed");
			expect_silence();
			cr_expect_eq(window_next(), before);
			exchange(type, mid++, piv, COAP_POST, "echo", "x");
			expect_answer(COAP_CHANGED);
			before = window_next();
			exchange(type, mid++, piv, COAP_POST, "echo", "y"); // the number again
			if (verbose)
				expect_error(COAP_UNAUTHORIZED, "Replay detected");
			expect_silence();
			cr_expect_eq(window_next(), before);
		}
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 4);
}

// Puts another OSCORE option into the last request.
static void send_with_option(const char *hex)
{
	size_t len;
	uint8_t *value = hex_decode(hex, &len), coap[BED_MESSAGE_MAX];
	struct coap_writer writer;
	struct coap_msg msg;

	cr_assert_eq(coap_msg_parse(&msg, request.coap, request.len), COAP_OK);
	coap_writer_init(&writer, coap, sizeof(coap));
	coap_write_header(&writer, msg.type, msg.code, msg.mid, msg.token, msg.token_len);
	coap_write_option(&writer, COAP_OPT_OSCORE, value, len);
	coap_write_payload(&writer, msg.body.payload, msg.body.payload_len);
	bed_send(&bed, &bed.flow, coap, coap_writer_len(&writer));
	bed_turn(&bed);
	free(value);
}

// RFC 8613 sections 2, 5 and 6.1. The request itself has PIV 0x14 and kid 0x61.
Test(dp_refused, options_that_are_malformed)
{
	static const char *const malformed[] = {
		"",                   // neither Partial IV nor kid
		"00",                 // a flag byte of 0 stands for itself only in an empty option
		"08 61",              // no Partial IV
		"01 14",              // no kid
		"29 14 61",           // reserved flags: Group OSCORE's, ...
		"49 14 61",           // ...
		"89 14 61",           // ... and that of more flag bytes
		"0e 000000000014 61", // Partial IVs of 6 and 7 bytes
		"0f 00000000000014 61",
		"0a 0014 61", // a leading zero
		"0d 0000000014 61",
		"0b 14",          // a Partial IV that ends too early
		"19 14",          // no length of the kid context
		"19 14 05 61",    // a kid context that ends too early
		"11 14 01 61 61", // bytes behind it that are no kid
	};

	bed_device_make(&device, 0x61, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
	for (unsigned type = COAP_CON; type <= COAP_NON; type++) {
		bed_seal_path(&device, &request, type, 7, 0x14, COAP_POST, "echo", "x");
		for (unsigned i = 0; i < RTE_DIM(malformed); i++) {
			bed.policy.verbose_errors = false;
			send_with_option(malformed[i]);
			expect_silence();
			bed.policy.verbose_errors = true;
			send_with_option(malformed[i]);
			expect_error(COAP_BAD_OPTION, "Failed to decode COSE");
		}
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_oscore_option), 4 * RTE_DIM(malformed));
	cr_expect_eq(window_next(), 0);
	send_with_option("09 14 61");
	expect_answer(COAP_CHANGED);
}

// RFC 8613 section 2: with the option and without payload.
Test(dp_refused, a_message_without_ciphertext)
{
	bed.policy.verbose_errors = true;
	bed_device_add(&bed, &device, true);
	for (unsigned len = 0; len <= 8; len++) { // the tag of 8 bytes, and no code
		bed_seal_path(&device, &request, COAP_CON, len, len, COAP_POST, "echo", "x");
		struct coap_msg msg;

		cr_assert_eq(coap_msg_parse(&msg, request.coap, request.len), COAP_OK);
		request.len -= msg.body.payload_len - len + (len ? 0 : 1);
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
		cr_expect_eq(answer.msg.code, COAP_BAD_REQUEST);
		cr_expect_not(answer.protected);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_no_ciphertext), 9);
	cr_expect_eq(window_next(), 0);
}

// RFC 7252 sections 4.2 and 4.3.
Test(dp_refused, messages_that_are_no_requests)
{
	// Behind the first byte, whose type is put in.
	static const char *const rest[] = {
		"45 0007", "84 0007", "a4 0007", // responses that nobody asked for
		"20 0007", "c0 0007", "e1 0007", // reserved classes
		"00 0007 ff", "00 0007 10",      // Empty with more behind it
		"01 0007 ff", "01 0007 f0", "01 0007 d1", "01 0007 e1ffff0f e1ffff0f", // format
	};

	bed.policy.verbose_errors = true;
	for (unsigned i = 0; i < RTE_DIM(rest); i++) {
		for (unsigned type = COAP_CON; type <= COAP_RST; type++) {
			uint8_t coap[32] = {COAP_VERSION << 6 | type << 4};
			size_t len;
			uint8_t *bytes = hex_decode(rest[i], &len);

			memcpy(coap + 1, bytes, len);
			free(bytes);
			bed_send(&bed, &bed.flow, coap, 1 + len);
			bed_turn(&bed);
			if (type == COAP_CON) {
				cr_assert(bed_receive(&bed, &answer), "%s", rest[i]);
				cr_expect_eq(answer.len, COAP_EMPTY_LEN);
				cr_expect_eq(answer.msg.type, COAP_RST);
				cr_expect_eq(answer.msg.mid, 7);
			}
			expect_silence();
			coap[0] ^= COAP_VERSION << 6; // version 0: ignored, even a CON
			bed_send(&bed, &bed.flow, coap, 1 + len);
			bed_turn(&bed);
			expect_silence();
		}
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_coap_version), 4 * RTE_DIM(rest));
}

// RFC 8613 section 5.3: what verified and is no request is refused under protection, and its number
// is used up.
Test(dp_refused, plaintexts_that_are_no_requests)
{
	static const char *const plaintexts[] = {
		"00",
		"45",
		"84 ff 78",
		"e1 b4 6563686f", // codes
		"02 f4 6563686f",
		"02 b4 6563",
		"02 b4 6563686f ff",
		"02 d1",
		"02 e0ffff e0ffff",
	};

	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(plaintexts); i++) {
		size_t len;
		uint8_t *plaintext = hex_decode(plaintexts[i], &len);

		bed_seal(&device, &request, COAP_CON, 2 * i, i, plaintext, len);
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		expect_answer(COAP_BAD_REQUEST);
		cr_expect_not(answer.has_piv);
		cr_expect_eq(window_next(), i + 1);
		bed_seal(&device, &request, COAP_CON, 2 * i + 1, i, plaintext, len);
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		expect_silence();
		free(plaintext);
	}
}

static void contextual(struct bed_device *made, uint8_t kid, uint8_t id_context_len, uint8_t byte)
{
	bed_device_make(made, kid, AEAD_AES_CCM_16_64_128);
	if (id_context_len == UINT8_MAX)
		return;
	made->params.has_id_context = made->sends_id_context = true;
	made->params.id_context_len = id_context_len;
	memset(made->params.id_context, byte, id_context_len);
	cr_assert_eq(osc_derive(&made->keys, &made->params), 0);
}

static bool served(const struct bed_device *by, uint64_t piv)
{
	bed_seal_path(by, &request, COAP_CON, piv, piv, COAP_GET, "echo", NULL);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	return bed_receive(&bed, &answer) && bed_open(by, &request, &answer);
}

// RFC 8613 section 5.1: devices with one kid are told apart by the kid context, and each has its
// window; the empty kid context is one.
Test(dp_refused, one_kid_and_many_kid_contexts)
{
	struct bed_device devices[6];
	static const struct {
		uint8_t len, byte;
	} id_contexts[] = {{UINT8_MAX, 0}, {0, 0}, {1, 0}, {1, 7}, {2, 7}, {16, 7}};

	for (unsigned i = 0; i < RTE_DIM(devices); i++) {
		contextual(&devices[i], 5, id_contexts[i].len, id_contexts[i].byte);
		bed_device_add(&bed, &devices[i], true);
	}
	for (uint64_t piv = 0; piv < 3; piv++)
		for (unsigned i = 0; i < RTE_DIM(devices); i++) {
			cr_expect(served(&devices[i], piv), "%u", i);
			cr_expect_not(served(&devices[i], piv), "its own window");
		}
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_tag), 0, "no context is tried by chance");
	// Another's kid context names its keys.
	devices[0].sends_id_context = true;
	devices[0].params.id_context_len = 1;
	devices[0].params.id_context[0] = 7;
	cr_expect_not(served(&devices[0], 9));
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_tag), 1);
	devices[0].params.id_context[0] = 8;
	cr_expect_not(served(&devices[0], 9));
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_unknown_context), 1);
}

// RFC 8613 section 7.2.1: the last number of a device is served, and none comes behind it.
Test(dp_refused, partial_ivs_up_to_their_last)
{
	static const uint64_t pivs[] = {0, 255, 256, 65535, 65536, (1 << 24) - 1, 1 << 24,
		UINT32_MAX, UINT64_C(1) << 32, OSC_PIV_MAX};
	uint16_t mid = 1;

	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(pivs); i++) {
		exchange(COAP_CON, mid++, pivs[i], COAP_GET, "echo", NULL);
		expect_answer(COAP_CONTENT);
		exchange(COAP_CON, mid++, pivs[i], COAP_GET, "echo", NULL);
		expect_silence();
	}
	exchange(COAP_CON, mid++, 0, COAP_GET, "echo", NULL);
	expect_silence();
}
