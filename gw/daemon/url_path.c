// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/url_path.h"

#include <ctype.h>
#include <string.h>

static int hex_value(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

bool url_path_read(const char **at, uint8_t *segment, size_t room, size_t *len)
{
	for (*len = 0; **at && **at != '/'; (*at)++) {
		uint8_t byte = (uint8_t) * *at;

		if (byte == '%') {
			if (!isxdigit((unsigned char)(*at)[1]) ||
				!isxdigit((unsigned char)(*at)[2]))
				return false;
			byte = (uint8_t)(hex_value((*at)[1]) << 4 | hex_value((*at)[2]));
			*at += 2;
		}
		if (*len == room)
			return false;
		segment[(*len)++] = byte;
	}
	return true;
}

char *url_path_write(char *to, const uint8_t *segment, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";

	*to++ = '/';
	for (size_t i = 0; i < len; i++) {
		if (segment[i] < 0x80 &&
			(isalnum(segment[i]) ||
				(segment[i] && strchr("-._~!$&'()*+,;=:@", segment[i])))) {
			*to++ = (char)segment[i];
			continue;
		}
		*to++ = '%';
		*to++ = hex[segment[i] >> 4];
		*to++ = hex[segment[i] & 15];
	}
	*to = 0;
	return to;
}
