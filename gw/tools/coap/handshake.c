// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/handshake.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 200 // bytes of an error message's text that are shown

static enum handshake_step failed(const char *what, enum edhoc_result result, struct error *f)
{
	error_set(f, -EBADMSG, "%s: %s", what, edhoc_result_text(result));
	return HANDSHAKE_FAILED;
}

// One byte that messages have as an integer (RFC 9528 section 3.3.2).
static void c_i_make(struct edhoc_connection *c_i)
{
	const uint8_t number = (uint8_t)randombytes_uniform(48); // -24 to 23

	c_i->len = 1;
	c_i->bytes[0] = number < 24 ? number : (uint8_t)(0x20 + number - 24);
}

// Makes message_1 with the first `suites` of the identity's, the last of which is selected.
static enum handshake_step message_1(struct handshake *h, struct error *f)
{
	const struct identity *d = h->identity;
	struct edhoc_writer writer = edhoc_writer(h->payload, sizeof(h->payload));
	struct ecc_pair ephemeral;
	struct edhoc_start start = {
		.method = d->method,
		.suites = d->suites,
		.n_suites = h->suites,
		.c_i = d->c_i,
		.ephemeral = &ephemeral,
	};
	const enum ecc_curve curve = edhoc_suites[d->suites[h->suites - 1]].agreement;

	if (!d->has_c_i)
		c_i_make(&start.c_i);
	if (ecc_pair_make(h->engine->ecc, curve, &ephemeral))
		return failed("message_1", EDHOC_FAILED, f);
	edhoc_write_head(&writer, EDHOC_CBOR_SIMPLE, EDHOC_CBOR_TRUE);
	const enum edhoc_result result = edhoc_message_1_make(&start, &h->session, &writer);

	sodium_memzero(&ephemeral, sizeof(ephemeral));
	if (result != EDHOC_OK)
		return failed("message_1", result, f);
	h->payload_len = edhoc_writer_len(&writer);
	return HANDSHAKE_SEND;
}

enum handshake_step handshake_begin(struct handshake *h, struct error *f)
{
	h->suites = 1;
	h->refused = 0;
	return message_1(h, f);
}

void handshake_error_say(const uint8_t *bytes, size_t len, struct error *f)
{
	struct edhoc_error e;
	char text[TEXT_MAX + 1] = "";

	if (!edhoc_error_parse(&e, bytes, len)) {
		error_set(f, -EPROTO, "its error message is malformed");
		return;
	}
	for (size_t i = 0; i < e.text_len && i < TEXT_MAX; i++)
		text[i] = (char)(e.text[i] < ' ' || e.text[i] > '~' ? '?' : e.text[i]);
	switch (e.code) {
	case EDHOC_ERROR_UNSPECIFIED:
		error_set(f, -EPROTO, "error 1: %s", text);
		break;
	case EDHOC_ERROR_CREDENTIAL:
		error_set(f, -EPROTO, "error 3: it does not know the device's credential");
		break;
	default:
		error_set(f, -EPROTO, "error %lld", (long long)e.code);
	}
}

// The gateway's suites: selects the first of ours that it has, which must be another one than those
// that it refused before (RFC 9528 section 6.3).
static enum handshake_step suite_next(
	struct handshake *h, const struct edhoc_error *e, struct error *f)
{
	const struct identity *d = h->identity;

	h->refused |= 1U << d->suites[h->suites - 1];
	for (unsigned i = 0; i < d->n_suites; i++)
		for (unsigned j = 0; j < e->n_suites; j++) {
			if (d->suites[i] != e->suites[j])
				continue;
			if (h->refused >> d->suites[i] & 1) {
				error_set(f, -EPROTO,
					"it refuses suite %d, and names it among its own",
					(int)d->suites[i]);
				return HANDSHAKE_FAILED;
			}
			h->suites = i + 1;
			return message_1(h, f);
		}
	error_set(f, -EPROTO, "it has no cipher suite that the device has");
	return HANDSHAKE_FAILED;
}

static enum handshake_step error_take(
	struct handshake *h, const uint8_t *bytes, size_t len, struct error *f)
{
	struct edhoc_error e;

	if (edhoc_error_parse(&e, bytes, len) && e.code == EDHOC_ERROR_SUITE)
		return suite_next(h, &e, f);
	handshake_error_say(bytes, len, f);
	return HANDSHAKE_FAILED;
}

// Makes message_3, which is sent to C_R.
static enum handshake_step message_3(struct handshake *h, struct error *f)
{
	struct edhoc_writer writer = edhoc_writer(h->payload, sizeof(h->payload));

	edhoc_write_identifier(&writer, h->session.c_r.bytes, h->session.c_r.len);
	h->message_at = edhoc_writer_len(&writer);
	const enum edhoc_result result = edhoc_message_3_make(h->engine, &h->session,
		&h->identity->own, (struct edhoc_bytes){0}, &writer, &h->done);

	if (result != EDHOC_OK)
		return failed("message_3", result, f);
	h->payload_len = edhoc_writer_len(&writer);
	return HANDSHAKE_FINISH;
}

enum handshake_step handshake_take_2(
	struct handshake *h, const uint8_t *bytes, size_t len, struct error *f)
{
	uint8_t room[EDHOC_MESSAGE_MAX];
	const struct edhoc_credential *peer;
	struct edhoc_opened opened = {0};
	enum edhoc_result result = EDHOC_TOO_LONG;

	if (edhoc_is_error(bytes, len))
		return error_take(h, bytes, len, f);
	if (len <= sizeof(room))
		result = edhoc_message_2_open(h->engine, &h->session, bytes, len, room, &opened);
	if (result == EDHOC_OK) {
		peer = identity_peer_find(h->identity, &opened.plaintext.id_cred);
		result = peer ? edhoc_message_2_verify(h->engine, &h->session, &opened, peer)
			      : EDHOC_UNKNOWN;
	}
	sodium_memzero(&opened, sizeof(opened));
	sodium_memzero(room, sizeof(room));
	return result == EDHOC_OK ? message_3(h, f) : failed("message_2", result, f);
}

int handshake_take_4(struct handshake *h, const uint8_t *bytes, size_t len, struct error *f)
{
	uint8_t room[EDHOC_MESSAGE_MAX];
	struct edhoc_bytes ead;
	enum edhoc_result result = EDHOC_TOO_LONG;

	if (edhoc_is_error(bytes, len)) {
		handshake_error_say(bytes, len, f);
		return -EBADMSG;
	}
	if (len <= sizeof(room))
		result = edhoc_message_4_open(h->engine, &h->done, bytes, len, room, &ead);
	return result == EDHOC_OK
		? 0
		: error_set(f, -EBADMSG, "message_4: %s", edhoc_result_text(result));
}

void handshake_wipe(struct handshake *h)
{
	sodium_memzero(h, sizeof(*h));
}
