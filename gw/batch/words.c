// SPDX-License-Identifier: BSD-3-Clause

#include "gw/batch/words.h"

#include <time.h>

void word_device_put(struct http_text *text, const char *name)
{
	http_text_percent(text, (const uint8_t *)name, strlen(name), "!#$&'()*+,/:;=?@[]");
}

void word_fingerprint_put(struct http_text *text, uint64_t fingerprint)
{
	const uint64_t big = __builtin_bswap64(fingerprint);

	http_text_hex(text, (const uint8_t *)&big, sizeof(big));
}

// ---- numbers

static const char hundred[] = "00010203040506070809101112131415161718192021222324252627282930313233"
			      "34353637383940414243444546474849505152535455565758596061626364656667"
			      "6869707172737475767778798081828384858687888990919293949596979899";

static inline void two_digits(uint8_t *at, uint32_t value)
{
	memcpy(at, hundred + value * 2, 2);
}

static inline void four_digits(uint8_t *at, uint32_t value)
{
	two_digits(at, value / 100);
	two_digits(at + 2, value % 100);
}

static inline void eight_digits(uint8_t *at, uint32_t value)
{
	four_digits(at, value / 10000);
	four_digits(at + 4, value % 10000);
}

void word_piv_digits(uint64_t piv, uint8_t digits[PIV_DIGITS])
{
	uint32_t high = (uint32_t)(piv / 100000000); // at most 5 digits

	digits[0] = (uint8_t)('0' + high / 10000 % 10);
	four_digits(digits + 1, high % 10000);
	eight_digits(digits + 5, (uint32_t)(piv % 100000000));
}

void word_time_put(uint8_t at[TIME_LEN], uint64_t unix_ms)
{
	// The second that was written last, by this thread.
	static __thread struct {
		uint64_t second;
		uint8_t text[19];
	} last = {.second = UINT64_MAX};
	uint64_t second = unix_ms / 1000;
	uint32_t ms = (uint32_t)(unix_ms % 1000);

	if (second != last.second) {
		time_t seconds = (time_t)second;
		char text[64];
		struct tm tm;

		gmtime_r(&seconds, &tm);
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
		memcpy(last.text, text, sizeof(last.text));
		last.second = second;
	}
	memcpy(at, last.text, sizeof(last.text));
	memcpy(at + 19, ".000000Z", 8);
	at[20] = (uint8_t)('0' + ms / 100);
	two_digits(at + 21, ms % 100);
}
