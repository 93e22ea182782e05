// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/device.h"

#include "dataplane/shared/context.h"
#include "tests/sim/sim.h"

#include <string.h>

#define ACK_TIMEOUT_MS 2000
#define RETRANSMITS    4
#define PORT           40000
#define KEYS           8 // that a device is ever offered, at most; then it keeps what it has

static struct device {
	const char *name;
	enum device_recovery recovery;
	enum device_own_piv own_piv;
	const char *context; // ID Context
	uint8_t kid;
	// As the schedule goes.
	bool there;                  // an operator told it that it is taken
	unsigned client;             // keys in use
	struct client offered[KEYS]; // by device_spec(): any of them may be stored
	unsigned offered_count;
	uint64_t next_ssn;
	unsigned queue;
	uint16_t port;
	unsigned successes;
	// The request under way.
	bool asking, acked;
	uint32_t number;
	unsigned sent;
	uint64_t again_ms, timeout_ms, give_up_ms;
	uint8_t echo[40];
	size_t echo_len;
} devices[DEVICES] = {
	{.name = "plain",
		.recovery = DEVICE_ECHO,
		.own_piv = DEVICE_OWN_PIV_AUTO,
		.context = NULL,
		.kid = 0x10},
	{.name = "twin-a",
		.recovery = DEVICE_ECHO,
		.own_piv = DEVICE_OWN_PIV_AUTO,
		.context = "aa",
		.kid = 0x11},
	{.name = "twin-b",
		.recovery = DEVICE_ECHO,
		.own_piv = DEVICE_OWN_PIV_AUTO,
		.context = "bb",
		.kid = 0x11},
	{.name = "always",
		.recovery = DEVICE_ECHO,
		.own_piv = DEVICE_OWN_PIV_ALWAYS,
		.context = NULL,
		.kid = 0x12},
	{.name = "floor",
		.recovery = DEVICE_FLOOR,
		.own_piv = DEVICE_OWN_PIV_AUTO,
		.context = NULL,
		.kid = 0x13},
	{.name = "clock",
		.recovery = DEVICE_ECHO,
		.own_piv = DEVICE_OWN_PIV_CLOCK,
		.context = NULL,
		.kid = 0x14},
	{.name = "context",
		.recovery = DEVICE_ECHO,
		.own_piv = DEVICE_OWN_PIV_AUTO,
		.context = "cc",
		.kid = 0x15},
};

const char *device_name(unsigned device)
{
	return devices[device].name;
}

bool device_has_own_piv(unsigned device)
{
	return devices[device].own_piv != DEVICE_OWN_PIV_AUTO;
}

// --- keys -------------------------------------------------------------------------------------

static void keys_make(struct device *d)
{
	unsigned generation = d->offered_count++;
	struct client *client = &d->offered[generation];

	*client =
		(struct client){.kid_len = 1, .kid = {d->kid}, .gateway_len = 1, .gateway = {0xee}};
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
	d->next_ssn = 0;
	d->asking = false;
	d->echo_len = 0;
}

void devices_begin(void)
{
	for (unsigned i = 0; i < DEVICES; i++) {
		struct device *d = &devices[i];

		d->offered_count = 0;
		keys_make(d);
		keys_take(d, 0);
		d->there = true;
		d->queue = i % SIM_WORKERS;
		d->port = PORT + i;
		d->successes = 0;
	}
}

struct device_spec device_spec(unsigned device, bool fresh)
{
	struct device *d = &devices[device];
	struct device_spec spec = {.never_used = fresh, .has_gateway_seq = !fresh};

	if (fresh)
		keys_make(d);
	const struct client *client =
		fresh ? &d->offered[d->offered_count - 1] : oracle_client(d->client);

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
	spec.has_device_seq = d->recovery == DEVICE_FLOOR && !fresh;
	spec.device_seq = d->next_ssn;
	return spec;
}

void device_provisioned(unsigned device, bool fresh)
{
	if (fresh)
		keys_take(&devices[device], devices[device].offered_count - 1);
	devices[device].there = true;
}

void device_removed(unsigned device)
{
	devices[device].there = false;
	devices[device].asking = false;
}

static bool has_key(const struct client *client, const uint8_t recipient_key[DP_KEY_INLINE])
{
	return !memcmp(client->sender_key, recipient_key, DP_KEY_INLINE);
}

void device_stored(unsigned device, const uint8_t *recipient_key)
{
	struct device *d = &devices[device];

	d->there = recipient_key != NULL;
	if (!d->there) {
		d->asking = false;
		return;
	}
	if (has_key(oracle_client(d->client), recipient_key))
		return;
	// An operation whose outcome nobody heard of gave it others.
	unsigned i = 0;

	while (i < d->offered_count && !has_key(&d->offered[i], recipient_key))
		i++;
	must(i < d->offered_count, "%s has keys that nobody gave it", d->name);
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
	return devices[device].offered_count < KEYS;
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
	static const char *const paths[] = {"up", "up", "echo", "discard"};
	char text[16];
	unsigned last = 0;
	uint8_t *to = plain;

	*to++ = ask->kind == ASK_GET ? 1 : 2;
	to = put_option(to, &last, 11, paths[ask->kind], strlen(paths[ask->kind]));
	snprintf(text, sizeof(text), "p%08x", number);
	if (ask->kind <= ASK_GET)
		to = put_option(to, &last, 11, text + 1, 8);
	if (d->echo_len)
		to = put_option(to, &last, 252, d->echo, d->echo_len);
	if (ask->kind != ASK_GET && ask->kind != ASK_DISCARD) {
		*to++ = 0xff;
		to = mempcpy(to, text, 9);
	}
	return to - plain;
}

static void message_make(struct device *d, struct ask *ask, uint32_t number)
{
	uint8_t plain[CLIENT_ROOM], option[32], *to = ask->message.coap;
	size_t option_len;
	unsigned last = 0;
	size_t len = inner_make(d, ask, number, plain);

	*to++ = 0x40 | (ask->confirmable ? 0 : 0x10) | ORACLE_TOKEN;
	*to++ = 2;
	*to++ = number >> 8;
	*to++ = number;
	for (unsigned i = 0; i < ORACLE_TOKEN; i++)
		*to++ = number >> 8 * (ORACLE_TOKEN - 1 - i);
	uint8_t payload[CLIENT_ROOM + CLIENT_TAG];
	bool alone = !strncmp(d->name, "context", 7);

	len = client_seal(oracle_client(d->client), ask->piv, !alone || sim_rnd(2), plain, len,
		option, &option_len, payload);
	to = put_option(to, &last, 9, option, option_len);
	*to++ = 0xff;
	to = mempcpy(to, payload, len);
	ask->message.len = to - ask->message.coap;
}

static void send(const struct device *d)
{
	struct net_message *message = &oracle_ask(d->number)->message;

	message->port = d->port;
	net_send(message, sim.no_faults || sim_rnd(8) ? d->queue : sim_rnd(SIM_WORKERS), true);
}

static void begin(struct device *d)
{
	struct ask *ask = oracle_ask_add(&d->number);

	if (!ask)
		return;
	// Numbers of requests that were lost, or of another start of the device.
	if (!sim.no_faults && sim_once_in(16))
		d->next_ssn += sim_rnd(80);
	ask->device = d - devices;
	ask->client = d->client;
	ask->piv = d->next_ssn++;
	ask->kind = sim_rnd(ASK_KINDS);
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
	}
	if (!d->asking) {
		if (may_begin)
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

static void take_answer(struct device *d, struct ask *ask, const struct coap_seen *seen)
{
	struct client_opened opened;
	const uint8_t *echo;
	size_t len;

	if (!client_open(oracle_client(ask->client), ask->piv, seen->oscore, seen->oscore_len,
		    seen->payload, seen->payload_len, &opened))
		return; // spoiled
	d->asking = false;
	if (opened.plain[0] == 0x81 && (echo = inner_option(&opened, 252, &len)) != NULL &&
		len <= sizeof(d->echo)) {
		memcpy(d->echo, echo, len);
		d->echo_len = len;
		return;
	}
	if (opened.plain[0] >> 5 == 2) {
		must(ask->answered, "an answer that the gateway did not send");
		ask->succeeded = true;
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
	if (d->asking && seen.oscore && seen.token_len == ORACLE_TOKEN && seen.token == d->number)
		take_answer(d, oracle_ask(d->number), &seen);
}

unsigned devices_receive(void)
{
	struct net_message message;
	unsigned n = 0;

	for (; net_take(&message); n++)
		for (unsigned i = 0; i < DEVICES; i++)
			if (devices[i].port == message.port)
				take(&devices[i], &message);
	return n;
}

void device_moves(unsigned device)
{
	devices[device].queue = sim_rnd(SIM_WORKERS);
	if (sim_once_in(4))
		devices[device].port = PORT + device + DEVICES * sim_rnd(3);
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
}

// --- strangers --------------------------------------------------------------------------------

void stranger_replays(void)
{
	uint32_t all = oracle_asks();
	struct net_message message;

	if (!all)
		return;
	uint32_t back = sim_rnd(2) ? sim_rnd(all < 8 ? all : 8) : sim_rnd(all);

	message = oracle_ask(all - 1 - back)->message;
	if (sim_once_in(4))
		message.port = PORT + 1000 + sim_rnd(4);
	net_send(&message, sim_rnd(SIM_WORKERS), sim_rnd(2));
}

void stranger_sends_junk(void)
{
	struct net_message message = {.port = PORT + sim_rnd(DEVICES), .len = 4};

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
