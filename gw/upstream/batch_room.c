// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/batch.h"

#include <stdlib.h>
#include <string.h>

#define TRIM 4 // below one in so many

static struct up_batch *batch_alloc(struct up_collector *c, size_t members, size_t room)
{
	struct up_batch *batch = malloc(sizeof(*batch) + members * sizeof(batch->member[0]) + room);

	if (!batch)
		return NULL;
	batch->from = c;
	batch->members_max = members;
	batch->room = room;
	batch->body = (uint8_t *)&batch->member[members];
	return batch;
}

struct up_batch *up_batch_make(struct up_collector *c)
{
	struct up_batch *batch = c->spare;

	if (batch) {
		c->spare = batch->next;
		c->spare_count--;
	} else {
		batch = batch_alloc(c, c->route->batch.max, c->route->batch.bytes);
		if (!batch)
			return NULL;
	}
	batch->count = 0;
	batch->parts = 0;
	batch->requests = 0;
	batch->arrived_ms = c->group->loop->now_ms;
	batch->deadline_ms = UINT64_MAX;
	memcpy(batch->body, c->form->before, c->form->before_len);
	batch->len = c->form->before_len;
	return batch;
}

static bool is_full_size(const struct up_batch *batch)
{
	return batch->members_max == batch->from->route->batch.max &&
		batch->room == batch->from->route->batch.bytes;
}

struct up_batch *up_batch_trim(struct up_batch *batch)
{
	size_t whole = batch->members_max * sizeof(batch->member[0]) + batch->room;
	size_t used = batch->count * sizeof(batch->member[0]) + batch->len;

	if (used >= whole / TRIM)
		return batch;
	struct up_batch *copy = batch_alloc(batch->from, batch->count, batch->len);
	if (!copy)
		return batch;
	copy->len = batch->len;
	copy->count = batch->count;
	copy->parts = 0;
	copy->requests = 0;
	copy->arrived_ms = batch->arrived_ms;
	copy->deadline_ms = batch->deadline_ms;
	memcpy(copy->member, batch->member, batch->count * sizeof(batch->member[0]));
	memcpy(copy->body, batch->body, batch->len);
	up_batch_give(batch);
	return copy;
}

void up_batch_give(struct up_batch *batch)
{
	struct up_collector *c = batch->from;

	if (!is_full_size(batch) || c->spare_count == UP_BATCH_SPARE) {
		free(batch);
		return;
	}
	batch->next = c->spare;
	c->spare = batch;
	c->spare_count++;
}

void up_collector_free(struct up_collector *c)
{
	while (c->spare) {
		struct up_batch *batch = c->spare;

		c->spare = batch->next;
		free(batch);
	}
	free(c->open);
	free(c);
}
