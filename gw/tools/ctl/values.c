// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/values.h"

#include "base/utf8.h"
#include "gw/conf/units.h"
#include "gw/tools/ctl/complain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAYS_MAX 100000

uint64_t cli_uint(const struct ctl_cbor *map, const char *key, uint64_t missing)
{
	struct ctl_cbor value;

	if (!ctl_cbor_find(map, key, &value) || value.type != CTL_CBOR_UINT)
		return missing;
	return value.value;
}

bool cli_bool(const struct ctl_cbor *map, const char *key)
{
	struct ctl_cbor value;

	return ctl_cbor_find(map, key, &value) && value.type == CTL_CBOR_BOOL && value.value;
}

struct ctl_cbor cli_inner(const struct ctl_cbor *map, const char *key)
{
	static const struct ctl_cbor empty = {.type = CTL_CBOR_MAP};
	struct ctl_cbor value;

	if (!ctl_cbor_find(map, key, &value) ||
		(value.type != CTL_CBOR_MAP && value.type != CTL_CBOR_ARRAY))
		return empty;
	return value;
}

// Controls would act on the terminal, and others turn around what is read there.
void cli_disarm(char *text)
{
	for (size_t i = 0, end = strlen(text); i < end;) {
		unsigned len = utf8_shown_len((const uint8_t *)text + i, end - i);

		if (!len)
			text[i++] = '?';
		i += len;
	}
}

static void text_of(char text[CLI_VALUE_MAX], const struct ctl_cbor *value)
{
	size_t len = value->value < CLI_VALUE_MAX - 1 ? value->value : CLI_VALUE_MAX - 1;

	memcpy(text, value->data, len);
	text[len] = 0;
	cli_disarm(text);
}

static void hex_of(char text[CLI_VALUE_MAX], const struct ctl_cbor *value)
{
	size_t len = value->value < CLI_VALUE_MAX / 2 - 1 ? value->value : CLI_VALUE_MAX / 2 - 1;

	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", value->data[i]);
	if (len == 0)
		snprintf(text, CLI_VALUE_MAX, "(empty)");
}

const char *cli_value_text(char text[CLI_VALUE_MAX], const struct ctl_cbor *map, const char *key)
{
	struct ctl_cbor value;

	snprintf(text, CLI_VALUE_MAX, "-");
	if (!ctl_cbor_find(map, key, &value))
		return text;
	switch (value.type) {
	case CTL_CBOR_UINT:
		snprintf(text, CLI_VALUE_MAX, "%" PRIu64, value.value);
		break;
	case CTL_CBOR_TEXT:
		text_of(text, &value);
		break;
	case CTL_CBOR_BYTES:
		hex_of(text, &value);
		break;
	case CTL_CBOR_BOOL:
		snprintf(text, CLI_VALUE_MAX, "%s", value.value ? "yes" : "no");
		break;
	default:
		break;
	}
	return text;
}

void cli_line_show(const struct ctl_cbor *map, const char *key, const char *title)
{
	char text[CLI_VALUE_MAX];
	struct ctl_cbor value;

	if (ctl_cbor_find(map, key, &value))
		printf("%-14s %s\n", title, cli_value_text(text, map, key));
}

const char *cli_time_text(char text[32], uint64_t unix_s)
{
	const time_t at = (time_t)unix_s;
	struct tm tm;

	if (!at || !localtime_r(&at, &tm) || !strftime(text, 32, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(text, 32, "-");
	return text;
}

const char *cli_duration_text(char text[32], uint64_t ms)
{
	uint64_t s = ms / 1000;

	if (s < 10)
		snprintf(text, 32, "%" PRIu64 ".%" PRIu64 " s", s, ms % 1000 / 100);
	else if (s < 120)
		snprintf(text, 32, "%" PRIu64 " s", s);
	else if (s < 7200)
		snprintf(text, 32, "%" PRIu64 " min", s / 60);
	else if (s < 172800)
		snprintf(text, 32, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
	else
		snprintf(text, 32, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
	return text;
}

bool cli_number_parse(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == 0 && errno == 0)
		return true;
	cli_complain("%s: not a number", text);
	return false;
}

bool cli_duration_parse(const char *text, uint64_t *ms)
{
	const char *end = text;

	if (conf_number_read(&end, ms) && !strcmp(end, "d") && *ms <= DAYS_MAX)
		*ms *= 24 * 3600 * UINT64_C(1000);
	else if (!conf_duration_read(text, ms))
		*ms = 0;
	if (!*ms)
		cli_complain("%s: not a time like 90s, 15m, 12h or 7d", text);
	return *ms > 0;
}
