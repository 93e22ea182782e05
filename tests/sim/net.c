// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/net.h"

#include "dataplane/port/frame.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim.h"
#include "tests/sim/taste.h"

#include <rte_mbuf.h>

#include <string.h>

#define ROOM 256 // datagrams under way; what is more is lost

enum { TO_DEVICES = 255, FREE = 254 };

static struct {
	uint8_t to; // a worker, or TO_DEVICES
	uint64_t at_ms;
	struct net_message message;
} under_way[ROOM];
static unsigned highest; // none is used from here on
static unsigned count;

void net_begin(void)
{
	highest = count = 0;
}

unsigned net_count(void)
{
	return count;
}

static void put(const struct net_message *message, uint8_t to, uint64_t delay_ms)
{
	unsigned i = 0;

	while (i < highest && under_way[i].to != FREE)
		i++;
	if (i == ROOM)
		return;
	if (i == highest)
		highest++;
	under_way[i].to = to;
	under_way[i].at_ms = sim.ms + delay_ms;
	under_way[i].message.port = message->port;
	under_way[i].message.len = message->len;
	memcpy(under_way[i].message.coap, message->coap, message->len);
	count++;
}

static void take_out(unsigned i)
{
	under_way[i].to = FREE;
	count--;
	while (highest && under_way[highest - 1].to == FREE)
		highest--;
}

static uint64_t delay(void)
{
	return sim_rnd(8) ? sim_rnd(20) : sim_rnd(4) ? sim_rnd(3000) : sim_rnd(120000);
}

// Any bit but those of the token, by which the oracle knows an answer: nothing protects them, and
// the gateway gives back what it gets.
static void spoil(struct net_message *to, const struct net_message *message)
{
	uint64_t at = sim_rnd(message->len);

	*to = *message;
	if (at < 4 || at >= 8)
		to->coap[at] ^= 1 << (at ? sim_rnd(8) : 4 + sim_rnd(4));
}

static void carry(const struct net_message *message, uint8_t to, bool faults)
{
	struct net_message spoiled;

	if (!faults || sim.no_faults) {
		put(message, to, faults ? 5 : 0);
		return;
	}
	if (taste.calm) {
		put(message, to, delay());
		return;
	}
	if (sim_once_in(12))
		return;
	for (unsigned copies = sim_once_in(10) ? 2 : 1; copies; copies--) {
		if (sim_once_in(24) && message->len) {
			spoil(&spoiled, message);
			put(&spoiled, to, delay());
		} else {
			put(message, to, delay());
		}
	}
}

void net_send(const struct net_message *message, unsigned queue, bool faults)
{
	carry(message, queue, faults);
}

// One of those that are there, and not always the first.
static int some_of(uint8_t to)
{
	int found = -1;

	for (unsigned i = 0; i < highest; i++) {
		if (under_way[i].to != to || under_way[i].at_ms > sim.ms)
			continue;
		if (found < 0 || under_way[i].at_ms < under_way[found].at_ms || sim_once_in(8))
			found = i;
	}
	return found;
}

bool net_take(struct net_message *message)
{
	int i = some_of(TO_DEVICES);

	if (i < 0)
		return false;
	message->port = under_way[i].message.port;
	message->len = under_way[i].message.len;
	memcpy(message->coap, under_way[i].message.coap, message->len);
	take_out(i);
	return true;
}

bool net_waits(unsigned queue)
{
	return some_of(queue) >= 0;
}

uint64_t net_next_ms(void)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < highest; i++)
		if (under_way[i].to != FREE && under_way[i].at_ms < next)
			next = under_way[i].at_ms;
	return next;
}

// --- the port ---------------------------------------------------------------------------------

uint16_t net_arrive(
	unsigned queue, struct rte_mempool *pool, struct rte_mbuf **frames, uint16_t room)
{
	struct dp_flow flow = {
		.local_addr = {192, 0, 2, 2},
		.remote_addr = {192, 0, 2, 1},
		.local_mac = {2, 0, 0, 0, 0, 2},
		.remote_mac = {2, 0, 0, 0, 0, 1},
		.remote_port = rte_cpu_to_be_16(NET_COAP_PORT),
		.family = 4,
	};
	uint16_t n = 0;
	int i;

	while (n < room && (i = some_of(queue)) >= 0) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

		if (!m)
			break;
		flow.local_port = rte_cpu_to_be_16(under_way[i].message.port);
		memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, dp_frame_overhead(&flow)),
			under_way[i].message.coap, under_way[i].message.len);
		dp_frame_encapsulate(m, &flow, under_way[i].message.len);
		oracle_arrives(&under_way[i].message, queue);
		take_out(i);
		frames[n++] = m;
	}
	return n;
}

void net_leave(struct rte_mbuf *m, uint16_t port_id)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	struct dp_port_addresses device = {
		.count = 1, .mac = {2, 0, 0, 0, 0, 2}, .kernel_mac = {2, 0, 0, 0, 0, 2}};
	struct net_message message;
	struct dp_frame_info info;
	enum dp_stat drop;

	device.address[0].family = 4;
	memcpy(device.address[0].addr, (uint8_t[]){192, 0, 2, 2}, 4);
	memcpy(&device.coap_port, frame + 14 + 20 + 2, 2);
	must(dp_frame_classify(m, &device, &info, &drop) == DP_FRAME_COAP,
		"a frame of the gateway is not sound");
	must(info.coap_len <= NET_MESSAGE_MAX, "a frame of the gateway is too long");
	message.port = rte_be_to_cpu_16(device.coap_port);
	message.len = info.coap_len;
	memcpy(message.coap, frame + info.coap_off, info.coap_len);
	oracle_leaves(&message);
	carry(&message, TO_DEVICES, true);
}
