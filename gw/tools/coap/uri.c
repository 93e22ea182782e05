// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/uri.h"

#include "gw/tools/coap/number.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// Decodes %XX in place; the result may contain any byte. Returns its length, or -1.
static int percent_decode(char *text, size_t len)
{
	char *out = text;

	for (size_t i = 0; i < len; i++) {
		uint8_t byte = (uint8_t)text[i];

		if (text[i] == '%') {
			char digits[3] = {0};

			if (i + 2 >= len)
				return -1;
			memcpy(digits, text + i + 1, 2);
			if (hex_parse(digits, &byte, 1) != 1)
				return -1;
			i += 2;
		}
		*out++ = (char)byte;
	}
	return (int)(out - text);
}

// Adds an option for each part between separators.
static int add_parts(
	struct option_list *options, uint16_t number, char *text, char separator, struct error *f)
{
	for (;;) {
		char *end = strchrnul(text, separator);
		bool last = !*end;
		int len = percent_decode(text, (size_t)(end - text));

		if (len < 0)
			return error_set(
				f, -EINVAL, "a %% in the URI is not followed by two digits");
		if (number == COAP_OPT_URI_PATH &&
			((len == 1 && !memcmp(text, ".", 1)) ||
				(len == 2 && !memcmp(text, "..", 2))))
			return error_set(f, -EINVAL,
				"\".\" and \"..\" cannot be sent in a path (to try: -O "
				"uri-path=..)");
		if (!coap_option_len_ok(number, (uint16_t)len) || len > UINT16_MAX)
			return error_set(f, -EINVAL, "a part of the URI has more than 255 bytes");
		int err = option_add(options, number, text, (size_t)len, f);
		if (err || last)
			return err;
		text = end + 1;
	}
}

static int parse_port(struct uri *uri, const char *text, struct error *f)
{
	uint64_t port;

	uri->port = COAP_PORT;
	if (!*text)
		return 0;
	if (!number_parse(text, UINT16_MAX, &port) || !port)
		return error_set(f, -EINVAL, "\"%s\" is not a port", text);
	uri->port = (uint16_t)port;
	return 0;
}

static int parse_authority(struct uri *uri, char *text, struct error *f)
{
	struct in_addr v4;
	char *port;

	if (strchr(text, '@'))
		return error_set(f, -EINVAL, "a coap:// URI has no user before its host");
	if (*text == '[') {
		char *end = strchr(text, ']');

		if (!end || (end[1] && end[1] != ':'))
			return error_set(f, -EINVAL, "the IPv6 address of the URI has no ]");
		*end = 0;
		text++;
		port = end[1] ? end + 2 : end + 1;
		uri->host_is_address = true;
	} else {
		port = strchrnul(text, ':');
		if (*port)
			*port++ = 0;
	}
	// The zone of an address is written %25eth0, and often %eth0.
	bool raw_zone = uri->host_is_address && !strstr(text, "%25");
	int len = raw_zone ? (int)strlen(text) : percent_decode(text, strlen(text));
	if (len <= 0 || len > URI_HOST_MAX || memchr(text, 0, (size_t)len))
		return error_set(f, -EINVAL, "the URI has no host, or one that cannot be");
	for (int i = 0; i < len; i++) // RFC 7252 section 6.4 step 5
		uri->host[i] = (char)tolower((unsigned char)text[i]);
	uri->host[len] = 0;
	if (inet_pton(AF_INET, uri->host, &v4) == 1)
		uri->host_is_address = true;
	return parse_port(uri, port, f);
}

static int parse(struct uri *uri, char *text, struct option_list *options, struct error *f)
{
	char *scheme_end = strstr(text, "://");
	char *query = NULL, *path = NULL;
	int err;

	if (scheme_end) {
		*scheme_end = 0;
		if (!strcasecmp(text, "coaps"))
			return error_set(
				f, -EINVAL, "coaps:// is CoAP over DTLS; OSCORE goes over coap://");
		if (strcasecmp(text, "coap"))
			return error_set(f, -EINVAL, "\"%s://\" is not coap://", text);
		text = scheme_end + 3;
	}
	if (strchr(text, '#'))
		return error_set(f, -EINVAL, "a coap:// URI has no fragment (#)");
	query = strchr(text, '?');
	if (query)
		*query++ = 0;
	path = strchr(text, '/');
	if (path)
		*path++ = 0;
	err = parse_authority(uri, text, f);
	if (!err && !uri->host_is_address)
		err = option_add(options, COAP_OPT_URI_HOST, uri->host, strlen(uri->host), f);
	if (!err && path && *path) // "/" alone is no path
		err = add_parts(options, COAP_OPT_URI_PATH, path, '/', f);
	if (!err && query)
		err = add_parts(options, COAP_OPT_URI_QUERY, query, '&', f);
	return err;
}

int uri_parse(struct uri *uri, const char *text, struct option_list *options, struct error *f)
{
	char *copy = strdup(text);

	if (!copy)
		return error_set(f, -ENOMEM, "out of memory");
	*uri = (struct uri){0};
	int err = parse(uri, copy, options, f);
	free(copy);
	return err;
}
