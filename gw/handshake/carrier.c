// SPDX-License-Identifier: BSD-3-Clause

#include "gw/handshake/carrier.h"

#include <sodium.h>
#include <string.h>

#define OPTIONS_MAX 16

// Reads Block1 or Block2. Returns 0 or the code of an error.
static int block_read(bool *has, struct coap_block *block, const struct coap_option *option)
{
	// A second one is not known (RFC 7252 section 5.4.5), and neither is one that is too long.
	if (*has || !coap_block_read(block, option))
		return COAP_BAD_OPTION;
	*has = true;
	return block->szx == COAP_SZX_RESERVED ? COAP_BAD_REQUEST : 0;
}

// Looks at the options of a request to /.well-known/edhoc. Returns 0 or the code of an error.
static int options_read(struct carrier *carrier)
{
	struct coap_option_iter iter;
	struct coap_option option;
	uint32_t format;
	int code;

	coap_option_iter_init(&iter, &carrier->msg.body);
	while (coap_option_next(&iter, &option))
		switch (option.number) {
		case COAP_OPT_URI_HOST:
		case COAP_OPT_URI_PORT:
		case COAP_OPT_URI_PATH:
			break;
		case COAP_OPT_CONTENT_FORMAT:
			if (!coap_option_uint(&option, &format) || format != CARRIER_CID_EDHOC)
				return COAP_UNSUPPORTED_CONTENT_FORMAT;
			break;
		case COAP_OPT_ACCEPT:
			if (!coap_option_uint(&option, &format) || format != CARRIER_EDHOC)
				return COAP_NOT_ACCEPTABLE;
			break;
		case COAP_OPT_ECHO:
			carrier->echo = option;
			break;
		case COAP_OPT_BLOCK1:
			code = block_read(&carrier->part, &carrier->block, &option);
			if (code)
				return code;
			break;
		case COAP_OPT_BLOCK2:
			code = block_read(&carrier->asks, &carrier->asked, &option);
			if (code)
				return code;
			break;
		case COAP_OPT_SIZE1:
			if (!coap_option_uint(&option, &carrier->size))
				carrier->size = 0;
			break;
		default:
			if (COAP_OPT_IS_CRITICAL(option.number))
				return COAP_BAD_OPTION;
		}
	return 0;
}

static bool message_read(struct carrier *carrier, const uint8_t *datagram, size_t len)
{
	memset(carrier, 0, sizeof(*carrier));
	return coap_msg_parse_max(&carrier->msg, datagram, len, OPTIONS_MAX) == COAP_OK &&
		(carrier->msg.type == COAP_CON || carrier->msg.type == COAP_NON) &&
		carrier->msg.code != COAP_EMPTY && !COAP_CODE_CLASS(carrier->msg.code) &&
		carrier->msg.token_len <= CARRIER_TOKEN_MAX;
}

int carrier_read(struct carrier *carrier, const uint8_t *datagram, size_t len)
{
	const struct coap_body *body = &carrier->msg.body;

	if (!message_read(carrier, datagram, len))
		return -1;
	const int code = options_read(carrier);
	const struct edhoc_bytes payload = {body->payload, body->payload_len};

	carrier->fetches = carrier->asks && !carrier->part && !body->payload;
	if (code || carrier->fetches)
		return code;
	if (!body->payload)
		return COAP_BAD_REQUEST;
	// One block that is all is no part (RFC 7959 section 2.2).
	carrier->part = carrier->part && (carrier->block.num || carrier->block.more);
	if (!carrier->part)
		return carrier_complete(carrier, payload);
	carrier->message = payload;
	return 0;
}

int carrier_complete(struct carrier *carrier, struct edhoc_bytes whole)
{
	carrier->prefix =
		edhoc_payload_split(whole.data, whole.len, &carrier->c_r, &carrier->message);
	if (carrier->prefix == EDHOC_PREFIX_NONE)
		return COAP_BAD_REQUEST;
	// Only a message_2 may need blocks.
	return carrier->asks && carrier->prefix != EDHOC_PREFIX_MESSAGE_1 ? COAP_BAD_OPTION : 0;
}

void carrier_tag(const struct carrier *carrier, uint8_t tag[CARRIER_TAG_LEN])
{
	crypto_generichash_state state;
	struct coap_option_iter iter;
	struct coap_option option;

	crypto_generichash_init(&state, NULL, 0, CARRIER_TAG_LEN);
	coap_option_iter_init(&iter, &carrier->msg.body);
	while (coap_option_next(&iter, &option)) {
		if (option.number != COAP_OPT_REQUEST_TAG)
			continue;
		crypto_generichash_update(&state, (const uint8_t *)&option.len, sizeof(option.len));
		crypto_generichash_update(&state, option.value, option.len);
	}
	crypto_generichash_final(&state, tag, CARRIER_TAG_LEN);
}

// Whether the EDHOC option is there once: a second one is not known (RFC 9668 section 3.1).
static bool is_combined_once(const struct coap_body *body)
{
	struct coap_option_iter iter;
	struct coap_option option;
	unsigned n = 0;

	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option))
		n += option.number == COAP_OPT_EDHOC;
	return n == 1;
}

int carrier_read_combined(struct carrier *carrier, const uint8_t *datagram, size_t len)
{
	const struct coap_body *body = &carrier->msg.body;
	struct osc_option option;

	if (!message_read(carrier, datagram, len) || body->oscore_count != 1 ||
		osc_option_parse(&option, body->oscore, body->oscore_len) != OSC_OPTION_OK ||
		!option.has_kid || !option.piv_len || option.kid_len > EDHOC_CONNECTION_MAX)
		return -1;
	if (!is_combined_once(body))
		return COAP_BAD_OPTION;
	carrier->prefix = EDHOC_PREFIX_C_R;
	carrier->c_r.len = option.kid_len;
	memcpy(carrier->c_r.bytes, option.kid, option.kid_len);
	return edhoc_combined_split(
		       body->payload, body->payload_len, &carrier->message, &carrier->ciphertext)
		? 0
		: COAP_BAD_REQUEST;
}

size_t carrier_strip(const struct carrier *carrier, uint8_t *out, size_t room)
{
	const struct coap_msg *msg = &carrier->msg;
	struct coap_option_iter iter;
	struct coap_option option;
	struct coap_writer writer;

	coap_writer_init(&writer, out, room);
	coap_write_header(&writer, msg->type, msg->code, msg->mid, msg->token, msg->token_len);
	coap_option_iter_init(&iter, &msg->body);
	while (coap_option_next(&iter, &option))
		if (option.number != COAP_OPT_EDHOC)
			coap_write_option(&writer, option.number, option.value, option.len);
	coap_write_payload(&writer, carrier->ciphertext.data, carrier->ciphertext.len);
	return coap_writer_len(&writer);
}

size_t carrier_answer(const struct coap_msg *request, const struct carrier_answer *answer,
	uint8_t *out, size_t room)
{
	const bool con = request->type == COAP_CON;
	struct coap_option option;
	struct coap_writer writer;
	struct coap_block block;

	coap_writer_init(&writer, out, room);
	coap_write_header(&writer, con ? COAP_ACK : COAP_NON, answer->code, con ? request->mid : 0,
		request->token, request->token_len);
	if (answer->edhoc)
		coap_write_option_uint(&writer, COAP_OPT_CONTENT_FORMAT, CARRIER_EDHOC);
	if (answer->max_age_s)
		coap_write_option_uint(&writer, COAP_OPT_MAX_AGE, answer->max_age_s);
	if (answer->block)
		coap_write_option_uint(&writer, COAP_OPT_BLOCK2, coap_block_value(answer->block));
	if (coap_option_find(&request->body, COAP_OPT_BLOCK1, &option) &&
		coap_block_read(&block, &option))
		coap_write_option_uint(&writer, COAP_OPT_BLOCK1, coap_block_value(&block));
	if (answer->size)
		coap_write_option_uint(&writer, COAP_OPT_SIZE2, answer->size);
	if (answer->size_max)
		coap_write_option_uint(&writer, COAP_OPT_SIZE1, answer->size_max);
	if (answer->echo)
		coap_write_option(&writer, COAP_OPT_ECHO, answer->echo, answer->echo_len);
	coap_write_payload(&writer, answer->payload.data, answer->payload.len);
	return coap_writer_len(&writer);
}
