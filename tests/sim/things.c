// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/things.h"

#include "tests/sim/device.h"
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OF_MAX (DEVICES > THING_QUERIES ? DEVICES : THING_QUERIES)

static uint32_t version; // the latest of all things
static uint32_t now[THING_KINDS][THINGS][OF_MAX], least[THING_KINDS][THINGS];
static const char letters[THING_KINDS] = {'s', 'o', 'f'};

void things_begin(void)
{
	version = 0;
	memset(now, 0, sizeof(now));
	memset(least, 0, sizeof(least));
}

static void content_make(const struct thing *thing, char content[THING_CONTENT + 1])
{
	snprintf(content, THING_CONTENT + 1, "%c%u%u%06x", letters[thing->kind], thing->number,
		thing->of, now[thing->kind][thing->number][thing->of]);
}

bool thing_read(const struct thing *thing, const char *known, char content[THING_CONTENT + 1])
{
	uint32_t *of = &now[thing->kind][thing->number][thing->of];

	if (*of < thing_least(thing) || sim_once_in(3))
		*of = ++version;
	content_make(thing, content);
	return !known || strcmp(known, content);
}

void things_purged(enum thing_kind kind, unsigned number)
{
	version++;
	for (unsigned k = 0; k < THING_KINDS; k++)
		for (unsigned i = 0; i < THINGS; i++)
			if (number == THINGS_ALL ||
				(i == number && (k == THING_OWN) == (kind == THING_OWN)))
				least[k][i] = version;
}

uint32_t thing_least(const struct thing *thing)
{
	return least[thing->kind][thing->number];
}

bool thing_is(const struct thing *thing, const uint8_t content[THING_CONTENT], uint32_t from)
{
	char text[THING_CONTENT + 1] = "";

	memcpy(text, content, THING_CONTENT);
	return text[0] == letters[thing->kind] && text[1] == (char)('0' + thing->number) &&
		text[2] == (char)('0' + thing->of) && strtoul(text + 3, NULL, 16) >= from;
}
