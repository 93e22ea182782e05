// SPDX-License-Identifier: BSD-3-Clause
// Timers in a binary heap: setting one later than all others, as time limits of requests mostly
// are, takes no time at all. Times are CLOCK_MONOTONIC in milliseconds.

#ifndef POSTERN_GW_HTTP_TIMERS_H
#define POSTERN_GW_HTTP_TIMERS_H

#include "base/clock.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

static inline uint64_t http_earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

// Zeroed: not set.
struct http_timer {
	size_t place; // in the heap, from 1; 0: not set
	void (*fire)(struct http_timer *timer);
};

struct http_timer_entry {
	uint64_t due_ms;
	struct http_timer *timer;
};

// Zeroed: none are set.
struct http_timers {
	struct http_timer_entry *heap; // from 1
	size_t count;
	size_t held; // that may be set at a time
	size_t room;
};

// Makes sure that so many more timers can be set at a time: setting one never fails. Returns 0 or
// -ENOMEM.
int http_timers_hold(struct http_timers *timers, size_t count) __attribute__((warn_unused_result));
// So many of them are not set any more, and will not be.
void http_timers_let_go(struct http_timers *timers, size_t count);
void http_timers_free(struct http_timers *timers);

// Sets a timer, or sets it again. It must be held.
void http_timer_set(struct http_timers *timers, struct http_timer *timer, uint64_t due_ms);
void http_timer_unset(struct http_timers *timers, struct http_timer *timer);
// When it is due; UINT64_MAX: it is not set.
uint64_t http_timer_due_ms(const struct http_timers *timers, const struct http_timer *timer);

// Unsets those that are due, the earliest first, and calls fire() of each.
void http_timers_fire(struct http_timers *timers, uint64_t now_ms);
// When the next one is due; UINT64_MAX: none is set.
uint64_t http_timers_next_ms(const struct http_timers *timers);

#endif
