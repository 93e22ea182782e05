// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/log_thin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NOTICE_MAX (LOG_SAMPLE_MAX + 96)

static void repeats_tell(struct log_thin *thin, log_thin_write *write)
{
	char notice[NOTICE_MAX];

	if (!thin->repeated)
		return;
	int len = snprintf(notice, sizeof(notice), "the last line was repeated %" PRIu64 " times",
		thin->repeated);

	thin->repeated = 0;
	write(thin->level, notice, (size_t)len);
}

static void kind_tell(struct log_kind *kind, log_thin_write *write)
{
	char notice[NOTICE_MAX];
	int len = snprintf(notice, sizeof(notice),
		"%" PRIu64 " more lines like this were left out: %s", kind->left_out, kind->sample);

	kind->left_out = 0;
	write(kind->level, notice, (size_t)len);
}

static void sample_keep(struct log_kind *kind, const char *text, size_t len)
{
	if (len >= LOG_SAMPLE_MAX) {
		len = LOG_SAMPLE_MAX - 1;
		while (len && ((uint8_t)text[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(kind->sample, text, len);
	kind->sample[len] = 0;
}

static struct log_kind *kind_find(struct log_thin *thin, const void *kind)
{
	unsigned first = (unsigned)((uintptr_t)kind >> 3) % LOG_KINDS;

	for (unsigned i = 0; i < LOG_KINDS; i++) {
		struct log_kind *at = &thin->kinds[(first + i) % LOG_KINDS];

		if (at->kind == kind)
			return at;
		if (!at->kind) {
			at->kind = kind;
			return at;
		}
	}
	return &thin->kinds[first]; // shared: there are more kinds than places
}

// Whether the kind has lines left in its time.
static bool kind_take(struct log_thin *thin, const void *kind, enum conf_log_level level,
	const char *text, size_t len, uint64_t now_ms, log_thin_write *write)
{
	struct log_kind *of = kind_find(thin, kind);

	if (!of->lines || now_ms - of->since_ms >= LOG_THIN_MS) {
		if (of->left_out)
			kind_tell(of, write);
		of->since_ms = now_ms;
		of->lines = 0;
	}
	if (of->lines < LOG_KIND_LINES) {
		of->lines++;
		return true;
	}
	if (!of->left_out++) {
		of->level = level;
		sample_keep(of, text, len);
	}
	return false;
}

bool log_thin_take(struct log_thin *thin, const void *kind, enum conf_log_level level,
	const char *text, size_t len, uint64_t now_ms, log_thin_write *write)
{
	len = len < LOG_TEXT_MAX ? len : LOG_TEXT_MAX;
	if (thin->some && thin->level == level && thin->len == len &&
		!memcmp(thin->text, text, len)) {
		if (!thin->repeated++)
			thin->since_ms = now_ms;
		return false;
	}
	if (kind && !kind_take(thin, kind, level, text, len, now_ms, write))
		return false;
	repeats_tell(thin, write);
	thin->some = true;
	thin->level = level;
	thin->len = len;
	memcpy(thin->text, text, len);
	return true;
}

void log_thin_turn(struct log_thin *thin, uint64_t now_ms, bool all, log_thin_write *write)
{
	if (thin->repeated && (all || now_ms - thin->since_ms >= LOG_THIN_MS))
		repeats_tell(thin, write);
	for (unsigned i = 0; i < LOG_KINDS; i++) {
		struct log_kind *kind = &thin->kinds[i];

		if (kind->left_out && (all || now_ms - kind->since_ms >= LOG_THIN_MS)) {
			kind_tell(kind, write);
			kind->since_ms = now_ms;
			kind->lines = 0;
		}
	}
}

uint64_t log_thin_next_ms(const struct log_thin *thin)
{
	uint64_t next = thin->repeated ? thin->since_ms + LOG_THIN_MS : UINT64_MAX;

	for (unsigned i = 0; i < LOG_KINDS; i++) {
		const struct log_kind *kind = &thin->kinds[i];

		if (kind->left_out && kind->since_ms + LOG_THIN_MS < next)
			next = kind->since_ms + LOG_THIN_MS;
	}
	return next;
}
