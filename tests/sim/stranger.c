// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/stranger.h"

#include "tests/sim/device_inside.h"
#include "tests/sim/sim.h"

#include <string.h>

#define FLOOD 48 // messages, at most

void stranger_replays(void)
{
	uint32_t all = oracle_asks();
	struct net_message message;

	if (!all)
		return;
	uint32_t back = sim_rnd(2) ? sim_rnd(all < 8 ? all : 8) : sim_rnd(all);

	message = oracle_ask(all - 1 - back)->message;
	if (sim_once_in(4))
		message.port = DEVICE_PORT + 1000 + sim_rnd(4);
	net_send(&message, sim_rnd(SIM_WORKERS), sim_rnd(2));
}

void stranger_sends_junk(void)
{
	struct net_message message = {.port = DEVICE_PORT + sim_rnd(DEVICES), .len = 4};

	if (sim_once_in(2)) { // an ACK, or RST, of something
		message.coap[0] = sim_rnd(2) ? 0x60 : 0x70;
		message.coap[2] = sim_rnd(256);
		message.coap[3] = sim_rnd(256);
	} else {
		message.len = 1 + sim_rnd(40);
		for (unsigned i = 0; i < message.len; i++)
			message.coap[i] = sim_rnd(256);
		message.coap[0] = 0x40 | (message.coap[0] & 0x30) | (message.coap[0] & 0x3);
	}
	net_send(&message, sim_rnd(SIM_WORKERS), false);
}

static const struct device *who_derives(void)
{
	const struct device *d;

	do
		d = &devices[sim_rnd(DEVICES)];
	while (!d->rederives);
	return d;
}

// A request #1 or #2 of a device that derives contexts, in which nothing is right but its kid.
static void forge(struct net_message *message)
{
	const struct device *d = who_derives();
	unsigned context = 1 + sim_rnd(sim_rnd(2) ? 8 : 40);
	uint8_t *to = message->coap;

	*message = (struct net_message){.port = DEVICE_PORT + 1000 + sim_rnd(4)};
	*to++ = 0x40 | (sim_rnd(2) ? 0x10 : 0) | ORACLE_TOKEN;
	*to++ = 2;
	for (unsigned i = 0; i < 2 + ORACLE_TOKEN; i++)
		*to++ = sim_rnd(256);
	unsigned head = context < 24 ? 1 : 2, len = 3 + head + context + 1;

	*to++ = 0x90 | (len < 13 ? len : 13);
	if (len >= 13)
		*to++ = len - 13;
	*to++ = 0x19;
	*to++ = sim_rnd(256);
	*to++ = head + context;
	*to++ = head == 1 ? 0x40 | context : 0x58;
	if (head == 2)
		*to++ = context;
	for (unsigned i = 0; i < context; i++)
		*to++ = sim_rnd(256);
	*to++ = d->kid;
	*to++ = 0xff;
	for (unsigned i = 0; i < 20; i++)
		*to++ = sim_rnd(256);
	message->len = to - message->coap;
}

void stranger_floods(void)
{
	unsigned worker = sim_rnd(SIM_WORKERS), n = 1 + sim_rnd(FLOOD);
	struct net_message message;

	sim_trace("a flood of %u", n);
	for (; n; n--) {
		forge(&message);
		net_send(&message, worker, false);
	}
}
