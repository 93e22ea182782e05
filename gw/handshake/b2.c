// SPDX-License-Identifier: BSD-3-Clause

#include "gw/handshake/b2.h"

#include "crypto/sha256.h"
#include "dataplane/oscore/kid_context.h"
#include "dataplane/oscore/protect.h"

#include <assert.h>
#include <endian.h>
#include <sodium.h>
#include <string.h>

bool b2_parse(struct b2_request *request, const uint8_t *datagram, size_t len)
{
	const struct coap_body *body = &request->msg.body;
	const struct osc_option *option = &request->option;

	return coap_msg_parse(&request->msg, datagram, len) == COAP_OK &&
		(request->msg.type == COAP_CON || request->msg.type == COAP_NON) &&
		request->msg.code != COAP_EMPTY && !COAP_CODE_CLASS(request->msg.code) &&
		request->msg.token_len <= B2_TOKEN_MAX && body->payload &&
		body->oscore_count == 1 &&
		osc_option_parse(&request->option, body->oscore, body->oscore_len) ==
		OSC_OPTION_OK &&
		option->piv_len && option->has_kid && option->kid_len <= OSC_KID_LEN_MAX;
}

// The MAC of a nonce in one slot of time.
static void mac_make(const struct b2 *b2, const struct b2_device *device, uint64_t slot,
	const uint8_t nonce[B2_NONCE_LEN], uint8_t mac[B2_MAC_LEN])
{
	const uint64_t words[] = {htobe64(device->id), htobe64(device->count), htobe64(slot)};
	uint8_t input[B2_NONCE_LEN + sizeof(words)];
	struct hmac_sha256 hmac;
	uint8_t whole[SHA256_LEN];

	memcpy(input, nonce, B2_NONCE_LEN);
	memcpy(input + B2_NONCE_LEN, words, sizeof(words));
	hmac_sha256_init(&hmac, b2->mac_key, B2_MAC_KEY_LEN);
	hmac_sha256_update(&hmac, input, sizeof(input));
	hmac_sha256_final(&hmac, whole);
	memcpy(mac, whole, B2_MAC_LEN);
	sodium_memzero(whole, sizeof(whole));
}

void b2_r2_make(
	const struct b2 *b2, const struct b2_device *device, uint64_t now_s, uint8_t r2[B2_R2_LEN])
{
	randombytes_buf(r2, B2_NONCE_LEN);
	mac_make(b2, device, now_s / B2_SLOT_S, r2, r2 + B2_NONCE_LEN);
}

bool b2_r2_good(const struct b2 *b2, const struct b2_device *device, uint64_t now_s,
	const uint8_t r2[B2_R2_LEN])
{
	const uint64_t slot = now_s / B2_SLOT_S;
	uint8_t mac[B2_MAC_LEN];
	bool good = false;

	// The present slot and the one before.
	for (uint64_t back = 0; back < 2 && back <= slot; back++) {
		mac_make(b2, device, slot - back, r2, mac);
		good |= !sodium_memcmp(mac, r2 + B2_NONCE_LEN, B2_MAC_LEN);
	}
	return good;
}

enum b2_kind b2_kind(const struct b2 *b2, const struct b2_device *device,
	const struct b2_request *request, uint64_t now_s, struct b2_id *id)
{
	const struct osc_option *option = &request->option;
	const uint8_t *bytes;

	if (!option->has_kid_context ||
		!osc_bstr_read(option->kid_context, option->kid_context_len, &bytes, &id->len) ||
		!id->len)
		return B2_MALFORMED;
	if (id->len > B2_ID_MAX)
		return B2_TOO_LONG;
	memcpy(id->bytes, bytes, id->len);
	// An R3 of no bytes would leave the device without a part in its key.
	if (id->len > B2_R2_LEN && b2_r2_good(b2, device, now_s, id->bytes))
		return B2_REQUEST_2;
	return id->len <= B2_ID1_MAX ? B2_REQUEST_1 : B2_TOO_LONG;
}

// The keys of the device's context with this ID Context.
static bool derive(
	struct osc_keys *keys, const struct b2_device *device, const uint8_t *id, uint8_t len)
{
	struct osc_params params = device->params;

	params.has_id_context = true;
	params.id_context_len = len;
	memcpy(params.id_context, id, len);
	const bool derived = !osc_derive(keys, &params);

	sodium_memzero(&params, sizeof(params));
	return derived;
}

bool b2_verify(const struct b2 *b2, const struct b2_device *device,
	const struct b2_request *request, const struct b2_id *id, uint8_t *room,
	struct osc_keys *keys)
{
	const enum aead_alg alg = device->params.alg;
	const struct coap_body *body = &request->msg.body;
	const int len = osc_plaintext_len(alg, body->payload_len);
	uint8_t aad[OSC_AAD_ROOM];
	struct aead_op op;

	if (len < 0 || request->option.kid_len > osc_id_len_max(alg) ||
		!derive(keys, device, id->bytes, id->len))
		return false;
	const struct osc_id_piv of = {
		request->option.kid, request->option.kid_len, request->option.piv};

	osc_op_prepare(&op, aad,
		&(struct osc_op_input){
			.alg = alg,
			.key = keys->recipient_key,
			.common_iv = keys->common_iv,
			.request = of,
			.nonce = of,
			.in = body->payload,
			.out = room,
			.len = (uint16_t)len,
		});
	const bool verified = aead_open_batch(b2->engine, alg, &op, 1) == 1;

	sodium_memzero(room, (size_t)len);
	if (!verified)
		sodium_memzero(keys, sizeof(*keys));
	return verified;
}

// The value of the OSCORE option of response #1: the Partial IV 0 and the id that made it, which
// some clients take from here, and R2 as kid context.
static size_t option_write(
	const struct b2_device *device, const uint8_t r2[B2_R2_LEN], uint8_t *value, size_t room)
{
	uint8_t kid_context[OSC_BSTR_HEAD_MAX + B2_R2_LEN];
	const unsigned head = osc_bstr_head(kid_context, B2_R2_LEN);
	const struct osc_option option = {
		.piv = 0,
		.piv_len = 1,
		.kid = device->params.sender_id,
		.kid_len = device->params.sender_id_len,
		.has_kid = true,
		.kid_context = kid_context,
		.kid_context_len = (uint8_t)(head + B2_R2_LEN),
		.has_kid_context = true,
	};

	memcpy(kid_context + head, r2, B2_R2_LEN);
	const int len = osc_option_encode(&option, value, room);

	assert(len > 0);
	return (size_t)len;
}

// The one message that the context ID2 ever seals: a code and a tag.
static bool seal(const struct b2 *b2, const struct b2_device *device,
	const struct b2_request *request, const struct b2_id *id2, uint8_t *out)
{
	const enum aead_alg alg = device->params.alg;
	const uint8_t code = COAP_UNAUTHORIZED;
	uint8_t aad[OSC_AAD_ROOM];
	struct osc_keys keys;
	struct aead_op op;

	if (!derive(&keys, device, id2->bytes, id2->len))
		return false;
	osc_op_prepare(&op, aad,
		&(struct osc_op_input){
			.alg = alg,
			.key = keys.sender_key,
			.common_iv = keys.common_iv,
			.request = {request->option.kid, request->option.kid_len,
				request->option.piv},
			.nonce = {device->params.sender_id, device->params.sender_id_len, 0},
			.in = &code,
			.out = out,
			.len = sizeof(code),
		});
	const bool sealed = aead_seal_batch(b2->engine, alg, &op, 1) == 1;

	sodium_memzero(&keys, sizeof(keys));
	return sealed;
}

size_t b2_respond(const struct b2 *b2, const struct b2_device *device,
	const struct b2_request *request, const struct b2_id *id1, const uint8_t r2[B2_R2_LEN],
	uint8_t out[B2_RESPONSE_MAX])
{
	const struct coap_msg *msg = &request->msg;
	const bool con = msg->type == COAP_CON;
	uint8_t option[OSC_OPTION_LEN_MAX], sealed[1 + AEAD_TAG_MAX];
	struct coap_writer writer;
	struct b2_id id2;

	if (id1->len > B2_ID1_MAX)
		return 0;
	memcpy(id2.bytes, r2, B2_R2_LEN);
	memcpy(id2.bytes + B2_R2_LEN, id1->bytes, id1->len);
	id2.len = (uint8_t)(B2_R2_LEN + id1->len);
	if (!seal(b2, device, request, &id2, sealed))
		return 0;
	const size_t option_len = option_write(device, r2, option, sizeof(option));

	coap_writer_init(&writer, out, B2_RESPONSE_MAX);
	coap_write_header(&writer, con ? COAP_ACK : COAP_NON, COAP_CHANGED, con ? msg->mid : 0,
		msg->token, msg->token_len);
	coap_write_option(&writer, COAP_OPT_OSCORE, option, option_len);
	coap_write_payload(
		&writer, sealed, sizeof(uint8_t) + aead_algs[device->params.alg].tag_len);
	return coap_writer_len(&writer);
}
