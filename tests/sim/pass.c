// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/pass.h"

#include "tests/sim/device_inside.h"
#include "tests/sim/sim.h"
#include "tests/sim/taste.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SENDERS    2
#define ASKS       64 // of a schedule
#define ARRIVALS   16 // of one message
#define SAID       8  // answers of the service to one
#define OPTION     3  // bytes of an OSCORE option
#define PORT       41000
#define PORTS      8      // senders, and others who send what they recorded
#define ECHOES     32     // of an endpoint that are remembered
#define SHOWN_MS   300000 // for which an endpoint that brought an Echo is trusted
#define KEPT_MS    240000 // for which a copy is known, less than EXCHANGE_LIFETIME
#define TIMES_MOST 3      // bytes of an answer to who has not shown itself, of the message's
#define ACK_MS     2000
#define SENT_MOST  4

// An endpoint as the gateway knows it: that one worker has.
struct endpoint {
	struct {
		uint8_t value[40];
		size_t len;
		unsigned life; // sim.lives
	} echo[ECHOES];        // that it was sent last
	unsigned echoes;
	uint64_t shown_ms; // 0: never
	unsigned shown_life;
};

static struct sender {
	const char *name;
	uint8_t kid;
	bool large; // challenged before a large answer only
	// As the schedule goes.
	bool asking, acked;
	uint32_t number;
	unsigned sent, successes;
	uint64_t again_ms, timeout_ms, give_up_ms, rest_ms;
	uint8_t echo[40];
	size_t echo_len;
} senders[SENDERS] = {
	{.name = "passes", .kid = 0x40},
	{.name = "passes-large", .kid = 0x41, .large = true},
};

static struct passed {
	unsigned sender;
	size_t body_at; // in the message
	struct net_message message;
	// Once for each endpoint, message id, worker and life.
	struct {
		uint16_t port, mid;
		unsigned queue, life;
		uint64_t ms;
	} arrival[ARRIVALS];
	unsigned arrivals, effects;
	bool any_shown; // one of whom it came may be asked for
	struct {
		uint8_t option[OPTION], content[PASS_CONTENT];
		size_t len;
	} said[SAID];
	unsigned said_count;
} asks[ASKS];
static unsigned ask_count;
static struct endpoint endpoints[PORTS];

void pass_begin(void)
{
	ask_count = 0;
	memset(endpoints, 0, sizeof(endpoints));
	for (unsigned i = 0; i < SENDERS; i++) {
		struct sender *s = &senders[i];

		s->asking = false;
		s->successes = 0;
		s->rest_ms = 0;
		s->echo_len = 0;
	}
}

static struct endpoint *endpoint_of(uint16_t port)
{
	return port >= PORT && port < PORT + PORTS ? &endpoints[port - PORT] : NULL;
}

// --- senders ----------------------------------------------------------------------------------

static void make(const struct sender *s, struct passed *ask, uint32_t number, bool confirmable)
{
	uint8_t *to = ask->message.coap;
	size_t len = 9 + sim_rnd(sim_rnd(2) ? 20 : 150);

	ask->message.port = PORT + (s - senders);
	*to++ = 0x40 | (confirmable ? 0 : 0x10) | ORACLE_TOKEN;
	*to++ = sim_rnd(2) ? 2 : 5;
	*to++ = number >> 8;
	*to++ = number;
	for (unsigned i = 0; i < ORACLE_TOKEN; i++)
		*to++ = (PASS_TOKEN | number) >> 8 * (ORACLE_TOKEN - 1 - i);
	to = mempcpy(to, (uint8_t[]){0x90 | OPTION, 0x09, number, s->kid}, 1 + OPTION);
	if (s->echo_len) {
		*to++ = 0xd0 | (s->echo_len < 13 ? s->echo_len : 13);
		*to++ = 252 - 9 - 13;
		if (s->echo_len >= 13)
			*to++ = s->echo_len - 13;
		to = mempcpy(to, s->echo, s->echo_len);
	}
	*to++ = 0xff;
	ask->body_at = to - ask->message.coap;
	for (unsigned i = 0; i < len; i++)
		*to++ = number * 7 + i * 3 + s->kid;
	ask->message.len = to - ask->message.coap;
}

static void send(const struct sender *s)
{
	net_send(&asks[s->number].message, (s - senders) % SIM_WORKERS, true);
}

static void begin(struct sender *s)
{
	bool confirmable = sim.no_faults || sim_rnd(3);

	if (ask_count == ASKS)
		return;
	s->number = ask_count++;
	memset(&asks[s->number], 0, sizeof(asks[0]));
	asks[s->number].sender = s - senders;
	make(s, &asks[s->number], s->number, confirmable);
	s->echo_len = 0;
	s->asking = true;
	s->acked = false;
	s->sent = 1;
	s->timeout_ms = ACK_MS + sim_rnd(ACK_MS / 2);
	s->again_ms = confirmable ? sim.ms + s->timeout_ms : UINT64_MAX;
	s->give_up_ms = sim.ms + (confirmable ? DEVICE_GIVE_UP : 8000);
	sim_trace("%s sends %u", s->name, s->number);
	send(s);
}

static void turn(struct sender *s, bool may_begin)
{
	if (s->asking && sim.ms >= s->give_up_ms)
		s->asking = false;
	if (!s->asking) {
		if (may_begin && sim.ms >= s->rest_ms)
			begin(s);
		return;
	}
	if (s->acked || sim.ms < s->again_ms)
		return;
	s->timeout_ms *= 2;
	s->again_ms = s->sent++ <= SENT_MOST ? sim.ms + s->timeout_ms : UINT64_MAX;
	send(s);
}

void pass_turn(bool may_begin)
{
	for (unsigned i = 0; taste.passes && i < SENDERS; i++)
		turn(&senders[i], may_begin && (!sim.no_faults || !senders[i].successes));
}

// Recorded messages come from elsewhere too, where nobody shows itself.
static void replay(void)
{
	struct net_message message = asks[sim_rnd(ask_count)].message;

	if (sim_rnd(2))
		message.port = PORT + SENDERS + sim_rnd(PORTS - SENDERS);
	net_send(&message, message.port % SIM_WORKERS, sim_rnd(2));
}

void pass_event(void)
{
	if (ask_count && sim_once_in(5))
		replay();
	else
		turn(&senders[sim_rnd(SENDERS)], true);
}

uint64_t pass_due_ms(void)
{
	uint64_t due = UINT64_MAX;

	for (unsigned i = 0; taste.passes && i < SENDERS; i++) {
		const struct sender *s = &senders[i];
		uint64_t ms = s->acked || s->again_ms > s->give_up_ms ? s->give_up_ms : s->again_ms;

		if (s->asking && ms < due)
			due = ms;
	}
	return due;
}

void pass_begins_anew(void)
{
	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i].asking = false;
		senders[i].successes = 0;
		senders[i].echo_len = 0;
		senders[i].rest_ms = 0;
	}
}

const char *pass_is_not_served(void)
{
	for (unsigned i = 0; taste.passes && i < SENDERS; i++)
		if (!senders[i].successes)
			return senders[i].name;
	return NULL;
}

static void acknowledge(const struct net_message *message)
{
	struct net_message ack = {.port = message->port, .len = 4};

	ack.coap[0] = sim.no_faults || sim_rnd(8) ? 0x60 : 0x70;
	ack.coap[2] = message->coap[2];
	ack.coap[3] = message->coap[3];
	net_send(&ack, message->port % SIM_WORKERS, true);
}

bool pass_takes(const struct net_message *message)
{
	struct coap_seen seen;

	if (!endpoint_of(message->port))
		return false;
	if (message->port >= PORT + SENDERS || !coap_look(&seen, message->coap, message->len))
		return true;
	struct sender *s = &senders[message->port - PORT];

	if (!seen.code) {
		s->acked |= s->asking && seen.type == 2 && seen.mid == (uint16_t)s->number;
		return true;
	}
	if (seen.type == 0)
		acknowledge(message);
	if (!s->asking || seen.token_len != ORACLE_TOKEN || seen.token != (PASS_TOKEN | s->number))
		return true;
	s->asking = false;
	if (seen.oscore && seen.code == 0x44) {
		s->successes++;
	} else if (seen.code == 0x81 && seen.echo && seen.echo_len <= sizeof(s->echo)) {
		memcpy(s->echo, seen.echo, seen.echo_len);
		s->echo_len = seen.echo_len;
	} else {
		s->rest_ms = sim.ms + 1000;
	}
	return true;
}

// --- what comes to the gateway, and what it sends ---------------------------------------------

static bool is_shown(const struct endpoint *e)
{
	return e->shown_ms && e->shown_life == sim.lives &&
		sim.ms - e->shown_ms <= SHOWN_MS + sim.lag_ms;
}

// An Echo stands outside of OSCORE, where it may be spoiled.
static bool is_echo_of(const struct endpoint *e, const struct coap_seen *seen)
{
	for (unsigned i = 0; i < ECHOES; i++)
		if (e->echo[i].life == sim.lives && e->echo[i].len == seen->echo_len &&
			!memcmp(e->echo[i].value, seen->echo, seen->echo_len))
			return true;
	return false;
}

static void echo_remember(struct endpoint *e, const struct coap_seen *seen)
{
	unsigned i = e->echoes++ % ECHOES;

	must(seen->echo_len <= sizeof(e->echo[i].value), "a long Echo");
	memcpy(e->echo[i].value, seen->echo, seen->echo_len);
	e->echo[i].len = seen->echo_len;
	e->echo[i].life = sim.lives;
}

static struct passed *ask_of(uint32_t token)
{
	uint32_t number = token & ~PASS_TOKEN;

	return number < ask_count ? &asks[number] : NULL;
}

// Whether it is as it was sent, inside of OSCORE.
static bool is_whole(const struct passed *ask, const struct coap_seen *seen)
{
	return seen->oscore && seen->oscore_len == OPTION &&
		!memcmp(seen->oscore, &ask->message.coap[9], OPTION) &&
		seen->payload_len == ask->message.len - ask->body_at &&
		!memcmp(seen->payload, &ask->message.coap[ask->body_at], seen->payload_len);
}

void pass_arrives(const struct net_message *message, unsigned queue, const struct coap_seen *seen)
{
	struct passed *ask = ask_of(seen->token);
	struct endpoint *e = endpoint_of(message->port);

	if (!e || !ask || !seen->oscore)
		return;
	if (seen->echo && is_echo_of(e, seen)) {
		e->shown_ms = sim.ms;
		e->shown_life = sim.lives;
	}
	ask->any_shown |= is_shown(e);
	if (!is_whole(ask, seen))
		return;
	for (unsigned i = 0; i < ask->arrivals; i++)
		if (ask->arrival[i].port == message->port && ask->arrival[i].mid == seen->mid &&
			ask->arrival[i].queue == queue && ask->arrival[i].life == sim.lives &&
			sim.ms - ask->arrival[i].ms < KEPT_MS)
			return;
	must(ask->arrivals < ARRIVALS, "a message came too often");
	ask->arrival[ask->arrivals].port = message->port;
	ask->arrival[ask->arrivals].mid = seen->mid;
	ask->arrival[ask->arrivals].queue = queue;
	ask->arrival[ask->arrivals].life = sim.lives;
	ask->arrival[ask->arrivals++].ms = sim.ms;
}

// What leaves for an endpoint is what the service said to a message that came from it.
static void check_answer(
	const struct passed *ask, const struct net_message *message, const struct coap_seen *seen)
{
	bool came = false, said = false;

	for (unsigned i = 0; i < ask->arrivals; i++)
		came |= ask->arrival[i].port == message->port;
	for (unsigned i = 0; i < ask->said_count; i++)
		said |= seen->oscore_len == OPTION && seen->payload_len == ask->said[i].len &&
			!memcmp(seen->oscore, ask->said[i].option, OPTION) &&
			!memcmp(seen->payload, ask->said[i].content, seen->payload_len);
	must(came && said, "a passed answer that is not bound to request %zu of %s",
		(size_t)(ask - asks), senders[ask->sender].name);
	must(seen->code == 0x44, "a passed answer with code %02x", seen->code);
}

void pass_leaves(const struct net_message *message, const struct coap_seen *seen)
{
	const struct passed *ask = ask_of(seen->token);
	struct endpoint *e = endpoint_of(message->port);

	if (!seen->oscore) {
		must(seen->code == 0x81 || (seen->code >= 0xa2 && seen->code <= 0xa4),
			"an unprotected %02x to a passed message", seen->code);
		must(!seen->payload, "a text to who is not verified");
		if (e && seen->code == 0x81 && seen->echo)
			echo_remember(e, seen);
		return;
	}
	must(e && ask, "a passed answer to nothing: token %08x", seen->token);
	sim_trace("passed answer to %zu of %s", (size_t)(ask - asks), senders[ask->sender].name);
	check_answer(ask, message, seen);
	must(is_shown(e) || message->len <= TIMES_MOST * ask->message.len,
		"%u bytes for %u to who has not shown itself", message->len, ask->message.len);
}

// --- the service ------------------------------------------------------------------------------

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// Three bytes as four characters.
static void base64url(const uint8_t bytes[OPTION], char text[PASS_FIELD])
{
	uint32_t bits = bytes[0] << 16 | bytes[1] << 8 | bytes[2];

	for (unsigned i = 0; i < 4; i++)
		text[i] = digits[bits >> (18 - 6 * i) & 63];
	text[4] = 0;
}

// Nothing says who sent it, but for what is inside.
static void check_headers(const struct http_request *request)
{
	static const char *const names[] = {
		"Content-Type: ", "Accept-Encoding: ", "OSCORE: ", "User-Agent: "};

	must(!strcmp(request->method, "POST") && !request->idempotent && !*request->query,
		"a passed message is asked by %s%s", request->method, request->query);
	for (unsigned i = 0; i < request->header_count; i++) {
		bool is_one = false;

		for (unsigned n = 0; n < sizeof(names) / sizeof(names[0]); n++)
			is_one |= !strncasecmp(request->header[i].line, names[n], strlen(names[n]));
		must(is_one, "a passed message with a header %.*s", (int)request->header[i].len,
			request->header[i].line);
	}
}

static struct passed *ask_with(const struct http_request *request)
{
	char field[PASS_FIELD];
	size_t name = strlen("OSCORE: ");

	for (unsigned a = 0; a < ask_count; a++) {
		base64url(&asks[a].message.coap[9], field);
		if (request->body_len != asks[a].message.len - asks[a].body_at ||
			memcmp(request->body, &asks[a].message.coap[asks[a].body_at],
				request->body_len))
			continue;
		for (unsigned i = 0; i < request->header_count; i++)
			if (request->header[i].len == name + 4 &&
				!memcmp(request->header[i].line, "OSCORE: ", name) &&
				!memcmp(request->header[i].line + name, field, 4))
				return &asks[a];
	}
	return NULL;
}

bool pass_performs(const struct http_request *request, bool right, char field[PASS_FIELD],
	uint8_t content[PASS_CONTENT], size_t *len)
{
	struct passed *ask = ask_with(request);

	check_headers(request);
	if (!ask) {
		must(!taste.calm, "the service got what nobody sent");
		return false; // spoiled on its way
	}
	ask->effects++;
	sim_trace("passed effect %u of %zu", ask->effects, (size_t)(ask - asks));
	must(ask->effects <= ask->arrivals, "message %zu of %s came %u times and is performed %u",
		(size_t)(ask - asks), senders[ask->sender].name, ask->arrivals, ask->effects);
	must(ask->any_shown || senders[ask->sender].large,
		"message %zu is passed of who has not shown itself", (size_t)(ask - asks));
	must(ask->said_count < SAID, "too many answers");
	*len = 9 + sim_rnd(sim_rnd(2) ? 40 : PASS_CONTENT - 9);
	for (unsigned i = 0; i < *len; i++)
		content[i] = (ask - asks) * 11 + ask->effects * 5 + i;
	uint8_t *option = ask->said[ask->said_count].option;

	option[0] = 0x02; // a Partial IV of two bytes
	option[1] = ask - asks;
	option[2] = ask->effects;
	base64url(option, field);
	memcpy(ask->said[ask->said_count].content, content, *len);
	ask->said[ask->said_count].len = *len;
	ask->said_count += right;
	return true;
}
