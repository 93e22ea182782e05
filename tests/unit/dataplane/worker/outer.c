// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/dataplane/worker/outer.h"

#include <criterion/criterion.h>

// The option of the lowest number from `least` on, or NULL.
static const struct outer_option *option_next(const struct outer *outer, unsigned least)
{
	const struct outer_option *next = NULL;

	for (unsigned i = 0; i < outer->option_count; i++) {
		const struct outer_option *option = &outer->options[i];

		if (option->number >= least && (!next || option->number < next->number))
			next = option;
	}
	return next;
}

static void options_write(
	struct coap_writer *writer, const struct outer *outer, unsigned from, unsigned to)
{
	const struct outer_option *option;

	while ((option = option_next(outer, from)) && option->number < to) {
		coap_write_option(writer, option->number, option->value, option->len);
		from = option->number + 1u;
	}
}

void outer_send(const struct outer *outer)
{
	uint8_t coap[BED_MESSAGE_MAX];
	struct coap_writer writer;
	struct coap_msg msg;

	cr_assert_eq(coap_msg_parse(&msg, request.coap, request.len), COAP_OK);
	coap_writer_init(&writer, coap, sizeof(coap));
	coap_write_header(&writer, msg.type, outer->code ? outer->code : msg.code, msg.mid,
		outer->has_token ? outer->token : msg.token,
		outer->has_token ? outer->token_len : msg.token_len);
	options_write(&writer, outer, 0, COAP_OPT_OSCORE);
	coap_write_option(&writer, COAP_OPT_OSCORE, msg.body.oscore, msg.body.oscore_len);
	options_write(&writer, outer, COAP_OPT_OSCORE + 1, UINT16_MAX + 1);
	coap_write_payload(&writer, msg.body.payload, msg.body.payload_len);
	size_t len = coap_writer_len(&writer);

	cr_assert_neq(len, 0);
	bed_send(&bed, &bed.flow, coap, len);
	bed_turn(&bed);
}

void outer_send_options(const struct outer_option *options, unsigned count)
{
	const struct outer outer = {.options = options, .option_count = count};

	outer_send(&outer);
}

bool outer_token_is(const uint8_t *token, uint16_t len)
{
	return answer.msg.token_len == len && !memcmp(answer.msg.token, token, len);
}
