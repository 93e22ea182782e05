// SPDX-License-Identifier: BSD-3-Clause

#include "gw/map/translate.h"

#include "gw/map/media.h"

#define CBOR 60 // Content-Formats, RFC 7252 section 12.3 and RFC 8428 section 12.3
#define JSON 50

static const struct pair {
	int cbor, json;
	enum tr_form form;
} pairs[] = {
	{CBOR, JSON, TR_PLAIN}, {112, 110, TR_SENML}, // a pack
	{113, 111, TR_SENML},                         // a stream
};

#define PAIRS (sizeof(pairs) / sizeof(pairs[0]))

static const struct pair *pair_of_cbor(int format)
{
	for (size_t i = 0; i < PAIRS; i++)
		if (pairs[i].cbor == format)
			return &pairs[i];
	return NULL;
}

static const struct pair *pair_of_json(int format)
{
	for (size_t i = 0; i < PAIRS; i++)
		if (pairs[i].json == format)
			return &pairs[i];
	return NULL;
}

int map_cbor_wanted(const struct map_request *msg)
{
	if (msg->route->translate == CONF_TRANSLATE_NONE)
		return MAP_FORMAT_NONE;
	if (msg->accept != MAP_FORMAT_NONE)
		return pair_of_cbor(msg->accept) ? msg->accept : MAP_FORMAT_NONE;
	return msg->method->body && pair_of_cbor(msg->content_format) ? MAP_CBOR_ANY
								      : MAP_FORMAT_NONE;
}

enum http_error map_request_translate(struct map_request *msg, uint8_t *room, size_t len)
{
	const struct pair *pair = pair_of_cbor(msg->content_format);
	enum tr_verdict verdict = TR_OK;
	size_t json_len;

	if (msg->route->translate == CONF_TRANSLATE_NONE || !msg->method->body || !pair)
		return HTTP_ERR_none;
	if (msg->payload_len) { // of nothing there is nothing to make
		verdict = tr_cbor_to_json(pair->form, msg->payload, msg->payload_len, (char *)room,
			len < MAP_JSON_ROOM ? len : MAP_JSON_ROOM, &json_len, &msg->fault);
		if (verdict == TR_OK) {
			msg->payload = room;
			msg->payload_len = json_len;
		}
	}
	msg->content_format = pair->json;
	switch (verdict) {
	case TR_OK:
		return HTTP_ERR_none;
	case TR_TOO_LONG:
		return HTTP_ERR_too_large;
	default:
		return HTTP_ERR_bad_cbor;
	}
}

int map_accept_of_backend(const struct map_request *msg)
{
	return msg->cbor == msg->accept ? pair_of_cbor(msg->accept)->json : msg->accept;
}

uint32_t map_reply_keep(const struct map_request *msg, uint64_t max_body)
{
	uint64_t most = msg->cbor == MAP_FORMAT_NONE ? UINT32_MAX : MAP_JSON_KEEP_MAX;

	return (uint32_t)(max_body < most ? max_body : most);
}

int map_cbor_of_answer(const struct map_request *msg, int format)
{
	const struct pair *pair = pair_of_json(format);

	if (!pair || msg->cbor == MAP_FORMAT_NONE)
		return MAP_FORMAT_NONE;
	return msg->cbor == MAP_CBOR_ANY || msg->cbor == pair->cbor ? pair->cbor : MAP_FORMAT_NONE;
}

int map_cbor_of_etag(const struct map_request *msg, const struct http_reply *reply)
{
	const char *type = reply->field[HTTP_FIELD_CONTENT_TYPE];

	if (msg->cbor == MAP_FORMAT_NONE)
		return MAP_FORMAT_NONE;
	if (!msg->method->safe) {
		const struct pair *sent = pair_of_json(msg->content_format);

		return msg->cbor != MAP_CBOR_ANY ? msg->cbor : sent ? sent->cbor : MAP_FORMAT_NONE;
	}
	if (!type)
		return MAP_FORMAT_NONE;
	return map_cbor_of_answer(
		msg, map_format_of(type, reply->field[HTTP_FIELD_CONTENT_ENCODING]));
}

enum http_error map_answer_translate(const struct http_reply *reply, int cbor_format, uint8_t *room,
	size_t room_len, size_t *len, struct tr_fault *fault)
{
	enum tr_form form = pair_of_cbor(cbor_format)->form;

	switch (tr_json_to_cbor(
		form, (const char *)reply->body, reply->body_len, room, room_len, len, fault)) {
	case TR_OK:
		return HTTP_ERR_none;
	case TR_TOO_LONG:
		return HTTP_ERR_no_room;
	case TR_NO_MEMORY:
		return HTTP_ERR_no_memory;
	case TR_REFUSED:
		break;
	}
	return HTTP_ERR_bad_json;
}

bool map_etag_names_answer(const struct map_request *msg, const struct map_etags *etags,
	const uint8_t *bytes, size_t len)
{
	if (msg->cbor == MAP_FORMAT_NONE)
		return map_etag_is_of(etags, bytes, len, MAP_ETAG_AS_SENT);
	for (size_t i = 0; i < PAIRS; i++)
		if ((msg->cbor == MAP_CBOR_ANY || msg->cbor == pairs[i].cbor) &&
			map_etag_is_of(etags, bytes, len, pairs[i].cbor))
			return true;
	return false;
}
