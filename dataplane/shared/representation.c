// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/representation.h"

#include "dataplane/shared/memory.h"
#include "dataplane/shared/quiescent.h"

#include <rte_rcu_qsbr.h>

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

// An object, and what the loop needs to free it.
struct dp_rep_block {
	struct dp_rep_block *next;
	uint64_t token; // of QSBR: workers have to pass it
	TAILQ_ENTRY(dp_rep_block) of_older;
	uint64_t until_ms; // it is kept
	uint32_t slot;     // behind what is there
	struct dp_representation rep;
};

static struct dp_rep_block *block_of(const struct dp_representation *rep)
{
	return (struct dp_rep_block *)((uintptr_t)rep - offsetof(struct dp_rep_block, rep));
}

static void block_free(struct dp_rep_block *block)
{
	sodium_memzero(block, dp_rep_bytes(&block->rep));
	free(block);
}

// ---- tables

static bool table_init(struct dp_rep_table *table, uint32_t slots, struct rte_rcu_qsbr *qsbr)
{
	table->slots = slots;
	table->qsbr = qsbr;
	TAILQ_INIT(&table->older);
	table->at = dp_map(slots * sizeof(table->at[0]), DP_MAP_LAZY);
	table->slot = dp_map(slots * sizeof(table->slot[0]), DP_MAP_LAZY);
	table->hash = dp_map(slots * sizeof(table->hash[0]), DP_MAP_LAZY);
	return table->at && table->slot && table->hash;
}

static void retired_free(struct dp_rep_table *table)
{
	while (table->oldest) {
		struct dp_rep_block *next = table->oldest->next;

		block_free(table->oldest);
		table->oldest = next;
	}
}

static void table_fini(struct dp_rep_table *table)
{
	struct dp_rep_block *block;

	while ((block = TAILQ_FIRST(&table->older))) {
		TAILQ_REMOVE(&table->older, block, of_older);
		block_free(block);
	}
	for (uint32_t i = 0; table->count && i < table->slots; i++) {
		struct dp_representation *rep = dp_rep_of_word(table->at[i]);

		if (!rep)
			continue;
		block_free(block_of(rep));
		table->count--;
	}
	retired_free(table);
	dp_unmap(table->hash, table->slots * sizeof(table->hash[0]));
	dp_unmap(table->slot, table->slots * sizeof(table->slot[0]));
	dp_unmap(table->at, table->slots * sizeof(table->at[0]));
}

struct dp_reps *dp_reps_create(unsigned loops, uint32_t slots, struct rte_rcu_qsbr *qsbr)
{
	struct dp_reps *reps = calloc(1, sizeof(*reps));
	uint32_t rounded = DP_REP_WAYS;
	bool made;

	if (!reps)
		return NULL;
	while (rounded < slots)
		rounded *= 2;
	keyed_hash_init(&reps->keys);
	keyed_hash_init(&reps->paths);
	reps->epoch = dp_map(DP_REP_EPOCHS * sizeof(reps->epoch[0]), DP_MAP_LAZY);
	made = reps->epoch;
	for (; made && reps->loops < loops; reps->loops++)
		made = table_init(&reps->table[reps->loops], rounded, qsbr);
	if (made)
		return reps;
	dp_reps_free(reps);
	errno = ENOMEM;
	return NULL;
}

void dp_reps_free(struct dp_reps *reps)
{
	if (!reps)
		return;
	for (unsigned i = 0; i < reps->loops; i++)
		table_fini(&reps->table[i]);
	dp_unmap(reps->epoch, DP_REP_EPOCHS * sizeof(reps->epoch[0]));
	sodium_memzero(reps, sizeof(*reps));
	free(reps);
}

// ---- workers

// The bits of a hash that stand on top of the pointer; the low ones choose the home.
static uint16_t top_of(uint64_t hash)
{
	return hash >> 48;
}

static bool has_key(
	const struct dp_representation *rep, uint64_t hash, const uint8_t *key, uint16_t len)
{
	return rep->hash == hash && rep->key_len == len && !memcmp(rep->bytes, key, len);
}

const struct dp_representation *dp_rep_find(
	const struct dp_rep_table *table, const struct dp_rep_key *key, uint32_t *slot)
{
	uint32_t home = dp_rep_home(table, key->hash);

	for (uint32_t i = home; i < home + DP_REP_WAYS; i++) {
		uint64_t word = __atomic_load_n(&table->at[i], __ATOMIC_ACQUIRE);
		const struct dp_representation *rep = dp_rep_of_word(word);

		if (word >> 48 != top_of(key->hash) || !rep ||
			!has_key(rep, key->hash, key->bytes, key->len))
			continue;
		*slot = i;
		return rep;
	}
	return NULL;
}

// The pin is set before the slot is read, and the loop empties the slot before it reads the pins:
// one of them sees the other, in one order of all that they do (dp_rep_evict()).
bool dp_rep_pin(struct dp_rep_table *table, uint32_t slot, uint64_t hash)
{
	__atomic_fetch_add(&table->slot[slot].pins, 1, __ATOMIC_SEQ_CST);
	const struct dp_representation *rep =
		dp_rep_of_word(__atomic_load_n(&table->at[slot], __ATOMIC_SEQ_CST));

	if (rep && rep->hash == hash)
		return true;
	dp_rep_unpin(table, slot);
	return false;
}

void dp_rep_unpin(struct dp_rep_table *table, uint32_t slot)
{
	uint32_t before = __atomic_fetch_sub(&table->slot[slot].pins, 1, __ATOMIC_SEQ_CST);

	assert(before);
	(void)before;
}

// ---- the table's loop

size_t dp_rep_bytes_of(uint16_t key_len, uint32_t payload_len)
{
	return sizeof(struct dp_rep_block) + key_len + (size_t)payload_len;
}

size_t dp_rep_bytes(const struct dp_representation *rep)
{
	return dp_rep_bytes_of(rep->key_len, rep->payload_len);
}

struct dp_representation *dp_rep_make(const struct dp_rep_key *key, uint32_t payload_len)
{
	struct dp_rep_block *block = calloc(1, dp_rep_bytes_of(key->len, payload_len));

	if (!block)
		return NULL;
	block->rep.hash = key->hash;
	block->rep.key_len = key->len;
	block->rep.payload_len = payload_len;
	memcpy(block->rep.bytes, key->bytes, key->len);
	return &block->rep;
}

struct dp_representation *dp_rep_copy(const struct dp_representation *rep)
{
	struct dp_rep_block *block = malloc(dp_rep_bytes(rep));

	if (!block)
		return NULL;
	memcpy(block, block_of(rep), dp_rep_bytes(rep));
	block->rep.older = NULL;
	return &block->rep;
}

void dp_rep_discard(struct dp_representation *rep)
{
	if (rep)
		block_free(block_of(rep));
}

// Whether no observation keeps a slot for another key.
static bool may_have(const struct dp_rep_table *table, uint32_t slot, uint64_t hash)
{
	return !dp_rep_pins(table, slot) || table->hash[slot] == hash;
}

uint32_t dp_rep_place(struct dp_rep_table *table, uint64_t hash, const uint8_t *key, uint16_t len,
	bool (*may)(void *arg, uint32_t slot), void *arg)
{
	uint32_t home = dp_rep_home(table, hash), empty = DP_INDEX_NONE, unused = DP_INDEX_NONE,
		 any = DP_INDEX_NONE;

	for (uint32_t i = home; i < home + DP_REP_WAYS; i++) {
		const struct dp_representation *rep = dp_rep_at(table, i);

		if (rep && has_key(rep, hash, key, len))
			return i;
		if (!may_have(table, i, hash))
			continue;
		// One that observations keep for this key comes before all others.
		if (!rep && (empty == DP_INDEX_NONE || dp_rep_pins(table, i)))
			empty = i;
		if (!rep || (may && !may(arg, i)))
			continue;
		if (any == DP_INDEX_NONE || rep->stored_ms < dp_rep_at(table, any)->stored_ms)
			any = i;
		if (!__atomic_load_n(&table->slot[i].used, __ATOMIC_RELAXED) &&
			(unused == DP_INDEX_NONE ||
				rep->stored_ms < dp_rep_at(table, unused)->stored_ms))
			unused = i;
	}
	if (empty != DP_INDEX_NONE)
		return empty;
	return unused != DP_INDEX_NONE ? unused : any;
}

// An object that was taken out of its slot is freed when all workers have passed.
static void retire(struct dp_rep_table *table, struct dp_representation *rep)
{
	struct dp_rep_block *block = block_of(rep);

	if (!table->qsbr) {
		table->bytes -= dp_rep_bytes(rep);
		block_free(block);
		return;
	}
	block->next = NULL;
	block->token = rte_rcu_qsbr_start(table->qsbr);
	if (table->newest)
		table->newest->next = block;
	else
		table->oldest = block;
	table->newest = block;
	table->retired++;
}

static bool is_same(const struct dp_representation *a, const struct dp_representation *b)
{
	return a->code == b->code && a->content_format == b->content_format &&
		a->payload_len == b->payload_len &&
		!memcmp(dp_rep_payload(a), dp_rep_payload(b), a->payload_len);
}

// ---- older versions

static struct dp_representation *older_of(const struct dp_representation *rep)
{
	return __atomic_load_n(&rep->older, __ATOMIC_ACQUIRE);
}

const struct dp_representation *dp_rep_version(
	const struct dp_representation *rep, uint64_t version)
{
	for (unsigned i = 0; i < DP_REP_OLDER_MAX && rep && rep->version != version; i++)
		rep = older_of(rep);
	return rep && rep->version == version ? rep : NULL;
}

static void older_retire(struct dp_rep_table *table, struct dp_rep_block *block)
{
	TAILQ_REMOVE(&table->older, block, of_older);
	table->older_bytes -= dp_rep_bytes(&block->rep);
	retire(table, &block->rep);
}

// Takes a version out of its chain. Workers that are behind what holds it find it until they pass.
static void older_cut(struct dp_rep_table *table, struct dp_rep_block *block)
{
	struct dp_representation *holder = dp_rep_of_word(table->at[block->slot]);

	while (older_of(holder) != &block->rep)
		holder = older_of(holder);
	__atomic_store_n(&holder->older, older_of(&block->rep), __ATOMIC_RELEASE);
	older_retire(table, block);
}

// All that is kept behind an object that is taken out of its slot.
static void older_drop(struct dp_rep_table *table, const struct dp_representation *rep)
{
	struct dp_representation *older = older_of(rep), *next;

	for (; older; older = next) {
		next = older_of(older);
		older_retire(table, block_of(older));
	}
}

// A private one may have so little of the room that all that a device observes alone has a small
// part of it; one for all devices changes as its service says.
#define SHARE_PRIVATE 256
#define SHARE_SHARED  8

// Keeps an object that another one takes the place of. false: it is not to be kept.
static bool older_keep(struct dp_rep_table *table, uint32_t slot,
	const struct dp_representation *rep, uint64_t now_ms)
{
	struct dp_rep_block *block = block_of(rep);
	const size_t bytes = dp_rep_bytes(rep);
	const unsigned share = dp_rep_key_is_shared(rep->bytes) ? SHARE_SHARED : SHARE_PRIVATE;
	const struct dp_representation *last = rep;

	if (COAP_CODE_CLASS(rep->code) != 2 || bytes > table->older_max / share)
		return false;
	while (table->older_bytes + bytes > table->older_max)
		older_cut(table, TAILQ_FIRST(&table->older));
	for (unsigned i = 0; i < DP_REP_OLDER_MAX && last; i++)
		last = older_of(last);
	if (last)
		older_cut(table, block_of(last));
	block->slot = slot;
	block->until_ms = now_ms + DP_REP_OLDER_MS;
	TAILQ_INSERT_TAIL(&table->older, block, of_older);
	table->older_bytes += bytes;
	return true;
}

void dp_rep_older_turn(struct dp_rep_table *table, uint64_t now_ms)
{
	struct dp_rep_block *block;

	while ((block = TAILQ_FIRST(&table->older)) && block->until_ms <= now_ms)
		older_cut(table, block);
}

uint64_t dp_rep_older_due_ms(const struct dp_rep_table *table)
{
	const struct dp_rep_block *block = TAILQ_FIRST(&table->older);

	return block ? block->until_ms : UINT64_MAX;
}

static void head_make(struct dp_representation *rep)
{
	bool etag = rep->etag_len && !(rep->flags & DP_REP_ETAG_OF_BLOCKS);
	bool format = rep->content_format != DP_REP_NO_FORMAT;
	struct coap_writer w;

	coap_writer_init(&w, rep->head, sizeof(rep->head));
	coap_write_code(&w, rep->code);
	if (etag)
		coap_write_option(&w, COAP_OPT_ETAG, rep->etag, rep->etag_len);
	if (format)
		coap_write_option_uint(&w, COAP_OPT_CONTENT_FORMAT, rep->content_format);
	rep->head_len = (uint8_t)coap_writer_len(&w);
	rep->head_number = format ? COAP_OPT_CONTENT_FORMAT : etag ? COAP_OPT_ETAG : 0;
	assert(rep->head_len);
}

void dp_rep_publish(struct dp_rep_table *table, uint32_t slot, struct dp_representation *rep)
{
	struct dp_representation *before = dp_rep_of_word(table->at[slot]);

	assert((uintptr_t)rep >> 48 == 0);
	assert(slot - dp_rep_home(table, rep->hash) < DP_REP_WAYS);
	assert(!before || before->hash == rep->hash);
	head_make(rep);
	bool same = before && is_same(before, rep), kept = false;

	rep->version = same ? before->version : ++table->version;
	if (before && !same)
		kept = __atomic_exchange_n(&table->slot[slot].begun, false, __ATOMIC_RELAXED) &&
			older_keep(table, slot, before, rep->stored_ms);
	rep->older = kept ? before : before ? older_of(before) : NULL;
	table->hash[slot] = rep->hash;
	table->bytes += dp_rep_bytes(rep);
	__atomic_store_n(&table->at[slot], (uint64_t)top_of(rep->hash) << 48 | (uintptr_t)rep,
		__ATOMIC_SEQ_CST);
	if (!before)
		table->count++;
	else if (!kept)
		retire(table, before);
}

bool dp_rep_evict(struct dp_rep_table *table, uint32_t slot)
{
	uint64_t word = __atomic_exchange_n(&table->at[slot], 0, __ATOMIC_SEQ_CST);

	if (!word)
		return true;
	if (__atomic_load_n(&table->slot[slot].pins, __ATOMIC_SEQ_CST)) {
		__atomic_store_n(&table->at[slot], word, __ATOMIC_SEQ_CST);
		return false;
	}
	__atomic_store_n(&table->slot[slot].used, false, __ATOMIC_RELAXED);
	older_drop(table, dp_rep_of_word(word));
	table->count--;
	retire(table, dp_rep_of_word(word));
	return true;
}

void dp_rep_drop(struct dp_rep_table *table, uint32_t slot)
{
	uint64_t word = __atomic_exchange_n(&table->at[slot], 0, __ATOMIC_SEQ_CST);

	if (!word)
		return;
	older_drop(table, dp_rep_of_word(word));
	table->count--;
	retire(table, dp_rep_of_word(word));
}

void dp_rep_reclaim(struct dp_rep_table *table)
{
	while (table->oldest && dp_quiescent_since(table->qsbr, table->oldest->token)) {
		struct dp_rep_block *block = table->oldest;

		table->oldest = block->next;
		if (!table->oldest)
			table->newest = NULL;
		table->retired--;
		table->bytes -= dp_rep_bytes(&block->rep);
		block_free(block);
	}
}
