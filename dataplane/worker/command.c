// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/command.h"

#include "dataplane/shared/ring.h"
#include "dataplane/worker/event.h"
#include "dataplane/worker/exchanges.h"
#include "dataplane/worker/move.h"

#include <assert.h>

#define COMMANDS_BURST 32

unsigned dp_commands(struct dp_worker *w)
{
	unsigned n = 0;
	struct dp_command command;

	// Some are answered by an event: none is taken without room for that.
	while (n < COMMANDS_BURST && dp_ring_free_count(w->events) &&
		!rte_ring_sc_dequeue_elem(w->commands, &command, sizeof(command))) {
		assert(command.context < w->contexts->entries);
		struct dp_context *ctx = &w->contexts->context[command.context];

		n++;
		bool live = dp_context_live(ctx) == command.generation;

		if (command.type == DP_COMMAND_MOVE) {
			if (live)
				dp_move(w, command.context, command.arg);
			// Main waits for it in any case.
			dp_event_send(w, DP_EVENT_MOVED, command.context, command.generation, 0);
			continue;
		}
		if (!live)
			continue;
		assert(dp_context_owner(ctx) == w->id);
		switch ((enum dp_command_type)command.type) {
		case DP_COMMAND_RETIRE:
			dp_context_abandon(w, command.context);
			__atomic_store_n(&ctx->generation, ctx->generation + 1, __ATOMIC_RELEASE);
			dp_event_send(w, DP_EVENT_RETIRED, command.context, command.generation, 0);
			break;
		case DP_COMMAND_DRAIN:
			dp_context_drain_begin(w, command.context);
			break;
		case DP_COMMAND_RUN_BASE:
			// A base only rises, and with it the counter starts again from 0.
			if (!(ctx->flags & DP_CONTEXT_OWN_PIV_CLOCK) &&
				command.arg > ctx->run_base) {
				__atomic_store_n(&ctx->run_base, command.arg, __ATOMIC_RELAXED);
				__atomic_store_n(&ctx->own_counter, 0, __ATOMIC_RELAXED);
			}
			break;
		case DP_COMMAND_MARK:
			dp_side(w, command.context)->mark_wanted = false;
			if (ctx->flags & DP_CONTEXT_FLOOR && command.arg > ctx->mark)
				__atomic_store_n(&ctx->mark, command.arg, __ATOMIC_RELAXED);
			break;
		case DP_COMMAND_RESYNC:
			dp_context_resync(w->contexts, command.context, command.arg);
			dp_event_send(
				w, DP_EVENT_STATE, command.context, command.generation, ctx->state);
			break;
		case DP_COMMAND_MOVE:
			break;
		}
	}
	return n;
}
