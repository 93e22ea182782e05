// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/path.h"

#include "base/utf8.h"
#include "gw/conf/mistakes.h"

#include <stdlib.h>
#include <string.h>

#define PATH_MAX_LEN 1024 // bytes of a pattern or of the path in front

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// RFC 3986 section 3.3: pchar without the percent sign.
static bool path_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		(c && strchr("-._~!$&'()*+,;=:@", c));
}

static bool utf8_valid(const char *text)
{
	size_t left = strlen(text);
	unsigned len = 1;

	for (; left && len; text += len, left -= len)
		len = utf8_len((const uint8_t *)text, left);
	return !left;
}

// Percent-decodes one segment and checks it by the rules for a device's Uri-Path, since otherwise
// no request could match it. Only the last segment may be empty: the path then ends with a slash.
static const char *segment_decode(char *segment, bool last)
{
	char *to = segment;

	for (const char *from = segment; *from; from++) {
		int high = 0, low = 0;

		if (*from == '%') {
			high = hex_digit(from[1]);
			low = high < 0 ? -1 : hex_digit(from[2]);
			if (low < 0)
				return "has a % that is not followed by two hex digits";
			from += 2;
			unsigned char c = high << 4 | low;
			if (c < 0x20 || c == 0x7f || c == '/' || c == '\\')
				return "has an encoded slash, backslash or control character, "
				       "which no "
				       "path of a request may have";
			*to++ = c;
		} else if (*from == '*') {
			return "has a * that is not a segment of its own (%2A means the character)";
		} else if (path_char(*from) || (unsigned char)*from >= 0x80) {
			*to++ = *from;
		} else {
			return "has a character that must be percent-encoded";
		}
	}
	*to = 0;
	if (!utf8_valid(segment))
		return "is not UTF-8 once it is decoded";

	size_t name_len = strcspn(segment, ";");
	if (name_len == 0 && !(last && *segment == 0))
		return "has an empty segment inside";
	if (name_len >= 1 && name_len <= 2 && strspn(segment, ".") >= name_len)
		return "has a segment \".\" or \"..\"";
	return NULL;
}

static enum conf_verdict path_start(const char *text, char why[CONF_WHY_MAX])
{
	char quoted[CONF_QUOTE_MAX];

	if (text[0] != '/')
		return conf_why(
			why, "must begin with a slash, unlike \"%s\"", conf_quote(quoted, text));
	if (strlen(text) > PATH_MAX_LEN)
		return conf_why(why, "has more than %d bytes", PATH_MAX_LEN);
	return CONF_OK;
}

static enum conf_verdict segment_add(
	struct conf_pattern *pattern, const char *start, size_t len, char why[CONF_WHY_MAX])
{
	struct conf_segment *segment = &pattern->segments[pattern->count++];

	segment->any = len == 1 && *start == '*';
	segment->text = segment->any ? strdup("") : strndup(start, len);
	if (!segment->text)
		return CONF_NO_MEMORY;
	const char *wrong = segment->any ? NULL : segment_decode(segment->text, start[len] == 0);
	return wrong ? conf_why(why, "%s", wrong) : CONF_OK;
}

enum conf_verdict conf_pattern_parse(
	const char *text, struct conf_pattern *pattern, char why[CONF_WHY_MAX])
{
	enum conf_verdict verdict = path_start(text, why);
	if (verdict != CONF_OK)
		return verdict;

	struct conf_pattern got = {.text = strdup(text)};
	got.segments = calloc(CONF_SEGMENTS_MAX, sizeof(got.segments[0]));
	if (!got.text || !got.segments)
		verdict = CONF_NO_MEMORY;
	// "/" is the path without segments.
	for (const char *p = text[1] ? text : NULL; p && verdict == CONF_OK;) {
		size_t len = strcspn(++p, "/");
		if (!p[len] && len == 1 && *p == '*') {
			got.rest = true;
			break;
		}
		if (got.count == CONF_SEGMENTS_MAX)
			verdict = conf_why(why, "has more than %d segments", CONF_SEGMENTS_MAX);
		else
			verdict = segment_add(&got, p, len, why);
		p = p[len] ? p + len : NULL;
	}
	if (verdict == CONF_OK)
		*pattern = got;
	else
		conf_pattern_free(&got);
	return verdict;
}

void conf_pattern_free(struct conf_pattern *pattern)
{
	for (size_t i = 0; i < pattern->count; i++)
		free(pattern->segments[i].text);
	free(pattern->segments);
	free(pattern->text);
}

enum conf_verdict conf_base_parse(const char *text, char **base, char why[CONF_WHY_MAX])
{
	size_t len = strlen(text);
	struct conf_pattern parts;

	if (len && text[len - 1] == '/')
		len--;
	if (len && text[len - 1] == '/')
		return conf_why(why, "has an empty segment at its end");
	char *copy = strndup(text, len);
	if (!copy)
		return CONF_NO_MEMORY;

	// The rules are those of a pattern, but it is kept in its encoded form, all ASCII.
	enum conf_verdict verdict = CONF_OK;
	for (size_t i = 0; i < len && verdict == CONF_OK; i++)
		if ((unsigned char)text[i] >= 0x80 || text[i] == '*')
			verdict = conf_why(why, "has a character that must be percent-encoded");
	if (len && verdict == CONF_OK) {
		verdict = conf_pattern_parse(copy, &parts, why);
		if (verdict == CONF_OK)
			conf_pattern_free(&parts);
	}
	if (verdict == CONF_OK)
		*base = copy;
	else
		free(copy);
	return verdict;
}
