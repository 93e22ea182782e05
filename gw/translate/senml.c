// SPDX-License-Identifier: BSD-3-Clause

#include "gw/translate/senml.h"

#include <stddef.h>
#include <string.h>

#define LEAST (-6)

// From LEAST up.
static const char *const names[] = {
	"bs", "bv", "bu", "bt", "bn", "bver", "n", "u", "v", "vs", "vb", "s", "t", "ut", "vd"};

#define COUNT ((int64_t)(sizeof(names) / sizeof(names[0])))

const char *tr_senml_name(int64_t label)
{
	return label >= LEAST && label < LEAST + COUNT ? names[label - LEAST] : NULL;
}

bool tr_senml_label(const char *name, int64_t *label)
{
	for (int64_t i = 0; i < COUNT; i++) {
		if (strcmp(names[i], name))
			continue;
		*label = LEAST + i;
		return true;
	}
	return false;
}
