// SPDX-License-Identifier: BSD-3-Clause
// What is answered without protection: pings, and errors where the policy wants them.

#include "tests/unit/dataplane/worker/one_device.h"
#include "tests/unit/hex.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(dp_unprotected, .init = one_device_init, .fini = one_device_fini);

// RFC 9175 section 2.4: an address that was not verified gets no more than three times the bytes.
Test(dp_unprotected, no_error_is_longer_than_three_requests)
{
	uint8_t coap[64] = {0x40, COAP_GET, 0x12, 0x34, 0xbd, 0};

	bed.policy.verbose_errors = true;
	for (size_t len = 4; len < 30; len++) {
		// One option of len - 6 bytes.
		coap[4] = len < 6 + 13 ? 0xb0 | (len - 5) : 0xbd;
		coap[5] = len < 6 + 13 ? 'x' : len - 6 - 13;
		bed_send(&bed, &bed.flow, coap, len < 5 ? 4 : len);
		bed_turn(&bed);
		if (bed_receive(&bed, &answer))
			cr_expect_leq(answer.len, 3 * len);
	}
	cr_expect_gt(bed_count(&bed, DP_STAT_rx_errors_sent), 0);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_no_oscore),
		bed_count(&bed, DP_STAT_rx_errors_sent),
		"without text any is short enough, and the reason is counted");
}

Test(dp_unprotected, ping_is_answered_and_rubbish_is_not)
{
	static const char *const rubbish[] = {
		"", "40", "400000", "80010001", "00010001",         // short, versions
		"4f010001", "41010001", "40010001ff", "40010001f0", // TKL, token, marker, nibble
		"41000001aa", "40000001ff61", "50000001",           // Empty with more, NON Empty
		"40410001", "60410001", "70000001", "60000001",     // responses, RST, ACK
		"400100011101", "4001000190",                       // no OSCORE, OSCORE w/o payload
		"40020001 92 e000 ff 00112233445566778899",         // reserved flags
		"40020001 91 0e ff 00112233445566778899",           // n = 6
		"40020001 92 0900 ff 0011223344556677",             // no plaintext
		"40020001 92 0900 92 0900 ff 00112233445566778899", // OSCORE twice (delta 9)
		"40020001 93 0b0000 ff 00112233445566778899",       // PIV not minimal
	};
	unsigned before = 0;

	bed_device_add(&bed, &device, true);
	bed_send(&bed, &bed.flow, (const uint8_t *)"\x40\x00\x12\x34", 4);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_arr_eq(answer.coap, "\x70\x00\x12\x34", 4);
	for (unsigned i = 0; i < RTE_DIM(rubbish); i++) {
		size_t len;
		uint8_t *coap = hex_decode(rubbish[i], &len);

		bed_send(&bed, &bed.flow, coap, len);
		bed_turn(&bed);
		expect_silence();
		cr_expect_eq(bed_ends(&bed), bed_count(&bed, DP_STAT_rx_packets), "%s", rubbish[i]);
		before++;
		free(coap);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_packets), before + 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 0);
}

Test(dp_unprotected, verbose_errors_are_unprotected_and_small)
{
	bed.policy.verbose_errors = true;
	bed.policy.verbose_replay = true;
	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 1, 1, COAP_GET, "echo", NULL);
	expect_answer(COAP_CONTENT);
	request.coap[3]++;
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.code, COAP_UNAUTHORIZED);
	cr_expect_not(answer.protected);
	bed_seal_path(&device, &request, COAP_CON, 3, 3, COAP_GET, "echo", NULL);
	request.coap[request.len - 1] ^= 1;
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.code, COAP_BAD_REQUEST);
	cr_expect_leq(answer.len, 3 * request.len);
	bed_device_make(&device, 0x77, AEAD_AES_CCM_16_64_128);
	exchange(COAP_CON, 4, 4, COAP_GET, "echo", NULL);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.code, COAP_UNAUTHORIZED);
}

// An operator who lets senders know why they are refused still sees it in the counters.
Test(dp_unprotected, a_message_that_is_rejected_is_counted_with_its_reason)
{
	bed.policy.verbose_errors = true;
	bed_send(&bed, &bed.flow, (const uint8_t *)"\x40\x01\x00\x01\xff", 5);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_arr_eq(answer.coap, "\x70\x00\x00\x01", 4);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_format_rst), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_coap_format), 1);
	bed_send(&bed, &bed.flow, (const uint8_t *)"\x50\x01\x00\x02\xff", 5);
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_format_rst), 1, "a NON gets silence");
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_coap_format), 2);
	cr_expect_eq(bed_ends(&bed), bed_count(&bed, DP_STAT_rx_packets));
}
