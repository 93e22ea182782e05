// SPDX-License-Identifier: BSD-3-Clause

#include "gw/handshake/connections.h"

#include <assert.h>

void connections_init(struct connections *connections)
{
	connections->first = connections->count = 0;
	pthread_mutex_init(&connections->lock, NULL);
}

void connections_fini(struct connections *connections)
{
	pthread_mutex_destroy(&connections->lock);
}

static struct edhoc_connection pop(struct connections *connections)
{
	const uint32_t at = connections->first++ % CONNECTIONS_ROOM;

	connections->count--;
	return connections->ready[at];
}

static void push(struct connections *connections, const struct edhoc_connection *connection)
{
	assert(connections->count < CONNECTIONS_ROOM);
	connections->ready[(connections->first + connections->count++) % CONNECTIONS_ROOM] =
		*connection;
}

bool connections_take(struct connections *connections, const struct edhoc_connection *other,
	struct edhoc_connection *connection, bool *low)
{
	bool found = false;

	pthread_mutex_lock(&connections->lock);
	// At most one is the other one.
	for (unsigned tries = 0; !found && tries < 2 && connections->count; tries++) {
		*connection = pop(connections);
		found = !edhoc_connection_equal(connection, other);
		if (!found)
			push(connections, connection);
	}
	*low = connections->count < CONNECTIONS_FILL / 2;
	pthread_mutex_unlock(&connections->lock);
	return found;
}

void connections_put(struct connections *connections, const struct edhoc_connection *connection)
{
	pthread_mutex_lock(&connections->lock);
	push(connections, connection);
	pthread_mutex_unlock(&connections->lock);
}

uint32_t connections_count(struct connections *connections)
{
	pthread_mutex_lock(&connections->lock);
	const uint32_t count = connections->count;

	pthread_mutex_unlock(&connections->lock);
	return count;
}
