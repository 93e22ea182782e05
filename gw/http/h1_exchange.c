// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/h1_exchange.h"

#include <stdlib.h>

struct h1_exchange *h1_exchange_take(struct h1_engine *e, void (*fire)(struct http_timer *timer))
{
	struct h1_exchange *x = TAILQ_FIRST(&e->free_exchanges);

	if (x) {
		h1_exchange_move(x, NULL);
		return x;
	}
	x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	if (http_timers_hold(&e->net.timers, 1)) {
		free(x);
		return NULL;
	}
	x->timer.fire = fire;
	return x;
}

void h1_exchange_move(struct h1_exchange *x, struct h1_exchange_list *list)
{
	if (x->list)
		TAILQ_REMOVE(x->list, x, link);
	x->list = list;
	if (list)
		TAILQ_INSERT_TAIL(list, x, link);
}

void h1_exchange_give(struct h1_exchange *x)
{
	struct h1_engine *e = x->target->engine;

	http_timer_unset(&e->net.timers, &x->timer);
	http_body_end(&x->body);
	h1_exchange_move(x, NULL);
	x->list = &e->free_exchanges;
	TAILQ_INSERT_HEAD(&e->free_exchanges, x, link); // its memory is warm
}

void h1_exchange_finish(struct h1_exchange *x, enum http_error error)
{
	struct h1_engine *e = x->target->engine;

	http_timer_unset(&e->net.timers, &x->timer);
	x->conn = NULL;
	x->error = error;
	h1_exchange_move(x, &e->ended);
}

void h1_exchange_lost(
	struct h1_exchange *x, enum http_error error, bool used, bool begun, bool written)
{
	bool unseen = used && !written;
	bool once_more = used && written && !begun && !x->again && x->transfer->request.idempotent;

	x->conn = NULL;
	if (error != HTTP_ERR_reset || (!unseen && !once_more)) {
		h1_exchange_finish(x, error);
		return;
	}
	x->again |= written;
	x->renewed = x->again;
	h1_exchange_move(x, &x->target->engine->homeless);
}
