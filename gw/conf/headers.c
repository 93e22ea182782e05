// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/headers.h"

#include "gw/conf/forms.h"
#include "gw/conf/marks.h"

#include <string.h>
#include <strings.h>

bool conf_header_value_valid(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool inside = i > 0 && i < len - 1;

		if ((text[i] < '!' || text[i] > '~') &&
			!(inside && (text[i] == ' ' || text[i] == '\t')))
			return false;
	}
	return len > 0;
}

static bool value_fits(const char *text)
{
	return conf_header_value_valid(text, strlen(text));
}

// A token (RFC 9110 section 5.6.2).
static bool name_fits(const char *text)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "!#$%&'*+-.^_`|~";

	return *text && strspn(text, chars) == strlen(text);
}

const struct conf_form conf_header_name_form = {name_fits, "the name of a header"};
const struct conf_form conf_header_value_form = {
	value_fits, "visible ASCII characters, with blanks only between them"};

// What says where a message ends or what becomes of its connection, what a device's request is
// mapped to, what tells a backend who asks, and what would make something else of a body: a part
// (RFC 9110 section 14.5), or an OSCORE message (RFC 8613 section 11).
static bool is_ours(const char *name)
{
	static const char *const ours[] = {
		"Accept",
		"Accept-Encoding",
		"Connection",
		"Content-Encoding",
		"Content-Length",
		"Content-Range",
		"Content-Type",
		"Device-Echo-Age",
		"Device-Id",
		"Expect",
		"Forwarded",
		"Host",
		"HTTP2-Settings",
		"Idempotency-Key",
		"If-Match",
		"If-Modified-Since",
		"If-None-Match",
		"If-Range",
		"If-Unmodified-Since",
		"Keep-Alive",
		"OSCORE",
		"Oscore-Context",
		"Proxy-Connection",
		"Range",
		"TE",
		"traceparent",
		"Trailer",
		"Transfer-Encoding",
		"Upgrade",
		"User-Agent",
	};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (!strcasecmp(name, ours[i]))
			return true;
	return false;
}

void conf_headers_check(const struct conf *conf, const char *owner,
	const struct conf_header *headers, size_t count, struct conf_mistakes *m)
{
	for (size_t h = 0; h < count; h++) {
		const char *name = headers[h].name;

		if (name && is_ours(name))
			conf_mistake(m, conf_mark_of(conf, &headers[h].name),
				"%s.headers.%s: is a header that postern sets itself, or never "
				"sends",
				owner, name);
		for (size_t i = 0; name && i < h; i++)
			// The loader has told of those that are the same letter by letter.
			if (headers[i].name && !strcasecmp(headers[i].name, name) &&
				strcmp(headers[i].name, name))
				conf_mistake(m, conf_mark_of(conf, &headers[h].name),
					"%s.headers.%s: stands in line %u already", owner, name,
					headers[i].line);
	}
}
