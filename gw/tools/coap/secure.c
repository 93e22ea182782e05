// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/secure.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static void write_options(struct coap_writer *w, const struct option_list *options, int class)
{
	for (size_t i = 0; i < options->count; i++) {
		const struct coap_option *o = &options->at[i];

		if (osc_option_class(o->number) & class)
			coap_write_option(w, o->number, o->value, o->len);
	}
}

static int datagram_len(const struct coap_writer *w, const struct request *request, struct error *f)
{
	size_t len = coap_writer_len(w);

	if (!len)
		return error_set(f, -EMSGSIZE,
			"the request does not fit one datagram (payload of %zu bytes)",
			request->payload_len);
	return (int)len;
}

int request_encode(const struct request *request, uint8_t *datagram, struct error *f)
{
	struct coap_writer w;

	coap_writer_init(&w, datagram, DATAGRAM_MAX);
	coap_write_header(
		&w, request->type, request->code, request->mid, request->token, request->token_len);
	write_options(&w, request->options, OSC_CLASS_E | OSC_CLASS_U);
	coap_write_payload(&w, request->payload, request->payload_len);
	return datagram_len(&w, request, f);
}

// Code, inner options and payload. Returns its length.
static int write_plaintext(const struct request *request, uint8_t *plaintext, struct error *f)
{
	struct coap_writer w;

	coap_writer_init(&w, plaintext, DATAGRAM_MAX);
	coap_write_code(&w, request->code);
	write_options(&w, request->options, OSC_CLASS_E);
	coap_write_payload(&w, request->payload, request->payload_len);
	return datagram_len(&w, request, f);
}

// Prepares the operation, and says how the message is protected.
static void prepare(struct aead_op *op, uint8_t *aad, const struct osc_op_input *input,
	struct protection *protection)
{
	const struct osc_id_piv *made = &input->nonce;

	osc_op_prepare(op, aad, input);
	protection->nonce_len = aead_algs[input->alg].nonce_len;
	osc_nonce(
		protection->nonce, input->alg, input->common_iv, made->id, made->id_len, made->piv);
	protection->ciphertext_len = (uint16_t)(input->len + aead_algs[input->alg].tag_len);
}

// The OSCORE option of a request. Returns its length, or a negative value.
static int oscore_option(const struct session *s, uint64_t piv, uint8_t value[OSC_OPTION_LEN_MAX])
{
	struct osc_option option = {
		.piv = piv,
		.piv_len = 1,
		.has_kid = true,
		.kid = s->params->sender_id,
		.kid_len = s->params->sender_id_len,
		.has_kid_context = s->params->has_id_context && s->send_id_context,
		.kid_context = s->params->id_context,
		.kid_context_len = s->params->id_context_len,
	};

	if (s->kid_context) {
		option.kid_context = s->kid_context;
		option.kid_context_len = s->kid_context_len;
	}
	return osc_option_encode(&option, value, OSC_OPTION_LEN_MAX);
}

static bool is_outside(const struct coap_option *o)
{
	return osc_option_class(o->number) == OSC_CLASS_U || o->number == COAP_OPT_OBSERVE;
}

// Options that stand outside: class U, Observe with the value it has inside (section 4.1.3.5), and
// those of the message itself.
static void write_outer_options(
	struct coap_writer *w, const struct session *s, const struct request *request, uint64_t piv)
{
	const struct option_list *options = request->options;
	uint8_t value[OSC_OPTION_LEN_MAX];
	const int len = oscore_option(s, piv, value);
	const struct coap_option own[] = {
		{.number = COAP_OPT_OSCORE, .len = (uint16_t)(len < 0 ? 0 : len), .value = value},
		{.number = COAP_OPT_EDHOC, .len = 0, .value = value},
		{.number = COAP_OPT_ECHO,
			.len = (uint16_t)request->echo_len,
			.value = request->echo},
	};
	const bool there[] = {true, request->message_3_len, request->echo_len};
	size_t next = 0;

	if (len < 0)
		w->failed = true;
	for (size_t i = 0; i <= options->count; i++) {
		const struct coap_option *o = i < options->count ? &options->at[i] : NULL;

		for (; next < 3 && (!o || o->number > own[next].number); next++)
			if (there[next])
				coap_write_option(
					w, own[next].number, own[next].value, own[next].len);
		if (o && is_outside(o))
			coap_write_option(w, o->number, o->value, o->len);
	}
}

int request_seal(const struct session *s, const struct request *request, uint64_t piv,
	uint8_t *datagram, struct protection *protection, struct error *f)
{
	uint8_t *plaintext = malloc(DATAGRAM_MAX);
	uint8_t *payload = malloc(request->message_3_len + DATAGRAM_MAX + AEAD_TAG_MAX);
	uint8_t aad[OSC_AAD_ROOM];
	struct coap_writer w;
	struct aead_op op;
	int len = -ENOMEM;

	if (!plaintext || !payload) {
		error_set(f, len, "out of memory");
		goto out;
	}
	len = write_plaintext(request, plaintext, f);
	if (len < 0)
		goto out;

	const struct osc_id_piv own = {s->params->sender_id, s->params->sender_id_len, piv};
	const struct osc_op_input input = {
		.alg = s->params->alg,
		.key = s->keys->sender_key,
		.common_iv = s->keys->common_iv,
		.request = own,
		.nonce = own,
		.in = plaintext,
		.out = payload + request->message_3_len,
		.len = (uint16_t)len,
	};

	prepare(&op, aad, &input, protection);
	protection->piv = piv;
	protection->has_piv = true;
	if (aead_seal_batch(s->engine, s->params->alg, &op, 1) != 1) {
		len = error_set(f, -EIO, "the cipher failed");
		goto out;
	}
	coap_writer_init(&w, datagram, DATAGRAM_MAX);
	coap_write_header(&w, request->type,
		option_has(request->options, COAP_OPT_OBSERVE) ? COAP_FETCH : COAP_POST,
		request->mid, request->token, request->token_len);
	write_outer_options(&w, s, request, piv);
	if (request->message_3_len)
		memcpy(payload, request->message_3, request->message_3_len);
	coap_write_payload(&w, payload, request->message_3_len + protection->ciphertext_len);
	len = datagram_len(&w, request, f);
out:
	if (plaintext)
		sodium_memzero(plaintext, DATAGRAM_MAX);
	free(plaintext);
	free(payload);
	return len;
}

enum answer_verdict answer_open(const struct session *s, uint64_t request_piv,
	const struct coap_msg *msg, struct answer *answer)
{
	const struct osc_params *p = s->params;
	struct protection *protection = &answer->protection;
	uint8_t aad[OSC_AAD_ROOM];
	struct osc_option option;
	struct aead_op op;

	*protection = (struct protection){0};
	answer->code = msg->code;
	answer->body = msg->body;
	if (!msg->body.oscore_count)
		return ANSWER_UNPROTECTED;
	if (msg->body.oscore_count > 1 ||
		osc_option_parse(&option, msg->body.oscore, msg->body.oscore_len))
		return ANSWER_BAD_OPTION;
	if (option.has_kid &&
		(option.kid_len != p->recipient_id_len ||
			memcmp(option.kid, p->recipient_id, option.kid_len)))
		return ANSWER_BAD_OPTION;
	int len = osc_plaintext_len(p->alg, msg->body.payload_len);
	if (len < 0)
		return ANSWER_NOT_VERIFIED;
	protection->has_piv = option.piv_len;
	protection->piv = option.piv;

	const struct osc_id_piv request = {p->sender_id, p->sender_id_len, request_piv};
	const struct osc_id_piv gateway = {p->recipient_id, p->recipient_id_len, option.piv};
	const struct osc_op_input input = {
		.alg = p->alg,
		.key = s->keys->recipient_key,
		.common_iv = s->keys->common_iv,
		.request = request,
		// A response without a Partial IV was sealed under the nonce of the request.
		.nonce = option.piv_len ? gateway : request,
		.in = msg->body.payload,
		.out = answer->plaintext,
		.len = (uint16_t)len,
	};

	prepare(&op, aad, &input, protection);
	if (aead_open_batch(s->engine, p->alg, &op, 1) != 1)
		return ANSWER_NOT_VERIFIED;
	answer->code = answer->plaintext[0];
	unsigned class = COAP_CODE_CLASS(answer->code);
	if ((class != 2 && class != 4 && class != 5) ||
		coap_body_parse(&answer->body, answer->plaintext + 1, (size_t)len - 1) != COAP_OK ||
		answer->body.oscore_count)
		return ANSWER_BAD_CONTENT;
	return ANSWER_OK;
}
