// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/observe.h"

#include "base/clock.h"
#include "gw/tools/coap/link.h"
#include "gw/tools/coap/order.h"
#include "gw/tools/coap/perform.h"
#include "gw/tools/coap/show.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define MAX_AGE_S     60   // RFC 7252 section 5.10.5
#define LATE_MS       5000 // what comes so long after Max-Age was only late
#define DATAGRAM_ROOM 65536

struct observing {
	struct client *c;
	struct order order;
	struct show_notification shown;
	uint64_t start_ms;
	uint64_t due_ms; // when to register again, unless a notification comes before
	bool ended;      // by what came
};

static volatile sig_atomic_t stopped;

static void on_stop(int number)
{
	stopped = number;
}

static uint32_t max_age(const struct client *c)
{
	struct coap_option option;
	uint32_t seconds;

	if (!coap_option_find(&c->answer.body, COAP_OPT_MAX_AGE, &option) ||
		!coap_option_uint(&option, &seconds))
		return MAX_AGE_S;
	return seconds;
}

// Whether what perform_note() read is newer than all before.
static bool is_newer(struct observing *o)
{
	const struct registration *r = &o->c->registration;

	return o->c->args.plain ? order_by_observe(&o->order, r->number, clock_ms())
				: order_by_piv(&o->order, r->has_piv, r->own_piv);
}

// Prints what came, of which all blocks are there.
static int show(struct observing *o)
{
	struct client *c = o->c;
	struct show_notification *shown = &o->shown;
	uint64_t now_ms = clock_ms();
	const struct result result = {
		.has_answer = true,
		.protected = !c->args.plain,
		.answer = &c->answer,
		.payload = c->payload,
		.payload_len = c->payload_len,
		.transfer = &c->transfer,
	};

	shown->number++;
	shown->age_s = (double)(now_ms - o->start_ms) / 1e3;
	shown->max_age_s = max_age(c);
	shown->has_observe = c->registration.has_number;
	shown->observe = c->registration.number;
	shown->has_piv = c->registration.has_piv;
	shown->piv = c->registration.own_piv;
	o->due_ms = now_ms + UINT64_C(1000) * shown->max_age_s + LATE_MS;
	if (show_notification(stdout, shown, &result, c->args.json, c->args.include))
		return error_set(&c->failure, -EIO, "cannot write the notification");
	return 0;
}

// A verified notification was read: fetches what is missing of it, and prints it.
static enum exchange_result take(struct observing *o)
{
	struct client *c = o->c;
	struct coap_option observe;

	perform_note(c);
	// Whatever ends a registration is the last thing that is said under it.
	if (!is_newer(o)) {
		o->shown.stale++;
		if (c->args.verbose)
			fprintf(stderr, "* it is older than what was there before\n");
		return EXCHANGE_ANSWERED;
	}
	o->ended = !coap_option_find(&c->answer.body, COAP_OPT_OBSERVE, &observe) ||
		COAP_CODE_CLASS(c->answer.code) != 2;
	c->registration.stands = !o->ended;
	enum exchange_result result = perform_rest(c);

	if (result == EXCHANGE_ANSWERED && c->verdict == ANSWER_OK && show(o))
		result = EXCHANGE_FAILED;
	return result;
}

// Handles a datagram that came without a request.
static enum exchange_result receive(struct observing *o, const uint8_t *data, size_t len)
{
	struct client *c = o->c;
	struct registration *r = &c->registration;
	struct exchange x = {0};
	struct coap_msg msg;

	if (coap_msg_parse(&msg, data, len) != COAP_OK ||
		(msg.type != COAP_CON && msg.type != COAP_NON))
		return EXCHANGE_ANSWERED;
	if (c->args.verbose)
		show_message(stderr, '<', &msg, len);
	if (msg.token_len != r->token_len || memcmp(msg.token, r->token, r->token_len)) {
		if (msg.type == COAP_CON)
			exchange_send_empty(&c->peer, &x, COAP_RST, msg.mid);
		return EXCHANGE_ANSWERED;
	}
	c->protection.piv = r->piv;
	if (!link_open(c, &msg, data, len) || c->verdict != ANSWER_OK) {
		c->verdict = ANSWER_OK; // of what stands
		return EXCHANGE_ANSWERED;
	}
	if (msg.type == COAP_CON)
		exchange_send_empty(&c->peer, &x, COAP_ACK, msg.mid);
	return take(o);
}

// Waits for the next datagram, and handles it.
static enum exchange_result wait(struct observing *o)
{
	static uint8_t data[DATAGRAM_ROOM];
	struct client *c = o->c;
	struct pollfd readable = {.fd = c->peer.fd, .events = POLLIN};
	uint64_t now_ms = clock_ms();
	uint64_t left = o->due_ms > now_ms ? o->due_ms - now_ms : 0;

	if (poll(&readable, 1, left < 1000 ? (int)left : 1000) < 0 && errno != EINTR) {
		error_set(&c->failure, 0, "poll: %s", strerror(errno));
		return EXCHANGE_FAILED;
	}
	ssize_t len = recv(c->peer.fd, data, sizeof(data), 0);

	if (len < 0 && errno != EAGAIN && errno != EINTR && !peer_unreachable(errno)) {
		error_set(&c->failure, 0, "%s: %s", c->peer.remote, strerror(errno));
		return EXCHANGE_FAILED;
	}
	return len < 0 ? EXCHANGE_ANSWERED : receive(o, data, (size_t)len);
}

// The first answer of a registration.
static enum exchange_result begin(struct observing *o)
{
	o->order = (struct order){0};
	is_newer(o);
	o->shown.registrations++;
	return show(o) ? EXCHANGE_FAILED : EXCHANGE_ANSWERED;
}

// Sends the request once more, with this value of Observe.
static enum exchange_result again(struct client *c, const char *observe, size_t len)
{
	// It goes under the same token, so that the server takes it for the same registration.
	memcpy(c->args.token, c->registration.token, c->registration.token_len);
	c->args.token_len = c->registration.token_len;
	c->args.has_token = true;
	c->registration.stands = false;
	c->has_head = false;
	transfer_free(&c->transfer);
	c->transfer.starts = 0;
	if (option_add(&c->args.options, COAP_OPT_OBSERVE, observe, len, &c->failure) ||
		transfer_start(&c->transfer, &c->failure))
		return EXCHANGE_FAILED;
	enum exchange_result result = perform(c);

	option_remove(&c->args.options, COAP_OPT_OBSERVE);
	return result;
}

static enum exchange_result register_again(struct observing *o)
{
	struct client *c = o->c;

	if (c->args.verbose)
		fprintf(stderr, "* nothing came for longer than Max-Age: registering again\n");
	enum exchange_result result = again(c, "", 0);

	if (result != EXCHANGE_ANSWERED || c->verdict != ANSWER_OK)
		return result;
	o->ended = !c->registration.stands;
	return begin(o);
}

enum exchange_result observe(struct client *c, enum exchange_result result)
{
	struct observing o = {.c = c, .start_ms = clock_ms()};
	// A second signal does not wait for the answer to the cancellation.
	const struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESETHAND};

	if (result != EXCHANGE_ANSWERED || c->verdict != ANSWER_OK)
		return result;
	c->printed = true;
	// Who is not there now may be starting again.
	c->peer.patient = true;
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	result = begin(&o);
	while (result == EXCHANGE_ANSWERED && c->verdict == ANSWER_OK && !o.ended && !stopped &&
		(!c->args.count || o.shown.number < c->args.count))
		result = clock_ms() < o.due_ms ? wait(&o) : register_again(&o);
	if (result != EXCHANGE_ANSWERED || o.ended)
		return result;
	// RFC 7641 section 3.6.
	return again(c, "\x01", 1);
}
