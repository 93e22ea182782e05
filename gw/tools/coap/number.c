// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/number.h"

#include <string.h>

#define DAY_MS (24u * 60 * 60 * 1000)

bool number_parse(const char *text, uint64_t max, uint64_t *value)
{
	uint64_t number = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		unsigned digit = (unsigned)(*text - '0');
		if (number > (max - digit) / 10 || digit > max)
			return false;
		number = number * 10 + digit;
	}
	*value = number;
	return true;
}

bool seconds_parse(const char *text, unsigned *ms)
{
	const char *point = strchrnul(text, '.');
	char whole[16] = "", part[4] = "000";
	uint64_t seconds, thousandths;

	if ((size_t)(point - text) >= sizeof(whole))
		return false;
	memcpy(whole, text, (size_t)(point - text));
	if (*point) {
		size_t len = strlen(point + 1);

		if (!len || len > 3)
			return false;
		memcpy(part, point + 1, len);
	}
	if (!number_parse(whole, DAY_MS / 1000, &seconds) || !number_parse(part, 999, &thousandths))
		return false;
	*ms = (unsigned)(seconds * 1000 + thousandths);
	return true;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_parse(const char *text, uint8_t *out, size_t room)
{
	size_t len = strlen(text);

	if (len % 2 || len / 2 > room)
		return -1;
	for (size_t i = 0; i < len / 2; i++) {
		int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return (int)(len / 2);
}

char *hex_format(char *text, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *at = text;

	for (size_t i = 0; i < len; i++) {
		*at++ = digits[bytes[i] >> 4];
		*at++ = digits[bytes[i] & 0xf];
	}
	*at = 0;
	return text;
}
