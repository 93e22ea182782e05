// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/oracle.h"

#include "tests/sim/device.h"
#include "tests/sim/pass.h"
#include "tests/sim/sim.h"

#include <sodium.h>
#include <string.h>

#define NONCES   16384 // of a schedule; a power of two
#define ECHOES   512   // that are remembered
#define FRESH_MS 10000 // that a route asks for: settings.c

static struct ask asks[ORACLE_ASKS];
static uint32_t ask_count;
static struct client clients[ORACLE_CLIENTS];
static unsigned client_count;

static struct sealed {
	uint64_t schedule; // that it is of
	unsigned client;
	uint8_t nonce[CLIENT_NONCE];
	uint8_t hash[16];
} sealed[NONCES];
static uint64_t schedule;
static unsigned sealed_count;
static struct {
	uint8_t len, bytes[40];
	uint64_t sent_ms;
} echoes[ECHOES];
static unsigned echo_count;

void oracle_begin(void)
{
	ask_count = client_count = sealed_count = echo_count = 0;
	things_begin();
	schedule++;
}

unsigned oracle_client_add(const struct client *client)
{
	for (unsigned i = 0; i < client_count; i++)
		if (!memcmp(clients[i].sender_key, client->sender_key, sizeof(client->sender_key)))
			return i;
	must(client_count < ORACLE_CLIENTS, "too many keys");
	clients[client_count] = *client;
	return client_count++;
}

const struct client *oracle_client(unsigned client)
{
	return &clients[client];
}

const struct client *oracle_client_with(unsigned device, const uint8_t *sender_key)
{
	for (unsigned i = 0; i < client_count; i++)
		if (clients[i].device == device &&
			!memcmp(clients[i].sender_key, sender_key, sizeof(clients[i].sender_key)))
			return &clients[i];
	return NULL;
}

void oracle_forgets(unsigned device, uint32_t number)
{
	for (uint32_t i = 0; i < number; i++)
		asks[i].is_gone |= asks[i].device == device;
}

struct ask *oracle_ask_add(uint32_t *number)
{
	if (ask_count == ORACLE_ASKS)
		return NULL;
	*number = ask_count++;
	memset(&asks[*number], 0, offsetof(struct ask, message));
	asks[*number].token = *number;
	return &asks[*number];
}

struct ask *oracle_ask(uint32_t number)
{
	return number < ask_count ? &asks[number] : NULL;
}

uint32_t oracle_asks(void)
{
	return ask_count;
}

// --- messages ---------------------------------------------------------------------------------

// Reads an option; returns what is behind it, or NULL at the payload or the end.
static const uint8_t *option_read(
	const uint8_t *at, const uint8_t *end, unsigned *number, const uint8_t **value, size_t *len)
{
	if (at >= end || *at == 0xff)
		return NULL;
	unsigned part[2] = {*at >> 4, *at & 15};

	at++;
	for (unsigned i = 0; i < 2; i++) {
		if (part[i] == 13)
			part[i] = 13 + *at++;
		else if (part[i] == 14) {
			part[i] = 269 + (at[0] << 8 | at[1]);
			at += 2;
		}
	}
	*number += part[0];
	*value = at;
	*len = part[1];
	return at + part[1] <= end ? at + part[1] : NULL;
}

bool coap_look(struct coap_seen *seen, const uint8_t *coap, size_t len)
{
	const uint8_t *end = coap + len, *at, *value;
	unsigned number = 0;
	size_t value_len;

	memset(seen, 0, sizeof(*seen));
	if (len < 4 || coap[0] >> 6 != 1 || (coap[0] & 15) > 8 || len < 4u + (coap[0] & 15))
		return false;
	seen->type = coap[0] >> 4 & 3;
	seen->token_len = coap[0] & 15;
	seen->code = coap[1];
	seen->mid = coap[2] << 8 | coap[3];
	for (unsigned i = 0; seen->token_len == ORACLE_TOKEN && i < ORACLE_TOKEN; i++)
		seen->token = seen->token << 8 | coap[4 + i];
	at = coap + 4 + seen->token_len;
	for (const uint8_t *next;
		(next = option_read(at, end, &number, &value, &value_len)) != NULL; at = next)
		if (number == 9) {
			seen->oscore = value;
			seen->oscore_len = value_len;
		} else if (number == 252) {
			seen->echo = value;
			seen->echo_len = value_len;
		}
	if (at < end && *at == 0xff) {
		seen->payload = at + 1;
		seen->payload_len = end - at - 1;
	}
	return true;
}

const uint8_t *inner_option(const struct client_opened *opened, unsigned wanted, size_t *len)
{
	const uint8_t *at = opened->plain + 1, *end = opened->plain + opened->len, *value;
	unsigned number = 0;

	for (const uint8_t *next; (next = option_read(at, end, &number, &value, len)) != NULL;
		at = next)
		if (number == wanted)
			return value;
	return NULL;
}

const uint8_t *inner_payload(const struct client_opened *opened, size_t *len)
{
	const uint8_t *at = opened->plain + 1, *end = opened->plain + opened->len, *value;
	unsigned number = 0;

	for (const uint8_t *next; (next = option_read(at, end, &number, &value, len)) != NULL;)
		at = next;
	if (at >= end || *at != 0xff)
		return NULL;
	*len = end - at - 1;
	return at + 1;
}

// --- rules ------------------------------------------------------------------------------------

// Returns whether it seals nothing yet.
static bool check_nonce(const struct ask *ask, unsigned client, const struct client_opened *opened,
	const uint8_t hash[16])
{
	uint32_t at;

	memcpy(&at, opened->nonce + CLIENT_NONCE - 4, 4);
	at = (at ^ opened->nonce[3] << 8 ^ client) * UINT32_C(0x9e3779b1) >> 8;
	for (;; at++) {
		struct sealed *s = &sealed[at % NONCES];

		if (s->schedule != schedule) {
			must(++sealed_count < NONCES / 2, "too many nonces");
			s->schedule = schedule;
			s->client = client;
			memcpy(s->nonce, opened->nonce, CLIENT_NONCE);
			memcpy(s->hash, hash, 16);
			return true;
		}
		if (s->client != client || memcmp(s->nonce, opened->nonce, CLIENT_NONCE))
			continue;
		must(!memcmp(s->hash, hash, 16), "a nonce of %s has sealed two messages (%s %lu)",
			device_name(ask->device), opened->has_piv ? "own" : "of request",
			opened->has_piv ? opened->piv : ask->piv);
		return false;
	}
}

// The payload of a success is made of the request's number.
static void check_content(uint32_t number, struct ask *ask, const struct client_opened *opened)
{
	char expected[16];
	size_t len = 0;
	const uint8_t *payload = inner_payload(opened, &len);

	snprintf(expected, sizeof(expected), "%c%08x", ask->kind == ASK_ECHO ? 'p' : 'r', number);
	if (opened->plain[0] >> 5 != 2 || ask->kind == ASK_DISCARD)
		return;
	must(payload && len == ORACLE_CONTENT &&
			(ask->kind >= ASK_SHARED ? thing_is(&ask->thing, payload, ask->least)
						 : !memcmp(payload, expected, len)),
		"the answer to request %u of %s is another's", number, device_name(ask->device));
	must(ask->kind < ASK_SHARED || thing_reaches(payload, ask->device),
		"what request %u of %s gets is private, and was another's", number,
		device_name(ask->device));
	if (ask->kind == ASK_POST || ask->kind == ASK_FRESH)
		must(ask->effects, "a success without effect");
}

// The keys of an answer: those of its request, or of ID2 if it is a response #1.
static unsigned keys_of(const struct ask *ask, const uint8_t *r2)
{
	const struct client *client = &clients[ask->client];
	struct client id2;

	if (!r2)
		return ask->client;
	must(device_rederives(ask->device), "a response #1 to %s", device_name(ask->device));
	client_extend(client, r2, client->context, client->context_len, &id2);
	return oracle_client_add(&id2);
}

static void echo_remember(const uint8_t *echo, size_t len)
{
	if (!echo || len > sizeof(echoes[0].bytes) || oracle_echo_sent_ms(echo, len))
		return;
	unsigned at = echo_count++ % ECHOES;

	echoes[at].len = len;
	memcpy(echoes[at].bytes, echo, len);
	echoes[at].sent_ms = sim.ms;
}

uint64_t oracle_echo_sent_ms(const uint8_t *echo, size_t len)
{
	for (unsigned i = 0; i < echo_count && i < ECHOES; i++)
		if (echoes[i].len == len && !memcmp(echoes[i].bytes, echo, len))
			return echoes[i].sent_ms;
	return 0;
}

void oracle_arrives(const struct net_message *message, unsigned queue)
{
	struct coap_seen seen;
	struct ask *ask;

	if (!coap_look(&seen, message->coap, message->len) || seen.token_len != ORACLE_TOKEN)
		return;
	if (seen.token & PASS_TOKEN) {
		pass_arrives(message, queue, &seen);
		return;
	}
	ask = oracle_ask(seen.token);
	if (!ask || ask->kind != ASK_FRESH || !ask->echo_sent_ms)
		return;
	int64_t age_ms = (int64_t)(sim.ms - ask->echo_sent_ms) - (int64_t)sim.lag_ms;

	if (age_ms < ask->echo_age_ms)
		ask->echo_age_ms = age_ms;
}

// A notification, under a Partial IV of its own. An error is the last one, and says no Observe.
static bool is_notification(
	struct ask *ask, const struct client_opened *opened, uint16_t port, bool is_new)
{
	size_t len;
	bool observe = inner_option(opened, 6, &len) != NULL;

	must(!observe || (ask->observes && opened->has_piv && opened->plain[0] >> 5 == 2),
		"a notification that is none");
	must(!observe || !ask->ended || !is_new, "a notification of what was ended");
	if (observe && !ask->notified)
		ask->notified_port = port;
	ask->notified |= observe;
	return ask->notified && opened->has_piv;
}

// The one answer that a request has, but for challenges and notifications.
static void check_only(uint32_t number, struct ask *ask, const struct client_opened *opened,
	const uint8_t hash[16])
{
	must(!ask->answered || ask->notified || !memcmp(ask->answer, hash, 16),
		"two answers to request %u of %s", number, device_name(ask->device));
	must(ask->notified || device_has_own_piv(ask->device) == opened->has_piv, "own Partial IV");
	memcpy(ask->answer, hash, 16);
}

// The request that an answer with the token of this one is bound to: it, or one that ends its
// registration.
static struct ask *ask_bound(uint32_t number, const struct coap_seen *seen, unsigned *client,
	struct client_opened *opened)
{
	const uint8_t *r2 = client_r2(seen->oscore, seen->oscore_len);
	struct ask *ask = oracle_ask(number);
	uint32_t by = ask ? ask->ended_by : 0;

	while (ask) {
		*client = keys_of(ask, r2);
		if (client_open(&clients[*client], ask->piv, seen->oscore, seen->oscore_len,
			    seen->payload, seen->payload_len, opened))
			return ask;
		ask = by ? oracle_ask(by) : NULL;
		by = ask ? ask->ended_by : 0;
	}
	return NULL;
}

static void check_answer(uint16_t port, uint32_t number, const struct coap_seen *seen)
{
	struct ask *ask = oracle_ask(number);
	const uint8_t *r2 = client_r2(seen->oscore, seen->oscore_len);
	struct client_opened opened;
	uint8_t hash[16];
	size_t len;

	unsigned client;

	must(ask, "an answer to nothing: token %08x", number);
	ask = ask_bound(number, seen, &client, &opened);
	must(ask, "an answer that is not bound to request %u of %s", number,
		device_name(asks[number].device));
	number = ask - asks;
	crypto_generichash(hash, sizeof(hash), seen->payload, seen->payload_len, NULL, 0);
	bool is_new = check_nonce(ask, client, &opened, hash);

	sim_trace("%s %d.%02d to %u of %s%s", r2 ? "response #1" : "answer", opened.plain[0] >> 5,
		opened.plain[0] & 31, number, device_name(ask->device),
		opened.has_piv ? ", own piv" : "");
	const uint8_t *echo = inner_option(&opened, 252, &len);
	bool challenge = opened.plain[0] == 0x81 && echo;

	if (challenge)
		echo_remember(echo, len);
	// What is asked of a request that was accepted is its one answer.
	if (r2 || (challenge && (opened.has_piv || ask->kind != ASK_FRESH))) {
		must(opened.has_piv, "a challenge under the request's nonce");
		must(!r2 || (opened.plain[0] == 0x81 && opened.len == 1 && !opened.piv),
			"a response #1 with more than it has");
		ask->challenged = true;
		return;
	}
	must(!challenge || !ask->effects, "request %u of %s had an effect, and is to be fresh",
		number, device_name(ask->device));
	must(!ask->is_first, "request #1 %u of %s is served", number, device_name(ask->device));
	must(!ask->is_gone, "request %u of %s, which was removed, is answered", number,
		device_name(ask->device));
	if (!is_notification(ask, &opened, port, is_new))
		check_only(number, ask, &opened, hash);
	if (!ask->answered)
		device_served(ask->device, ask->client, number);
	ask->answered = true;
	check_content(number, ask, &opened);
	if (ask->token != number && opened.plain[0] >> 5 == 2 &&
		asks[ask->token].notified_port == port)
		asks[ask->token].ended = true;
}

void oracle_leaves(const struct net_message *message)
{
	struct coap_seen seen;

	must(coap_look(&seen, message->coap, message->len), "a message that is none");
	if (!seen.code)
		return;
	if (seen.token_len == ORACLE_TOKEN && seen.token & PASS_TOKEN) {
		pass_leaves(message, &seen);
		return;
	}
	if (!seen.oscore) {
		must(seen.code >> 5 == 4 || seen.code == 0xa3, "an unprotected answer");
		return;
	}
	must(seen.token_len == ORACLE_TOKEN, "a token of nobody");
	check_answer(message->port, seen.token, &seen);
}

void oracle_effect(uint32_t number, bool is_post, const char *name)
{
	struct ask *ask = oracle_ask(number);

	must(ask, "a request of nobody: %08x", number);
	must(ask_is_get(ask->kind) != is_post && ask_has_effect(ask->kind), "another method");
	must(ask->kind != ASK_FRESH || ask->echo_age_ms <= FRESH_MS,
		"request %u of %s is performed with an Echo of %ld ms", number, name,
		ask->echo_age_ms);
	must(!strcmp(name, device_name(ask->device)), "request %u is of %s, not of %s", number,
		device_name(ask->device), name);
	must(!ask->is_first, "request #1 %u of %s has an effect", number, name);
	ask->effects++;
	sim_trace("effect %u of request %u of %s", ask->effects, number, name);
	must(ask->effects <= 1 + ask->excused, "request %u of %s has %u effects", number, name,
		ask->effects);
}

bool oracle_reads(
	struct thing *thing, const char *name, const char *known, char content[ORACLE_CONTENT + 1])
{
	bool own = thing->kind == THING_OWN;
	unsigned device = 0;

	must(own || !*name, "what is for all is asked for by %s", name);
	while (own && device < DEVICES && strcmp(name, device_name(device)))
		device++;
	must(device < DEVICES, "what is a device's own is asked for by %s", name);
	if (own)
		thing->of = device;
	return thing_read(thing, known, content);
}
