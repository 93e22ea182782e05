// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/log_form.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define JSON_END_MAX 4 // "}\n and the end of a text

static size_t priority_put(char line[LOG_LINE_MAX], bool priority, enum conf_log_level level)
{
	return priority ? (size_t)snprintf(line, LOG_LINE_MAX, "<%d>", level) : 0;
}

size_t log_form_text(char line[LOG_LINE_MAX], bool priority, enum conf_log_level level,
	const char *who, const char *text, size_t len)
{
	size_t at = priority_put(line, priority, level);
	int n = snprintf(line + at, LOG_LINE_MAX - at, "%s%s%.*s", who ? who : "", who ? ": " : "",
		(int)len, text);

	at += (size_t)n;
	if (at > LOG_LINE_MAX - 2)
		at = LOG_LINE_MAX - 2;
	line[at++] = '\n';
	return at;
}

static const char *level_name(enum conf_log_level level)
{
	static const char *const names[] = {[CONF_LOG_ERROR] = "error",
		[CONF_LOG_WARNING] = "warning",
		[CONF_LOG_NOTICE] = "notice",
		[CONF_LOG_INFO] = "info",
		[CONF_LOG_DEBUG] = "debug"};

	return names[level];
}

// Writes text as it stands in a JSON string, as much as there is room for. Returns where it ends.
static size_t json_text(char line[LOG_LINE_MAX], size_t at, const char *text, size_t len)
{
	while (len) {
		unsigned bytes = utf8_len((const uint8_t *)text, len);
		char escape[8];
		size_t out = bytes;

		if (!bytes ||
			(bytes == 1 &&
				((uint8_t)*text < ' ' || *text == '"' || *text == '\\' ||
					*text == 0x7f)))
			out = (size_t)snprintf(escape, sizeof(escape), "\\u%04x",
				bytes ? (unsigned)(uint8_t)*text : 0xfffd);
		if (at + out > LOG_LINE_MAX - JSON_END_MAX)
			break;
		memcpy(line + at, out == bytes ? text : escape, out);
		at += out;
		bytes = bytes ? bytes : 1;
		text += bytes;
		len -= bytes;
	}
	return at;
}

size_t log_form_json(char line[LOG_LINE_MAX], bool priority, enum conf_log_level level,
	const char *who, const char *text, size_t len, uint64_t unix_ms)
{
	time_t seconds = (time_t)(unix_ms / 1000);
	size_t at = priority_put(line, priority, level);
	struct tm tm;
	char stamp[32];

	gmtime_r(&seconds, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	at += (size_t)snprintf(line + at, LOG_LINE_MAX - at,
		"{\"time\":\"%s.%03uZ\",\"level\":\"%s\",\"source\":\"", stamp,
		(unsigned)(unix_ms % 1000), level_name(level));
	at = json_text(line, at, who ? who : "postern", who ? strlen(who) : strlen("postern"));
	at += (size_t)snprintf(line + at, LOG_LINE_MAX - at, "\",\"message\":\"");
	at = json_text(line, at, text, len);
	memcpy(line + at, "\"}\n", 3);
	return at + 3;
}

// ---- the journal

static const struct {
	const char *begin, *field;
} subjects[] = {
	{"upstream ", "POSTERN_UPSTREAM"},
	{"device ", "POSTERN_DEVICE"},
	{"port ", "POSTERN_PORT"},
};

// The word behind one of the beginnings, up to a colon or a blank.
static int subject_print(char *fields, size_t room, const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		size_t begin = strlen(subjects[i].begin), end = begin;

		if (len <= begin || memcmp(text, subjects[i].begin, begin) != 0)
			continue;
		while (end < len && text[end] != ':' && text[end] != ' ' && text[end] != ',')
			end++;
		return snprintf(fields, room, "%s=%.*s\n", subjects[i].field, (int)(end - begin),
			text + begin);
	}
	if (room)
		*fields = 0;
	return 0;
}

size_t log_form_fields(char *fields, size_t room, const char *line, size_t len)
{
	static const char ours[] = "postern: ";
	char priority = '0' + CONF_LOG_INFO, subject[128];

	if (len > 3 && line[0] == '<' && line[2] == '>') {
		priority = line[1];
		line += 3;
		len -= 3;
	}
	if (len >= strlen(ours) && !memcmp(line, ours, strlen(ours))) {
		line += strlen(ours);
		len -= strlen(ours);
	}
	if (subject_print(subject, sizeof(subject), line, len) >= (int)sizeof(subject))
		subject[0] = 0;
	int n = snprintf(fields, room, "PRIORITY=%c\nSYSLOG_IDENTIFIER=postern\n%sMESSAGE=%.*s\n",
		priority, subject, (int)len, line);

	return n > 0 && (size_t)n < room ? (size_t)n : 0;
}
