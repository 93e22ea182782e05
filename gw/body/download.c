// SPDX-License-Identifier: BSD-3-Clause

#include "gw/body/table.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(BODY_ETAG_MAX == crypto_shorthash_BYTES, "an ETag of ours is a SipHash-2-4");

#define BLOCKS_MAX ((uint64_t)COAP_BLOCK_NUM_MAX + 1)

// ---- requests

static bool is_answer(const struct body *body, const struct body_request *r)
{
	static const uint8_t none[BODY_KEY_LEN];

	// A FETCH asks for later blocks with its payload or without.
	return body->state == BODY_KEPT &&
		(!memcmp(body->digest, r->digest, sizeof(none)) ||
			!memcmp(r->digest, none, sizeof(none)));
}

enum body_action body_take(struct body_table *table, const struct body_request *r,
	const struct body_limits *limits, uint64_t now_ms, struct body_reply *reply,
	struct body **body)
{
	table->now_ms = now_ms;
	*body = NULL;
	if (r->has_block1)
		return body_upload(table, r, limits, reply, body);
	if (!r->has_block2 || !r->block2.num)
		return BODY_FORWARD;
	*body = body_find(table, r, is_answer);
	if (*body)
		return BODY_SERVE;
	body_count(table, BODY_STAT_gone);
	// Nothing is performed twice.
	if (r->code == COAP_GET || (r->code == COAP_FETCH && r->message->payload))
		return BODY_REFETCH;
	body_count(table, BODY_STAT_incomplete);
	*reply = (struct body_reply){.code = COAP_REQUEST_ENTITY_INCOMPLETE,
		.has_max_age = true,
		.diagnostic = "The answer is gone"};
	return BODY_REFUSE;
}

// ---- answers

// Block1 of a final answer repeats the block's (RFC 7959 section 2.3).
static void part_start(struct body_part *part, const struct body_request *r)
{
	*part = (struct body_part){.has_block1 = r->has_block1, .block1 = r->block1};
	part->block1.more = false;
}

// The bytes of everything but the payload and its marker.
static size_t head_len(const struct body_answer *answer, const struct body_part *part)
{
	struct body_part head = *part;
	uint8_t room[2048];

	head.payload_len = 0;
	uint16_t len = body_part_write(answer, &head, room, sizeof(room));

	return len ? len : SIZE_MAX / 2;
}

static bool whole(const struct body_answer *answer, const struct body_request *r,
	struct body_part *part, uint16_t room, uint16_t payload_max)
{
	part_start(part, r);
	part->payload = answer->payload;
	part->payload_len = answer->payload_len;
	// What is no representation has no blocks.
	if (r->has_block2 && COAP_CODE_CLASS(answer->code) == 2 && answer->code != COAP_VALID) {
		part->has_block2 = true;
		part->block2 = (struct coap_block){.szx = r->block2.szx};
		if (r->block2.num || answer->payload_len > coap_block_size(r->block2.szx))
			return false;
	}
	if (answer->payload_len > payload_max)
		return false;
	return head_len(answer, part) + 1 + answer->payload_len <= room;
}

bool body_answer_fits(const struct body_answer *answer, const struct body_request *r, uint16_t room,
	uint16_t payload_max)
{
	struct body_part part;

	return whole(answer, r, &part, room, payload_max);
}

uint16_t body_answer_write(const struct body_answer *answer, const struct body_request *r,
	uint8_t *out, uint16_t room, uint16_t payload_max)
{
	struct body_part part;

	return whole(answer, r, &part, room, payload_max)
		? body_part_write(answer, &part, out, room)
		: 0;
}

// The largest blocks of an answer for which there is room beside all its options; -1: none.
static int szx_for(const struct body_answer *answer, const struct body_request *r, uint16_t room,
	uint16_t payload_max)
{
	struct body_answer blocks = *answer;
	struct body_part part;
	uint8_t asked = r->has_block2 ? r->block2.szx : COAP_SZX_MAX;

	part_start(&part, r);
	if (!blocks.etag_len)
		blocks.etag_len = BODY_ETAG_MAX;
	if (blocks.max_age == 60) // which is not written; that of later blocks is
		blocks.max_age = 59;
	part.has_block2 = part.has_size2 = true;
	size_t last = blocks.payload_len / COAP_BLOCK_SIZE_MIN;
	part.block2.num = (uint32_t)(last < COAP_BLOCK_NUM_MAX ? last : COAP_BLOCK_NUM_MAX);
	part.size2 = (uint32_t)blocks.payload_len;
	size_t head = head_len(&blocks, &part) + 1;
	size_t left = head < room ? room - head : 0;
	int szx = coap_szx_within(left < payload_max ? left : payload_max);

	return szx < asked ? szx : asked;
}

// ---- keeping

static bool kept_copy(struct body_table *table, struct body *body, const struct body_answer *answer)
{
	struct body_kept *kept = &body->kept;

	*kept = (struct body_kept){
		.code = answer->code,
		.etag_len = answer->etag_len,
		.has_max_age = answer->has_max_age,
		.max_age = answer->max_age,
		.szx = -1,
		.answered_ms = table->now_ms,
	};
	memcpy(kept->etag, answer->etag, sizeof(kept->etag));
	if (answer->options_len) {
		if (!body_charge(table, body, answer->options_len))
			return false;
		kept->options = malloc(answer->options_len);
		kept->options_len = answer->options_len;
		if (!kept->options) {
			body_free_options(table, body);
			return false;
		}
		memcpy(kept->options, answer->options, answer->options_len);
	}
	if (!answer->payload_len)
		return true;
	if (!body_grow(table, body, answer->payload_len)) {
		body_free_options(table, body);
		return false;
	}
	body_bytes_add(&body->bytes, answer->payload, answer->payload_len);
	return true;
}

static struct body_answer kept_answer(const struct body *body, uint64_t now_ms)
{
	const struct body_kept *kept = &body->kept;
	uint64_t age = (now_ms - kept->answered_ms) / 1000;
	struct body_answer answer = {
		.code = kept->code,
		.etag_len = kept->etag_len,
		.has_max_age = kept->has_max_age,
		.max_age = kept->max_age > age ? kept->max_age - (uint32_t)age : 0,
		.options = kept->options,
		.options_len = kept->options_len,
		.payload = body->bytes.at,
		.payload_len = body->bytes.len,
	};

	memcpy(answer.etag, kept->etag, sizeof(answer.etag));
	return answer;
}

static bool is_like(const struct body *body, const struct body_request *r)
{
	return body->state == BODY_KEPT && !body->uploaded &&
		!memcmp(body->digest, r->digest, sizeof(body->digest));
}

struct body *body_keep(struct body_table *table, const struct body_request *r,
	const struct body_answer *answer, uint16_t room, uint16_t payload_max, uint64_t now_ms,
	bool *is_too_large)
{
	int szx = szx_for(answer, r, room, payload_max);
	struct body *body;

	table->now_ms = now_ms;
	*is_too_large =
		szx < 0 || answer->payload_len > BLOCKS_MAX * coap_block_size((unsigned)szx);
	if (*is_too_large) {
		body_count(table, BODY_STAT_too_large);
		return NULL;
	}
	while ((body = body_find(table, r, is_like)))
		body_drop(table, body);
	body = body_new(table, r, answer->payload_len);
	if (!body)
		return NULL;
	if (!kept_copy(table, body, answer)) {
		body_drop(table, body);
		return NULL;
	}
	body->state = BODY_KEPT;
	body->kept.szx = (int8_t)szx;
	body_list(table, body, now_ms);
	body_count(table, BODY_STAT_answers_kept);
	return body;
}

void body_copied(struct body_table *table, struct body *body)
{
	assert(body->state == BODY_ASKING);
	body_free_bytes(table, body);
}

bool body_answered(struct body_table *table, struct body *body, const struct body_answer *answer,
	uint64_t now_ms)
{
	struct body_answer bare = *answer;

	table->now_ms = now_ms;
	body->fetch = NULL;
	body->state = BODY_KEPT;
	body_free_bytes(table, body);
	bool all = kept_copy(table, body, answer);

	if (!all) {
		bare.payload_len = 0;
		bare.options_len = 0;
		bare.etag_len = 0;
		(void)kept_copy(table, body, &bare); // needs no memory
	}
	body->delivered = !body->findable; // nobody can ask for it any more
	body_list(table, body, now_ms);
	return all;
}

// ---- serving

// An ETag for an answer that has none (RFC 9175 section 3.8): a keyed hash over bytes and format.
static void etag_make(const struct body_table *table, struct body *body)
{
	struct body_kept *kept = &body->kept;
	uint8_t both[2 * crypto_shorthash_BYTES];

	crypto_shorthash(both, body->bytes.at, body->bytes.len, table->config.secret);
	crypto_shorthash(both + crypto_shorthash_BYTES, kept->options, kept->options_len,
		table->config.secret);
	crypto_shorthash(kept->etag, both, sizeof(both), table->config.secret);
	kept->etag_len = BODY_ETAG_MAX;
	kept->etag_made = true;
}

static uint16_t bad_request(const char *diagnostic, uint8_t *out, uint16_t room)
{
	const struct body_reply reply = {
		.code = COAP_BAD_REQUEST, .has_max_age = true, .diagnostic = diagnostic};

	return body_reply_write(&reply, out, room);
}

// There is no room for its smallest blocks, or no number is high enough for its last ones. A FETCH
// is as good as not answered; of what was performed only the payload is dropped.
static uint16_t without_blocks(struct body_table *table, const struct body_answer *answer,
	const struct body_request *r, uint8_t *out, uint16_t room)
{
	struct body_reply reply = {.code = answer->code};
	struct body_part part;
	uint16_t len = 0;

	body_count(table, BODY_STAT_too_large);
	part_start(&part, r);
	if (answer->code == COAP_CONTENT) {
		reply.code = COAP_BAD_GATEWAY;
		reply.has_max_age = true;
		reply.diagnostic = "answer too large";
	} else {
		len = body_part_write(answer, &part, out, room);
	}
	reply.has_block1 = part.has_block1;
	reply.block1 = part.block1;
	return len ? len : body_reply_write(&reply, out, room);
}

static size_t text_cut(const uint8_t *text, size_t len, size_t room)
{
	if (len <= room)
		return len;
	while (room && (text[room] & 0xc0) == 0x80)
		room--;
	return room;
}

// An error that does not fit: a diagnostic is cut (RFC 7252 section 5.5.2), anything else left out.
static uint16_t error_write(struct body_answer *answer, const struct body_request *r, uint8_t *out,
	uint16_t room, uint16_t payload_max)
{
	const struct coap_body options = {
		.options = answer->options, .options_len = answer->options_len};
	struct body_reply reply = {.code = answer->code};
	struct coap_option format;
	struct body_part part;

	part_start(&part, r);
	bool is_text = !coap_option_find(&options, COAP_OPT_CONTENT_FORMAT, &format);
	answer->options_len = 0;
	size_t head = head_len(answer, &part) + 1, left = head < room ? room - head : 0;

	if (is_text) {
		part.payload = answer->payload;
		part.payload_len = text_cut(answer->payload, answer->payload_len,
			left < payload_max ? left : payload_max);
	}
	uint16_t len = body_part_write(answer, &part, out, room);
	return len ? len : body_reply_write(&reply, out, room);
}

// All of it is sent: it gives way first, and for less long.
static void delivered(struct body_table *table, struct body *body, bool all, uint64_t now_ms)
{
	body_unlist(table, body);
	body->delivered |= all;
	body_list(table, body, now_ms);
}

uint16_t body_serve(struct body_table *table, struct body *body, const struct body_request *r,
	uint8_t *out, uint16_t room, uint16_t payload_max, uint64_t now_ms)
{
	struct body_kept *kept = &body->kept;
	struct body_answer answer = kept_answer(body, now_ms);
	struct body_part part;
	uint16_t len;

	table->now_ms = now_ms;
	if (kept->etag_made)
		answer.etag_len = 0;
	if (whole(&answer, r, &part, room, payload_max)) {
		delivered(table, body, true, now_ms);
		return body_part_write(&answer, &part, out, room);
	}
	uint64_t at = r->has_block2 ? coap_block_offset(&r->block2) : 0;
	int szx = szx_for(&answer, r, room, payload_max);

	if (COAP_CODE_CLASS(answer.code) != 2)
		return error_write(&answer, r, out, room, payload_max);
	if (kept->szx < 0)
		kept->szx = (int8_t)szx;
	szx = szx < kept->szx ? szx : kept->szx;
	if (szx < 0 ? !at : answer.payload_len > BLOCKS_MAX * coap_block_size((unsigned)szx))
		return without_blocks(table, &answer, r, out, room);
	if (at && at >= answer.payload_len)
		return bad_request("Beyond the end", out, room);
	if (szx < 0 || at >> (szx + 4) > COAP_BLOCK_NUM_MAX)
		return bad_request("Too small a block", out, room);
	if (!kept->etag_len)
		etag_make(table, body);
	answer = kept_answer(body, now_ms);
	uint32_t size = coap_block_size((unsigned)szx);

	part_start(&part, r);
	part.payload = answer.payload + at;
	part.payload_len = answer.payload_len - at < size ? answer.payload_len - at : size;
	part.has_block2 = part.has_size2 = true;
	part.block2 = (struct coap_block){
		.num = (uint32_t)(at >> (szx + 4)),
		.szx = (uint8_t)szx,
		.more = at + part.payload_len < answer.payload_len,
	};
	part.size2 = (uint32_t)answer.payload_len;
	len = body_part_write(&answer, &part, out, room);
	if (!len)
		return bad_request("No room for a block", out, room);
	body_count(table, BODY_STAT_blocks_out);
	delivered(table, body, !part.block2.more, now_ms);
	return len;
}
