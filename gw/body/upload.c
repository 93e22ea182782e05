// SPDX-License-Identifier: BSD-3-Clause

#include "gw/body/table.h"

#include <sodium.h>
#include <string.h>

#define RETRY_SECONDS 5 // Max-Age of 5.03

enum body_action body_refuse_memory(const struct body_table *table, struct body_reply *reply)
{
	(void)table;
	*reply = (struct body_reply){.code = COAP_SERVICE_UNAVAILABLE,
		.has_max_age = true,
		.max_age = RETRY_SECONDS,
		.diagnostic = "No memory for the body"};
	return BODY_REFUSE;
}

static enum body_action refuse(struct body_reply *reply, uint8_t code, const char *diagnostic)
{
	*reply = (struct body_reply){.code = code, .has_max_age = true, .diagnostic = diagnostic};
	return BODY_REFUSE;
}

static enum body_action incomplete(
	struct body_table *table, struct body_reply *reply, const char *diagnostic)
{
	body_count(table, BODY_STAT_incomplete);
	return refuse(reply, COAP_REQUEST_ENTITY_INCOMPLETE, diagnostic);
}

// The body is gone with it (RFC 7959 section 2.9.2).
static enum body_action broken(struct body_table *table, struct body *body,
	struct body_reply *reply, const char *diagnostic)
{
	body_drop(table, body);
	return incomplete(table, reply, diagnostic);
}

// A body for which there will never be memory is as one beyond max_body.
static uint64_t body_most(const struct body_table *table, const struct body_limits *limits)
{
	return limits->max_body < table->largest ? limits->max_body : table->largest;
}

static enum body_action too_large(
	struct body_table *table, const struct body_limits *limits, struct body_reply *reply)
{
	uint64_t most = body_most(table, limits);

	body_count(table, BODY_STAT_too_large);
	refuse(reply, COAP_REQUEST_ENTITY_TOO_LARGE, NULL);
	reply->has_size1 = true;
	reply->size1 = most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
	return BODY_REFUSE;
}

// 2^20 blocks of this size are as many as there are numbers for.
static bool exceeds(const struct body_table *table, const struct body_request *r,
	const struct body_limits *limits, uint64_t len)
{
	uint64_t most = body_most(table, limits);
	uint64_t numbered = ((uint64_t)COAP_BLOCK_NUM_MAX + 1) * coap_block_size(r->block1.szx);

	return (r->has_size1 && (r->size1 > most || r->size1 > numbered)) || len > most ||
		(r->block1.more && r->block1.num == COAP_BLOCK_NUM_MAX);
}

// 2.31 with the NUM of the block, and blocks that are at most as large as the device takes them.
static enum body_action go_on(
	const struct body_request *r, const struct body_limits *limits, struct body_reply *reply)
{
	int most = coap_szx_within(limits->payload_max);

	*reply =
		(struct body_reply){.code = COAP_CONTINUE, .has_block1 = true, .block1 = r->block1};
	if (most >= 0 && most < reply->block1.szx)
		reply->block1.szx = (uint8_t)most;
	return BODY_REFUSE;
}

static bool is_open(const struct body *body, const struct body_request *r)
{
	(void)r;
	return body->state == BODY_UPLOADING;
}

static bool is_upload(const struct body *body, const struct body_request *r)
{
	(void)r;
	return body->uploaded;
}

static void final_hash(
	const struct body_table *table, const struct body_request *r, uint8_t hash[BODY_KEY_LEN])
{
	crypto_shorthash_siphashx24(
		hash, r->message->payload, r->message->payload_len, table->config.secret);
}

// ---- the first block

// A body that is open ends, and one that is complete does not answer its last block again.
static void forget(struct body_table *table, const struct body_request *r)
{
	struct body *body;

	while ((body = body_find(table, r, is_upload))) {
		body->uploaded = false;
		if (body->state == BODY_UPLOADING)
			body_drop(table, body);
	}
}

static enum body_action first(struct body_table *table, const struct body_request *r,
	const struct body_limits *limits, struct body_reply *reply)
{
	size_t len = r->message->payload_len;

	forget(table, r);
	if (!r->block1.more)
		return len <= limits->max_body ? BODY_FORWARD : too_large(table, limits, reply);
	if (len != coap_block_size(r->block1.szx))
		return refuse(reply, COAP_BAD_REQUEST, "Not a block of this size");
	if (exceeds(table, r, limits, len))
		return too_large(table, limits, reply);
	struct body *body = body_new(table, r, len);

	if (!body)
		return body_refuse_memory(table, reply);
	body->uploaded = true;
	body->if_none_match = r->if_none_match;
	if (!body_grow(table, body, len)) {
		body_drop(table, body);
		return body_refuse_memory(table, reply);
	}
	body_bytes_add(&body->bytes, r->message->payload, len);
	body_list(table, body, table->now_ms);
	body_count(table, BODY_STAT_opened);
	body_count(table, BODY_STAT_blocks_in);
	return go_on(r, limits, reply);
}

// ---- later blocks

// The last block of a body that is complete came again, or another one.
static enum body_action again(struct body_table *table, const struct body_request *r,
	struct body_reply *reply, struct body *body)
{
	uint8_t hash[BODY_KEY_LEN];

	final_hash(table, r, hash);
	if (r->block1.more || coap_block_offset(&r->block1) != body->final_at ||
		r->message->payload_len != body->final_len ||
		r->content_format != body->content_format ||
		sodium_memcmp(hash, body->final_hash, sizeof(hash)) != 0)
		return incomplete(table, reply, "The body is complete already");
	body_count(table, BODY_STAT_joined);
	return body->state == BODY_ASKING ? BODY_JOIN : BODY_SERVE;
}

static enum body_action complete(
	struct body_table *table, const struct body_request *r, struct body *body)
{
	body->final_at = coap_block_offset(&r->block1);
	body->final_len = r->message->payload_len;
	final_hash(table, r, body->final_hash);
	if (r->code == COAP_FETCH)
		body_digest(body->digest, table->config.secret, r->content_format, body->bytes.at,
			body->bytes.len);
	body->state = BODY_ASKING;
	body_count(table, BODY_STAT_completed);
	return BODY_ASK;
}

// Adds a block to a body that is unlisted.
static enum body_action add(struct body_table *table, const struct body_request *r,
	const struct body_limits *limits, struct body_reply *reply, struct body *body)
{
	const struct coap_body *message = r->message;
	uint64_t at = coap_block_offset(&r->block1), end = at + message->payload_len;
	uint32_t size = coap_block_size(r->block1.szx);

	if (r->content_format != body->content_format)
		return broken(table, body, reply, "Another Content-Format");
	if (r->block1.more ? message->payload_len != size : message->payload_len > size)
		return broken(table, body, reply, "Not a block of this size");
	if (at < body->bytes.len) {
		// Under a new Partial IV, since its answer was lost.
		if (r->block1.more && end <= body->bytes.len &&
			!sodium_memcmp(body->bytes.at + at, message->payload, size)) {
			body_list(table, body, table->now_ms);
			return go_on(r, limits, reply);
		}
		return broken(table, body, reply, "Not the next block");
	}
	if (at > body->bytes.len)
		return broken(table, body, reply, "Not the next block");
	if (exceeds(table, r, limits, end)) {
		body_drop(table, body);
		return too_large(table, limits, reply);
	}
	if (!body_grow(table, body, end)) {
		body_drop(table, body);
		return body_refuse_memory(table, reply);
	}
	body_bytes_add(&body->bytes, message->payload, message->payload_len);
	body->if_none_match |= r->if_none_match;
	body_count(table, BODY_STAT_blocks_in);
	if (!r->block1.more)
		return complete(table, r, body);
	body_list(table, body, table->now_ms);
	return go_on(r, limits, reply);
}

enum body_action body_upload(struct body_table *table, const struct body_request *r,
	const struct body_limits *limits, struct body_reply *reply, struct body **out)
{
	struct body *body;

	if (!r->block1.num)
		return first(table, r, limits, reply);
	// An open one first: a last block that comes again belongs to none that was opened since.
	body = body_find(table, r, is_open);
	if (!body)
		body = body_find(table, r, is_upload);
	if (!body)
		return incomplete(table, reply, "No body of which this is a block");
	*out = body;
	if (body->state != BODY_UPLOADING)
		return again(table, r, reply, body);
	body_unlist(table, body);
	return add(table, r, limits, reply, body);
}
