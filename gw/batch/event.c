// SPDX-License-Identifier: BSD-3-Clause
// CloudEvents in JSON (CloudEvents 1.0.2, JSON event format 1.0.2).

#include "dataplane/coap/message.h"
#include "gw/batch/base64.h"
#include "gw/batch/json.h"
#include "gw/batch/words.h"
#include "gw/batch/writers.h"
#include "gw/map/media.h"

// What may stand unencoded in a segment (RFC 3986 section 3.3).
#define SEGMENT_CHARS "!$&'()*+,;=:@"

static const char create[] = "{\"create\":{\"_id\":\"", create_end[] = "\"}}\n";
static const char sequence[] = "\",\"sequence\":\"";
static const char data[] = "\",\"data\":", data_base64[] = "\",\"data_base64\":\"";

// The longest of what is neither way nor data: id, sequence, time, and what stands around them.
#define FIXED_MAX ((size_t)3 * PIV_DIGITS + TIME_LEN + 128)

// A string of the gateway's own: no controls, maybe quotes.
static void json_string(struct http_text *text, const char *name, const char *value)
{
	http_text_str(text, name);
	http_text_str(text, ":\"");
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			http_text_char(text, '\\');
		http_text_char(text, *value);
	}
	http_text_str(text, "\",");
}

static bool is_json(const struct map_format *format)
{
	size_t len = strlen(format->type);

	return !format->coding &&
		(!strcmp(format->type, "application/json") ||
			(len > 5 && !strcmp(format->type + len - 5, "+json")));
}

static void type_put(struct http_text *text, struct batch_way *way, int number)
{
	const struct map_format *format = map_format_find((uint16_t)number);
	char type[128], *start = type;
	struct http_text t;

	http_text_init(&t, type, sizeof(type));
	map_format_write(&t, (uint16_t)number);
	if (!http_text_end(&t, &start)) {
		text->failed = true;
		return;
	}
	json_string(text, "\"datacontenttype\"", type);
	if (!format)
		return;
	if (format->coding)
		json_string(text, "\"contentencoding\"", format->coding);
	else if (is_json(format))
		way->body = BATCH_BODY_JSON;
	else if (map_format_is_text(number))
		way->body = BATCH_BODY_TEXT;
}

// All but what is the reading's own, which comes last.
void event_way_put(struct http_text *text, struct batch_way *way, const struct batch_source *s)
{
	const char *start = text->at;

	way->body = BATCH_BODY_BINARY;
	if (way->format == CONF_BATCH_ES_BULK) {
		http_text_str(text, create);
		word_fingerprint_put(text, s->fingerprint);
		http_text_char(text, '-');
	}
	way->id_len = (uint16_t)(text->at - start);
	http_text_str(text, "{\"specversion\":\"1.0\",\"type\":\"");
	http_text_str(text, s->code == COAP_PUT ? "coap.put" : "coap.post");
	http_text_str(text, "\",\"source\":\"/devices/");
	http_text_percent(text, (const uint8_t *)s->device, strlen(s->device), SEGMENT_CHARS);
	http_text_str(text, "\",");
	if (*s->subject)
		json_string(text, "\"subject\"", s->subject);
	if (s->content_format != MAP_FORMAT_NONE)
		type_put(text, way, s->content_format);
	http_text_str(text, "\"id\":\"");
	word_fingerprint_put(text, s->fingerprint);
	http_text_char(text, '-');
}

// How the payload is written, and the bytes that takes.
static enum batch_body body_of(
	const struct batch_way *way, const struct batch_reading *r, size_t room, size_t *size)
{
	*size = r->len;
	if (way->body == BATCH_BODY_JSON && json_embeds(r->payload, r->len))
		return BATCH_BODY_JSON;
	// Escapes can make it six times as long.
	if (way->body == BATCH_BODY_TEXT && json_text_fits(r->payload, r->len, size) &&
		*size <= room)
		return BATCH_BODY_TEXT;
	*size = base64_len(r->len) + 2;
	return BATCH_BODY_BINARY;
}

// A line feed can only be a blank between two tokens: inside of strings it is refused.
static uint8_t *line_put(uint8_t *at, const uint8_t *json, size_t len)
{
	memcpy(at, json, len);
	if (!memchr(json, '\n', len) && !memchr(json, '\r', len)) // nearly always
		return at + len;
	for (size_t i = 0; i < len; i++)
		if (at[i] == '\n' || at[i] == '\r')
			at[i] = ' ';
	return at + len;
}

static uint8_t *body_put(uint8_t *at, const struct batch_way *way, const struct batch_reading *r,
	enum batch_body body)
{
	switch (body) {
	case BATCH_BODY_JSON:
		at = PUT_TEXT(at, data);
		if (way->format == CONF_BATCH_CLOUDEVENTS)
			return put(at, r->payload, r->len);
		return line_put(at, r->payload, r->len);
	case BATCH_BODY_TEXT:
		return json_text_put(PUT_TEXT(at, data), r->payload, r->len);
	default:
		at = base64_put(PUT_TEXT(at, data_base64), r->payload, r->len);
		*at++ = '"';
		return at;
	}
}

enum batch_put event_put(const struct batch_way *way, const struct batch_reading *r, uint8_t *at,
	size_t room, size_t *len)
{
	const uint8_t *start = at;
	uint8_t digits[PIV_DIGITS];
	enum batch_body body;
	size_t size = 0;

	if (room < way->all_len + FIXED_MAX)
		return BATCH_PUT_NO_ROOM;
	body = body_of(way, r, room - way->all_len - FIXED_MAX, &size);
	if (room - way->all_len - FIXED_MAX < size)
		return BATCH_PUT_NO_ROOM;
	word_piv_digits(r->piv, digits);
	unsigned from = piv_start(digits);
	if (way->format == CONF_BATCH_ES_BULK) {
		at = put(at, way->bytes, way->id_len);
		at = put(at, digits + from, PIV_DIGITS - from);
		at = PUT_TEXT(at, create_end);
	}
	at = put(at, way->bytes + way->id_len, way->all_len - way->id_len);
	at = put(at, digits + from, PIV_DIGITS - from);
	at = PUT_TEXT(at, sequence);
	at = put(at, digits, PIV_DIGITS);
	at = way->format == CONF_BATCH_ES_BULK ? PUT_TEXT(at, "\",\"@timestamp\":\"")
					       : PUT_TEXT(at, "\",\"time\":\"");
	word_time_put(at, r->unix_ms);
	at += TIME_LEN;
	if (r->len)
		at = body_put(at, way, r, body);
	else
		*at++ = '"';
	*at++ = '}';
	if (way->format == CONF_BATCH_CLOUDEVENTS)
		*at++ = ',';
	*at++ = '\n';
	*len = (size_t)(at - start);
	return BATCH_PUT_OK;
}
