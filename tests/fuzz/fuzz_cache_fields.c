// SPDX-License-Identifier: BSD-3-Clause
// Header fields of an answer that a shared cache decides by: whatever a backend sends, nothing is
// read behind it, what is stored obeys each word that forbids it, and a word more never makes an
// answer good for longer.
//
// The input is: a byte of flags, then lines: Cache-Control, Expires, Date, Age, Vary, each of them
// in a copy of its own size.

#include "gw/cache/rules.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

#define NOW   784111777 // Sun, 06 Nov 1994 08:49:37 GMT
#define ASKED UINT64_C(1000000)

// The next line in memory of its own, or NULL if it is empty.
static char *line_take(const uint8_t **at, const uint8_t *end)
{
	size_t len = 0;

	while (*at + len < end && (*at)[len] && (*at)[len] != '\n')
		len++;
	char *copy = len ? malloc(len + 1) : NULL;

	if (copy) {
		memcpy(copy, *at, len);
		copy[len] = 0;
	}
	*at += len + (*at + len < end);
	return copy;
}

static bool has_word(const char *text, const char *word)
{
	struct cache_directive d;
	bool found = false;

	while (text && cache_directive_next(&text, &d)) {
		FUZZ_CHECK(d.name_len || d.value || d.bad || *text);
		found |= cache_directive_is(&d, word);
	}
	return found;
}

static void decision_check(const struct cache_settings *settings, const struct cache_answer *answer)
{
	struct cache_validity validity;
	struct cache_verdict v = cache_decide(settings, answer, &validity);
	char more[8192];

	if (v.why != CACHE_STORE)
		return;
	FUZZ_CHECK(v.fresh_ms >= answer->answered_ms);
	FUZZ_CHECK(v.fresh_ms - answer->answered_ms <= settings->max_age_max * UINT64_C(1000));
	FUZZ_CHECK(!v.stale_until_ms || v.stale_until_ms >= v.fresh_ms);
	FUZZ_CHECK(!has_word(answer->cache_control, "no-store"));
	FUZZ_CHECK(!settings->shared || !has_word(answer->cache_control, "private"));
	FUZZ_CHECK(
		!has_word(answer->cache_control, "no-cache") || v.fresh_ms == answer->answered_ms);
	FUZZ_CHECK(!has_word(answer->vary, "*"));
	struct cache_answer one_more = *answer;

	snprintf(more, sizeof(more), "%s, max-age=5",
		answer->cache_control ? answer->cache_control : "");
	one_more.cache_control = more;
	if (validity.control.has_max_age || validity.control.has_s_maxage)
		FUZZ_CHECK(cache_decide(settings, &one_more, &validity).fresh_ms <= v.fresh_ms);
	snprintf(more, sizeof(more), "no-store, %s",
		answer->cache_control ? answer->cache_control : "");
	FUZZ_CHECK(cache_decide(settings, &one_more, &validity).why == CACHE_NO_STORE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *at = data + 1, *end = data + len;

	if (!len || len > 4096)
		return 0;
	const struct cache_settings settings = {.shared = *data & 1,
		.authorized = *data & 2,
		.default_ms = *data & 4 ? 5000 : 0,
		.max_age_max = 86400};
	char *lines[5];

	for (unsigned i = 0; i < 5; i++)
		lines[i] = line_take(&at, end);
	const struct cache_answer answer = {.status = *data & 8 ? 404 : 200,
		.cache_control = lines[0],
		.expires = lines[1],
		.date = lines[2],
		.age = lines[3],
		.vary = lines[4],
		.asked_ms = ASKED,
		.answered_ms = ASKED + *data,
		.now = NOW};

	decision_check(&settings, &answer);
	for (unsigned i = 0; i < 5; i++)
		free(lines[i]);
	return 0;
}
