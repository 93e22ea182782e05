// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/coap/message.h"

#include "dataplane/coap/wire.h"

#define HEADER_LEN 4

const char *coap_verdict_name(enum coap_verdict verdict)
{
	static const char *const names[COAP_VERDICT_COUNT] = {
		[COAP_OK] = "ok",
		[COAP_BAD_VERSION] = "bad-version",
		[COAP_BAD_TKL] = "bad-token-length",
		[COAP_TRUNCATED] = "truncated",
		[COAP_BAD_OPTION_NIBBLE] = "bad-option-nibble",
		[COAP_BAD_OPTION_NUMBER] = "bad-option-number",
		[COAP_EMPTY_PAYLOAD] = "empty-payload",
		[COAP_BAD_EMPTY] = "bad-empty-message",
		[COAP_TOO_LONG] = "too-long",
		[COAP_MANY_OPTIONS] = "too-many-options",
	};

	return (unsigned)verdict < COAP_VERDICT_COUNT ? names[verdict] : "unknown";
}

// Reads one option. The byte under the cursor is not the payload marker.
static inline enum coap_verdict option_read(
	struct coap_cursor *c, uint32_t *number, struct coap_option *option)
{
	uint32_t delta, len;
	uint8_t head;

	if (!cursor_u8(c, &head))
		return COAP_TRUNCATED;
	unsigned delta_nibble = head >> 4, len_nibble = head & 0xf;
	if (delta_nibble == WIRE_RESERVED || len_nibble == WIRE_RESERVED)
		return COAP_BAD_OPTION_NIBBLE;
	if (!wire_field_read(c, delta_nibble, &delta) || !wire_field_read(c, len_nibble, &len))
		return COAP_TRUNCATED;
	*number += delta;
	if (*number > UINT16_MAX)
		return COAP_BAD_OPTION_NUMBER;
	if (!cursor_take(c, len, &option->value))
		return COAP_TRUNCATED;
	option->number = (uint16_t)*number;
	option->len = (uint16_t)len;
	return COAP_OK;
}

static bool is_block(uint32_t number)
{
	const uint32_t blocks = UINT32_C(1) << COAP_OPT_BLOCK1 | UINT32_C(1) << COAP_OPT_BLOCK2 |
		UINT32_C(1) << COAP_OPT_Q_BLOCK1 | UINT32_C(1) << COAP_OPT_Q_BLOCK2;

	return number < 32 && blocks >> number & 1;
}

static inline enum coap_verdict body_read(
	struct coap_body *body, struct coap_cursor *c, uint16_t options_max)
{
	struct coap_option option;
	uint32_t number = 0;

	*body = (struct coap_body){.options = c->at};
	while (cursor_left(c) && *c->at != COAP_PAYLOAD_MARK) {
		if (body->option_count == options_max)
			return COAP_MANY_OPTIONS;
		enum coap_verdict verdict = option_read(c, &number, &option);
		if (verdict != COAP_OK)
			return verdict;
		body->option_count++;
		if (number != COAP_OPT_OSCORE) {
			body->has_edhoc |= number == COAP_OPT_EDHOC;
			body->has_block |= is_block(number);
			continue;
		}
		if (!body->oscore_count) {
			body->oscore = option.value;
			body->oscore_len = option.len;
		}
		if (body->oscore_count < UINT8_MAX)
			body->oscore_count++;
	}
	body->options_len = (uint16_t)(c->at - body->options);
	if (!cursor_left(c))
		return COAP_OK;
	if (cursor_left(c) == 1)
		return COAP_EMPTY_PAYLOAD;
	body->payload = c->at + 1;
	body->payload_len = (uint16_t)(cursor_left(c) - 1);
	return COAP_OK;
}

enum coap_verdict coap_msg_parse_max(
	struct coap_msg *msg, const uint8_t *data, size_t len, uint16_t options_max)
{
	struct coap_cursor c;
	const uint8_t *header;
	uint32_t token_len;

	cursor_init(&c, data, len);
	if (!cursor_take(&c, HEADER_LEN, &header))
		return COAP_TRUNCATED;
	if (header[0] >> 6 != COAP_VERSION)
		return COAP_BAD_VERSION;
	msg->type = header[0] >> 4 & 3;
	msg->code = header[1];
	msg->mid = (uint16_t)(header[2] << 8 | header[3]);
	unsigned tkl = header[0] & 0xf;
	if (msg->code == COAP_EMPTY && (tkl || cursor_left(&c)))
		return COAP_BAD_EMPTY;
	if (tkl == WIRE_RESERVED)
		return COAP_BAD_TKL;
	if (len > UINT16_MAX)
		return COAP_TOO_LONG;
	if (!wire_field_read(&c, tkl, &token_len) || !cursor_take(&c, token_len, &msg->token))
		return COAP_TRUNCATED;
	msg->token_len = (uint16_t)token_len;
	return body_read(&msg->body, &c, options_max);
}

enum coap_verdict coap_msg_parse(struct coap_msg *msg, const uint8_t *data, size_t len)
{
	return coap_msg_parse_max(msg, data, len, UINT16_MAX);
}

size_t coap_msg_bad_at(const uint8_t *data, size_t len, uint16_t options_max)
{
	struct coap_cursor c;
	struct coap_option option;
	const uint8_t *at;
	uint32_t token_len, number = 0;
	unsigned count = 0;

	cursor_init(&c, data, len);
	if (!cursor_take(&c, HEADER_LEN, &at))
		return len;
	const unsigned tkl = data[0] & 0xf;

	if (data[0] >> 6 != COAP_VERSION || tkl == WIRE_RESERVED || (data[1] == COAP_EMPTY && tkl))
		return 0;
	if (data[1] == COAP_EMPTY || !wire_field_read(&c, tkl, &token_len) ||
		!cursor_take(&c, token_len, &at))
		return HEADER_LEN;
	do
		at = c.at;
	while (cursor_left(&c) && *c.at != COAP_PAYLOAD_MARK && count++ < options_max &&
		option_read(&c, &number, &option) == COAP_OK);
	return (size_t)(at - data);
}

enum coap_verdict coap_body_parse_max(
	struct coap_body *body, const uint8_t *data, size_t len, uint16_t options_max)
{
	struct coap_cursor c;

	if (len > UINT16_MAX)
		return COAP_TOO_LONG;
	cursor_init(&c, data, len);
	return body_read(body, &c, options_max);
}

enum coap_verdict coap_body_parse(struct coap_body *body, const uint8_t *data, size_t len)
{
	return coap_body_parse_max(body, data, len, UINT16_MAX);
}

void coap_option_iter_init(struct coap_option_iter *iter, const struct coap_body *body)
{
	struct coap_cursor c;

	cursor_init(&c, body->options, body->options_len);
	*iter = (struct coap_option_iter){.at = c.at, .end = c.end};
}

bool coap_option_next_checked(struct coap_option_iter *iter, struct coap_option *option)
{
	struct coap_cursor c = {.at = iter->at, .end = iter->end};

	if (!cursor_left(&c) || option_read(&c, &iter->number, option) != COAP_OK)
		return false;
	iter->at = c.at;
	return true;
}

bool coap_option_find(const struct coap_body *body, uint16_t number, struct coap_option *option)
{
	struct coap_option_iter iter;

	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, option) && option->number <= number) {
		if (option->number == number)
			return true;
	}
	return false;
}

bool coap_option_uint(const struct coap_option *option, uint32_t *value)
{
	if (option->len > sizeof(*value))
		return false;
	*value = 0;
	for (unsigned i = 0; i < option->len; i++)
		*value = *value << 8 | option->value[i];
	return true;
}
