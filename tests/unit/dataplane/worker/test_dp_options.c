// SPDX-License-Identifier: BSD-3-Clause
// Options of the plaintext: what they ask for, and those that cannot be processed.

#include "tests/unit/dataplane/worker/one_device.h"
#include "tests/unit/hex.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(dp_options, .init = one_device_init, .fini = one_device_fini);

Test(dp_options, no_response_is_honoured_and_con_still_acked)
{
	static const uint8_t plaintext[] = {COAP_POST, 0xb4, 'e', 'c', 'h', 'o', 0xd1, 0xea, 2};

	bed_device_add(&bed, &device, true);
	bed_seal(&device, &request, COAP_CON, 5, 1, plaintext, sizeof(plaintext));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.len, COAP_EMPTY_LEN);
	cr_expect_eq(answer.msg.type, COAP_ACK);
	cr_expect_eq(answer.msg.mid, 5);
	bed_seal(&device, &request, COAP_NON, 6, 2, plaintext, sizeof(plaintext));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_silence();
}

// Also when the answer is an error and stands in front of the option (RFC 7967 section 2).
Test(dp_options, no_response_holds_for_refusals)
{
	size_t len;
	uint8_t *plaintext =
		hex_decode("02 b4 6563686f d1 03 06 d1 da 08", &len); // Block1 in front

	bed_device_add(&bed, &device, true);
	bed_seal(&device, &request, COAP_CON, 5, 1, plaintext, len);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.len, COAP_EMPTY_LEN);
	free(plaintext);
}

// RFC 8768 section 3, inside as well as outside: an unknown option would be class E.
Test(dp_options, hop_limit_ends_inside_too)
{
	static const struct {
		const char *plaintext;
		uint8_t code;
	} cases[] = {
		{"02 b4 6563686f 51 00", COAP_BAD_REQUEST},
		{"02 b4 6563686f 50", COAP_BAD_REQUEST},
		{"02 b4 6563686f 52 0010", COAP_BAD_REQUEST},
		{"02 b4 6563686f 51 01", COAP_HOP_LIMIT_REACHED},
		{"02 b4 6563686f 51 10", COAP_CHANGED},
	};

	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		size_t len;
		uint8_t *plaintext = hex_decode(cases[i].plaintext, &len);

		bed_seal(&device, &request, COAP_CON, i, i, plaintext, len);
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		expect_answer(cases[i].code);
		free(plaintext);
	}
}

// A device cannot go on with a body if it does not hear of its blocks.
Test(dp_options, no_response_never_hides_what_became_of_a_block)
{
	static const uint8_t plaintext[] = {COAP_PUT, 0xb2, 'u', 'p', 0xd1, 3, 0x08, 0xd1, 0xda, 26,
		0xff, '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e',
		'f'};
	static const struct {
		uint8_t code;
		bool heard;
	} cases[] = {{COAP_CONTINUE, true}, {COAP_REQUEST_ENTITY_INCOMPLETE, true},
		{COAP_REQUEST_ENTITY_TOO_LARGE, true}, {COAP_CHANGED, false},
		{COAP_BAD_REQUEST, false}, {COAP_SERVICE_UNAVAILABLE, false}};

	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		dp_handle handle;

		bed_seal(&device, &request, COAP_CON, i + 1, i + 1, plaintext, sizeof(plaintext));
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		cr_assert_not_null(bed_upstream_take(&bed, &handle));
		bed_upstream_answer(&bed, handle, &cases[i].code, 1);
		bed_turn(&bed);
		if (cases[i].heard) {
			expect_answer(cases[i].code);
			continue;
		}
		cr_assert(bed_receive(&bed, &answer));
		cr_expect_eq(answer.len, COAP_EMPTY_LEN, "%u", i);
	}
}

Test(dp_options, options_that_cannot_be_processed)
{
	static const struct {
		const char *plaintext;
		uint8_t code;
	} cases[] = {
		{"02 b4 6563686f c1 06", COAP_CHANGED},     // Block2 0/0/1024
		{"02 b4 6563686f c1 16", COAP_BAD_OPTION},  // 1/0/1024: a builtin has no blocks
		{"02 b4 6563686f c1 07", COAP_BAD_REQUEST}, // a reserved size
		{"02 b4 6563686f c0 ff 3031323334353637383961626364656667", COAP_BAD_OPTION}, // 16
		{"02 b4 6563686f c0 ff 30313233343536373839616263646566", COAP_CHANGED},
		{"02 b4 6563686f d1 03 06", COAP_BAD_OPTION}, // Block1 (27 = 11 + 3 + 13)
		{"02 b4 6563686f d1 03 0e", COAP_BAD_OPTION}, // 0/1/1024
		{"02 b4 6563686f d1 03 07", COAP_BAD_REQUEST},
		{"02 b4 6563686f 81 06", COAP_BAD_OPTION},                // Q-Block1
		{"02 b4 6563686f d1 07 06", COAP_BAD_OPTION},             // Q-Block2
		{"02 90 24 6563686f", COAP_BAD_OPTION},                   // OSCORE inside
		{"02 b4 6563686f d1 0b 61", COAP_PROXYING_NOT_SUPPORTED}, // Proxy-Uri, 35
		{"02 b4 6563686f e1 04e3 00", COAP_BAD_OPTION},           // unknown, critical
		{"02 b4 6563686f e1 04e4 00", COAP_CHANGED},              // unknown, elective
		{"02 60 54 6563686f", COAP_CHANGED},                      // Observe is ignored
	};

	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		size_t len;
		uint8_t *plaintext = hex_decode(cases[i].plaintext, &len);

		bed_seal(&device, &request, COAP_CON, i, i, plaintext, len);
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		expect_answer(cases[i].code);
		free(plaintext);
	}
}

// RFC 7252 sections 5.4.1, 5.4.3 and 5.4.5: an option of a wrong length, or once too often, is as
// one that is not known: a critical one refuses the request, an elective one is not there.
Test(dp_options, a_wrong_length_or_one_too_many_is_as_unknown)
{
	static const struct {
		const char *plaintext;
		uint8_t code;
	} cases[] = {
		{"02 b4 6563686f 61 3c 01 3c", COAP_BAD_OPTION},             // Accept twice
		{"02 b4 6563686f 63 00003c", COAP_BAD_OPTION},               // Accept of 3 bytes
		{"02 31 61 01 62 84 6563686f", COAP_BAD_OPTION},             // Uri-Host twice
		{"02 30 84 6563686f", COAP_BAD_OPTION},                      // Uri-Host of 0 bytes
		{"02 51 00 64 6563686f", COAP_BAD_OPTION},                   // If-None-Match of 1
		{"02 73 000000 44 6563686f", COAP_BAD_OPTION},               // Uri-Port of 3
		{"02 19 010203040506070809 a4 6563686f", COAP_BAD_OPTION},   // If-Match of 9
		{"02 18 0102030405060708 00 a4 6563686f", COAP_CHANGED},     // of 8, and of 0
		{"02 b4 6563686f 13 000000", COAP_CHANGED},                  // Content-Format of 3
		{"02 b4 6563686f 10 01 3c", COAP_CHANGED},                   // the same twice
		{"02 40 74 6563686f", COAP_CHANGED},                         // ETag of 0
		{"02 49 010203040506070809 74 6563686f", COAP_CHANGED},      // of 9
		{"02 64 00000000 54 6563686f", COAP_CHANGED},                // Observe of 4
		{"02 b4 6563686f 35 0000000000", COAP_CHANGED},              // Max-Age of 5
		{"02 b4 6563686f d5 24 0000000000", COAP_CHANGED},           // Size1 of 5
		{"02 b4 6563686f d0 e4", COAP_CHANGED},                      // Echo of 0
		{"02 b4 6563686f d2 ea 001a", COAP_CHANGED},                 // No-Response of 2
		{"02 b4 6563686f e9 000c 010203040506070809", COAP_CHANGED}, // Request-Tag of 9
	};

	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		size_t len;
		uint8_t *plaintext = hex_decode(cases[i].plaintext, &len);

		bed_seal(&device, &request, COAP_CON, 2 * i, 2 * i, plaintext, len);
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		expect_answer(cases[i].code);
		bed_seal(&device, &request, COAP_NON, 2 * i + 1, 2 * i + 1, plaintext, len);
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		if (cases[i].code == COAP_BAD_OPTION)
			expect_silence(); // section 5.4.1
		else
			expect_answer(cases[i].code);
		free(plaintext);
	}
}
