// SPDX-License-Identifier: BSD-3-Clause

#include "gw/translate/place.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

#define MORE "..."

void tr_fault_at_byte(struct tr_fault *fault, const char *what, size_t byte)
{
	fault->what = what;
	snprintf(fault->place, sizeof(fault->place), "byte %zu", byte);
}

void tr_fault_start(struct tr_fault *fault, const char *what)
{
	fault->what = what;
	fault->place[0] = 0;
}

// Adds a part if there is room for it and for MORE; else MORE, behind which nothing goes.
static void part_add(struct tr_fault *fault, const char *part, size_t len)
{
	size_t used = strlen(fault->place), more = strlen(MORE), room = TR_PLACE_MAX - more;

	if (used > room || (used >= more && !strcmp(fault->place + used - more, MORE)))
		return;
	if (len > room - used) {
		part = MORE;
		len = more;
	}
	memcpy(fault->place + used, part, len);
	fault->place[used + len] = 0;
}

void tr_fault_index(struct tr_fault *fault, size_t index)
{
	char part[32];

	part_add(fault, part, (size_t)snprintf(part, sizeof(part), "/%zu", index));
}

void tr_fault_key(struct tr_fault *fault, const char *key, size_t len)
{
	part_add(fault, "/", 1);
	for (size_t n; len; key += n, len -= n) {
		n = utf8_len((const uint8_t *)key, len);
		if (n <= 1 && (uint8_t)(*key - 0x20) >= 0x5f) { // a control character, or no UTF-8
			n = 1;
			part_add(fault, "?", 1);
		} else if (*key == '~') {
			part_add(fault, "~0", 2);
		} else if (*key == '/') {
			part_add(fault, "~1", 2);
		} else {
			part_add(fault, key, n);
		}
	}
}
