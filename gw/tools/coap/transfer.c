// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/transfer.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

// ---- requests

static bool fits_numbers(size_t len, unsigned szx)
{
	return len <= (size_t)coap_block_size(szx) * (COAP_BLOCK_NUM_MAX + 1);
}

static void begin(struct transfer *t)
{
	t->receiving = t->whole = t->has_etag = false;
	t->sent = t->body_len = 0;
	t->size = 0;
	t->repeats = 0;
	t->receive_szx = t->szx;
	t->starts++;
	// A tag of its own for each start, so that no block of the one before is taken for one of
	// it.
	randombytes_buf(t->tag, sizeof(t->tag));
}

static int use_blocks(struct transfer *t, unsigned szx, struct error *f)
{
	t->send_szx = (uint8_t)szx;
	t->blocks = !t->one && t->payload_len > coap_block_size(szx);
	if (t->blocks && !fits_numbers(t->payload_len, szx))
		return error_set(f, -E2BIG,
			"the payload of %zu bytes takes more than 2^20 blocks of %u bytes",
			t->payload_len, coap_block_size(szx));
	return 0;
}

int transfer_start(struct transfer *t, struct error *f)
{
	begin(t);
	return use_blocks(t, t->szx, f);
}

void transfer_free(struct transfer *t)
{
	free(t->body);
	t->body = NULL;
	t->body_len = t->body_room = 0;
}

static size_t part_len(const struct transfer *t)
{
	size_t left = t->payload_len - t->sent;

	return t->blocks && left > coap_block_size(t->send_szx) ? coap_block_size(t->send_szx)
								: left;
}

static bool is_last(const struct transfer *t)
{
	return t->sent + part_len(t) == t->payload_len;
}

static struct coap_block sent_block(const struct transfer *t)
{
	return (struct coap_block){.num = (uint32_t)(t->sent >> (t->send_szx + 4)),
		.szx = t->send_szx,
		.more = !is_last(t)};
}

// Whether an option of the request goes with the next block, too.
static bool goes_along(const struct transfer *t, uint16_t number)
{
	switch (number) {
	case COAP_OPT_IF_NONE_MATCH: // RFC 7959 section 2.10
	case COAP_OPT_SIZE1:
		return !t->receiving && !t->sent;
	case COAP_OPT_OBSERVE: // section 2.6
		return !t->receiving;
	default:
		return true;
	}
}

static int add_block(
	struct option_list *list, uint16_t number, const struct coap_block *block, struct error *f)
{
	return option_add_uint(list, number, coap_block_value(block), f);
}

static int add_own_options(const struct transfer *t, struct option_list *list, struct error *f)
{
	const struct coap_block first = {.szx = t->szx}, last = sent_block(t);
	const struct coap_block next = {
		.num = (uint32_t)(t->body_len >> (t->receive_szx + 4)), .szx = t->receive_szx};
	int err = 0;

	if (t->one)
		return 0;
	if (t->blocks && !option_has(t->options, COAP_OPT_REQUEST_TAG))
		err = option_add(list, COAP_OPT_REQUEST_TAG, t->tag, sizeof(t->tag), f);
	if (!err && t->receiving)
		return add_block(list, COAP_OPT_BLOCK2, &next, f);
	if (!err && t->blocks)
		err = add_block(list, COAP_OPT_BLOCK1, &last, f);
	if (!err && t->blocks && !t->sent && !option_has(t->options, COAP_OPT_SIZE1))
		err = option_add_uint(list, COAP_OPT_SIZE1, (uint32_t)t->payload_len, f);
	// The block that ends the request says how its answer is to come (section 3.3).
	if (!err && t->ask && is_last(t))
		err = add_block(list, COAP_OPT_BLOCK2, &first, f);
	return err;
}

int transfer_request(const struct transfer *t, struct transfer_part *part, struct error *f)
{
	int err = 0;

	*part = (struct transfer_part){0};
	for (size_t i = 0; i < t->options->count && !err; i++) {
		const struct coap_option *o = &t->options->at[i];

		if (goes_along(t, o->number))
			err = option_add(&part->options, o->number, o->value, o->len, f);
	}
	if (!err)
		err = add_own_options(t, &part->options, f);
	// A request for a later block of an answer has no payload (RFC 7959 section 3.3).
	if (!t->receiving) {
		part->payload = t->payload ? t->payload + t->sent : NULL;
		part->payload_len = part_len(t);
	}
	if (err)
		option_list_free(&part->options);
	return err;
}

size_t transfer_payload_len(const struct transfer *t)
{
	return t->receiving ? 0 : part_len(t);
}

bool transfer_repeat(struct transfer *t)
{
	if ((!t->receiving && !t->sent) || t->repeats == TRANSFER_REPEATS_MAX)
		return false;
	t->repeats++;
	t->repeated++;
	return true;
}

// ---- answers

// Whether there is a Block option; *step is TRANSFER_FAILED if it says nothing.
static bool find_block(const struct coap_body *answer, uint16_t number, struct coap_block *block,
	enum transfer_step *step, struct error *f)
{
	struct coap_option option;

	*step = TRANSFER_NEXT;
	if (!coap_option_find(answer, number, &option))
		return false;
	if (coap_block_read(block, &option) && block->szx != COAP_SZX_RESERVED)
		return true;
	*step = TRANSFER_FAILED;
	error_set(f, 0, "the answer has a malformed %s", option_name(number));
	return false;
}

static bool find_uint(const struct coap_body *answer, uint16_t number, uint32_t *value)
{
	struct coap_option option;

	return coap_option_find(answer, number, &option) && coap_option_uint(&option, value);
}

// From the start, because of what the caller has put into *f.
static enum transfer_step again(struct transfer *t)
{
	if (t->starts == TRANSFER_STARTS_MAX)
		return TRANSFER_BROKEN;
	begin(t);
	return TRANSFER_AGAIN;
}

// 4.13 (RFC 7959 section 2.9.3).
static enum transfer_step too_large(
	struct transfer *t, const struct coap_body *answer, struct error *f)
{
	struct coap_block hint;
	enum transfer_step step;
	uint32_t limit;
	bool has_limit = find_uint(answer, COAP_OPT_SIZE1, &limit);

	if (has_limit && limit < t->payload_len) {
		error_set(f, 0,
			"the server takes at most %u bytes (Size1), and the payload has %zu", limit,
			t->payload_len);
		return TRANSFER_BROKEN;
	}
	bool smaller = find_block(answer, COAP_OPT_BLOCK1, &hint, &step, f) &&
		coap_block_size(hint.szx) < t->payload_len &&
		(!t->blocks || hint.szx < t->send_szx);
	if (step == TRANSFER_FAILED)
		return step;
	if (!smaller) {
		error_set(f, 0,
			"the server takes no payload of %zu bytes, and does not say how many",
			t->payload_len);
		return TRANSFER_BROKEN;
	}
	if (use_blocks(t, hint.szx, f))
		return TRANSFER_FAILED;
	t->starts--; // sizes fall, so this ends by itself
	begin(t);
	error_set(f, 0, "the server takes blocks of at most %u bytes", coap_block_size(hint.szx));
	return TRANSFER_AGAIN;
}

// 4.08: the server has not all that came before this block (section 2.9.2). Nothing was done then,
// unless this is the second time that the last block is sent.
static enum transfer_step incomplete(struct transfer *t, struct error *f)
{
	if (is_last(t) && t->repeats) {
		error_set(f, 0,
			"the last block was sent twice: the server may have taken the body, but "
			"its "
			"answer is lost");
		return TRANSFER_BROKEN;
	}
	error_set(f, 0, "the server has lost the first %zu bytes of the body", t->sent);
	return t->sent ? again(t) : TRANSFER_BROKEN;
}

static int append(struct transfer *t, const struct coap_body *answer, struct error *f)
{
	size_t len = t->body_len + answer->payload_len;
	size_t room = t->body_room ? t->body_room : 16 * 1024;

	if (len > t->body_max || t->size > t->body_max)
		return error_set(
			f, -EFBIG, "the answer has more than %zu bytes (--max-body)", t->body_max);
	while (room < len)
		room *= 2;
	if (room > t->body_room) {
		uint8_t *grown = realloc(t->body, room);

		if (!grown)
			return error_set(f, -ENOMEM, "out of memory");
		t->body = grown;
		t->body_room = room;
	}
	if (answer->payload_len)
		memcpy(t->body + t->body_len, answer->payload, answer->payload_len);
	t->body_len = len;
	t->blocks_received++;
	return 0;
}

// What holds for the first block of an answer and for all others.
static enum transfer_step take_block(struct transfer *t, const struct coap_block *block,
	const struct coap_body *answer, struct error *f)
{
	uint32_t size = coap_block_size(block->szx);

	if (coap_block_offset(block) != t->body_len) {
		error_set(f, 0, "the answer's block begins at byte %llu, not at %zu",
			(unsigned long long)coap_block_offset(block), t->body_len);
		return TRANSFER_FAILED;
	}
	if (block->szx > t->receive_szx) {
		error_set(f, 0, "the answer has blocks of %u bytes, more than the %u asked for",
			size, coap_block_size(t->receive_szx));
		return TRANSFER_FAILED;
	}
	if (answer->payload_len > size || (block->more && answer->payload_len != size)) {
		error_set(f, 0, "the answer's block of %u bytes has %u", size, answer->payload_len);
		return TRANSFER_FAILED;
	}
	if (block->more && block->num == COAP_BLOCK_NUM_MAX) {
		error_set(f, 0, "the answer takes more than 2^20 blocks of %u bytes", size);
		return TRANSFER_FAILED;
	}
	if (append(t, answer, f))
		return TRANSFER_FAILED;
	t->receive_szx = block->szx;
	t->repeats = 0;
	t->whole = !block->more;
	return t->whole ? TRANSFER_DONE : TRANSFER_NEXT;
}

// The request was taken in whole, and this is its answer or the first block of it.
static enum transfer_step take_first(
	struct transfer *t, uint8_t code, const struct coap_body *answer, struct error *f)
{
	struct coap_option etag;
	struct coap_block block;
	enum transfer_step step;

	if (!find_block(answer, COAP_OPT_BLOCK2, &block, &step, f))
		return step == TRANSFER_FAILED ? step : TRANSFER_DONE;
	if (!find_uint(answer, COAP_OPT_SIZE2, &t->size))
		t->size = 0;
	t->has_etag = coap_option_find(answer, COAP_OPT_ETAG, &etag) &&
		coap_option_len_ok(COAP_OPT_ETAG, etag.len);
	if (t->has_etag) {
		memcpy(t->etag, etag.value, etag.len);
		t->etag_len = (uint8_t)etag.len;
	}
	t->code = code;
	t->receiving = block.more;
	return take_block(t, &block, answer, f);
}

static bool same_etag(const struct transfer *t, const struct coap_body *answer)
{
	struct coap_option etag;

	if (!coap_option_find(answer, COAP_OPT_ETAG, &etag))
		return !t->has_etag;
	return t->has_etag && etag.len == t->etag_len && !memcmp(etag.value, t->etag, etag.len);
}

// A later block. Only what asks for nothing to be done is asked again if the server has it no more.
static enum transfer_step take_later(
	struct transfer *t, uint8_t code, const struct coap_body *answer, struct error *f)
{
	bool may_ask_again = t->method == COAP_GET || t->method == COAP_FETCH;
	struct coap_block block;
	enum transfer_step step;

	bool has = find_block(answer, COAP_OPT_BLOCK2, &block, &step, f);
	if (step == TRANSFER_FAILED)
		return step;
	if (code == t->code && has && same_etag(t, answer))
		return take_block(t, &block, answer, f);
	bool changed = COAP_CODE_CLASS(code) == 2 || code == t->code;
	if (changed)
		error_set(f, 0, "the answer has changed behind %zu bytes%s", t->body_len,
			same_etag(t, answer) ? "" : " (another ETag)");
	else
		error_set(f, 0, "the answer breaks off behind %zu bytes", t->body_len);
	step = TRANSFER_BROKEN;
	if (may_ask_again && (changed || code == COAP_REQUEST_ENTITY_INCOMPLETE))
		step = again(t);
	// Pieces of two answers are none, and an error in the middle is one.
	return step == TRANSFER_BROKEN && changed ? TRANSFER_FAILED : step;
}

// The answer to a block of the payload.
static enum transfer_step take_sent(
	struct transfer *t, uint8_t code, const struct coap_body *answer, struct error *f)
{
	const struct coap_block sent = sent_block(t);
	struct coap_block block;
	enum transfer_step step;

	if (code == COAP_REQUEST_ENTITY_INCOMPLETE)
		return incomplete(t, f);
	if (COAP_CODE_CLASS(code) != 2)
		return TRANSFER_DONE;
	bool has = find_block(answer, COAP_OPT_BLOCK1, &block, &step, f);
	if (step == TRANSFER_FAILED)
		return step;
	if ((has && block.num != sent.num) || (!has && sent.more) ||
		(code == COAP_CONTINUE && !sent.more)) {
		error_set(f, 0,
			has ? "the answer to block %u is none to this block"
			    : "the answer to block %u ends a body of which it has a part",
			sent.num);
		return TRANSFER_FAILED;
	}
	t->sent += part_len(t);
	t->blocks_sent++;
	t->repeats = 0;
	if (!sent.more)
		return take_first(t, code, answer, f);
	if (block.szx < t->send_szx) {
		t->send_szx = block.szx;
		if (!fits_numbers(t->payload_len, t->send_szx)) {
			error_set(f, 0, "the payload takes more than 2^20 blocks of %u bytes",
				coap_block_size(block.szx));
			return TRANSFER_FAILED;
		}
	}
	return TRANSFER_NEXT;
}

enum transfer_step transfer_take(
	struct transfer *t, uint8_t code, const struct coap_body *answer, struct error *f)
{
	if (t->one)
		return TRANSFER_DONE;
	if (t->receiving)
		return take_later(t, code, answer, f);
	if (code == COAP_REQUEST_ENTITY_TOO_LARGE)
		return too_large(t, answer, f);
	return t->blocks ? take_sent(t, code, answer, f) : take_first(t, code, answer, f);
}
