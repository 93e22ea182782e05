// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/timers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int http_timers_hold(struct http_timers *timers, size_t count)
{
	size_t room = timers->room ? timers->room : 64;

	while (room <= timers->held + count)
		room *= 2;
	if (room != timers->room) {
		struct http_timer_entry *heap = realloc(timers->heap, room * sizeof(*heap));

		if (!heap)
			return -ENOMEM;
		timers->heap = heap;
		timers->room = room;
	}
	timers->held += count;
	return 0;
}

void http_timers_let_go(struct http_timers *timers, size_t count)
{
	timers->held -= count;
}

void http_timers_free(struct http_timers *timers)
{
	free(timers->heap);
	*timers = (struct http_timers){0};
}

static void put(struct http_timers *timers, size_t place, struct http_timer_entry entry)
{
	timers->heap[place] = entry;
	entry.timer->place = place;
}

// Puts an entry at this place, or where it belongs above or below.
static void settle(struct http_timers *timers, size_t place, struct http_timer_entry entry)
{
	while (place > 1 && timers->heap[place / 2].due_ms > entry.due_ms) {
		put(timers, place, timers->heap[place / 2]);
		place /= 2;
	}
	for (size_t child = 2 * place; child <= timers->count; child = 2 * place) {
		if (child < timers->count &&
			timers->heap[child + 1].due_ms < timers->heap[child].due_ms)
			child++;
		if (timers->heap[child].due_ms >= entry.due_ms)
			break;
		put(timers, place, timers->heap[child]);
		place = child;
	}
	put(timers, place, entry);
}

void http_timer_set(struct http_timers *timers, struct http_timer *timer, uint64_t due_ms)
{
	size_t place = timer->place ? timer->place : ++timers->count;

	assert(place < timers->room);
	settle(timers, place, (struct http_timer_entry){due_ms, timer});
}

void http_timer_unset(struct http_timers *timers, struct http_timer *timer)
{
	size_t place = timer->place;

	if (!place)
		return;
	struct http_timer_entry last = timers->heap[timers->count--];
	if (last.timer != timer)
		settle(timers, place, last);
	timer->place = 0;
}

uint64_t http_timer_due_ms(const struct http_timers *timers, const struct http_timer *timer)
{
	return timer->place ? timers->heap[timer->place].due_ms : UINT64_MAX;
}

void http_timers_fire(struct http_timers *timers, uint64_t now_ms)
{
	while (http_timers_next_ms(timers) <= now_ms) {
		struct http_timer *timer = timers->heap[1].timer;

		http_timer_unset(timers, timer);
		timer->fire(timer);
	}
}

uint64_t http_timers_next_ms(const struct http_timers *timers)
{
	return timers->count ? timers->heap[1].due_ms : UINT64_MAX;
}
