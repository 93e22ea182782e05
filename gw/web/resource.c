// SPDX-License-Identifier: BSD-3-Clause

#include "gw/web/resource.h"

#include "gw/cache/fields.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Takes a byte of a part of a URL, decoded. -1: it is none.
static int byte_take(const char **at)
{
	unsigned char c = (unsigned char)**at;

	if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}#", c))
		return -1;
	(*at)++;
	if (c != '%')
		return c;
	int high = hex_value(**at), low = high < 0 ? -1 : hex_value((*at)[1]);

	if (low < 0)
		return -1;
	*at += 2;
	return high << 4 | low;
}

static const char *path_read(const char **at)
{
	unsigned segments = 0;

	while (**at == '/') {
		size_t len = 0;

		(*at)++;
		if (++segments > WEB_SEGMENTS_MAX)
			return "the path has more than 64 segments";
		while (**at && **at != '/' && **at != '?') {
			if (byte_take(at) < 0)
				return "the path is not that of a URL: encode what is special as "
				       "%XX";
			if (++len > WEB_SEGMENT_MAX)
				return "a segment of the path has more than 255 bytes";
		}
	}
	return NULL;
}

static const char *query_read(const char *at, char device[WEB_DEVICE_MAX + 1])
{
	static const char name[] = "device=";
	size_t len = 0;

	if (strncmp(at, name, strlen(name)) != 0)
		return "the query can only be device=NAME";
	for (at += strlen(name); *at && *at != '&'; len++) {
		int byte = byte_take(&at);

		if (byte <= 0 || len == WEB_DEVICE_MAX)
			return "device= has no name of a device";
		device[len] = (char)byte;
	}
	device[len] = 0;
	if (*at)
		return "the query can only be device=NAME";
	return len ? NULL : "device= has no name of a device";
}

const char *web_resource_read(const char *target, struct web_resource *resource, unsigned *status)
{
	const size_t len = strlen(WEB_RESOURCES);
	const char *at = target + len, *wrong;

	*status = 404;
	resource->device[0] = 0;
	if (strncmp(target, WEB_RESOURCES, len) != 0 || *at != '/')
		return "only " WEB_RESOURCES "/PATH is here, PATH being that of the devices' "
		       "requests";
	*status = 400;
	wrong = path_read(&at);
	if (!wrong && *at && *at != '?')
		wrong = "the path is not that of a URL";
	if (wrong)
		return wrong;
	const size_t path_len = (size_t)(at - target) - len;

	if (path_len > WEB_TARGET_MAX)
		return "the path is too long";
	memcpy(resource->path, target + len, path_len);
	resource->path[path_len] = 0;
	return *at ? query_read(at + 1, resource->device) : NULL;
}

const char *web_max_age_read(const char *cache_control, uint32_t *seconds)
{
	const char *at = cache_control;
	struct cache_directive d;
	bool found = false;

	*seconds = 0;
	while (at && cache_directive_next(&at, &d)) {
		if (d.bad)
			return "Cache-Control is no list of directives";
		if (!cache_directive_is(&d, "max-age"))
			continue;
		if (found)
			return "Cache-Control has max-age twice";
		found = true;
		if (!d.value || !cache_seconds_read(d.value, d.value_len, seconds) || !*seconds)
			return "max-age must be one second or more; DELETE takes away what is "
			       "there";
	}
	return NULL;
}
