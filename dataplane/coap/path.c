// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/coap/path.h"

#include "base/utf8.h"

#include <string.h>

bool coap_text_ok(const uint8_t *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		unsigned step = utf8_len(s + i, len - i);

		if (!step || s[i] < 0x20 || s[i] == 0x7f)
			return false;
		// U+0080 to U+009F are controls too.
		if (step == 2 && s[i] == 0xc2 && s[i + 1] < 0xa0)
			return false;
		i += step;
	}
	return true;
}

// Letters, digits, "-" and "_". Most segments have no other characters, so they are tried first.
static bool all_plain(const uint8_t *s, size_t len)
{
	static const uint8_t plain[256] = {
		['-'] = 1, ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['_'] = 1, ['a' ... 'z'] = 1};

	for (size_t i = 0; i < len; i++)
		if (!plain[s[i]])
			return false;
	return true;
}

bool coap_segment_ok(const uint8_t *s, size_t len)
{
	if (all_plain(s, len))
		return true;
	const uint8_t *cut = memchr(s, ';', len);
	size_t stem = cut ? (size_t)(cut - s) : len;

	if ((stem == 1 && s[0] == '.') || (stem == 2 && s[0] == '.' && s[1] == '.'))
		return false;
	if (memchr(s, '/', len) || memchr(s, '\\', len))
		return false;
	return coap_text_ok(s, len);
}

bool coap_path_ok(const struct coap_body *body)
{
	struct coap_option_iter iter;
	struct coap_option option;
	bool empty_before = false;

	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option)) {
		if (option.number < COAP_OPT_URI_PATH)
			continue;
		if (option.number > COAP_OPT_URI_PATH)
			break;
		if (empty_before || !coap_segment_ok(option.value, option.len))
			return false;
		empty_before = !option.len;
	}
	return true;
}
