// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/access_line.h"

#include "dataplane/coap/message.h"
#include "gw/http/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TEXT_MAX  256  // bytes of one text; the rest is cut off
#define PATH_ROOM 1024 // bytes of the encoded path and its end; the rest is cut off

// What a worker answers by itself tells by its code why.
static const char *own_reason(uint8_t code)
{
	switch (code) {
	case COAP_NOT_FOUND:
	case COAP_METHOD_NOT_ALLOWED:
		return "DN";
	case COAP_SERVICE_UNAVAILABLE:
		return "GO";
	case COAP_TOO_MANY_REQUESTS:
		return "DO";
	default:
		return COAP_CODE_CLASS(code) == 2 ? "GB" : "DR";
	}
}

// The first character says who ended it, the second in which phase.
const char *access_reason(const struct access_record *record)
{
	static const char reasons[UP_ERROR_COUNT][3] = {
		[UP_OK] = "--",
		[UP_ERR_no_route] = "DR",
		[UP_ERR_bad_request] = "DR",
		[UP_ERR_bad_method] = "DR",
		[UP_ERR_bad_path] = "DR",
		[UP_ERR_bad_query] = "DR",
		[UP_ERR_bad_option] = "DR",
		[UP_ERR_proxying] = "DR",
		[UP_ERR_bad_accept] = "DR",
		[UP_ERR_bad_format] = "DR",
		[UP_ERR_too_long] = "DR",
		[UP_ERR_device_gone] = "GR",
		[UP_ERR_queue_full] = "GF",
		[UP_ERR_queue_timeout] = "GQ",
		[UP_ERR_stopping] = "GS",
		[UP_ERR_no_server] = "GD",
		[UP_ERR_no_memory] = "GM",
		[UP_ERR_local] = "GM",
		[UP_ERR_dns] = "SC",
		[UP_ERR_connect] = "SC",
		[UP_ERR_tls] = "SC",
		[UP_ERR_bad_reply] = "SA",
		[UP_ERR_head_too_large] = "SA",
		[UP_ERR_body_too_large] = "SA",
		[UP_ERR_no_room] = "GA",
		[UP_ERR_bad_status] = "GA",
		[UP_ERR_redirect] = "GA",
		[UP_ERR_bad_coding] = "GA",
		[UP_ERR_bad_type] = "GA",
		[UP_ERR_wrong_type] = "GA",
	};
	bool head = record->status;

	if (record->own)
		return own_reason(record->code);
	if (record->abandoned)
		return record->sent ? "DH" : record->tries ? "DC" : "DQ";
	if (record->error == UP_ERR_reset)
		return head ? "SB" : record->sent ? "SH" : "SC";
	if (record->error == UP_ERR_timeout)
		return head ? "TB" : record->sent ? "TH" : record->tries ? "TC" : "TQ";
	return reasons[record->error];
}

// A JSON string (RFC 8259 section 7).
static void json_text(struct up_text *text, const char *value, size_t max)
{
	size_t len = strlen(value);
	bool utf8 = up_utf8_valid((const uint8_t *)value, len);

	if (len > max)
		len = utf8 ? up_utf8_cut((const uint8_t *)value, len, max) : max;
	up_text_char(text, '"');
	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)value[i];

		if (c == '"' || c == '\\') {
			up_text_char(text, '\\');
			up_text_char(text, (char)c);
		} else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8)) {
			up_text_str(text, "\\u00");
			up_text_hex(text, &c, 1);
		} else {
			up_text_char(text, (char)c);
		}
	}
	up_text_char(text, '"');
}

static void member_start(struct up_text *text, const char *name)
{
	up_text_str(text, ",\"");
	up_text_str(text, name);
	up_text_str(text, "\":");
}

static void member_text(struct up_text *text, const char *name, const char *value)
{
	member_start(text, name);
	if (value)
		json_text(text, value, TEXT_MAX);
	else
		up_text_str(text, "null");
}

static void member_path(struct up_text *text, const char *path)
{
	member_start(text, "path");
	if (path)
		json_text(text, path, PATH_ROOM);
	else
		up_text_str(text, "null");
}

static void member_number(struct up_text *text, const char *name, uint64_t value)
{
	member_start(text, name);
	up_text_decimal(text, value);
}

// The path as the device sent it, percent-encoded; what does not fit is cut off.
static const char *path_of(const struct access_record *record, char buf[PATH_ROOM])
{
	struct coap_option_iter iter;
	struct coap_option option;
	struct coap_body body;
	struct up_text text;

	if (coap_body_parse(&body, record->body, record->body_len) != COAP_OK)
		return NULL;
	up_text_init(&text, buf, PATH_ROOM - 1);
	coap_option_iter_init(&iter, &body);
	while (coap_option_next(&iter, &option)) {
		if (option.number != COAP_OPT_URI_PATH)
			continue;
		up_text_char(&text, '/');
		up_text_percent(&text, option.value, option.len, "!$&'()*+,;=:@");
	}
	if (text.at == buf)
		*text.at++ = '/';
	*text.at = 0;
	return buf;
}

static const char *time_of(uint64_t unix_ms, char buf[40])
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm tm;
	size_t len;

	gmtime_r(&seconds, &tm);
	len = strftime(buf, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + len, 8, ".%03uZ", (unsigned)(unix_ms % 1000));
	return buf;
}

size_t access_line_write(const struct access_record *record, char *buf, size_t room)
{
	static const char *const methods[] = {
		NULL, "GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "iPATCH"};
	size_t method_count = sizeof(methods) / sizeof(methods[0]);
	char path[PATH_ROOM], when[40], code[8];
	struct up_text text;

	up_text_init(&text, buf, room);
	up_text_str(&text, "{\"time\":\"");
	up_text_str(&text, time_of(record->unix_ms, when));
	up_text_char(&text, '"');
	member_text(&text, "device", record->device);
	member_text(
		&text, "method", record->method < method_count ? methods[record->method] : NULL);
	member_path(&text, path_of(record, path));
	member_text(&text, "route", record->route);
	member_text(&text, "upstream", record->upstream);
	member_text(&text, "server", record->server);
	member_number(&text, "status", (uint64_t)record->status);
	snprintf(code, sizeof(code), "%u.%02u", record->code >> 5, record->code & 31);
	member_text(&text, "code", record->code ? code : NULL);
	member_number(&text, "in", record->in);
	member_number(&text, "out", record->out);
	member_number(&text, "queued_ms", record->queued_ms);
	member_number(&text, "connect_ms", record->connect_ms);
	member_number(&text, "total_ms", record->total_ms);
	member_number(&text, "tries", record->tries);
	member_text(&text, "reason", access_reason(record));
	member_text(&text, "error", record->error ? up_error_rows[record->error].name : NULL);
	up_text_str(&text, "}\n");
	return text.failed ? 0 : (size_t)(text.at - buf);
}
