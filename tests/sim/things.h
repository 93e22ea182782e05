// SPDX-License-Identifier: BSD-3-Clause
// What servers have, and answers are stored of: each thing has versions, and what is read of it
// says which thing it is, of whom, and which version.

#ifndef POSTERN_TESTS_SIM_THINGS_H
#define POSTERN_TESTS_SIM_THINGS_H

#include <stdbool.h>
#include <stdint.h>

#define THINGS        3 // of each kind
#define THING_QUERIES 2 // that a FETCH asks
#define THING_CONTENT 9 // bytes

enum thing_kind {
	THING_SHARED,  // for all
	THING_OWN,     // each device has one
	THING_QUERIED, // the one for all, of which a FETCH asks for a part
	THING_KINDS
};

struct thing {
	enum thing_kind kind;
	unsigned number, of; // a device, or what a FETCH asks
};

void things_begin(void);
// A server is asked; `known` is what the asker has of it, NULL: nothing. false: that is as it is
// now.
bool thing_read(const struct thing *thing, const char *known, char content[THING_CONTENT + 1]);
// What was stored of the things with this number is gone, or of all.
#define THINGS_ALL THINGS
void things_purged(enum thing_kind kind, unsigned number);
// The least version that an answer to who asks now may have.
uint32_t thing_least(const struct thing *thing);
// Whether the server says of what it answers, of a thing for all, that it is private. It says other
// things to the next who asks.
bool thing_is_private(const char content[THING_CONTENT + 1]);
// A device gets this. false: it is private, and another device got it.
bool thing_reaches(const uint8_t content[THING_CONTENT], unsigned device);
// Whether this is read of the thing, and of no version before `least`.
bool thing_is(const struct thing *thing, const uint8_t content[THING_CONTENT], uint32_t least);

#endif
