// SPDX-License-Identifier: BSD-3-Clause

#include "gw/web/framing.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct head {
	unsigned lengths, codings; // Content-Length, Transfer-Encoding
	unsigned types;            // Content-Type
	const char *wrong;
};

static bool is_token(const char *text, size_t len)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < len; i++) {
		const char c = text[i], letter = c | 0x20;

		if (!((letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') ||
			    (c && strchr(others, c))))
			return false;
	}
	return len;
}

static bool is_value(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
			return false;
	return true;
}

static bool is_name(const char *key, size_t len, const char *name)
{
	return len == strlen(name) && !strncasecmp(key, name, len);
}

static enum MHD_Result look(void *arg, enum MHD_ValueKind kind, const char *key, size_t key_len,
	const char *value, size_t value_len)
{
	struct head *head = arg;

	if (!is_token(key, key_len))
		head->wrong = "the name of a header is no token";
	else if (value && !is_value(value, value_len))
		head->wrong = "a header has control characters";
	head->lengths += is_name(key, key_len, MHD_HTTP_HEADER_CONTENT_LENGTH);
	head->types += is_name(key, key_len, MHD_HTTP_HEADER_CONTENT_TYPE);
	if (is_name(key, key_len, MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
		head->codings++;
		// libmicrohttpd takes all bytes until the end of the connection for the body then.
		if (!value || !is_name(value, value_len, "chunked"))
			head->wrong = "Transfer-Encoding can only be chunked";
	}
	return head->wrong ? MHD_NO : MHD_YES;
}

const char *web_framing_wrong(struct MHD_Connection *connection, const char *version)
{
	struct head head = {.wrong = NULL};

	MHD_get_connection_values_n(connection, MHD_HEADER_KIND, look, &head);
	if (!head.wrong && head.lengths + head.codings > 1)
		head.wrong = "more than one header says how long the body is";
	if (!head.wrong && head.codings && strcmp(version, MHD_HTTP_VERSION_1_1) != 0)
		head.wrong = "HTTP/1.0 has no Transfer-Encoding";
	if (!head.wrong && head.types > 1)
		head.wrong = "more than one header says what type the body has";
	return head.wrong;
}
