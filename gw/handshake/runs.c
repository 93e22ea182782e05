// SPDX-License-Identifier: BSD-3-Clause

#include "gw/handshake/runs.h"

#include "dataplane/shared/memory.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stddef.h>
#include <string.h>

_Static_assert((RUNS_MAX & (RUNS_MAX - 1)) == 0, "a mask finds a chain");
_Static_assert(sizeof(((struct runs *)0)->key) == crypto_generichash_KEYBYTES, "a key");

#define PER_TURN 64 // runs that a turn ends for their age

int runs_init(struct runs *runs)
{
	static const struct run_list empty = {RUNS_NONE, RUNS_NONE, 0};

	runs->run = dp_map(sizeof(*runs->run) * RUNS_MAX, DP_MAP_LAZY);
	runs->by_name = dp_map(sizeof(*runs->by_name) * RUNS_MAX, DP_MAP_LAZY);
	runs->by_c_r = dp_map(sizeof(*runs->by_c_r) * RUNS_MAX, DP_MAP_LAZY);
	if (!runs->run || !runs->by_name || !runs->by_c_r)
		return -ENOMEM;
	memset(runs->by_name, 0xff, sizeof(*runs->by_name) * RUNS_MAX);
	memset(runs->by_c_r, 0xff, sizeof(*runs->by_c_r) * RUNS_MAX);
	runs->unused = 0;
	runs->free = RUNS_NONE;
	runs->waiting = runs->over = empty;
	for (unsigned i = 0; i < RUNS_NETWORKS; i++)
		runs->network[i] = empty;
	keyed_hash_init(&runs->hash);
	crypto_generichash_keygen(runs->key);
	return 0;
}

void runs_fini(struct runs *runs)
{
	if (runs->run)
		sodium_memzero(runs->run, sizeof(*runs->run) * runs->unused);
	dp_unmap(runs->run, sizeof(*runs->run) * RUNS_MAX);
	dp_unmap(runs->by_name, sizeof(*runs->by_name) * RUNS_MAX);
	dp_unmap(runs->by_c_r, sizeof(*runs->by_c_r) * RUNS_MAX);
	sodium_memzero(runs->key, sizeof(runs->key));
	runs->run = NULL;
	runs->by_name = runs->by_c_r = NULL;
}

// --- lists, the oldest first; `link` is the offset of the link in a run

#define LINK_ALL  offsetof(struct run, all)
#define LINK_MINE offsetof(struct run, mine)

static struct run_link *link_of(const struct runs *runs, uint32_t index, size_t link)
{
	return (struct run_link *)((char *)&runs->run[index] + link);
}

static void list_add(struct runs *runs, struct run_list *list, uint32_t index, size_t link)
{
	struct run_link *at = link_of(runs, index, link);

	*at = (struct run_link){.older = list->newest, .newer = RUNS_NONE};
	if (list->newest == RUNS_NONE)
		list->oldest = index;
	else
		link_of(runs, list->newest, link)->newer = index;
	list->newest = index;
	list->count++;
}

static void list_remove(struct runs *runs, struct run_list *list, uint32_t index, size_t link)
{
	const struct run_link *at = link_of(runs, index, link);

	if (at->older == RUNS_NONE)
		list->oldest = at->newer;
	else
		link_of(runs, at->older, link)->newer = at->newer;
	if (at->newer == RUNS_NONE)
		list->newest = at->older;
	else
		link_of(runs, at->newer, link)->older = at->older;
	list->count--;
}

// --- chains

static uint32_t *name_chain(const struct runs *runs, const uint8_t name[RUNS_NAME_LEN])
{
	uint32_t word;

	memcpy(&word, name, sizeof(word)); // names are keyed hashes already
	return &runs->by_name[word & (RUNS_MAX - 1)];
}

static uint32_t *c_r_chain(const struct runs *runs, const struct edhoc_connection *c_r)
{
	return &runs->by_c_r[keyed_hash(&runs->hash, c_r->bytes, c_r->len) & (RUNS_MAX - 1)];
}

void runs_name(const struct runs *runs, const void *before, size_t before_len,
	struct edhoc_bytes message, uint8_t name[RUNS_NAME_LEN])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, runs->key, sizeof(runs->key), RUNS_NAME_LEN);
	crypto_generichash_update(&state, before, before_len);
	crypto_generichash_update(&state, message.data, message.len);
	crypto_generichash_final(&state, name, RUNS_NAME_LEN);
}

uint32_t runs_find_message_1(const struct runs *runs, const uint8_t name[RUNS_NAME_LEN])
{
	uint32_t at = *name_chain(runs, name);

	while (at != RUNS_NONE && memcmp(runs->run[at].message_1, name, RUNS_NAME_LEN))
		at = runs->run[at].next_name;
	return at;
}

uint32_t runs_find_c_r(const struct runs *runs, const struct edhoc_connection *c_r)
{
	uint32_t at = *c_r_chain(runs, c_r);

	while (at != RUNS_NONE && !edhoc_connection_equal(&runs->run[at].c_r, c_r))
		at = runs->run[at].next_c_r;
	return at;
}

static void chains_join(struct runs *runs, uint32_t index)
{
	struct run *run = &runs->run[index];
	uint32_t *name = name_chain(runs, run->message_1), *c_r = c_r_chain(runs, &run->c_r);

	run->next_name = *name;
	*name = index;
	run->next_c_r = *c_r;
	*c_r = index;
}

static void chains_leave(struct runs *runs, uint32_t index)
{
	const struct run *run = &runs->run[index];
	uint32_t *at = name_chain(runs, run->message_1);

	while (*at != index)
		at = &runs->run[*at].next_name;
	*at = run->next_name;
	at = c_r_chain(runs, &run->c_r);
	while (*at != index)
		at = &runs->run[*at].next_c_r;
	*at = run->next_c_r;
}

// --- life

// Takes a run out of the lists of those that wait.
static void waiting_leave(struct runs *runs, uint32_t index)
{
	list_remove(runs, &runs->waiting, index, LINK_ALL);
	list_remove(runs, &runs->network[runs->run[index].network], index, LINK_MINE);
}

// A run that waits will not be completed.
static void give_up(struct runs *runs, uint32_t index)
{
	struct run *run = &runs->run[index];

	assert(run->state == RUN_BEGINS || run->state == RUN_WAITS);
	waiting_leave(runs, index);
	sodium_memzero(&run->session, sizeof(run->session));
	runs->unused_c_r(runs->arg, &run->c_r);
	run->state = RUN_OVER;
	list_add(runs, &runs->over, index, LINK_ALL);
}

// Frees the place of a run that is over.
static void release(struct runs *runs, uint32_t index)
{
	struct run *run = &runs->run[index];

	list_remove(runs, &runs->over, index, LINK_ALL);
	chains_leave(runs, index);
	run->state = RUN_FREE;
	run->next_name = runs->free;
	runs->free = index;
}

void runs_drop(struct runs *runs, uint32_t index)
{
	give_up(runs, index);
	release(runs, index);
}

// The oldest of a list of a network that waits and may go.
static uint32_t oldest_idle(const struct runs *runs, const struct run_list *list)
{
	uint32_t at = list->oldest;

	// Those that are worked on are of one burst.
	while (at != RUNS_NONE && (runs->run[at].state != RUN_WAITS || runs->run[at].busy))
		at = runs->run[at].mine.newer;
	return at;
}

// Ends a run of the network that has most of those that wait.
static bool make_room_of_waiting(struct runs *runs)
{
	const struct run_list *most = &runs->network[0];

	for (unsigned i = 1; i < RUNS_NETWORKS; i++)
		if (runs->network[i].count > most->count)
			most = &runs->network[i];
	const uint32_t index = oldest_idle(runs, most);

	if (index == RUNS_NONE)
		return false;
	runs_drop(runs, index);
	return true;
}

static bool make_room(struct runs *runs)
{
	if (runs->over.count > RUNS_MAX / 2 || !make_room_of_waiting(runs)) {
		if (!runs->over.count)
			return false;
		release(runs, runs->over.oldest);
	}
	return true;
}

uint32_t runs_begin(struct runs *runs, uint64_t now_ms, uint64_t network,
	const uint8_t name[RUNS_NAME_LEN], const struct edhoc_connection *c_r)
{
	const unsigned of =
		(unsigned)(keyed_hash(&runs->hash, &network, sizeof(network)) % RUNS_NETWORKS);
	uint32_t index = runs->network[of].count < RUNS_SHARE
		? RUNS_NONE
		: oldest_idle(runs, &runs->network[of]);

	if (index != RUNS_NONE)
		runs_drop(runs, index);
	else if (runs->network[of].count >= RUNS_SHARE)
		return RUNS_NONE;
	if (runs->free == RUNS_NONE && runs->unused == RUNS_MAX && !make_room(runs))
		return RUNS_NONE;
	index = runs->free;
	if (index == RUNS_NONE)
		index = runs->unused++;
	else
		runs->free = runs->run[index].next_name;
	struct run *run = &runs->run[index];

	run->state = RUN_BEGINS;
	run->busy = run->message_2 = run->apart = false;
	run->len = 0;
	run->network = (uint16_t)of;
	run->at_ms = now_ms;
	run->c_r = *c_r;
	memcpy(run->message_1, name, RUNS_NAME_LEN);
	memset(run->message_3, 0, RUNS_NAME_LEN);
	chains_join(runs, index);
	list_add(runs, &runs->waiting, index, LINK_ALL);
	list_add(runs, &runs->network[of], index, LINK_MINE);
	return index;
}

void runs_wait(struct runs *runs, uint32_t index)
{
	assert(runs->run[index].state == RUN_BEGINS);
	runs->run[index].state = RUN_WAITS;
	runs->run[index].message_2 = true;
}

void runs_verified(struct runs *runs, uint32_t index, const uint8_t name[RUNS_NAME_LEN],
	struct edhoc_bytes answer)
{
	struct run *run = &runs->run[index];

	assert(run->state == RUN_WAITS);
	waiting_leave(runs, index);
	sodium_memzero(&run->session, sizeof(run->session));
	memcpy(run->message_3, name, RUNS_NAME_LEN);
	run->state = RUN_AT_MAIN;
	run->busy = run->message_2 = run->apart = false;
	assert(answer.len <= sizeof(run->answer));
	run->len = (uint16_t)answer.len;
	if (answer.len)
		memcpy(run->answer, answer.data, answer.len);
}

void runs_settle(struct runs *runs, uint32_t index, bool published)
{
	struct run *run = &runs->run[index];

	assert(run->state == RUN_AT_MAIN);
	run->state = published ? RUN_STANDS : RUN_OVER;
	list_add(runs, &runs->over, index, LINK_ALL);
}

void runs_turn(struct runs *runs, uint64_t now_ms)
{
	for (unsigned n = 0; n < PER_TURN; n++) {
		const uint32_t waiting = runs->waiting.oldest, over = runs->over.oldest;
		const bool waited = waiting != RUNS_NONE &&
			now_ms - runs->run[waiting].at_ms >= RUNS_WAIT_MS &&
			runs->run[waiting].state == RUN_WAITS && !runs->run[waiting].busy;

		if (waited)
			give_up(runs, waiting);
		if (over != RUNS_NONE && now_ms - runs->run[over].at_ms >= RUNS_KEEP_MS)
			release(runs, over);
		else if (!waited)
			return;
	}
}
