// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/access_line.h"

#include "dataplane/coap/message.h"
#include "gw/http/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TEXT_MAX  256  // bytes of one text; the rest is cut off
#define PATH_ROOM 1024 // bytes of the encoded path and its end; the rest is cut off

// The code of what a worker answered by itself says why.
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
const char *up_access_reason(const struct up_access_entry *entry)
{
	static const char reasons[HTTP_ERROR_COUNT][3] = {
		[HTTP_ERR_none] = "--",
		[HTTP_ERR_no_route] = "DR",
		[HTTP_ERR_bad_request] = "DR",
		[HTTP_ERR_bad_method] = "DR",
		[HTTP_ERR_bad_path] = "DR",
		[HTTP_ERR_bad_query] = "DR",
		[HTTP_ERR_bad_option] = "DR",
		[HTTP_ERR_proxying] = "DR",
		[HTTP_ERR_bad_accept] = "DR",
		[HTTP_ERR_bad_format] = "DR",
		[HTTP_ERR_too_long] = "DR",
		[HTTP_ERR_bad_cbor] = "DR",
		[HTTP_ERR_too_large] = "DR",
		[HTTP_ERR_bad_record] = "DR",
		[HTTP_ERR_wrong_format] = "DR",
		[HTTP_ERR_record_too_large] = "DR",
		[HTTP_ERR_device_gone] = "GR",
		[HTTP_ERR_queue_full] = "GF",
		[HTTP_ERR_queue_timeout] = "GQ",
		[HTTP_ERR_paused] = "GP",
		[HTTP_ERR_stopping] = "GS",
		[HTTP_ERR_no_server] = "GD",
		[HTTP_ERR_no_memory] = "GM",
		[HTTP_ERR_local] = "GM",
		[HTTP_ERR_dns] = "SC",
		[HTTP_ERR_connect] = "SC",
		[HTTP_ERR_tls] = "SC",
		[HTTP_ERR_bad_reply] = "SA",
		[HTTP_ERR_head_too_large] = "SA",
		[HTTP_ERR_body_too_large] = "SA",
		[HTTP_ERR_no_room] = "GA",
		[HTTP_ERR_too_many_blocks] = "GA",
		[HTTP_ERR_bad_status] = "GA",
		[HTTP_ERR_redirect] = "GA",
		[HTTP_ERR_bad_coding] = "GA",
		[HTTP_ERR_bad_type] = "GA",
		[HTTP_ERR_refused] = "GA",
		[HTTP_ERR_refused_by_one] = "GP",
		[HTTP_ERR_no_result] = "GA",
		[HTTP_ERR_wrong_type] = "GA",
		[HTTP_ERR_not_oscore] = "GA",
		[HTTP_ERR_bad_json] = "GA",
	};
	bool head = entry->status;

	if (entry->pushed)
		return "PS";
	if (entry->own)
		return own_reason(entry->code);
	if (entry->abandoned)
		return entry->sent ? "DH" : entry->tries ? "DC" : "DQ";
	if (entry->error == HTTP_ERR_reset)
		return head ? "SB" : entry->sent ? "SH" : "SC";
	if (entry->error == HTTP_ERR_timeout)
		return head ? "TB" : entry->sent ? "TH" : entry->tries ? "TC" : "TQ";
	return reasons[entry->error];
}

// A JSON string (RFC 8259 section 7).
static void json_text(struct http_text *text, const char *value, size_t max)
{
	size_t len = strlen(value);
	bool utf8 = http_utf8_valid((const uint8_t *)value, len);

	if (len > max)
		len = utf8 ? http_utf8_cut((const uint8_t *)value, len, max) : max;
	http_text_char(text, '"');
	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)value[i];

		if (c == '"' || c == '\\') {
			http_text_char(text, '\\');
			http_text_char(text, (char)c);
		} else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8)) {
			http_text_str(text, "\\u00");
			http_text_hex(text, &c, 1);
		} else {
			http_text_char(text, (char)c);
		}
	}
	http_text_char(text, '"');
}

static void member_start(struct http_text *text, const char *name)
{
	http_text_str(text, ",\"");
	http_text_str(text, name);
	http_text_str(text, "\":");
}

static void member_text(struct http_text *text, const char *name, const char *value)
{
	member_start(text, name);
	if (value)
		json_text(text, value, TEXT_MAX);
	else
		http_text_str(text, "null");
}

static void member_path(struct http_text *text, const char *path)
{
	member_start(text, "path");
	if (path)
		json_text(text, path, PATH_ROOM);
	else
		http_text_str(text, "null");
}

static void member_number(struct http_text *text, const char *name, uint64_t value)
{
	member_start(text, name);
	http_text_decimal(text, value);
}

static void member_hex(struct http_text *text, const char *name, const uint8_t *bytes, size_t len)
{
	member_start(text, name);
	if (!bytes) {
		http_text_str(text, "null");
		return;
	}
	http_text_char(text, '"');
	http_text_hex(text, bytes, len);
	http_text_char(text, '"');
}

// The path as the device sent it, percent-encoded; what does not fit is cut off.
static const char *path_of(const struct up_access_entry *entry, char buf[PATH_ROOM])
{
	struct coap_option_iter iter;
	struct coap_option option;
	struct coap_body body;
	struct http_text text;

	if (coap_body_parse(&body, entry->body, entry->body_len) != COAP_OK)
		return NULL;
	http_text_init(&text, buf, PATH_ROOM - 1);
	coap_option_iter_init(&iter, &body);
	while (coap_option_next(&iter, &option)) {
		if (option.number != COAP_OPT_URI_PATH)
			continue;
		http_text_char(&text, '/');
		http_text_percent(&text, option.value, option.len, "!$&'()*+,;=:@");
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

size_t up_access_line_write(const struct up_access_entry *entry, char *buf, size_t room)
{
	static const char *const methods[] = {
		NULL, "GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "iPATCH"};
	size_t method_count = sizeof(methods) / sizeof(methods[0]);
	char path[PATH_ROOM], when[40], code[8];
	struct http_text text;

	http_text_init(&text, buf, room);
	http_text_str(&text, "{\"time\":\"");
	http_text_str(&text, time_of(entry->unix_ms, when));
	http_text_char(&text, '"');
	member_text(&text, "device", entry->device);
	member_hex(&text, "credential", entry->credential, UP_CREDENTIAL_LEN);
	member_text(&text, "method", entry->method < method_count ? methods[entry->method] : NULL);
	member_path(&text, path_of(entry, path));
	member_text(&text, "route", entry->route);
	member_text(&text, "upstream", entry->upstream);
	member_text(&text, "server", entry->server);
	member_number(&text, "status", (uint64_t)entry->status);
	snprintf(code, sizeof(code), "%u.%02u", entry->code >> 5, entry->code & 31);
	member_text(&text, "code", entry->code ? code : NULL);
	member_number(&text, "in", entry->in);
	member_number(&text, "out", entry->out);
	member_number(&text, "queued_ms", entry->queued_ms);
	member_number(&text, "connect_ms", entry->connect_ms);
	member_number(&text, "total_ms", entry->total_ms);
	member_text(&text, "batch", entry->batch);
	member_number(&text, "batch_size", entry->batch_size);
	member_hex(&text, "trace", entry->trace, MAP_TRACE_LEN);
	member_number(&text, "tries", entry->tries);
	member_text(&text, "reason", up_access_reason(entry));
	member_text(&text, "error", entry->error ? http_error_name(entry->error) : NULL);
	http_text_str(&text, "}\n");
	return text.failed ? 0 : (size_t)(text.at - buf);
}
