// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/mistakes.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool conf_mistakes_full(const struct conf_mistakes *m)
{
	return m->count == CONF_ERRORS_MAX;
}

void conf_mistake(struct conf_mistakes *m, struct conf_mark at, const char *format, ...)
{
	if (conf_mistakes_full(m)) {
		m->more++;
		return;
	}
	struct conf_mistake *mistake = &m->kept[m->count++];
	mistake->at = at;
	va_list args;
	va_start(args, format);
	vsnprintf(mistake->text, sizeof(mistake->text), format, args);
	va_end(args);
}

static int mistake_compare(const void *a, const void *b)
{
	const struct conf_mistake *x = a, *y = b;

	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	if (x->at.column != y->at.column)
		return x->at.column < y->at.column ? -1 : 1;
	return strcmp(x->text, y->text);
}

void conf_mistakes_print(struct conf_mistakes *m, const char *file, FILE *out)
{
	qsort(m->kept, m->count, sizeof(m->kept[0]), mistake_compare);
	for (unsigned i = 0; i < m->count; i++) {
		const struct conf_mistake *mistake = &m->kept[i];

		if (mistake->at.line)
			fprintf(out, "%s:%u:%u: %s\n", file, mistake->at.line, mistake->at.column,
				mistake->text);
		else // a default
			fprintf(out, "%s: %s\n", file, mistake->text);
	}
	if (m->more)
		fprintf(out, "%s: and %u more\n", file, m->more);
}

const char *conf_quote(char buf[CONF_QUOTE_MAX], const char *text)
{
	static const char dots[] = "...";
	const size_t room = CONF_QUOTE_MAX - sizeof(dots);
	size_t len = 0;

	for (; *text && len < room; text++) {
		unsigned char c = *text, next = text[1];
		// C2 80 to C2 9F are the control characters of Latin-1.
		if (c == 0xc2 && next >= 0x80 && next <= 0x9f) {
			buf[len++] = '?';
			text++;
		} else {
			buf[len++] = c < 0x20 || c == 0x7f ? '?' : c;
		}
	}
	buf[len] = 0;
	if (*text) {
		// Not in the middle of a character.
		while (len && ((unsigned char)*text & 0xc0) == 0x80) {
			len--;
			text--;
		}
		memcpy(buf + len, dots, sizeof(dots));
	}
	return buf;
}

#define NEAREST_MAX 32 // bytes of the longest name that is compared

// Returns the least number of edits from a to b: a byte inserted, deleted or replaced, or two
// neighbours swapped.
static unsigned edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned rows[3][NEAREST_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);
			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			row[j] = best;
		}
		unsigned *spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[b_len];
}

const char *conf_nearest(const char *text, const char *const *names, size_t stride)
{
	size_t len = strlen(text);
	const char *nearest = NULL;
	unsigned least = 3;

	if (len > NEAREST_MAX)
		return NULL;
	for (; *names; names = (const char *const *)((const char *)names + stride)) {
		size_t name_len = strlen(*names);
		if (name_len > NEAREST_MAX)
			continue;
		unsigned distance = edit_distance(text, len, *names, name_len);
		// Two edits make any short word of any other.
		if (distance < least && distance * 2 < name_len) {
			least = distance;
			nearest = *names;
		}
	}
	return nearest;
}
