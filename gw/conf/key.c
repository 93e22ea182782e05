// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/key.h"

#include "gw/conf/forms.h"
#include "gw/conf/units.h"

#include <inttypes.h>
#include <stdio.h>

static void words_list(const struct conf_word *words, char *buf, size_t room)
{
	size_t len = 0;

	for (const struct conf_word *w = words; w->word && len < room; w++)
		len += snprintf(buf + len, room - len, "%s%s",
			w == words          ? ""
				: w[1].word ? ", "
					    : " or ",
			w->word);
}

const char *conf_key_what(const struct conf_key *key, char buf[CONF_WHAT_MAX])
{
	char min[32], max[32], words[CONF_WHAT_MAX / 2];

	switch (key->type) {
	case CONF_BOOL:
		return "true or false";
	case CONF_INT:
		snprintf(buf, CONF_WHAT_MAX, "a whole number, %" PRIu64 " to %" PRIu64, key->min,
			key->max);
		return buf;
	case CONF_DURATION:
		conf_duration_format(key->min, min, sizeof(min));
		conf_duration_format(key->max, max, sizeof(max));
		snprintf(buf, CONF_WHAT_MAX, "a time with its unit (ms, s, m, h), %s to %s", min,
			max);
		return buf;
	case CONF_PERCENT:
		snprintf(buf, CONF_WHAT_MAX, "a share such as 20%%, %" PRIu64 "%% to %" PRIu64 "%%",
			key->min, key->max);
		return buf;
	case CONF_SIZE:
		conf_size_format(key->min, min, sizeof(min));
		conf_size_format(key->max, max, sizeof(max));
		snprintf(buf, CONF_WHAT_MAX, "a size with its unit (B, KB, MB, GB), %s to %s", min,
			max);
		return buf;
	case CONF_MODE:
		return "permissions in octal such as \"0660\"";
	case CONF_ENUM:
		words_list(key->words, buf, CONF_WHAT_MAX);
		return buf;
	case CONF_STRING:
		snprintf(buf, CONF_WHAT_MAX, "%s, at most %" PRIu64 " %s",
			key->form ? key->form->what : "text", key->max,
			key->form == &conf_hex_form ? "digits" : "bytes");
		return buf;
	case CONF_PATH:
		snprintf(buf, CONF_WHAT_MAX, "an absolute path, at most %" PRIu64 " bytes",
			key->max);
		return buf;
	case CONF_BASE:
		return "the path of a URL such as /v1";
	case CONF_PREFIX:
		return "an address such as 192.0.2.1/24 or 2001:db8::1/64";
	case CONF_URL:
		return "a URL such as http://10.0.0.5:8080";
	case CONF_PATTERN:
		return "a path such as /a/b, /a/*/b or /a/*";
	case CONF_CORES:
		snprintf(buf, CONF_WHAT_MAX,
			"a list of CPU numbers and ranges, at most %" PRIu64 " CPUs", key->max);
		return buf;
	case CONF_SET:
		words_list(key->item->words, words, sizeof(words));
		snprintf(buf, CONF_WHAT_MAX, "a list of %s", words);
		return buf;
	case CONF_LIST:
		snprintf(buf, CONF_WHAT_MAX, "%sa list of %" PRIu64 " to %" PRIu64 " entries",
			key->alone ? "one entry, or " : "", key->min, key->max);
		return buf;
	case CONF_MAP:
		snprintf(buf, CONF_WHAT_MAX, "a map of %" PRIu64 " to %" PRIu64 " names", key->min,
			key->max);
		return buf;
	case CONF_GROUP:
		break;
	}
	return "a map of keys";
}
