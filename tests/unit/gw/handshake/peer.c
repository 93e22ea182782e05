// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/handshake/peer.h"

#include "dataplane/oscore/kid_context.h"
#include "dataplane/oscore/protect.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

void peer_make(struct peer *peer, struct b2_device *device, uint8_t kid)
{
	*peer = (struct peer){.engine = aead_engine_create(NULL)};
	assert(peer->engine);
	peer->params = (struct osc_params){
		.alg = AEAD_AES_CCM_16_64_128,
		.secret_len = 16,
		.salt_len = 8,
		.sender_id_len = 1,
		.sender_id = {kid},
		.recipient_id_len = 2,
		.recipient_id = {0xaa, kid},
	};
	randombytes_buf(peer->params.secret, 16);
	randombytes_buf(peer->params.salt, 8);
	*device = (struct b2_device){.id = 100 + kid, .count = 0, .params = peer->params};
	memcpy(device->params.sender_id, peer->params.recipient_id, 2);
	memcpy(device->params.recipient_id, peer->params.sender_id, 2);
	device->params.sender_id_len = 2;
	device->params.recipient_id_len = 1;
}

void peer_free(struct peer *peer)
{
	aead_engine_free(peer->engine);
}

static void derive(
	const struct peer *peer, struct osc_keys *keys, const uint8_t *id, uint8_t id_len)
{
	struct osc_params params = peer->params;

	params.has_id_context = true;
	params.id_context_len = id_len;
	memcpy(params.id_context, id, id_len);
	int rc = osc_derive(keys, &params);

	assert(!rc);
}

void peer_request(const struct peer *peer, struct peer_message *message, enum coap_type type,
	uint16_t mid, uint64_t piv, const uint8_t *id, uint8_t id_len)
{
	static const uint8_t plain[] = {COAP_GET, 0xb1, 't'};
	const struct osc_id_piv of = {peer->params.sender_id, peer->params.sender_id_len, piv};
	uint8_t kid_context[OSC_BSTR_HEAD_MAX + 255], value[OSC_OPTION_LEN_MAX];
	uint8_t sealed[sizeof(plain) + AEAD_TAG_MAX], aad[OSC_AAD_ROOM], token[2];
	unsigned head = osc_bstr_head(kid_context, id_len);
	struct coap_writer writer;
	struct osc_keys keys;
	struct aead_op op;

	derive(peer, &keys, id, id_len);
	osc_op_prepare(&op, aad,
		&(struct osc_op_input){.alg = peer->params.alg,
			.key = keys.sender_key,
			.common_iv = keys.common_iv,
			.request = of,
			.nonce = of,
			.in = plain,
			.out = sealed,
			.len = sizeof(plain)});
	unsigned n = aead_seal_batch(peer->engine, peer->params.alg, &op, 1);

	assert(n == 1);
	memcpy(kid_context + head, id, id_len);
	int value_len = osc_option_encode(
		&(struct osc_option){
			.piv = piv,
			.piv_len = piv < 256 ? 1 : 2,
			.kid = of.id,
			.kid_len = of.id_len,
			.has_kid = true,
			.kid_context = kid_context,
			.kid_context_len = (uint8_t)(head + id_len),
			.has_kid_context = true,
		},
		value, sizeof(value));

	assert(value_len > 0);
	token[0] = (uint8_t)(mid >> 8);
	token[1] = (uint8_t)mid;
	coap_writer_init(&writer, message->bytes, sizeof(message->bytes));
	coap_write_header(&writer, type, COAP_POST, mid, token, sizeof(token));
	coap_write_option(&writer, COAP_OPT_OSCORE, value, (size_t)value_len);
	coap_write_payload(&writer, sealed, sizeof(plain) + aead_algs[peer->params.alg].tag_len);
	message->len = coap_writer_len(&writer);
	message->piv = piv;
	assert(message->len);
}

void peer_request_1(struct peer *peer, struct peer_message *message, uint16_t mid)
{
	randombytes_buf(peer->r1, sizeof(peer->r1));
	peer_request(peer, message, COAP_CON, mid, 0, peer->r1, sizeof(peer->r1));
}

void peer_request_2(struct peer *peer, struct peer_message *message, uint16_t mid)
{
	uint8_t id3[B2_R2_LEN + sizeof(peer->r3)];

	randombytes_buf(peer->r3, sizeof(peer->r3));
	memcpy(id3, peer->r2, B2_R2_LEN);
	memcpy(id3 + B2_R2_LEN, peer->r3, sizeof(peer->r3));
	peer_request(peer, message, COAP_CON, mid, 0, id3, sizeof(id3));
}

bool peer_response_1(struct peer *peer, const struct peer_message *request, const uint8_t *id1,
	uint8_t id1_len, const uint8_t *bytes, size_t len)
{
	uint8_t id2[255], plain[PEER_ROOM], aad[OSC_AAD_ROOM], r2_len;
	struct coap_msg msg, asked;
	struct osc_option option;
	struct osc_keys keys;
	struct aead_op op;
	const uint8_t *r2;

	if (coap_msg_parse(&msg, bytes, len) != COAP_OK || msg.body.oscore_count != 1 ||
		coap_msg_parse(&asked, request->bytes, request->len) != COAP_OK)
		return false;
	if (osc_option_parse(&option, msg.body.oscore, msg.body.oscore_len) != OSC_OPTION_OK ||
		!option.has_kid_context || option.piv_len != 1 || option.piv != 0 ||
		!osc_bstr_read(option.kid_context, option.kid_context_len, &r2, &r2_len) ||
		r2_len != B2_R2_LEN)
		return false;
	if (msg.token_len != asked.token_len || memcmp(msg.token, asked.token, msg.token_len) ||
		(msg.type == COAP_ACK && msg.mid != asked.mid) || msg.code != COAP_CHANGED)
		return false;
	memcpy(id2, r2, r2_len);
	memcpy(id2 + r2_len, id1, id1_len);
	derive(peer, &keys, id2, (uint8_t)(r2_len + id1_len));
	osc_op_prepare(&op, aad,
		&(struct osc_op_input){.alg = peer->params.alg,
			.key = keys.recipient_key,
			.common_iv = keys.common_iv,
			.request = {peer->params.sender_id, peer->params.sender_id_len,
				request->piv},
			.nonce = {peer->params.recipient_id, peer->params.recipient_id_len, 0},
			.in = msg.body.payload,
			.out = plain,
			.len = (uint16_t)(msg.body.payload_len -
				aead_algs[peer->params.alg].tag_len)});
	if (aead_open_batch(peer->engine, peer->params.alg, &op, 1) != 1 || op.len != 1 ||
		plain[0] != COAP_UNAUTHORIZED)
		return false;
	memcpy(peer->r2, r2, B2_R2_LEN);
	return true;
}
