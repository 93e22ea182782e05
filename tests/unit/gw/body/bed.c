// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/body/bed.h"

#include <stdlib.h>
#include <string.h>

#define MUST(rule)               \
	do {                     \
		if (!(rule))     \
			abort(); \
	} while (0)

uint8_t bytes_of_body[BODY_MOST];

void bed_init(struct bed *bed, size_t memory, unsigned per_device)
{
	const struct body_config config = {.secret = "sixteen bytes...",
		.memory = memory,
		.per_device = per_device,
		.keep_ms = KEEP_MS,
		.idle_ms = IDLE_MS};

	*bed = (struct bed){.table = body_table_create(&config),
		.now_ms = 1000,
		.limits = {.max_body = MAX_BODY, .payload_max = PAYLOAD},
		.room = ROOM};
	MUST(bed->table);
	for (size_t i = 0; i < BODY_MOST; i++)
		bytes_of_body[i] = (uint8_t)((i % 16 < 4 ? i / 16 >> i % 16 * 8 : i * 7) + 1);
}

void bed_fini(struct bed *bed)
{
	body_table_free(bed->table);
}

bool bed_read(struct bed *bed, const struct ask *ask)
{
	struct coap_writer w;

	coap_writer_init(&w, bed->encoded, sizeof(bed->encoded));
	if (ask->etag)
		coap_write_option(&w, COAP_OPT_ETAG, ask->etag, strlen(ask->etag));
	if (ask->if_none_match)
		coap_write_option(&w, COAP_OPT_IF_NONE_MATCH, NULL, 0);
	if (ask->observe)
		coap_write_option_uint(&w, COAP_OPT_OBSERVE, 0);
	if (ask->path)
		coap_write_option(&w, COAP_OPT_URI_PATH, ask->path, strlen(ask->path));
	if (ask->format)
		coap_write_option_uint(&w, COAP_OPT_CONTENT_FORMAT, (uint32_t)ask->format - 1);
	if (ask->query)
		coap_write_option(&w, COAP_OPT_URI_QUERY, ask->query, strlen(ask->query));
	if (ask->hop_limit)
		coap_write_option_uint(&w, COAP_OPT_HOP_LIMIT, 16);
	if (ask->accept)
		coap_write_option_uint(&w, COAP_OPT_ACCEPT, 60);
	if (ask->block2)
		coap_write_option_uint(&w, COAP_OPT_BLOCK2, ask->num2 << 4 | ask->szx2);
	if (ask->block1)
		coap_write_option_uint(
			&w, COAP_OPT_BLOCK1, ask->num1 << 4 | (ask->m1 ? 8 : 0) | ask->szx1);
	if (ask->size1)
		coap_write_option_uint(&w, COAP_OPT_SIZE1, ask->size1);
	if (ask->echo)
		coap_write_option(&w, COAP_OPT_ECHO, ask->echo, strlen(ask->echo));
	if (ask->no_response)
		coap_write_option_uint(&w, COAP_OPT_NO_RESPONSE, 2);
	if (ask->tag)
		coap_write_option(&w, COAP_OPT_REQUEST_TAG, ask->tag, strlen(ask->tag));
	coap_write_payload(&w, ask->payload, ask->len);
	size_t len = coap_writer_len(&w);

	MUST(!w.failed);
	MUST(coap_body_parse(&bed->message, bed->encoded, len) == COAP_OK);
	if (!body_request_read(&bed->request, body_secret(bed->table), ask->code, &bed->message))
		return false;
	bed->request.context = ask->context;
	bed->request.generation = ask->generation;
	bed->request.route = ask->route;
	body_request_name(&bed->request, body_secret(bed->table));
	return true;
}

enum body_action bed_ask(struct bed *bed, const struct ask *ask)
{
	MUST(bed_read(bed, ask));
	return body_take(
		bed->table, &bed->request, &bed->limits, bed->now_ms, &bed->reply, &bed->body);
}

enum body_action bed_block(struct bed *bed, struct ask ask, const uint8_t *bytes, size_t len,
	uint32_t num, uint8_t szx)
{
	size_t size = coap_block_size(szx), at = num * size;

	MUST(at <= len);
	ask.block1 = true;
	ask.num1 = num;
	ask.szx1 = szx;
	ask.payload = bytes + at;
	ask.len = len - at > size ? size : len - at;
	ask.m1 = at + ask.len < len;
	return bed_ask(bed, &ask);
}

enum body_action bed_upload(
	struct bed *bed, struct ask ask, const uint8_t *bytes, size_t len, uint8_t szx)
{
	size_t blocks = (len + coap_block_size(szx) - 1) / coap_block_size(szx);
	enum body_action action = BODY_FORWARD;

	for (uint32_t num = 0; num < blocks; num++)
		action = bed_block(bed, ask, bytes, len, num, szx);
	return action;
}

void bed_answered(
	struct bed *bed, struct body *body, uint8_t code, const uint8_t *bytes, size_t len)
{
	const struct body_answer answer = {.code = code, .payload = bytes, .payload_len = len};

	MUST(body_answered(bed->table, body, &answer, bed->now_ms));
}

struct body *bed_keep(struct bed *bed, uint8_t code, const uint8_t *bytes, size_t len)
{
	const struct body_answer answer = {.code = code, .payload = bytes, .payload_len = len};
	bool too_large;

	return body_keep(bed->table, &bed->request, &answer, bed->room, bed->limits.payload_max,
		bed->now_ms, &too_large);
}

void bed_serve(struct bed *bed, struct body *body)
{
	memset(bed->out, 0xa5, sizeof(bed->out));
	bed->out_len = body_serve(bed->table, body, &bed->request, bed->out, bed->room,
		bed->limits.payload_max, bed->now_ms);
	MUST(bed->out_len && bed->out_len <= bed->room);
	bed->code = bed->out[0];
	MUST(coap_body_parse(&bed->answer, bed->out + 1, bed->out_len - 1) == COAP_OK);
}

int64_t bed_uint(const struct bed *bed, uint16_t number)
{
	struct coap_option option;
	uint32_t value;

	if (!coap_option_find(&bed->answer, number, &option))
		return NONE;
	MUST(coap_option_uint(&option, &value));
	return value;
}

struct coap_block bed_block_of(const struct bed *bed, uint16_t number)
{
	struct coap_option option;
	struct coap_block block;

	MUST(coap_option_find(&bed->answer, number, &option));
	MUST(coap_block_read(&block, &option));
	return block;
}
