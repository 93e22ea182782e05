// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/bench/load_server.h"

#include "base/clock.h"
#include "crypto/aead.h"
#include "dataplane/oscore/protect.h"

#include <criterion/criterion.h>
#include <string.h>

#define SEPARATE_MID 0x1234 // of separate answers

// The message that is sent next, with no bytes yet.
static struct load_server_message *put(struct load_server *s, uint32_t endpoint)
{
	struct load_server_message *m = &s->queue[(s->first + s->count++) % LOAD_SERVER_QUEUE];

	cr_assert_leq(s->count, LOAD_SERVER_QUEUE);
	m->endpoint = endpoint;
	m->len = 0;
	return m;
}

static void put_empty(struct load_server *s, uint32_t endpoint, enum coap_type type, uint16_t mid)
{
	struct load_server_message *m = put(s, endpoint);
	struct coap_writer w;

	coap_writer_init(&w, m->data, sizeof(m->data));
	coap_write_header(&w, type, COAP_EMPTY, mid, NULL, 0);
	m->len = (uint16_t)coap_writer_len(&w);
}

// A request that verified.
struct taken {
	struct coap_msg msg;
	const struct load_device *device;
	uint64_t piv;
	uint32_t endpoint;
	bool echo;
};

struct reply {
	enum coap_type type;
	uint16_t mid;
	uint8_t code;
	bool own_piv;
	bool wrong_endpoint, bad_tag;
};

static void put_answer(struct load_server *s, const struct taken *taken, const struct reply *reply)
{
	const struct load_device *d = taken->device;
	struct osc_option own = {.piv = 77, .piv_len = reply->own_piv};
	uint8_t plaintext[64], ciphertext[96], aad[OSC_AAD_ROOM], option[16];
	struct coap_writer w;
	struct aead_op op;
	size_t len;

	coap_writer_init(&w, plaintext, sizeof(plaintext));
	coap_write_code(&w, reply->code);
	if (reply->code == COAP_UNAUTHORIZED)
		coap_write_option(&w, COAP_OPT_ECHO, "fresh", 5);
	coap_write_payload(&w, "x", 1);
	len = coap_writer_len(&w);
	const struct osc_id_piv asked = {d->kid, d->kid_len, taken->piv};
	const struct osc_id_piv answered = {d->gateway_id, d->gateway_id_len, own.piv};
	const struct osc_op_input input = {
		.alg = d->alg,
		.key = d->recipient_key,
		.common_iv = d->common_iv,
		.request = asked,
		.nonce = reply->own_piv ? answered : asked,
		.in = plaintext,
		.out = ciphertext,
		.len = (uint16_t)len,
	};

	osc_op_prepare(&op, aad, &input);
	cr_assert_eq(aead_seal_batch(s->engine, d->alg, &op, 1), 1);
	int option_len = osc_option_encode(&own, option, sizeof(option));
	struct load_server_message *m =
		put(s, reply->wrong_endpoint ? !taken->endpoint : taken->endpoint);

	coap_writer_init(&w, m->data, sizeof(m->data));
	coap_write_header(
		&w, reply->type, COAP_CHANGED, reply->mid, taken->msg.token, taken->msg.token_len);
	coap_write_option(&w, COAP_OPT_OSCORE, option, (size_t)option_len);
	coap_write_payload(&w, ciphertext, len + aead_algs[d->alg].tag_len);
	m->len = (uint16_t)coap_writer_len(&w);
	if (reply->bad_tag)
		m->data[m->len - 1] ^= 1;
}

// Opens a request. Returns whether it has an Echo.
static bool open_request(struct load_server *s, const struct load_device *d, uint64_t piv,
	const struct coap_msg *msg)
{
	uint8_t plaintext[LOAD_SERVER_ROOM], aad[OSC_AAD_ROOM];
	int len = osc_plaintext_len(d->alg, msg->body.payload_len);
	struct coap_option echo;
	struct coap_body body;
	struct aead_op op;

	cr_assert_gt(len, 0);
	const struct osc_id_piv request = {d->kid, d->kid_len, piv};
	const struct osc_op_input input = {
		.alg = d->alg,
		.key = d->sender_key,
		.common_iv = d->common_iv,
		.request = request,
		.nonce = request,
		.in = msg->body.payload,
		.out = plaintext,
		.len = (uint16_t)len,
	};

	osc_op_prepare(&op, aad, &input);
	cr_assert_eq(aead_open_batch(s->engine, d->alg, &op, 1), 1, "a request does not verify");
	cr_assert_eq(plaintext[0], COAP_POST);
	cr_assert_eq(coap_body_parse(&body, plaintext + 1, (size_t)len - 1), COAP_OK);
	cr_assert_eq(body.payload_len, 5);
	return coap_option_find(&body, COAP_OPT_ECHO, &echo);
}

// A response without protection; garbage is one whose header promises too long a token.
static void put_plain(
	struct load_server *s, const struct taken *taken, enum coap_code code, bool garbage)
{
	struct load_server_message *m = put(s, taken->endpoint);
	const struct coap_msg *msg = &taken->msg;
	struct coap_writer w;

	coap_writer_init(&w, m->data, sizeof(m->data));
	coap_write_header(&w, COAP_ACK, code, msg->mid, msg->token, msg->token_len);
	if (garbage)
		coap_write_payload(&w, "x", 1);
	m->len = (uint16_t)coap_writer_len(&w);
	if (garbage)
		m->data[0] |= 15;
}

static void deed_do(struct load_server *s, const struct taken *taken, enum load_deed deed)
{
	struct reply reply = {.type = COAP_ACK, .mid = taken->msg.mid, .code = COAP_CHANGED};

	switch (deed) {
	case LOAD_DEED_NOTHING:
		return;
	case LOAD_DEED_PLAIN:
		put_plain(s, taken, COAP_UNAUTHORIZED, false);
		return;
	case LOAD_DEED_GARBAGE:
		put_plain(s, taken, COAP_CONTENT, true);
		return;
	case LOAD_DEED_RESET:
		put_empty(s, taken->endpoint, COAP_RST, taken->msg.mid);
		return;
	case LOAD_DEED_SEPARATE:
		put_empty(s, taken->endpoint, COAP_ACK, taken->msg.mid);
		reply.type = COAP_CON;
		reply.mid = SEPARATE_MID;
		reply.code = COAP_CONTENT;
		break;
	case LOAD_DEED_CHALLENGE:
		s->challenged += !taken->echo;
		reply.code = taken->echo ? COAP_CHANGED : COAP_UNAUTHORIZED;
		reply.own_piv = !taken->echo;
		break;
	default:
		reply.mid += deed == LOAD_DEED_WRONG_MID;
		reply.own_piv = deed == LOAD_DEED_OWN_PIV;
		reply.wrong_endpoint = deed == LOAD_DEED_WRONG_ENDPOINT;
		reply.bad_tag = deed == LOAD_DEED_BAD_TAG;
		break;
	}
	put_answer(s, taken, &reply);
	if (deed == LOAD_DEED_TWICE)
		put_answer(s, taken, &reply);
}

void load_server_take_request(struct load_server *s, const struct datagram *datagram)
{
	struct taken taken = {.endpoint = datagram->endpoint};
	struct osc_option option;

	cr_assert_eq(coap_msg_parse(&taken.msg, datagram->data, datagram->len), COAP_OK);
	if (taken.msg.code == COAP_EMPTY) {
		cr_assert_eq(taken.msg.type, COAP_ACK);
		cr_assert_eq(taken.msg.mid, SEPARATE_MID);
		s->acks++;
		return;
	}
	const struct coap_body *body = &taken.msg.body;

	cr_assert_eq(osc_option_parse(&option, body->oscore, body->oscore_len), 0);
	for (unsigned i = 0; i < LOAD_SERVER_DEVICES; i++) {
		const struct load_device *d = &s->devices->device[i];

		if (d->kid_len != option.kid_len || memcmp(d->kid, option.kid, option.kid_len))
			continue;
		taken.device = d;
		cr_assert_lt(option.piv, LOAD_SERVER_PIVS);
		cr_assert_not(s->seen[i][option.piv], "a Partial IV comes twice");
		s->seen[i][option.piv] = true;
		cr_assert_eq(datagram->endpoint, transport_endpoint(&s->t, i));
	}
	cr_assert_not_null(taken.device);
	taken.piv = option.piv;
	taken.echo = open_request(s, taken.device, option.piv, &taken.msg);
	deed_do(s, &taken, s->deed(s->requests++));
}

// A packet of a sender without keys: no server would take it, unless it came before.
static void take_hostile(struct load_server *s, const struct datagram *datagram)
{
	const struct load_device *d = NULL;
	struct osc_option option;
	struct coap_msg msg;
	uint64_t at;

	s->hostile_bytes += datagram->len;
	if (coap_msg_parse(&msg, datagram->data, datagram->len) != COAP_OK ||
		msg.code == COAP_EMPTY || COAP_CODE_CLASS(msg.code) != 0 ||
		msg.body.oscore_count != 1 ||
		osc_option_parse(&option, msg.body.oscore, msg.body.oscore_len) ||
		msg.body.payload_len < 8) {
		s->hostile[HOSTILE_MALFORMED]++;
		put_empty(s, datagram->endpoint, COAP_RST, 0);
		s->reset_bytes += COAP_EMPTY_LEN;
		return;
	}
	cr_assert_gt(msg.body.payload_len, 8);
	for (at = 0; at < LOAD_SERVER_DEVICES; at++) {
		d = &s->devices->device[at];
		if (d->kid_len == option.kid_len && !memcmp(d->kid, option.kid, option.kid_len))
			break;
	}
	if (at == LOAD_SERVER_DEVICES) {
		s->hostile[HOSTILE_UNKNOWN_KID]++;
	} else if (option.piv < LOAD_SERVER_PIVS && s->seen[at][option.piv]) {
		open_request(s, d, option.piv, &msg);
		s->hostile[HOSTILE_REPLAY]++;
	} else {
		uint8_t plaintext[LOAD_SERVER_ROOM], aad[OSC_AAD_ROOM];
		struct aead_op op;

		const struct osc_id_piv request = {d->kid, d->kid_len, option.piv};
		const struct osc_op_input input = {
			.alg = d->alg,
			.key = d->sender_key,
			.common_iv = d->common_iv,
			.request = request,
			.nonce = request,
			.in = msg.body.payload,
			.out = plaintext,
			.len = msg.body.payload_len - aead_algs[d->alg].tag_len,
		};

		osc_op_prepare(&op, aad, &input);
		cr_assert_eq(
			aead_open_batch(s->engine, d->alg, &op, 1), 0, "a forgery must not verify");
		s->hostile[HOSTILE_BAD_TAG]++;
	}
}

static bool is_deaf(struct load_server *s)
{
	uint64_t now = clock_ns();

	if (!s->first_ns)
		s->first_ns = now;
	now -= s->first_ns;
	return now >= s->deaf_from_ns && now < s->deaf_until_ns;
}

static unsigned server_buffers(struct transport *t, struct datagram *datagrams, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		datagrams[i].data = ((struct load_server *)t)->out[i];
	return n;
}

static unsigned server_send(struct transport *t, struct datagram *datagrams, unsigned n)
{
	struct load_server *s = (struct load_server *)t;

	if (is_deaf(s))
		return 0;
	// Some, as a full queue takes.
	n = n > 3 ? 3 : n;
	for (unsigned i = 0; i < n; i++) {
		if (datagrams[i].endpoint < t->endpoints - t->hostile)
			load_server_take_request(s, &datagrams[i]);
		else
			take_hostile(s, &datagrams[i]);
	}
	return n;
}

static unsigned server_receive(struct transport *t, struct datagram *datagrams, unsigned n)
{
	static uint8_t in[TRANSPORT_BATCH][LOAD_SERVER_ROOM];
	struct load_server *s = (struct load_server *)t;
	unsigned count = 0;

	while (count < n && s->count) {
		memcpy(in[count], s->queue[s->first].data, LOAD_SERVER_ROOM);
		datagrams[count] = (struct datagram){.data = in[count],
			.len = s->queue[s->first].len,
			.endpoint = s->queue[s->first].endpoint};
		s->first = (s->first + 1) % LOAD_SERVER_QUEUE;
		s->count--;
		count++;
	}
	return count;
}

static const struct transport_ops server_ops = {
	.buffers = server_buffers, .send = server_send, .receive = server_receive};

void load_server_init(struct load_server *s, struct load_devices *devices)
{
	s->t = (struct transport){
		.ops = &server_ops, .endpoints = 2, .stride = 1, .len_max = LOAD_SERVER_ROOM};
	s->devices = devices;
	s->engine = aead_engine_create(NULL);
}

void load_server_free(struct load_server *s)
{
	aead_engine_free(s->engine);
}
