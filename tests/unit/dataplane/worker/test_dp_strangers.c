// SPDX-License-Identifier: BSD-3-Clause
// Messages of a session from elsewhere than its device: so many a second are opened.

#include "dataplane/shared/stranger.h"
#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>

#define HOME 40000 // port of the device

static struct bed bed;
static struct bed_device device;
static struct bed_request request;
static struct bed_answer answer;
static uint64_t piv;

static void init(void)
{
	bed_make_workers(&bed, 2, false);
	bed_stop_clock(&bed);
	bed_device_make(&device, 0x0a, AEAD_AES_CCM_16_64_128);
	bed_device_add_with(&bed, &device, true, DP_CONTEXT_OWN_PIV_PLAIN, 0);
	piv = 0;
}

static void fini(void)
{
	bed_free(&bed);
}

TestSuite(dp_strangers, .init = init, .fini = fini);

static struct dp_flow flow_of(uint16_t port)
{
	struct dp_flow flow = bed.flow;

	flow.remote_port = rte_cpu_to_be_16(port);
	return flow;
}

static void send_from(unsigned queue, uint16_t port, bool good)
{
	const struct dp_flow flow = flow_of(port);

	bed.queue = queue;
	bed_seal_path(&device, &request, COAP_CON, piv, piv, COAP_POST, "echo", "x");
	piv++;
	if (!good)
		request.coap[request.len - 1] ^= 1;
	bed_send(&bed, &flow, request.coap, request.len);
	bed_turn(&bed);
}

static void expect_served(unsigned queue, uint16_t port)
{
	send_from(queue, port, true);
	cr_assert(bed_receive(&bed, &answer), "%u of worker %u", port, queue);
	cr_expect(bed_open(&device, &request, &answer));
}

// So many forged messages from as many endpoints, at both workers in turn.
static void forge(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		send_from(i % 2, 50000 + i, false);
}

Test(dp_strangers, so_many_forged_messages_are_opened)
{
	expect_served(0, HOME); // of whom nothing was known: one of so many, too
	bed_later(&bed, 1000);
	forge(3 * DP_STRANGERS_PER_S);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_tag), DP_STRANGERS_PER_S);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_stranger), 2 * DP_STRANGERS_PER_S);
	// The device is not one of them, wherever its packets arrive.
	expect_served(0, HOME);
	expect_served(1, HOME);
	bed_later(&bed, 1000);
	forge(DP_STRANGERS_PER_S + 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_tag), 2 * DP_STRANGERS_PER_S);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_stranger), 2 * DP_STRANGERS_PER_S + 1);
	cr_expect_eq(bed_ends(&bed),
		bed_count(&bed, DP_STAT_rx_packets) + bed_count(&bed, DP_STAT_taken_over));
}

// Its second message from there is no stranger's, whichever worker opened the first one.
Test(dp_strangers, a_device_with_another_address_is_known_at_once)
{
	for (unsigned queue = 0; queue < 2; queue++) {
		expect_served(queue, HOME + 1 + queue);
		forge(DP_STRANGERS_PER_S + 1);
		expect_served(queue, HOME + 1 + queue);
		bed_later(&bed, 1000);
	}
}

// While others take all that there is, a device with another address waits for the next second.
Test(dp_strangers, a_device_with_another_address_is_one_of_them_at_first)
{
	expect_served(0, HOME);
	forge(DP_STRANGERS_PER_S);
	send_from(0, HOME + 1, true);
	cr_expect_not(bed_receive(&bed, &answer));
	bed_later(&bed, 1000);
	expect_served(0, HOME + 1);
}

// Each worker has a clock, and at the border of a second they show different ones.
Test(dp_strangers, workers_count_in_one_second)
{
	struct dp_context *ctx = &dp_contexts(bed.dp)->context[device.context];
	unsigned opened = 0;

	for (unsigned i = 0; i < 10 * DP_STRANGERS_PER_S; i++)
		opened += dp_stranger_may(ctx, 1001 + 2 * i, i % 2 ? 0 : UINT16_MAX);
	cr_expect_eq(opened, DP_STRANGERS_PER_S);
	cr_expect(dp_stranger_may(ctx, 3, 1));
}

// A recording is verified, but makes nobody known.
Test(dp_strangers, a_replay_makes_nobody_known)
{
	const struct dp_flow flow = flow_of(HOME + 1);

	expect_served(0, HOME);
	bed_send(&bed, &flow, request.coap, request.len);
	bed_turn(&bed);
	forge(DP_STRANGERS_PER_S + 1);
	expect_served(0, HOME);
}

// Who agreed on the keys is known before the first request.
Test(dp_strangers, who_made_the_handshake_is_known)
{
	const struct dp_flow flow = flow_of(HOME);

	dp_stranger_known(&dp_contexts(bed.dp)->context[device.context],
		dp_stranger_endpoint(dp_contexts(bed.dp), &flow));
	forge(DP_STRANGERS_PER_S + 1);
	expect_served(1, HOME);
}

Test(dp_strangers, other_contexts_have_none)
{
	struct bed_device stored;

	bed_device_make(&stored, 0x0b, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &stored, true);
	device = stored;
	piv = 0;
	forge(2 * DP_STRANGERS_PER_S);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_tag), 2 * DP_STRANGERS_PER_S);
	expect_served(0, HOME);
}
