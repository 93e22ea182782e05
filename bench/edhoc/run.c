// SPDX-License-Identifier: BSD-3-Clause

#include "bench/edhoc/run.h"

#include "base/clock.h"
#include "gw/edhoc/initiator.h"
#include "gw/tools/coap/secure.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS  20 // between two looks at what each device has to do
#define PATH_LEN 16
#define ECHO_MAX 40
#define FORMAT   65 // application/cid-edhoc+cbor-seq

enum state {
	RESTS,
	ASKS_1, // message_1 is under way
	ASKS,   // a request is
};

// A device at work.
struct slot {
	struct device device;
	uint8_t state, tries;
	bool has_session, combined, done;
	uint16_t mid, len;
	uint32_t generation; // of the token, which rises with each message
	uint32_t served;
	uint32_t in_session; // of these
	uint32_t number;     // of the next request's target
	uint32_t piv;        // of the next request
	uint64_t due_ms;     // RESTS: when it begins something
	uint64_t sent_ms, begun_ms;
	struct edhoc_session session; // until message_3
	struct osc_params params;
	struct osc_keys keys;
	uint8_t message_1[96];
	size_t message_1_len;
	uint8_t coap[RUN_DATAGRAM];
};

struct load {
	struct devices *devices;
	const struct run_conf *conf;
	struct run_counts *counts;
	struct many_latency *latency;
	struct slot *slot;
	uint32_t next; // device that is looked at next
	uint32_t under_way;
	struct many_sockets sockets;
	uint16_t mid;
	bool over; // nothing begins any more
};

static void transmit(struct load *load, struct slot *slot, uint64_t now_ms)
{
	static char text[2 * RUN_DATAGRAM + 1];

	slot->tries++;
	slot->sent_ms = now_ms;
	if (load->conf->record && slot->tries == 1)
		fprintf(load->conf->record, "%s\n",
			sodium_bin2hex(text, sizeof(text), slot->coap, slot->len));
	many_sockets_send(&load->sockets, (uint32_t)(slot - load->slot), slot->coap, slot->len);
}

static void token_make(struct load *load, struct slot *slot, uint8_t token[MANY_TOKEN_LEN])
{
	slot->generation++;
	slot->mid = load->mid++;
	slot->tries = 0;
	many_token_write(token, (uint32_t)(slot - load->slot), slot->generation);
}

static void rest(struct load *load, struct slot *slot, uint64_t now_ms)
{
	const uint32_t pause_ms = load->conf->pause_ms;

	if (slot->state != RESTS)
		load->under_way--;
	slot->state = RESTS;
	slot->due_ms = now_ms + (pause_ms ? randombytes_uniform(2 * pause_ms) : 0);
}

static void session_end(struct slot *slot)
{
	slot->has_session = false;
	sodium_memzero(&slot->params, sizeof(slot->params));
	sodium_memzero(&slot->keys, sizeof(slot->keys));
}

// --- what is sent

static void message_1_send(
	struct load *load, struct slot *slot, const struct coap_option *echo, uint64_t now_ms)
{
	struct coap_writer writer;
	uint8_t token[MANY_TOKEN_LEN];

	token_make(load, slot, token);
	coap_writer_init(&writer, slot->coap, sizeof(slot->coap));
	coap_write_header(&writer, COAP_CON, COAP_POST, slot->mid, token, MANY_TOKEN_LEN);
	coap_write_option(&writer, COAP_OPT_URI_PATH, ".well-known", 11);
	coap_write_option(&writer, COAP_OPT_URI_PATH, "edhoc", 5);
	coap_write_option_uint(&writer, COAP_OPT_CONTENT_FORMAT, FORMAT);
	if (echo)
		coap_write_option(&writer, COAP_OPT_ECHO, echo->value, echo->len);
	coap_write_payload(&writer, slot->message_1, slot->message_1_len);
	slot->len = (uint16_t)coap_writer_len(&writer);
	transmit(load, slot, now_ms);
}

static void handshake_begin(struct load *load, struct slot *slot, uint64_t now_ms)
{
	struct edhoc_writer writer = edhoc_writer(slot->message_1, sizeof(slot->message_1));
	const int64_t suite = load->devices->suite;
	struct ecc_pair ephemeral;

	session_end(slot);
	if (ecc_pair_make(load->devices->engine.ecc, edhoc_suites[suite].agreement, &ephemeral))
		die("no key");
	edhoc_write_head(&writer, EDHOC_CBOR_SIMPLE, EDHOC_CBOR_TRUE);
	if (edhoc_message_1_make(&(const struct edhoc_start){.method = 3,
					 .suites = &suite,
					 .n_suites = 1,
					 .c_i = {1, {(uint8_t)((slot - load->slot) % 24)}},
					 .ephemeral = &ephemeral},
		    &slot->session, &writer) != EDHOC_OK)
		die("no message_1");
	slot->message_1_len = edhoc_writer_len(&writer);
	slot->begun_ms = now_ms;
	slot->state = ASKS_1;
	load->under_way++;
	load->counts->begun++;
	message_1_send(load, slot, NULL, now_ms);
}

static void request_send(
	struct load *load, struct slot *slot, struct edhoc_bytes message_3, uint64_t now_ms)
{
	const struct session session = {
		.params = &slot->params, .keys = &slot->keys, .engine = load->devices->engine.aead};
	static uint8_t datagram[DATAGRAM_MAX];
	uint8_t token[MANY_TOKEN_LEN];
	char number[PATH_LEN];
	struct protection protection;
	struct error error;

	snprintf(number, sizeof(number), "%u", slot->number++);
	struct coap_option path[] = {
		{.number = COAP_OPT_URI_PATH, .value = (const uint8_t *)"t", .len = 1},
		{.number = COAP_OPT_URI_PATH,
			.value = (const uint8_t *)slot->device.name,
			.len = (uint16_t)strlen(slot->device.name)},
		{.number = COAP_OPT_URI_PATH,
			.value = (const uint8_t *)number,
			.len = (uint16_t)strlen(number)},
	};
	const struct option_list options = {.at = path, .count = 3};

	token_make(load, slot, token);
	const struct request request = {.type = COAP_CON,
		.code = COAP_POST,
		.mid = slot->mid,
		.token = token,
		.token_len = MANY_TOKEN_LEN,
		.options = &options,
		.payload = (const uint8_t *)"agreed",
		.payload_len = 6,
		.message_3 = message_3.data,
		.message_3_len = message_3.len};
	const int len =
		request_seal(&session, &request, slot->piv++, datagram, &protection, &error);

	if (len < 0 || len > RUN_DATAGRAM)
		die("a request cannot be sealed");
	slot->combined = message_3.len;
	slot->len = (uint16_t)len;
	memcpy(slot->coap, datagram, slot->len);
	transmit(load, slot, now_ms);
}

// A device begins what it has to do next.
static void act(struct load *load, struct slot *slot, uint64_t now_ms)
{
	if (!slot->has_session) {
		handshake_begin(load, slot, now_ms);
		return;
	}
	slot->state = ASKS;
	load->under_way++;
	request_send(load, slot, (struct edhoc_bytes){0}, now_ms);
}

// --- what comes

// Keys as the gateway's import has them, so that who has a recording can open it.
static void session_print(struct load *load, const struct slot *slot)
{
	const struct osc_params *p = &slot->params;
	char text[4][2 * OSC_SECRET_LEN_MAX + 1];

	if (!load->conf->sessions)
		return;
	sodium_bin2hex(text[0], sizeof(text[0]), p->sender_id, p->sender_id_len);
	sodium_bin2hex(text[1], sizeof(text[1]), p->recipient_id, p->recipient_id_len);
	sodium_bin2hex(text[2], sizeof(text[2]), p->secret, p->secret_len);
	sodium_bin2hex(text[3], sizeof(text[3]), p->salt, p->salt_len);
	fprintf(load->conf->sessions, "%s,%s,%s,%s,,%s,%s\n", text[0], text[1], text[2], text[3],
		aead_algs[p->alg].name, slot->device.name);
	sodium_memzero(text, sizeof(text));
}

// A handshake that comes to nothing begins again.
static void refuse(struct load *load, struct slot *slot, uint64_t now_ms)
{
	load->counts->refused++;
	session_end(slot);
	rest(load, slot, now_ms);
}

static void take_2(
	struct load *load, struct slot *slot, const struct coap_msg *msg, uint64_t now_ms)
{
	struct edhoc_engine *engine = &load->devices->engine;
	uint8_t room[RUN_DATAGRAM], message_3[RUN_DATAGRAM];
	struct edhoc_writer writer = edhoc_writer(message_3, sizeof(message_3));
	struct edhoc_opened opened;
	struct edhoc_done done;

	if (msg->code != COAP_CHANGED || msg->body.payload_len > sizeof(room) ||
		edhoc_message_2_open(engine, &slot->session, msg->body.payload,
			msg->body.payload_len, room, &opened) != EDHOC_OK ||
		edhoc_message_2_verify(engine, &slot->session, &opened, &load->devices->gateway) !=
			EDHOC_OK ||
		edhoc_message_3_make(engine, &slot->session, &slot->device.identity,
			(struct edhoc_bytes){0}, &writer, &done) != EDHOC_OK) {
		refuse(load, slot, now_ms);
		return;
	}
	edhoc_oscore(&done, EDHOC_INITIATOR, &slot->params);
	if (osc_derive(&slot->keys, &slot->params))
		die("no keys");
	sodium_memzero(&done, sizeof(done));
	sodium_memzero(&opened, sizeof(opened));
	session_print(load, slot);
	slot->has_session = true;
	slot->in_session = slot->piv = 0;
	slot->state = ASKS;
	request_send(
		load, slot, (struct edhoc_bytes){message_3, edhoc_writer_len(&writer)}, now_ms);
}

static void take_1(
	struct load *load, struct slot *slot, const struct coap_msg *msg, uint64_t now_ms)
{
	struct coap_option echo;

	if (msg->code == COAP_SERVICE_UNAVAILABLE) {
		load->counts->busy++; // it comes again with the next copy
	} else if (msg->code == COAP_UNAUTHORIZED &&
		coap_option_find(&msg->body, COAP_OPT_ECHO, &echo) && echo.len <= ECHO_MAX) {
		load->counts->challenged++;
		message_1_send(load, slot, &echo, now_ms);
	} else {
		take_2(load, slot, msg, now_ms);
	}
}

static void served(struct load *load, struct slot *slot, uint64_t now_ms)
{
	const struct run_conf *conf = load->conf;

	load->counts->served++;
	slot->served++;
	if (slot->combined) {
		load->counts->agreed++;
		many_latency_add(load->latency, now_ms - slot->begun_ms);
	}
	if (conf->requests && slot->served == conf->requests) {
		slot->done = true;
		load->counts->done++;
	}
	if (++slot->in_session >= conf->each)
		session_end(slot);
	rest(load, slot, now_ms);
}

static void take_answer(
	struct load *load, struct slot *slot, const struct coap_msg *msg, uint64_t now_ms)
{
	static uint8_t plaintext[DATAGRAM_MAX];
	const struct session session = {
		.params = &slot->params, .keys = &slot->keys, .engine = load->devices->engine.aead};
	struct answer answer = {.plaintext = plaintext};

	switch (answer_open(&session, slot->piv - 1, msg, &answer)) {
	case ANSWER_OK:
		if (COAP_CODE_CLASS(answer.code) == 2) {
			served(load, slot, now_ms);
			return;
		}
		refuse(load, slot, now_ms); // the session is over, or what stands behind it
		return;
	case ANSWER_UNPROTECTED:
		if (msg->code == COAP_SERVICE_UNAVAILABLE) {
			load->counts->busy++;
			return;
		}
		load->counts->lost++;
		session_end(slot);
		rest(load, slot, now_ms);
		return;
	default:
		die("an answer that does not open");
	}
}

static struct slot *slot_of(struct load *load, const struct coap_msg *msg)
{
	uint32_t index, generation;

	if (!many_token_read(msg, &index, &generation) || index >= load->conf->devices ||
		load->slot[index].state == RESTS || load->slot[index].generation != generation)
		return NULL;
	return &load->slot[index];
}

static void take(void *arg, const struct coap_msg *msg, uint64_t now_ms)
{
	struct load *load = arg;
	struct slot *slot = slot_of(load, msg);

	if (!slot)
		return;
	if (slot->state == ASKS_1)
		take_1(load, slot, msg, now_ms);
	else
		take_answer(load, slot, msg, now_ms);
}

// --- time

// Sends copies of what is not answered, and gives up what was not for too long.
static void wait_on(struct load *load, struct slot *slot, uint64_t now_ms)
{
	if (now_ms - slot->sent_ms < load->conf->again_ms)
		return;
	if (slot->tries >= load->conf->tries) {
		load->counts->silent++;
		session_end(slot);
		rest(load, slot, now_ms);
		return;
	}
	load->counts->again++;
	transmit(load, slot, now_ms);
}

// Whether another device may begin something, and this one a handshake, if it has no session.
static bool may_begin(const struct load *load, const struct slot *slot, double passed)
{
	return !load->over && load->under_way < load->conf->window &&
		(slot->has_session || !load->conf->rate ||
			(double)load->counts->begun < passed * load->conf->rate);
}

// Devices take turns, so that none waits behind those that begin again. `again`: copies are due,
// too, so that all are looked at.
static void look(struct load *load, uint64_t now_ms, double passed, bool again)
{
	for (uint32_t i = 0; i < load->conf->devices; i++) {
		struct slot *slot = &load->slot[load->next];

		if (slot->state != RESTS) {
			if (again)
				wait_on(load, slot, now_ms);
		} else if (!slot->done && now_ms >= slot->due_ms) {
			if (may_begin(load, slot, passed))
				act(load, slot, now_ms);
			else if (!again)
				return;
		}
		load->next = load->next + 1 < load->conf->devices ? load->next + 1 : 0;
	}
}

static bool is_over(struct load *load, double passed)
{
	const struct run_conf *conf = load->conf;

	load->over = conf->seconds > 0 && passed >= conf->seconds;
	return passed >= conf->patience || load->counts->done == conf->devices ||
		(load->over && !load->under_way);
}

static void go(struct load *load)
{
	const uint64_t start_ns = clock_ns();
	uint64_t looked_ms = 0;
	double passed = 0;

	while (!is_over(load, passed)) {
		const uint64_t now_ms = clock_ms();
		const bool again = now_ms - looked_ms >= LOOK_MS;

		look(load, now_ms, passed, again);
		if (again)
			looked_ms = now_ms;
		many_sockets_turn(&load->sockets, take, load);
		passed = (double)(clock_ns() - start_ns) / 1e9;
	}
}

bool run(struct devices *devices, const struct run_conf *conf, const struct sockaddr_in *to,
	struct run_counts *counts, struct many_latency *latency)
{
	struct load load = {.devices = devices, .conf = conf, .counts = counts, .latency = latency};

	load.slot = calloc(conf->devices, sizeof(*load.slot));
	if (!load.slot)
		die(strerror(errno));
	for (uint32_t i = 0; i < conf->devices; i++) {
		device_make(devices, i, &load.slot[i].device);
		load.slot[i].number = conf->first;
		rest(&load, &load.slot[i], clock_ms());
	}
	const int err = many_sockets_open(&load.sockets, MANY_SOCKETS_MAX, to);

	if (err)
		die(strerror(-err));
	go(&load);
	for (uint32_t i = 0; i < conf->devices; i++)
		edhoc_identity_fini(&load.slot[i].device.identity);
	many_sockets_close(&load.sockets);
	sodium_memzero(load.slot, conf->devices * sizeof(*load.slot));
	free(load.slot);
	return conf->requests ? counts->done == conf->devices : !counts->silent;
}
