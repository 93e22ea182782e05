// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/device.h"

#include "dataplane/shared/context.h"
#include "tests/sim/device_inside.h"
#include "tests/sim/pass.h"
#include "tests/sim/sim.h"
#include "tests/sim/taste.h"

#include <string.h>

#define ACK_TIMEOUT_MS 2000
#define RETRANSMITS    4

struct device devices[DEVICES] = {
	{.name = "plain", .kid = 0x10},
	{.name = "twin-a", .context = "aa", .kid = 0x11},
	{.name = "twin-b", .context = "bb", .kid = 0x11},
	{.name = "always", .own_piv = DEVICE_OWN_PIV_ALWAYS, .kid = 0x12},
	{.name = "floor", .recovery = DEVICE_FLOOR, .kid = 0x13},
	{.name = "clock", .own_piv = DEVICE_OWN_PIV_CLOCK, .kid = 0x14},
	{.name = "context", .context = "cc", .kid = 0x15},
	{.name = "derives", .rederives = true, .kid = 0x16},
	{.name = "derives-always",
		.recovery = DEVICE_B2,
		.own_piv = DEVICE_OWN_PIV_ALWAYS,
		.context = "dd",
		.rederives = true,
		.kid = 0x17},
};

const char *device_name(unsigned device)
{
	return devices[device].name;
}

bool device_has_own_piv(unsigned device)
{
	return devices[device].own_piv != DEVICE_OWN_PIV_AUTO;
}

bool device_is_of_the_clock(unsigned device)
{
	return device < DEVICES && devices[device].own_piv == DEVICE_OWN_PIV_CLOCK;
}

bool device_rederives(unsigned device)
{
	return devices[device].rederives;
}

// --- keys -------------------------------------------------------------------------------------

static void keys_make(struct device *d)
{
	unsigned generation = d->offered_count++;
	struct client *client = &d->offered[generation];

	*client = (struct client){.kid_len = 1,
		.kid = {d->kid},
		.gateway_len = 1,
		.gateway = {0xee},
		.device = d - devices,
		.generation = generation};
	client->has_context = d->context != NULL;
	if (d->context) {
		client->context_len = strlen(d->context);
		memcpy(client->context, d->context, client->context_len);
	}
	for (unsigned i = 0; i < sizeof(client->secret); i++)
		client->secret[i] = d->kid + 16 * i + 3 * generation + (d - devices);
	client->secret[0] = generation;
	client_derive(client);
}

static void keys_take(struct device *d, unsigned which)
{
	d->client = oracle_client_add(&d->offered[which]);
	d->generation = which;
	d->next_ssn = 0;
	d->asking = false;
	d->rest_ms = 0;
	d->echo_len = 0;
	d->run = RUN_NONE;
	d->says = CLIENT_SAYS_IT;
	d->own_next = d->own_before = 0;
	d->own_client = d->client;
	d->served = 0;
}

void devices_begin(void)
{
	for (unsigned i = 0; i < DEVICES; i++) {
		struct device *d = &devices[i];

		d->offered_count = 0;
		keys_make(d);
		keys_take(d, 0);
		d->there = true;
		d->observes = false;
		d->queue = i % SIM_WORKERS;
		d->port = DEVICE_PORT + i;
		d->successes = 0;
	}
}

struct device_spec device_spec(unsigned device, bool fresh)
{
	struct device *d = &devices[device];
	struct device_spec spec = {.never_used = fresh, .has_gateway_seq = !fresh};

	if (fresh)
		keys_make(d);
	// An operator knows the first context of a secret, not those that are derived.
	const struct client *client = &d->offered[fresh ? d->offered_count - 1 : d->generation];

	spec.params.alg = AEAD_AES_CCM_16_64_128;
	spec.params.secret_len = sizeof(client->secret);
	memcpy(spec.params.secret, client->secret, sizeof(client->secret));
	spec.params.has_id_context = client->has_context;
	spec.params.id_context_len = client->context_len;
	memcpy(spec.params.id_context, client->context, client->context_len);
	spec.params.sender_id_len = client->gateway_len;
	memcpy(spec.params.sender_id, client->gateway, client->gateway_len);
	spec.params.recipient_id_len = client->kid_len;
	memcpy(spec.params.recipient_id, client->kid, client->kid_len);
	strcpy(spec.name, d->name);
	spec.has_recovery = spec.has_own_piv = true;
	spec.recovery = d->recovery;
	spec.own_piv = d->own_piv;
	spec.has_rederive = true;
	spec.rederive = d->rederives ? DEVICE_REDERIVE_B2 : DEVICE_REDERIVE_NONE;
	spec.has_device_seq = d->recovery == DEVICE_FLOOR && !fresh;
	spec.device_seq = d->next_ssn;
	return spec;
}

void device_served(unsigned device, unsigned client, uint32_t number)
{
	struct device *d = &devices[device];

	// What was asked before may be answered still, under keys that the store has no more.
	if (number > d->changed_behind && client > d->served)
		d->served = client;
}

void device_changes(unsigned device)
{
	devices[device].served = 0;
	devices[device].changed_behind = devices[device].number;
}

void device_provisioned(unsigned device, bool fresh)
{
	struct device *d = &devices[device];

	if (fresh)
		keys_take(d, d->offered_count - 1);
	else if (d->rederives && d->client != oracle_client_add(&d->offered[d->generation]))
		d->run = RUN_WANTED;
	d->there = true;
}

void device_removed(unsigned device)
{
	devices[device].there = false;
	devices[device].asking = false;
}

void device_stored(unsigned device, const uint8_t *recipient_key)
{
	struct device *d = &devices[device];

	d->there = recipient_key != NULL;
	if (!d->there) {
		d->asking = false;
		return;
	}
	const struct client *client = oracle_client_with(device, recipient_key);
	unsigned i = client ? client->generation : 0;

	// An operation whose outcome nobody heard of gave it others.
	while (!client && i < d->offered_count &&
		memcmp(d->offered[i].sender_key, recipient_key, DP_KEY_INLINE))
		i++;
	must(i < d->offered_count, "%s has keys that nobody gave it", d->name);
	must(!client || oracle_client_add(client) >= d->served,
		"%s was served under keys that the store does not have", d->name);
	if (i == d->generation)
		return;
	keys_take(d, i);
	// What was not added by a verb that succeeded has no open window.
	if (d->recovery == DEVICE_FLOOR)
		d->next_ssn = DP_MARK_AHEAD;
}

bool device_is_there(unsigned device)
{
	return devices[device].there;
}

bool device_may_have_keys(unsigned device)
{
	return devices[device].offered_count < DEVICE_KEYS;
}

uint64_t device_next(unsigned device)
{
	return devices[device].next_ssn;
}

// --- requests ---------------------------------------------------------------------------------

static uint8_t *put_option(
	uint8_t *to, unsigned *last, unsigned number, const void *value, size_t len)
{
	unsigned delta = number - *last;

	*to++ = (delta < 13 ? delta : 13) << 4 | (len < 13 ? len : 13);
	if (delta >= 13)
		*to++ = delta - 13;
	if (len >= 13)
		*to++ = len - 13;
	*last = number;
	return mempcpy(to, value, len);
}

static size_t inner_make(
	const struct device *d, const struct ask *ask, uint32_t number, uint8_t *plain)
{
	static const char *const paths[] = {
		"up", "up", "fresh", "echo", "discard", "shared", "own", "shared"};
	char text[16];
	unsigned last = 0;
	uint8_t *to = plain;

	*to++ = ask->kind == ASK_FETCH ? 5 : ask_is_get(ask->kind) ? 1 : 2;
	if (ask->observes || ask->token != number)
		to = put_option(to, &last, 6, "\1", ask->token != number);
	to = put_option(to, &last, 11, paths[ask->kind], strlen(paths[ask->kind]));
	snprintf(text, sizeof(text), "p%08x", number);
	if (ask_has_effect(ask->kind))
		to = put_option(to, &last, 11, text + 1, 8);
	if (ask->kind >= ASK_SHARED)
		to = put_option(to, &last, 11, (char[]){'0' + ask->thing.number}, 1);
	if (d->echo_len)
		to = put_option(to, &last, 252, d->echo, d->echo_len);
	if (!ask_is_get(ask->kind) && ask->kind != ASK_DISCARD) {
		*to++ = 0xff;
		to = mempcpy(to, text, 9);
	}
	if (ask->kind == ASK_FETCH) {
		*to++ = 0xff;
		*to++ = '0' + ask->thing.of;
	}
	return to - plain;
}

static enum client_says device_says(const struct device *d)
{
	if (d->rederives)
		return run_says(d);
	// Twins need it.
	return strcmp(d->name, "context") || sim_rnd(2) ? CLIENT_SAYS_IT : CLIENT_SAYS_NOTHING;
}

static void message_make(struct device *d, struct ask *ask, uint32_t number)
{
	uint8_t plain[CLIENT_ROOM], option[CLIENT_OPTION], *to = ask->message.coap;
	size_t option_len;
	unsigned last = 0;
	size_t len = inner_make(d, ask, number, plain);

	*to++ = 0x40 | (ask->confirmable ? 0 : 0x10) | ORACLE_TOKEN;
	*to++ = ask->observes || ask->token != number ? 5 : 2;
	*to++ = number >> 8;
	*to++ = number;
	for (unsigned i = 0; i < ORACLE_TOKEN; i++)
		*to++ = ask->token >> 8 * (ORACLE_TOKEN - 1 - i);
	uint8_t payload[CLIENT_ROOM + CLIENT_TAG];

	len = client_seal(oracle_client(d->client), ask->piv, device_says(d), plain, len, option,
		&option_len, payload);
	if (ask->observes || ask->token != number)
		to = put_option(to, &last, 6, "\1", ask->token != number);
	to = put_option(to, &last, 9, option, option_len);
	*to++ = 0xff;
	to = mempcpy(to, payload, len);
	ask->message.len = to - ask->message.coap;
}

static void send(const struct device *d)
{
	struct net_message *message = &oracle_ask(d->number)->message;

	message->port = d->port;
	bool usual = sim.no_faults || taste.theme == THEME_MOVE || sim_rnd(8);

	net_send(message, usual ? d->queue : sim_rnd(SIM_WORKERS), true);
}

// What is asked for, of the kinds that are stored.
static struct thing thing_of(const struct device *d, enum ask_kind kind)
{
	struct thing thing = {.number = sim_rnd(THINGS)};

	thing.kind = kind == ASK_OWN ? THING_OWN : kind == ASK_FETCH ? THING_QUERIED : THING_SHARED;
	if (kind == ASK_OWN)
		thing.of = d - devices;
	else if (kind == ASK_FETCH)
		thing.of = sim_rnd(THING_QUERIES);
	return thing;
}

// Makes of a request one that ends the last registration, if there is one under these keys.
static void deregister(struct device *d, struct ask *ask)
{
	struct ask *registered = d->observes ? oracle_ask(d->registered) : NULL;

	if (!registered || registered->client != d->client || d->run != RUN_NONE || !sim_once_in(3))
		return;
	sim_trace("%s ends its registration %u", d->name, d->registered);
	ask->kind = registered->kind;
	ask->thing = registered->thing;
	ask->least = thing_least(&ask->thing);
	ask->observes = false;
	ask->token = d->registered;
	ask->ended_by = registered->ended_by;
	registered->ended_by = d->number;
	d->observes = false;
}

static void begin(struct device *d)
{
	struct ask *ask = oracle_ask_add(&d->number);

	if (!ask)
		return;
	if (d->rederives)
		run_step(d);
	// Numbers of requests that were lost, or of another start of the device.
	if (!sim.no_faults && sim_once_in(16) && d->next_ssn)
		d->next_ssn += sim_rnd(80);
	ask->device = d - devices;
	ask->client = d->client;
	ask->is_first = d->run == RUN_ASKED;
	ask->piv = d->next_ssn++;
	ask->kind = d->echo_len && d->fresh_again ? ASK_FRESH : sim_rnd(ASK_KINDS);
	ask->thing = thing_of(d, ask->kind);
	ask->least = thing_least(&ask->thing);
	// A context with observers stays where it is.
	ask->observes = ask->kind >= ASK_SHARED && ask->kind != ASK_OWN &&
		taste.theme != THEME_MOVE && sim_once_in(3);
	deregister(d, ask);
	ask->echo_sent_ms = d->echo_len ? d->echo_sent_ms : 0;
	ask->echo_age_ms = INT64_MAX;
	ask->confirmable = sim.no_faults || sim_rnd(3);
	message_make(d, ask, d->number);
	d->echo_len = 0;
	d->asking = true;
	d->acked = false;
	d->sent = 1;
	d->timeout_ms = ACK_TIMEOUT_MS + sim_rnd(ACK_TIMEOUT_MS / 2);
	d->again_ms = ask->confirmable ? sim.ms + d->timeout_ms : UINT64_MAX;
	d->give_up_ms = sim.ms + (ask->confirmable ? DEVICE_GIVE_UP : 8000);
	sim_trace("%s asks %u, piv %lu, kind %d%s", d->name, d->number, ask->piv, ask->kind,
		ask->confirmable ? "" : ", non");
	send(d);
}

void device_turn(unsigned device, bool may_begin)
{
	struct device *d = &devices[device];

	if (!d->there)
		return;
	if (d->asking && sim.ms >= d->give_up_ms) {
		sim_trace("%s gives up %u", d->name, d->number);
		d->asking = false;
		run_gave_up(d);
	}
	if (!d->asking) {
		if (may_begin && sim.ms >= d->rest_ms)
			begin(d);
		return;
	}
	if (d->acked || sim.ms < d->again_ms)
		return;
	d->timeout_ms *= 2;
	d->again_ms = d->sent++ <= RETRANSMITS ? sim.ms + d->timeout_ms : UINT64_MAX;
	send(d);
}

uint64_t device_due_ms(unsigned device)
{
	const struct device *d = &devices[device];

	if (!d->there || !d->asking)
		return UINT64_MAX;
	return d->acked || d->again_ms > d->give_up_ms ? d->give_up_ms : d->again_ms;
}

// --- answers ----------------------------------------------------------------------------------

static void acknowledge(const struct device *d, const struct coap_seen *seen)
{
	struct net_message ack = {.port = d->port, .len = 4};

	ack.coap[0] = sim.no_faults || sim_rnd(8) ? 0x60 : 0x70;
	ack.coap[2] = seen->mid >> 8;
	ack.coap[3] = seen->mid;
	if (sim.no_faults || sim_rnd(4))
		net_send(&ack, d->queue, true);
}

// Each context of a device goes on above what it has seen under those before (libcoap keeps its
// window).
static void check_own_piv(struct device *d, unsigned client, uint64_t piv)
{
	if (client != d->own_client) {
		d->own_client = client;
		d->own_before = d->own_next;
	}
	must(piv >= d->own_before, "own Partial IV %lu of %s, which has seen %lu under other keys",
		piv, d->name, d->own_before - 1);
	if (piv >= d->own_next)
		d->own_next = piv + 1;
}

static void take_answer(struct device *d, struct ask *ask, const struct coap_seen *seen)
{
	struct client_opened opened;
	const uint8_t *echo, *r2 = client_r2(seen->oscore, seen->oscore_len);
	size_t len;

	if (r2) {
		d->asking = !run_answered(d, ask, seen, r2);
		return;
	}
	if (!client_open(oracle_client(ask->client), ask->piv, seen->oscore, seen->oscore_len,
		    seen->payload, seen->payload_len, &opened))
		return; // spoiled
	d->asking = false;
	if (opened.has_piv)
		check_own_piv(d, ask->client, opened.piv);
	if (d->run == RUN_ANSWERED)
		run_over(d);
	if (opened.plain[0] == 0x81 && (echo = inner_option(&opened, 252, &len)) != NULL &&
		len <= sizeof(d->echo)) {
		memcpy(d->echo, echo, len);
		d->echo_len = len;
		d->echo_sent_ms = oracle_echo_sent_ms(echo, len);
		d->fresh_again = ask->kind == ASK_FRESH;
		return;
	}
	if (opened.plain[0] == 0xa3)
		d->rest_ms = sim.ms + 1000;
	if (opened.plain[0] >> 5 == 2) {
		must(ask->answered, "an answer that the gateway did not send");
		ask->succeeded = true;
		if (ask->observes && inner_option(&opened, 6, &len)) {
			d->observes = true;
			d->registered = d->number;
		}
		d->successes++;
	}
}

static void take(struct device *d, const struct net_message *message)
{
	struct coap_seen seen;

	if (!coap_look(&seen, message->coap, message->len))
		return;
	if (!seen.code) {
		d->acked |= d->asking && seen.type == 2 && seen.mid == (uint16_t)d->number;
		return;
	}
	if (seen.type == 0)
		acknowledge(d, &seen);
	if (d->asking && seen.oscore && seen.token_len == ORACLE_TOKEN &&
		seen.token == oracle_ask(d->number)->token)
		take_answer(d, oracle_ask(d->number), &seen);
}

unsigned devices_receive(void)
{
	struct net_message message;
	unsigned n = 0;

	for (; net_take(&message); n++) {
		if (pass_takes(&message))
			continue;
		for (unsigned i = 0; i < DEVICES; i++)
			if (devices[i].port == message.port)
				take(&devices[i], &message);
	}
	return n;
}

void device_moves(unsigned device)
{
	devices[device].queue = sim_rnd(SIM_WORKERS);
	if (sim_once_in(4))
		devices[device].port = DEVICE_PORT + device + DEVICES * sim_rnd(3);
}

unsigned device_successes(unsigned device)
{
	return devices[device].successes;
}

void device_begins_anew(unsigned device)
{
	struct device *d = &devices[device];

	d->successes = 0;
	d->asking = false;
	d->echo_len = 0;
	if (d->recovery == DEVICE_FLOOR)
		d->next_ssn += DP_MARK_AHEAD;
	if (d->rederives)
		run_begins_anew(d);
}
