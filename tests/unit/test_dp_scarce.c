// SPDX-License-Identifier: BSD-3-Clause
// What the worker does when something runs out, or is misused by the other end of a ring.

#include "tests/unit/dp_bed.h"

#include <criterion/criterion.h>

static struct bed bed;
static struct bed_device device;
static struct bed_request request;
static struct bed_answer answer;

static void init(void)
{
	bed_make(&bed);
	bed_device_make(&device, 2, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
}

static void fini(void)
{
	bed_free(&bed);
}

TestSuite(dp_scarce, .init = init, .fini = fini);

static void post(enum coap_type type, uint64_t piv, const char *path, const char *payload)
{
	bed_seal_path(&device, &request, type, piv, piv, COAP_POST, path, payload);
	bed_send_request(&bed, &request);
}

static unsigned received(void)
{
	unsigned n = 0;

	while (bed_receive(&bed, &answer))
		n++;
	return n;
}

// A packet ends in one counter and its answer, if lost, in another.
Test(dp_scarce, no_mbuf_is_counted_where_the_packet_ends)
{
	struct rte_mbuf *all[8192];
	unsigned n = 0;

	bed.config.verbose_errors = true;
	post(COAP_CON, 1, "echo", "recorded");
	bed_turn(&bed);
	cr_expect_eq(received(), 1);
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	while (n < RTE_DIM(all) && (all[n] = rte_pktmbuf_alloc(bed.w->pool)))
		n++;
	bed_send_request(&bed, &request); // a duplicate
	post(COAP_CON, 2, "echo", "answered");
	bed_send(&bed, &bed.flow, (const uint8_t *)"\x40\x00\x12\x34", 4); // a ping
	bed_send(&bed, &bed.flow, (const uint8_t *)"\x40\x01\x12\x34\xb9plaintext", 14);
	bed_turn(&bed);
	cr_expect_eq(received(), 0);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_no_mbuf), 3);
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_no_mbuf), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 2);
	rte_pktmbuf_free_bulk(all, n);
	// bed_free() compares the sums.
}

Test(dp_scarce, more_packets_in_a_turn_than_the_queue_holds_are_sent)
{
	const unsigned n = 3 * RTE_DIM(bed.w->port[0].tx);

	for (unsigned i = 0; i < n; i++)
		cr_assert(dp_send_coap(bed.w, &bed.flow, (const uint8_t *)"\x70\0\0\0", 4));
	bed_turn(&bed);
	cr_expect_eq(received(), n);
	cr_expect_eq(bed_count(&bed, DP_STAT_tx_full), 0);
}
