// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/trust_name.h"

#include <string.h>

#define PREFIX_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-"

static const char *const values[] = {
	[CONF_TRUST_CN] = "{cn}",
	[CONF_TRUST_SERIAL] = "{serial}",
	[CONF_TRUST_DNS] = "{dns}",
};

bool conf_trust_name_split(const char *name, size_t *prefix_len, enum conf_trust_value *value)
{
	const size_t len = strspn(name, PREFIX_CHARACTERS);

	if (len == 0 || len > CONF_TRUST_PREFIX_MAX)
		return false;
	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (strcmp(name + len, values[i]) == 0) {
			*prefix_len = len;
			*value = i;
			return true;
		}
	}
	return false;
}

bool conf_trust_names_overlap(const char *a, const char *b)
{
	const size_t a_len = strspn(a, PREFIX_CHARACTERS), b_len = strspn(b, PREFIX_CHARACTERS);

	return memcmp(a, b, a_len < b_len ? a_len : b_len) == 0;
}
