// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/representation_answer.h"

#include "dataplane/coap/block.h"

// The most that stands in front of a block: code, ETag, Observe, Content-Format, Max-Age, Block2,
// Size2, payload marker.
#define BLOCK_HEAD (1 + 9 + 1 + 3 + 6 + 5 + 6 + 1)

// What a request says of the form of the answer.
struct wanted {
	bool has_etag; // that of the representation
	bool has_block2;
	struct coap_block block2;
	bool observe; // it is a notification
};

static void wanted_read(
	struct wanted *w, const struct dp_representation *rep, const struct coap_body *request)
{
	struct coap_option_iter iter;
	struct coap_option option;

	*w = (struct wanted){0};
	coap_option_iter_init(&iter, request);
	while (coap_option_next(&iter, &option)) {
		if (option.number == COAP_OPT_ETAG)
			w->has_etag |= rep->etag_len && option.len == rep->etag_len &&
				!memcmp(option.value, rep->etag, option.len);
		else if (option.number == COAP_OPT_BLOCK2)
			w->has_block2 = coap_block_read(&w->block2, &option) &&
				w->block2.szx != COAP_SZX_RESERVED;
	}
}

// A part of a representation.
struct part {
	uint8_t code;
	bool etag, format;
	bool observe;
	bool block; // with Block2 and Size2
	struct coap_block block2;
	const uint8_t *payload;
	uint32_t payload_len;
};

static uint16_t part_write(const struct dp_representation *rep, const struct part *p, uint32_t age,
	uint16_t room, uint8_t *out)
{
	struct coap_writer w;

	coap_writer_init(&w, out, room);
	coap_write_code(&w, p->code);
	if (p->etag && rep->etag_len)
		coap_write_option(&w, COAP_OPT_ETAG, rep->etag, rep->etag_len);
	if (p->observe)
		coap_write_option(&w, COAP_OPT_OBSERVE, NULL, 0);
	if (p->format && rep->content_format != DP_REP_NO_FORMAT)
		coap_write_option_uint(&w, COAP_OPT_CONTENT_FORMAT, rep->content_format);
	if (age != DP_REP_MAX_AGE_DEFAULT)
		coap_write_option_uint(&w, COAP_OPT_MAX_AGE, age);
	if (p->block) {
		coap_write_option_uint(&w, COAP_OPT_BLOCK2, coap_block_value(&p->block2));
		coap_write_option_uint(&w, COAP_OPT_SIZE2, rep->payload_len);
	}
	coap_write_payload(&w, p->payload, p->payload_len);
	return (uint16_t)coap_writer_len(&w);
}

static uint16_t refusal_write(uint8_t code, const char *diagnostic, uint16_t room, uint8_t *out)
{
	struct coap_writer w;

	coap_writer_init(&w, out, room);
	coap_write_code(&w, code);
	coap_write_option_uint(&w, COAP_OPT_MAX_AGE, 0);
	coap_write_payload(&w, diagnostic, strlen(diagnostic));
	return (uint16_t)coap_writer_len(&w);
}

static uint32_t text_cut(const uint8_t *text, uint32_t len, uint32_t room)
{
	if (len <= room)
		return len;
	while (room && (text[room] & 0xc0) == 0x80)
		room--;
	return room;
}

// An error has no blocks: its diagnostic is cut (RFC 7252 section 5.5.2), anything else left out.
static uint16_t error_write(const struct dp_representation *rep, uint32_t age,
	const struct dp_rep_room *room, uint8_t *out)
{
	struct part p = {.code = rep->code,
		.format = true,
		.payload = dp_rep_payload(rep),
		.payload_len = rep->payload_len};
	uint32_t left = room->plaintext - BLOCK_HEAD;

	if (left > room->payload)
		left = room->payload;
	if (p.payload_len > left) {
		p.format = rep->content_format == DP_REP_NO_FORMAT;
		p.payload_len = p.format ? text_cut(p.payload, p.payload_len, left) : 0;
	}
	return part_write(rep, &p, age, room->plaintext, out);
}

// The block that is asked for, or the first.
static uint16_t block_write(const struct dp_representation *rep, const struct wanted *w,
	uint32_t age, const struct dp_rep_room *room, uint8_t *out)
{
	uint64_t at = w->has_block2 ? coap_block_offset(&w->block2) : 0;
	uint16_t left = room->plaintext - BLOCK_HEAD;
	int szx = coap_szx_within(left < room->payload ? left : room->payload);

	if (w->has_block2 && szx > w->block2.szx)
		szx = w->block2.szx;
	if (at && at >= rep->payload_len)
		return refusal_write(COAP_BAD_REQUEST, "Beyond the end", room->plaintext, out);
	if (szx < 0 || at >> (szx + 4) > COAP_BLOCK_NUM_MAX)
		return refusal_write(COAP_BAD_REQUEST, "Too small a block", room->plaintext, out);
	uint32_t size = coap_block_size((unsigned)szx);

	if (rep->payload_len > (COAP_BLOCK_NUM_MAX + UINT64_C(1)) * size)
		return refusal_write(COAP_BAD_GATEWAY, "answer too large", room->plaintext, out);
	struct part p = {
		.code = rep->code,
		.etag = true,
		.format = true,
		.observe = w->observe,
		.block = true,
		.payload = dp_rep_payload(rep) + at,
		.payload_len =
			rep->payload_len - at < size ? rep->payload_len - (uint32_t)at : size,
	};

	p.block2 = (struct coap_block){
		.num = (uint32_t)(at >> (szx + 4)),
		.szx = (uint8_t)szx,
		.more = at + p.payload_len < rep->payload_len,
	};
	return part_write(rep, &p, age, room->plaintext, out);
}

// The whole representation, if it is wanted so and fits, else a block of it.
static uint16_t content_write(const struct dp_representation *rep, const struct wanted *w,
	uint32_t age, const struct dp_rep_room *room, uint8_t *out)
{
	if (rep->payload_len <= room->payload && !(w->has_block2 && w->block2.num) &&
		!(w->has_block2 && rep->payload_len > coap_block_size(w->block2.szx))) {
		const struct part whole = {
			.code = rep->code,
			.etag = !(rep->flags & DP_REP_ETAG_OF_BLOCKS),
			.format = true,
			.observe = w->observe,
			.block = w->has_block2,
			.block2 = {.szx = w->block2.szx},
			.payload = dp_rep_payload(rep),
			.payload_len = rep->payload_len,
		};
		uint16_t len = part_write(rep, &whole, age, room->plaintext, out);

		if (len)
			return len;
	}
	return block_write(rep, w, age, room, out);
}

uint16_t dp_rep_answer_write(const struct dp_representation *rep, const struct coap_body *request,
	uint64_t now_ms, const struct dp_rep_room *room, uint8_t *out)
{
	uint32_t age = dp_rep_max_age(rep, now_ms);
	struct wanted w;

	wanted_read(&w, rep, request);
	if (COAP_CODE_CLASS(rep->code) != 2)
		return error_write(rep, age, room, out);
	if (w.has_etag && rep->code == COAP_CONTENT) {
		const struct part valid = {.code = COAP_VALID, .etag = true};

		return part_write(rep, &valid, age, room->plaintext, out);
	}
	return content_write(rep, &w, age, room, out);
}

uint16_t dp_rep_notification_write(const struct dp_representation *rep, uint8_t szx,
	uint32_t max_age_s, const struct dp_rep_room *room, uint8_t *out)
{
	const struct wanted w = {
		.has_block2 = szx < COAP_SZX_RESERVED,
		.block2.szx = szx,
		.observe = true,
	};

	if (COAP_CODE_CLASS(rep->code) != 2)
		return error_write(rep, max_age_s, room, out);
	return content_write(rep, &w, max_age_s, room, out);
}
