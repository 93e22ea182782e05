// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/queue.h"

#include "gw/http/timers.h"
#include "gw/upstream/batch.h"
#include "gw/upstream/call.h"

void up_queue_add(struct up_call *call)
{
	struct up_group *group = call->group;

	if (!group->servers->up) {
		up_call_fail(call, HTTP_ERR_no_server);
	} else if (up_group_has_room(group) && !group->waiting_count) {
		up_call_launch(call);
	} else if (group->waiting_count >= group->max_inflight) {
		up_call_fail(call, HTTP_ERR_queue_full);
	} else {
		TAILQ_INSERT_TAIL(&group->waiting, call, link);
		group->waiting_count++;
		up_stat_set(group, UP_STAT_waiting, group->waiting_count);
		up_stat_add(group, UP_STAT_queued, 1);
	}
}

static void call_launch_first(struct up_group *group)
{
	struct up_call *call = TAILQ_FIRST(&group->waiting);

	up_call_unqueue(call);
	if (up_call_is_abandoned(call))
		up_call_abandon(call);
	else
		up_call_launch(call);
}

void up_queue_launch(struct up_group *group)
{
	while (up_group_has_room(group) && group->waiting_count) {
		const struct up_call *call = TAILQ_FIRST(&group->waiting);
		const struct up_part *part = TAILQ_FIRST(&group->waiting_parts);

		if (!call || (part && (part->half || part->waits_ms < call->arrived_ms)))
			up_part_launch_first(group);
		else
			call_launch_first(group);
	}
}

// Calls are in order of arrival, so the first is the first that waited for too long.
static void calls_expire(struct up_group *group)
{
	struct up_call *call;

	while ((call = TAILQ_FIRST(&group->waiting))) {
		bool late = call->arrived_ms + group->upstream->queue_ms <= group->loop->now_ms;

		if (!late && group->servers->up)
			break;
		up_call_unqueue(call);
		if (up_call_is_abandoned(call))
			up_call_abandon(call);
		else
			up_call_fail(call, late ? HTTP_ERR_queue_timeout : HTTP_ERR_no_server);
	}
}

void up_queue_expire(struct up_group *group)
{
	calls_expire(group);
	up_parts_expire(group);
}

uint64_t up_queue_next_ms(const struct up_group *group)
{
	const struct up_call *call = TAILQ_FIRST(&group->waiting);

	return http_earlier(up_parts_next_ms(group),
		call ? call->arrived_ms + group->upstream->queue_ms : UINT64_MAX);
}

static void calls_sweep(struct up_loop *loop)
{
	struct up_group *group;

	for (struct up_call *call = TAILQ_FIRST(&loop->flying), *next; call; call = next) {
		next = TAILQ_NEXT(call, link);
		if (!up_call_is_abandoned(call))
			continue;
		up_call_cancel(call);
		up_call_abandon(call);
	}
	TAILQ_FOREACH(group, &loop->groups, link)
	{
		for (struct up_call *call = TAILQ_FIRST(&group->waiting), *next; call;
			call = next) {
			next = TAILQ_NEXT(call, link);
			if (!up_call_is_abandoned(call))
				continue;
			up_call_unqueue(call);
			up_call_abandon(call);
		}
	}
}

void up_queue_sweep(struct up_loop *loop)
{
	calls_sweep(loop);
	if (loop->batches)
		up_parts_sweep(loop);
}

void up_queue_stop(struct up_loop *loop, bool flying)
{
	struct up_group *group;
	struct up_call *call;

	TAILQ_FOREACH(group, &loop->groups, link)
	{
		while ((call = TAILQ_FIRST(&group->waiting))) {
			up_call_unqueue(call);
			up_call_fail(call, HTTP_ERR_stopping);
		}
	}
	while (flying && (call = TAILQ_FIRST(&loop->flying))) {
		up_call_cancel(call);
		up_call_fail(call, HTTP_ERR_stopping);
	}
	if (loop->batches)
		up_parts_stop(loop, flying);
}
