// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/lost.h"

#include "gw/upstream/cache.h"
#include "gw/upstream/snapshot.h"

#include <stdlib.h>

#define GONE_A_TURN   64   // devices
#define PLACES_A_TURN 1024 // that are looked at for bodies that are lost

void up_lost_device(struct up_loop *loop, uint32_t context, uint32_t generation)
{
	struct up_gone *gone = &loop->gone;
	uint32_t put = gone->put;

	if (put - __atomic_load_n(&gone->taken, __ATOMIC_ACQUIRE) == UP_GONE_ROOM) {
		__atomic_store_n(&gone->missed, true, __ATOMIC_RELEASE);
	} else {
		gone->device[put % UP_GONE_ROOM].context = context;
		gone->device[put % UP_GONE_ROOM].generation = generation;
		__atomic_store_n(&gone->put, put + 1, __ATOMIC_RELEASE);
	}
	dp_doorbell_ring(&loop->config.upstream->bell);
}

bool up_lost_pending(const struct up_loop *loop)
{
	const struct up_gone *gone = &loop->gone;

	return __atomic_load_n(&gone->put, __ATOMIC_ACQUIRE) != gone->taken ||
		__atomic_load_n(&gone->missed, __ATOMIC_RELAXED);
}

// Main takes the name away before it says that the device is gone: a body that was made while there
// was a name is dropped when main says so.
bool up_body_is_owned(const struct up_call *call)
{
	const struct up_loop *loop = call->group->loop;
	const struct dp_request *device = &call->shared->request;

	if (up_device_is_there(loop, device->context, device->context_generation))
		return true;
	body_device_gone(loop->bodies, device->context, device->context_generation);
	return false;
}

static void gone_take(struct up_loop *loop)
{
	struct up_gone *gone = &loop->gone;
	uint32_t put = __atomic_load_n(&gone->put, __ATOMIC_ACQUIRE), taken = gone->taken;

	for (unsigned i = 0; i < GONE_A_TURN && taken != put; i++, taken++) {
		uint32_t context = gone->device[taken % UP_GONE_ROOM].context;
		uint32_t generation = gone->device[taken % UP_GONE_ROOM].generation;

		body_device_gone(loop->bodies, context, generation);
		up_cache_device_gone(loop, context, generation);
	}
	__atomic_store_n(&gone->taken, taken, __ATOMIC_RELEASE);
	if (__atomic_load_n(&gone->missed, __ATOMIC_RELAXED) &&
		__atomic_exchange_n(&gone->missed, false, __ATOMIC_ACQUIRE)) {
		loop->bodies_walk = 0;
		loop->bodies_walks = true;
		up_cache_devices_lost(loop);
	}
}

static int id_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_lost(void *arg, const struct body *body)
{
	const struct up_loop *loop = arg;
	uint32_t context, generation;

	body_device(body, &context, &generation);
	return !bsearch(&body->route, loop->snapshot->route_ids, loop->snapshot->conf->route_count,
		       sizeof(body->route), id_compare) ||
		!up_device_is_there(loop, context, generation);
}

uint64_t *up_lost_ids(const struct conf *conf)
{
	uint64_t *ids = malloc((conf->route_count + 1) * sizeof(*ids));

	if (!ids)
		return NULL;
	for (size_t i = 0; i < conf->route_count; i++)
		ids[i] = conf->routes[i].id;
	qsort(ids, conf->route_count, sizeof(*ids), id_compare);
	return ids;
}

void up_bodies_routes_gone(struct up_loop *loop)
{
	loop->bodies_walk = 0;
	loop->bodies_walks = true;
}

bool up_lost_turn(struct up_loop *loop)
{
	gone_take(loop);
	if (loop->bodies_walks)
		loop->bodies_walks =
			!body_walk(loop->bodies, &loop->bodies_walk, PLACES_A_TURN, is_lost, loop);
	return loop->bodies_walks || up_lost_pending(loop);
}
