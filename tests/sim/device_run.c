// SPDX-License-Identifier: BSD-3-Clause
// The client's side of RFC 8613 appendix B.2.

#include "tests/sim/device_inside.h"
#include "tests/sim/sim.h"
#include "tests/sim/taste.h"

#include <string.h>

#define R1 8 // bytes
#define R3 8

static void random_bytes(uint8_t *to, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		to[i] = sim_rnd(256);
}

static void context_take(struct device *d, const struct client *client)
{
	d->client = oracle_client_add(client);
	d->next_ssn = 0;
	d->echo_len = 0;
}

static void begin(struct device *d)
{
	struct client client = d->offered[d->generation];

	client.has_context = true;
	client.context_len = R1;
	random_bytes(client.context, R1);
	client_derive(&client);
	context_take(d, &client);
	d->run = RUN_ASKED;
	sim_trace("%s begins a run", d->name);
}

static void go_on(struct device *d)
{
	struct client client;
	uint8_t r3[R3];

	// One whose R3 is its R1 makes ID3 of ID2.
	if (d->id1_len == R3 && sim_once_in(4))
		memcpy(r3, d->id1, R3);
	else
		random_bytes(r3, R3);
	client_extend(&d->offered[d->generation], d->r2, r3, R3, &client);
	context_take(d, &client);
}

void run_step(struct device *d)
{
	if (d->run == RUN_NONE && !sim.no_faults &&
		sim_once_in(taste.theme == THEME_DERIVE ? 2 : 10))
		d->run = RUN_WANTED;
	if (d->run == RUN_ASKED || (d->run == RUN_ANSWERED && !d->id1_len)) // nothing came of it
		d->run = RUN_WANTED;
	if (d->run == RUN_WANTED)
		begin(d);
	else if (d->run == RUN_ANSWERED) {
		go_on(d);
		d->id1_len = 0;
	}
}

void run_begins_anew(struct device *d)
{
	bool derived = oracle_client(d->client)->context_len > CLIENT_R2;

	// The gateway may have another one by now, and tells only who asks in the way of B.2.
	d->says = derived ? CLIENT_SAYS_BYTES : CLIENT_SAYS_IT;
	if (sim_rnd(2) || !derived)
		d->run = RUN_WANTED;
}

enum client_says run_says(const struct device *d)
{
	return d->run == RUN_NONE ? d->says : CLIENT_SAYS_BYTES;
}

bool run_answered(struct device *d, const struct ask *ask, const struct coap_seen *seen,
	const uint8_t r2[CLIENT_R2])
{
	const struct client *client = oracle_client(ask->client);
	struct client_opened opened;
	struct client id2;

	client_extend(client, r2, client->context, client->context_len, &id2);
	if (!client_open(&id2, ask->piv, seen->oscore, seen->oscore_len, seen->payload,
		    seen->payload_len, &opened) ||
		opened.plain[0] != 0x81)
		return false;
	memcpy(d->r2, r2, CLIENT_R2);
	d->id1_len = client->context_len;
	memcpy(d->id1, client->context, d->id1_len);
	d->run = RUN_ANSWERED;
	return true;
}

void run_over(struct device *d)
{
	sim_trace("%s has derived a context", d->name);
	d->run = RUN_NONE;
	d->says = sim.no_faults ? CLIENT_SAYS_BYTES : (enum client_says)sim_rnd(3);
}

void run_gave_up(struct device *d)
{
	if (d->rederives && (d->run != RUN_NONE || sim_rnd(4)))
		d->run = RUN_WANTED;
}
