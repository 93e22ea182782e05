// SPDX-License-Identifier: BSD-3-Clause
// What one device does: requests of all kinds, retransmissions, Echo.

#include "tests/crash/fleet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define TIMEOUT_MS   250 // of a first try, times 1 to 1.5; doubled with each (RFC 7252 section 4.2)
#define TRIES_CON    4
#define TRIES_NON    1
#define PAYLOAD_MAX  64
#define PERCENT_NON  40
#define PERCENT_LOSE 5 // answers that a device does not take
#define PERCENT_TWIN 5 // requests that the network doubles
#define PERCENT_LATE 2 // requests after which an old one comes late, once more

static const char *const outcome_names[FLEET_OUTCOMES] = {
	[FLEET_UNSENT] = "unsent",
	[FLEET_UNANSWERED] = "unanswered",
	[FLEET_CHALLENGED] = "challenged",
	[FLEET_ANSWERED] = "answered",
};

uint64_t fleet_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000) + now.tv_nsec / 1000000;
}

// xorshift64*: a run can be told by its seed.
uint32_t fleet_random(struct fleet *fleet, uint32_t below)
{
	fleet->rng ^= fleet->rng >> 12;
	fleet->rng ^= fleet->rng << 25;
	fleet->rng ^= fleet->rng >> 27;
	return (uint32_t)(fleet->rng * UINT64_C(0x2545f4914f6cdd1d) >> 32) % below;
}

static bool percent(struct fleet *fleet, unsigned n)
{
	return fleet_random(fleet, 100) < n;
}

static void keep(struct fleet *fleet, const struct fleet_device *device)
{
	struct fleet_request *request = malloc(sizeof(*request) + device->datagram_len);

	if (fleet->sent_count == fleet->sent_room) {
		fleet->sent_room = fleet->sent_room ? 2 * fleet->sent_room : 4096;
		fleet->sent = realloc(fleet->sent, fleet->sent_room * sizeof(fleet->sent[0]));
	}
	if (!request || !fleet->sent)
		abort();
	request->device = (uint32_t)(device - fleet->device);
	request->len = device->datagram_len;
	memcpy(request->bytes, device->datagram, device->datagram_len);
	fleet->sent[fleet->sent_count++] = request;
}

static bool transmit(
	struct fleet *fleet, const struct fleet_device *device, const uint8_t *bytes, size_t len)
{
	const struct sockaddr_in6 *to = device->ipv6 ? &fleet->gateway6 : &fleet->gateway4;

	return sendto(device->fd, bytes, len, 0, (const struct sockaddr *)to, sizeof(*to)) ==
		(ssize_t)len;
}

static void ended(struct fleet *fleet, struct fleet_device *device, enum fleet_outcome outcome)
{
	if (outcome == FLEET_UNANSWERED && !device->sent)
		outcome = FLEET_UNSENT;
	fleet->outcomes[outcome]++;
	fprintf(fleet->log, "%s %lu %s %s\n", device->name, device->request_piv,
		device->type == COAP_CON ? "CON" : "NON", outcome_names[outcome]);
	device->waiting = false;
	device->due_ms = fleet_now_ms() + fleet_random(fleet, 2 * fleet->pause_ms + 1);
}

// Seals the next request. Its sequence number is spent whatever becomes of it.
static void request_make(struct fleet *fleet, struct fleet_device *device)
{
	static const uint8_t methods[] = {COAP_POST, COAP_POST, COAP_PUT, COAP_GET};
	static uint8_t datagram[DATAGRAM_MAX];
	const struct session session = {
		.params = &device->params,
		.keys = &device->keys,
		.engine = fleet->engine,
		.send_id_context = true,
	};
	struct option_list options = {0};
	struct protection protection;
	struct error failure;
	char payload[PAYLOAD_MAX], number[24];
	bool failed;

	device->request_piv = device->piv++;
	device->type = percent(fleet, PERCENT_NON) ? COAP_NON : COAP_CON;
	for (size_t i = 0; i < sizeof(device->token); i++)
		device->token[i] = (uint8_t)fleet_random(fleet, 256);
	snprintf(number, sizeof(number), "%lu", device->request_piv);
	failed = option_add(&options, COAP_OPT_URI_PATH, "t", 1, &failure) ||
		option_add(&options, COAP_OPT_URI_PATH, device->name, strlen(device->name),
			&failure) ||
		option_add(&options, COAP_OPT_URI_PATH, number, strlen(number), &failure) ||
		(device->echo_len &&
			option_add(
				&options, COAP_OPT_ECHO, device->echo, device->echo_len, &failure));
	device->echo_len = 0;
	const struct request request = {
		.type = device->type,
		.code = methods[fleet_random(fleet, sizeof(methods))],
		.mid = (uint16_t)fleet_random(fleet, UINT16_MAX + 1),
		.token = device->token,
		.token_len = sizeof(device->token),
		.options = &options,
		.payload = (uint8_t *)payload,
		.payload_len = fleet_random(fleet, sizeof(payload)),
	};

	memset(payload, 'x', sizeof(payload));
	int len = failed ? -ENOMEM
			 : request_seal(&session, &request, device->request_piv, datagram,
				   &protection, &failure);

	option_list_free(&options);
	if (len < 0 || len > FLEET_DATAGRAM_MAX) {
		fprintf(stderr, "%s: %s\n", device->name, len < 0 ? failure.text : "too long");
		abort();
	}
	memcpy(device->datagram, datagram, (size_t)len);
	device->datagram_len = (uint16_t)len;
}

static void request_start(struct fleet *fleet, struct fleet_device *device)
{
	request_make(fleet, device);
	device->ipv6 = percent(fleet, 50);
	device->lose_answer = percent(fleet, PERCENT_LOSE);
	device->waiting = true;
	device->tries = 0;
	device->timeout_ms = TIMEOUT_MS + fleet_random(fleet, TIMEOUT_MS / 2);
	device->sent = transmit(fleet, device, device->datagram, device->datagram_len);
	if (percent(fleet, PERCENT_TWIN))
		device->sent |= transmit(fleet, device, device->datagram, device->datagram_len);
	keep(fleet, device);
	if (percent(fleet, PERCENT_LATE)) {
		const struct fleet_request *old =
			fleet->sent[fleet_random(fleet, (uint32_t)fleet->sent_count)];

		transmit(fleet, &fleet->device[old->device], old->bytes, old->len);
	}
	device->due_ms = fleet_now_ms() + device->timeout_ms;
}

static void request_again(struct fleet *fleet, struct fleet_device *device)
{
	if (++device->tries >= (device->type == COAP_CON ? TRIES_CON : TRIES_NON)) {
		ended(fleet, device, FLEET_UNANSWERED);
		return;
	}
	device->sent |= transmit(fleet, device, device->datagram, device->datagram_len);
	device->timeout_ms *= 2;
	device->due_ms = fleet_now_ms() + device->timeout_ms;
}

void fleet_turn(struct fleet *fleet)
{
	uint64_t now = fleet_now_ms();

	for (size_t i = 0; fleet->load && i < fleet->awake; i++) {
		struct fleet_device *device = &fleet->device[i];

		if (now < device->due_ms)
			continue;
		if (device->waiting)
			request_again(fleet, device);
		else
			request_start(fleet, device);
	}
}

// Of a backend that repeats the target of each request in its answer. One that is another's must
// not exist, so the program ends.
static void answer_check(const struct fleet_device *device, const struct answer *answer)
{
	const struct coap_body *body = &answer->body;
	char target[FLEET_NAME_MAX + 32];

	if (COAP_CODE_CLASS(answer->code) != 2)
		return;
	int len = snprintf(target, sizeof(target), " /t/%s/%lu", device->name, device->request_piv);

	if (body->payload_len >= (size_t)len &&
		!memcmp(body->payload + body->payload_len - len, target, (size_t)len))
		return;
	fprintf(stderr, "fleet:%s got the answer %.*s\n", target, (int)body->payload_len,
		(const char *)body->payload);
	abort();
}

void fleet_receive(struct fleet *fleet, struct fleet_device *device)
{
	static uint8_t datagram[DATAGRAM_MAX], plaintext[DATAGRAM_MAX];
	const struct session session = {
		.params = &device->params, .keys = &device->keys, .engine = fleet->engine};
	struct answer answer = {.plaintext = plaintext};
	struct coap_option echo;
	struct coap_msg msg;
	ssize_t len = recv(device->fd, datagram, sizeof(datagram), MSG_DONTWAIT);

	// Errors are those of ICMP, or of a network that went.
	if (len < 0 || coap_msg_parse(&msg, datagram, (size_t)len) != COAP_OK)
		return;
	if (msg.type == COAP_CON) {
		const uint8_t ack[] = {
			COAP_VERSION << 6 | COAP_ACK << 4, 0, datagram[2], datagram[3]};

		transmit(fleet, device, ack, sizeof(ack));
	}
	if (!device->waiting || msg.token_len != FLEET_TOKEN_LEN ||
		memcmp(msg.token, device->token, FLEET_TOKEN_LEN))
		return;
	if (device->lose_answer) {
		device->lose_answer = false;
		return;
	}
	if (answer_open(&session, device->request_piv, &msg, &answer) != ANSWER_OK)
		return;
	if (answer.code == COAP_UNAUTHORIZED &&
		coap_option_find(&answer.body, COAP_OPT_ECHO, &echo) &&
		echo.len <= FLEET_ECHO_MAX) {
		memcpy(device->echo, echo.value, echo.len);
		device->echo_len = (uint8_t)echo.len;
		ended(fleet, device, FLEET_CHALLENGED);
		device->due_ms = 0;
		return;
	}
	answer_check(device, &answer);
	device->served = true;
	ended(fleet, device, FLEET_ANSWERED);
}

void fleet_pause(struct fleet *fleet)
{
	fleet->load = false;
	for (size_t i = 0; i < fleet->count; i++)
		if (fleet->device[i].waiting)
			ended(fleet, &fleet->device[i], FLEET_UNANSWERED);
}
