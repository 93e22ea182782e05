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
// Of each version: whether it is private, and from 2 on the device that got it.
#define VERSIONS 8192
enum { OF_ALL, OF_ONE, OF_DEVICE };
static uint8_t whose[VERSIONS];
static const char letters[THING_KINDS] = {'s', 'o', 'f'};

void things_begin(void)
{
	version = 0;
	memset(now, 0, sizeof(now));
	memset(whose, OF_ALL, sizeof(whose));
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

	if (*of < thing_least(thing) || whose[*of] != OF_ALL || sim_once_in(3)) {
		*of = ++version;
		must(version < VERSIONS, "too many versions");
		if (thing->kind != THING_OWN && sim_once_in(8))
			whose[version] = OF_ONE;
	}
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

static uint32_t version_of(const char *content)
{
	return strtoul(content + 3, NULL, 16) % VERSIONS;
}

bool thing_is_private(const char content[THING_CONTENT + 1])
{
	return memchr(letters, content[0], THING_KINDS) && whose[version_of(content)] != OF_ALL;
}

bool thing_reaches(const uint8_t content[THING_CONTENT], unsigned device)
{
	char text[THING_CONTENT + 1] = "";

	memcpy(text, content, THING_CONTENT);
	uint8_t *of = &whose[version_of(text)];

	if (*of == OF_ONE)
		*of = OF_DEVICE + device;
	return *of == OF_ALL || *of == OF_DEVICE + device;
}

bool thing_is(const struct thing *thing, const uint8_t content[THING_CONTENT], uint32_t from)
{
	char text[THING_CONTENT + 1] = "";

	memcpy(text, content, THING_CONTENT);
	return text[0] == letters[thing->kind] && text[1] == (char)('0' + thing->number) &&
		text[2] == (char)('0' + thing->of) && strtoul(text + 3, NULL, 16) >= from;
}
