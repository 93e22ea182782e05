// SPDX-License-Identifier: BSD-3-Clause

#include "gw/map/media.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define TYPE_MAX   127 // bytes of "type/subtype": RFC 6838 section 4.2 allows 64 + 1 + 64, no more
#define PARAM_MAX  63  // bytes of a parameter's name or value
#define PARAMS_MAX 4

struct media {
	char type[TYPE_MAX + 1]; // lower case
	struct {
		char name[PARAM_MAX + 1];  // lower case
		char value[PARAM_MAX + 1]; // lower case, unquoted
	} param[PARAMS_MAX];
	unsigned params;
};

static bool is_token(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip_space(const char *at)
{
	while (*at == ' ' || *at == '\t')
		at++;
	return at;
}

// Copies characters of a token, and `also`, in lower case. Returns what is behind them, or NULL if
// there are none or too many.
static const char *take_token(const char *at, char also, char *out, size_t room)
{
	size_t n = 0;

	while (is_token(*at) || (also && *at == also)) {
		if (n == room)
			return NULL;
		out[n++] = (char)tolower((unsigned char)*at++);
	}
	out[n] = 0;
	return n ? at : NULL;
}

static const char *take_quoted(const char *at, char *out, size_t room)
{
	size_t n = 0;

	for (at++; *at && *at != '"'; at++) {
		if (*at == '\\' && at[1])
			at++;
		if (n == room)
			return NULL;
		out[n++] = (char)tolower((unsigned char)*at);
	}
	out[n] = 0;
	return *at == '"' ? at + 1 : NULL;
}

// RFC 9110 section 8.3.1. false if malformed, or longer than any type of the tables can be.
static bool media_parse(struct media *media, const char *at)
{
	media->params = 0;
	at = take_token(skip_space(at), '/', media->type, TYPE_MAX);
	if (!at || !strchr(media->type, '/'))
		return false;
	for (at = skip_space(at); *at == ';'; at = skip_space(at)) {
		unsigned i = media->params;

		at = skip_space(at + 1);
		if (!*at || *at == ';')
			continue;
		if (i == PARAMS_MAX)
			return false;
		at = take_token(at, 0, media->param[i].name, PARAM_MAX);
		if (!at || *at != '=')
			return false;
		at++;
		at = *at == '"' ? take_quoted(at, media->param[i].value, PARAM_MAX)
				: take_token(at, 0, media->param[i].value, PARAM_MAX);
		if (!at)
			return false;
		media->params++;
	}
	return !*at;
}

static const char *media_param(const struct media *media, const char *name)
{
	for (unsigned i = 0; i < media->params; i++)
		if (!strcmp(media->param[i].name, name))
			return media->param[i].value;
	return NULL;
}

static bool coding_is(const struct map_format *format, const char *coding)
{
	return coding ? format->coding && !strcmp(format->coding, coding) : !format->coding;
}

// The row whose type and parameter are these and no more.
static const struct map_format *find_exact(const struct media *media, const char *coding)
{
	for (size_t i = 0; i < map_format_count; i++) {
		const struct map_format *format = &map_formats[i];

		if (!coding_is(format, coding) || strcmp(format->type, media->type))
			continue;
		if (media->params != (format->param ? 1 : 0))
			continue;
		if (!format->param)
			return format;
		const char *value = media_param(media, format->param);
		if (value && !strcmp(value, format->value))
			return format;
	}
	return NULL;
}

// The row of a type without parameters; text/plain is in the table as UTF-8 only.
static const struct map_format *find_bare(const char *type, const char *coding)
{
	for (size_t i = 0; i < map_format_count; i++) {
		const struct map_format *format = &map_formats[i];

		if (coding_is(format, coding) && !strcmp(format->type, type) &&
			(!format->param || !strcmp(format->param, "charset")))
			return format;
	}
	return NULL;
}

static bool pattern_matches(const char *pattern, const char *type)
{
	const char *star = strchr(pattern, '*');

	if (!star)
		return !strcmp(pattern, type);
	size_t before = (size_t)(star - pattern), after = strlen(star + 1), len = strlen(type);
	return len >= before + after && !memcmp(type, pattern, before) &&
		!strcmp(type + len - after, star + 1);
}

static const struct map_format *find_loose(const char *type, const char *coding)
{
	for (size_t i = 0; i < map_loose_type_count; i++)
		if (pattern_matches(map_loose_types[i].pattern, type))
			return find_bare(map_loose_types[i].type, coding);
	return NULL;
}

// application/coap-payload;cf=n, or MAP_FORMAT_NONE.
static int coap_payload_number(const struct media *media)
{
	const char *cf = media_param(media, "cf");
	size_t digits = cf ? strspn(cf, "0123456789") : 0;

	if (strcmp(media->type, "application/coap-payload") || !digits || digits > 5 || cf[digits])
		return MAP_FORMAT_NONE;
	long number = strtol(cf, NULL, 10);
	return number <= UINT16_MAX ? (int)number : MAP_FORMAT_NONE;
}

int map_format_of(const char *content_type, const char *content_encoding)
{
	char lower[PARAM_MAX + 1];
	const char *coding = NULL;
	const struct map_format *format;
	struct media media;

	if (content_encoding && strcasecmp(content_encoding, "identity")) {
		const char *end = take_token(content_encoding, 0, lower, PARAM_MAX);
		if (!end || *skip_space(end))
			return MAP_FORMAT_CODED;
		coding = lower;
	}
	if (!media_parse(&media, content_type))
		return coding ? MAP_FORMAT_CODED : MAP_FORMAT_BINARY;
	if (!strcmp(media.type, "application/oscore"))
		return MAP_FORMAT_OSCORE;
	int number = coap_payload_number(&media);
	if (number != MAP_FORMAT_NONE)
		return coding ? MAP_FORMAT_CODED : number;

	format = find_exact(&media, coding);
	// Text in another charset may not be passed off as text/plain, which is UTF-8.
	const char *charset = media_param(&media, "charset");
	if (!format && !strncmp(media.type, "text/", 5) && charset && strcmp(charset, "utf-8") &&
		strcmp(charset, "us-ascii"))
		return coding ? MAP_FORMAT_CODED : MAP_FORMAT_BINARY;
	if (!format)
		format = find_bare(media.type, coding);
	if (!format)
		format = find_loose(media.type, coding);
	return format ? format->number : MAP_FORMAT_CODED;
}

bool map_format_is_text(int number)
{
	const struct map_format *format =
		number >= 0 && number <= UINT16_MAX ? map_format_find((uint16_t)number) : NULL;

	return format && !strncmp(format->type, "text/", 5);
}

bool map_format_is_utf8(int number)
{
	static const char *const patterns[] = {"text/*", "*/json", "*+json", "*/xml", "*+xml",
		"application/json-*", "application/link-format"};
	const struct map_format *format =
		number >= 0 && number <= UINT16_MAX ? map_format_find((uint16_t)number) : NULL;

	for (size_t i = 0; format && !format->coding && i < sizeof(patterns) / sizeof(patterns[0]);
		i++)
		if (pattern_matches(patterns[i], format->type))
			return true;
	return false;
}

const struct map_format *map_format_find(uint16_t number)
{
	for (size_t i = 0; i < map_format_count; i++)
		if (map_formats[i].number == number)
			return &map_formats[i];
	return NULL;
}

void map_format_write(struct http_text *text, uint16_t number)
{
	const struct map_format *format = map_format_find(number);

	if (!format) {
		http_text_str(text, "application/coap-payload;cf=");
		http_text_decimal(text, number);
		return;
	}
	http_text_str(text, format->type);
	if (!format->param)
		return;
	http_text_str(text, "; ");
	http_text_str(text, format->param);
	http_text_char(text, '=');
	http_text_str(text, format->value);
}

bool map_type_is_html(const char *content_type)
{
	struct media media;

	return content_type && media_parse(&media, content_type) &&
		(!strcmp(media.type, "text/html") || !strcmp(media.type, "application/xhtml+xml"));
}
