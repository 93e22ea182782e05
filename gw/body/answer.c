// SPDX-License-Identifier: BSD-3-Clause

#include "gw/body/answer.h"

#include <string.h>

#define MAX_AGE_DEFAULT 60 // seconds that a missing Max-Age means, RFC 7252 section 5.10.5

// What stands between the answer's own options, in the order of numbers.
struct inserted {
	const struct body_answer *answer;
	const struct body_part *part;
	unsigned next;
};

// Writes those of the inserted options that come before `number`.
static void insert_before(struct coap_writer *w, struct inserted *in, uint32_t number)
{
	const struct body_answer *a = in->answer;
	const struct body_part *p = in->part;
	static const uint16_t numbers[] = {
		COAP_OPT_ETAG, COAP_OPT_MAX_AGE, COAP_OPT_BLOCK2, COAP_OPT_BLOCK1, COAP_OPT_SIZE2};

	for (; in->next < sizeof(numbers) / sizeof(numbers[0]); in->next++) {
		uint16_t now = numbers[in->next];

		if (now >= number)
			break;
		if (now == COAP_OPT_ETAG && a->etag_len)
			coap_write_option(w, now, a->etag, a->etag_len);
		else if (now == COAP_OPT_MAX_AGE && a->has_max_age && a->max_age != MAX_AGE_DEFAULT)
			coap_write_option_uint(w, now, a->max_age);
		else if (now == COAP_OPT_BLOCK2 && p->has_block2)
			coap_write_option_uint(w, now, coap_block_value(&p->block2));
		else if (now == COAP_OPT_BLOCK1 && p->has_block1)
			coap_write_option_uint(w, now, coap_block_value(&p->block1));
		else if (now == COAP_OPT_SIZE2 && p->has_size2)
			coap_write_option_uint(w, now, p->size2);
	}
}

uint16_t body_part_write(
	const struct body_answer *a, const struct body_part *part, uint8_t *out, size_t room)
{
	const struct coap_body options = {.options = a->options, .options_len = a->options_len};
	struct inserted in = {.answer = a, .part = part};
	struct coap_option_iter iter;
	struct coap_option option;
	struct coap_writer w;

	coap_writer_init(&w, out, room);
	coap_write_code(&w, a->code);
	coap_option_iter_init(&iter, &options);
	while (coap_option_next(&iter, &option)) {
		insert_before(&w, &in, option.number);
		coap_write_option(&w, option.number, option.value, option.len);
	}
	insert_before(&w, &in, UINT32_MAX);
	coap_write_payload(&w, part->payload, part->payload_len);
	return (uint16_t)coap_writer_len(&w);
}

static uint16_t reply_write(
	const struct body_reply *r, size_t diagnostic, uint8_t *out, size_t room)
{
	struct coap_writer w;

	coap_writer_init(&w, out, room);
	coap_write_code(&w, r->code);
	if (r->has_max_age && r->max_age != MAX_AGE_DEFAULT)
		coap_write_option_uint(&w, COAP_OPT_MAX_AGE, r->max_age);
	if (r->has_block1)
		coap_write_option_uint(&w, COAP_OPT_BLOCK1, coap_block_value(&r->block1));
	if (r->has_size1)
		coap_write_option_uint(&w, COAP_OPT_SIZE1, r->size1);
	coap_write_payload(&w, r->diagnostic, diagnostic);
	return (uint16_t)coap_writer_len(&w);
}

uint16_t body_reply_write(const struct body_reply *r, uint8_t *out, size_t room)
{
	size_t diagnostic = r->diagnostic ? strlen(r->diagnostic) : 0;
	uint16_t len = reply_write(r, diagnostic, out, room);

	if (!len && diagnostic)
		len = reply_write(r, 0, out, room);
	if (!len) {
		out[0] = r->code;
		len = 1;
	}
	return len;
}
