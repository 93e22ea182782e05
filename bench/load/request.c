// SPDX-License-Identifier: BSD-3-Clause

#include "bench/load/request.h"

#include "dataplane/coap/wire.h"
#include "dataplane/oscore/protect.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define PLAINTEXT_MAX 65535
#define HEADER_LEN    4
#define ECHO_LEN_MAX  40 // bytes, RFC 9175 section 2.2.1
// Option head with two extension bytes, and the payload marker.
#define AROUND_MAX (HEADER_LEN + LOAD_FLIGHT_TOKEN_LEN + 3 + OSC_OPTION_LEN_MAX + 1)

// Code, options of class E with an Echo among them, payload. Returns its length, 0 if it does not
// fit.
static size_t write_plaintext(const struct request_form *form, uint8_t *out, size_t room,
	const uint8_t *echo, uint8_t echo_len)
{
	struct coap_writer w;

	coap_writer_init(&w, out, room);
	coap_write_code(&w, form->code);
	for (size_t i = 0; i < form->options->count; i++) {
		const struct coap_option *o = &form->options->at[i];

		if (echo_len && o->number > COAP_OPT_ECHO) {
			coap_write_option(&w, COAP_OPT_ECHO, echo, echo_len);
			echo_len = 0;
		}
		if (osc_option_class(o->number) & OSC_CLASS_E)
			coap_write_option(&w, o->number, o->value, o->len);
	}
	if (echo_len)
		coap_write_option(&w, COAP_OPT_ECHO, echo, echo_len);
	coap_write_payload(&w, form->payload, form->payload_len);
	return coap_writer_len(&w);
}

static int write_outer(struct request_form *form, struct error *f)
{
	struct coap_writer w;

	form->outer_number = 0;
	coap_writer_init(&w, form->outer, sizeof(form->outer));
	for (size_t i = 0; i < form->options->count; i++) {
		const struct coap_option *o = &form->options->at[i];

		if (o->number == COAP_OPT_ECHO || o->number == COAP_OPT_OBSERVE)
			return error_set(
				f, -EINVAL, "%s cannot be put under load", option_name(o->number));
		if (osc_option_class(o->number) != OSC_CLASS_U)
			continue;
		if (o->number > COAP_OPT_OSCORE)
			return error_set(f, -EINVAL,
				"option %u stands outside of the protection and behind the OSCORE "
				"option, which is not supported",
				o->number);
		coap_write_option(&w, o->number, o->value, o->len);
		form->outer_number = o->number;
	}
	form->outer_len = (uint16_t)(w.at - w.start);
	return w.failed ? error_set(f, -EMSGSIZE, "Uri-Host is too long") : 0;
}

int request_form_make(struct request_form *form, const struct load_devices *devices,
	uint16_t len_max, struct error *f)
{
	size_t longest = 0;
	int err = write_outer(form, f);

	if (err)
		return err;
	form->plaintext = malloc(PLAINTEXT_MAX);
	if (!form->plaintext)
		return error_set(f, -ENOMEM, "out of memory");
	form->plaintext_len =
		(uint16_t)write_plaintext(form, form->plaintext, PLAINTEXT_MAX, NULL, 0);
	for (size_t i = 0; i < devices->count; i++) {
		const struct load_device *d = &devices->device[i];
		size_t option = 3u + 1 + OSC_PIV_LEN_MAX + d->kid_len +
			(d->id_context ? 1u + d->id_context_len : 0);

		if (option > longest)
			longest = option;
	}
	// An Echo takes up to four bytes more than its value.
	longest += HEADER_LEN + LOAD_FLIGHT_TOKEN_LEN + form->outer_len + 1u + form->plaintext_len +
		AEAD_TAG_MAX + 4 + ECHO_LEN_MAX;
	if (!form->plaintext_len || longest > len_max)
		return error_set(f, -EMSGSIZE,
			"a request with this payload has up to %zu bytes, and only %u fit", longest,
			len_max);
	return 0;
}

void request_form_free(struct request_form *form)
{
	free(form->plaintext);
	form->plaintext = NULL;
}

unsigned aead_run_mixed(unsigned (*run)(struct aead_engine *engine, enum aead_alg alg,
				struct aead_op *ops, unsigned n),
	struct aead_engine *engine, struct aead_op *ops, const uint8_t *algs, unsigned n)
{
	unsigned same = 1, good = 0, left = n;
	struct aead_op some[AEAD_BATCH_MAX];
	unsigned from[AEAD_BATCH_MAX];

	assert(n <= AEAD_BATCH_MAX);
	while (same < n && algs[same] == algs[0])
		same++;
	if (same >= n)
		return n ? run(engine, algs[0], ops, n) : 0;
	for (unsigned alg = 0; alg < AEAD_ALG_COUNT && left; alg++) {
		unsigned count = 0;

		for (unsigned i = 0; i < n; i++) {
			if (algs[i] != alg)
				continue;
			some[count] = ops[i];
			from[count++] = i;
		}
		if (count)
			good += run(engine, alg, some, count);
		for (unsigned i = 0; i < count; i++)
			ops[from[i]].result = some[i].result;
		left -= count;
	}
	return good;
}

size_t request_write_head(const struct request_form *form, const struct request_item *item)
{
	const struct load_device *d = item->device;
	uint8_t value[OSC_OPTION_LEN_MAX];
	struct osc_option option = {
		.piv = item->piv,
		.piv_len = 1,
		.has_kid = true,
		.kid = d->kid,
		.kid_len = d->kid_len,
		.has_kid_context = d->id_context,
		.kid_context = d->id_context_bytes,
		.kid_context_len = d->id_context_len,
	};
	uint8_t *at = item->out, ext[2];
	unsigned ext_len;
	int value_len = osc_option_encode(&option, value, sizeof(value));

	assert(value_len > 0);
	*at++ = (uint8_t)(COAP_VERSION << 6 | form->type << 4 | LOAD_FLIGHT_TOKEN_LEN);
	*at++ = COAP_POST; // RFC 8613 section 4.2
	*at++ = (uint8_t)(item->mid >> 8);
	*at++ = (uint8_t)item->mid;
	memcpy(at, item->token, LOAD_FLIGHT_TOKEN_LEN);
	at += LOAD_FLIGHT_TOKEN_LEN;
	if (form->outer_len)
		memcpy(at, form->outer, form->outer_len);
	at += form->outer_len;
	*at++ = (uint8_t)((COAP_OPT_OSCORE - form->outer_number) << 4 |
		wire_field_nibble((uint32_t)value_len));
	ext_len = wire_field_ext((uint32_t)value_len, ext);
	for (unsigned i = 0; i < ext_len; i++)
		*at++ = ext[i];
	memcpy(at, value, (size_t)value_len);
	at += value_len;
	*at++ = COAP_PAYLOAD_MARK;
	return (size_t)(at - item->out);
}

int request_seal_batch(const struct request_form *form, struct aead_engine *engine,
	struct request_item *items, unsigned n)
{
	uint8_t aad[AEAD_BATCH_MAX][OSC_AAD_ROOM], algs[AEAD_BATCH_MAX];
	struct aead_op ops[AEAD_BATCH_MAX];

	assert(n <= AEAD_BATCH_MAX);
	for (unsigned i = 0; i < n; i++) {
		struct request_item *item = &items[i];
		struct load_device *d = item->device;
		size_t head = request_write_head(form, item);
		uint8_t *ciphertext = item->out + head;
		const uint8_t *plaintext = form->plaintext;
		uint16_t len = form->plaintext_len;

		if (d->echo_len) {
			// In the place of the ciphertext: it is sealed where it stands.
			plaintext = ciphertext;
			len = (uint16_t)write_plaintext(form, ciphertext,
				form->plaintext_len + 4u + d->echo_len, d->echo, d->echo_len);
			d->echo_len = 0;
		}
		algs[i] = d->alg;
		item->len = (uint16_t)(head + len + aead_algs[d->alg].tag_len);
		const struct osc_id_piv request = {d->kid, d->kid_len, item->piv};
		const struct osc_op_input input = {
			.alg = d->alg,
			.key = d->sender_key,
			.common_iv = d->common_iv,
			.request = request,
			.nonce = request,
			.in = plaintext,
			.out = ciphertext,
			.len = len,
		};

		osc_op_prepare(&ops[i], aad[i], &input);
	}
	return aead_run_mixed(aead_seal_batch, engine, ops, algs, n) == n ? 0 : -EIO;
}
