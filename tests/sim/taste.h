// SPDX-License-Identifier: BSD-3-Clause
// What a schedule likes: each goes without some kinds of faults and verbs, has more or fewer of the
// others, and may look at one device most of the time. So what is rare among everything is frequent
// in some schedules.

#ifndef POSTERN_TESTS_SIM_TASTE_H
#define POSTERN_TESTS_SIM_TASTE_H

#include <stdbool.h>

// What a schedule is about, if it is about something.
enum theme {
	THEME_NONE,
	THEME_CLOCK, // a device whose Partial IVs come from the clock goes and comes with its keys,
		     // while that is set back by seconds
	THEME_DERIVE, // a device derives contexts all the time, while the disk fails and the
		      // process dies
	THEME_MOVE,   // a device asks much, and moves from worker to worker
};

struct taste {
	enum theme theme;
	unsigned fault_every, verb_every, end_every; // events
	bool passes;                                 // there are messages that are passed through
	bool calm;                                   // the network only delays
	unsigned main_every; // main gets its turn once in so many that it could have
};
extern struct taste taste;

void taste_begin(void);
// Some device: often that of the schedule, if it has one.
unsigned taste_device(void);
// Whether the schedule has this kind of fault, or verb.
bool taste_fault(unsigned kind);
bool taste_verb(unsigned verb);

#endif
