// SPDX-License-Identifier: BSD-3-Clause
// What a push is of: whatever a target and a Cache-Control say, nothing is read behind them, what
// is taken has a path of URL segments that decode to at most 255 bytes each, and a device's name
// without a 0 inside; and reading the path again gives the same.
//
// The input is two lines, each in a copy of its own size.

#include "gw/web/resource.h"
#include "tests/fuzz/fuzz.h"

#include <ctype.h>
#include <string.h>

// The next line in memory of its own.
static char *line_take(const uint8_t **at, const uint8_t *end)
{
	size_t len = 0;

	while (*at + len < end && (*at)[len] && (*at)[len] != '\n')
		len++;
	char *copy = malloc(len + 1);

	memcpy(copy, *at, len);
	copy[len] = 0;
	*at += len + (*at + len < end);
	return copy;
}

static void path_check(const char *path)
{
	size_t len = 0;

	FUZZ_CHECK(path[0] == '/');
	for (; *path; path++) {
		FUZZ_CHECK(*path > ' ' && *path < 0x7f && !strchr("?#", *path));
		if (*path == '/') {
			len = 0;
			continue;
		}
		FUZZ_CHECK(++len <= WEB_SEGMENT_MAX);
		if (*path != '%')
			continue;
		FUZZ_CHECK(isxdigit((unsigned char)path[1]) && isxdigit((unsigned char)path[2]));
		path += 2;
	}
}

static void target_check(const char *target)
{
	static struct web_resource resource, again;
	static char copy[sizeof(WEB_RESOURCES) + WEB_TARGET_MAX];
	unsigned status = 0;
	const char *wrong = web_resource_read(target, &resource, &status);

	if (wrong) {
		FUZZ_CHECK(*wrong && (status == 400 || status == 404));
		return;
	}
	path_check(resource.path);
	FUZZ_CHECK(strlen(resource.device) <= WEB_DEVICE_MAX);
	FUZZ_CHECK(!resource.device[0] == !strchr(target, '?'));
	strcpy(copy, WEB_RESOURCES);
	strcat(copy, resource.path);
	FUZZ_CHECK(!web_resource_read(copy, &again, &status));
	FUZZ_CHECK(!strcmp(again.path, resource.path) && !again.device[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *at = data;
	char *target = line_take(&at, data + size);
	char *cache_control = line_take(&at, data + size);
	uint32_t seconds;
	const char *wrong = web_max_age_read(cache_control, &seconds);

	FUZZ_CHECK(!wrong || *wrong);
	if (strlen(target) <= WEB_TARGET_MAX)
		target_check(target);
	free(cache_control);
	free(target);
	return 0;
}
