// SPDX-License-Identifier: BSD-3-Clause
// Sessions of EDHOC in main, and the connection identifiers that threads take for them, under
// random operations of devices, threads, operators and time, against a list that is simple enough
// to be believed.
//
// An identifier that is reserved, taken, or the kid of a session whose context is not gone, is
// given to nobody else, though there are few identifiers and numbers come around.
//
// A session is there from the moment in which it was taken until it ends as the rules say: by the
// third one of its credential, as the idle one, by time, by the uses of its keys, or with its
// credential. One that was refused leaves nothing behind.
//
// POSTERN_SEED=n replays a run. POSTERN_STEPS=n makes it longer.

#include "gw/daemon/sessions.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>

#define STEPS       60000
#define MAX         6 // sessions
#define CREDENTIALS 5
#define KEEP        10000
#define AGE         200000
#define TELL        60000
#define ID_LEN      2 // so that serials come around
#define IDS         65536
#define THREADS     2
#define RECORDS     64 // sessions that are not gone
#define TAKEN       400
#define SLOW        50 // of them
#define DEVICES     3
#define GO_ROUND    8000 // identifiers that pass through a thread at once

enum held {
	NOBODYS,
	TAKEN_BY_THREAD,
	OF_SESSION, // or of one whose context drains
};

// A session as the rules have it.
struct record {
	bool used, lives;
	uint64_t credential, number;
	uint64_t born_ms, seen_ms, over_ms; // over_ms 0: it is not
	int64_t not_after;
	uint32_t uses, noticed;
	uint32_t context, generation;
	struct edhoc_connection c_r;
};

static const struct dp_flow from; // where handshakes come from
static struct bed bed;
static struct registry registry;
static struct reservations *reservations;
static struct sessions *sessions;
static struct record records[RECORDS];
static struct {
	struct edhoc_connection c_r;
	unsigned thread;
} taken[TAKEN]; // by threads, for handshakes that are under way
static unsigned taken_count;
static uint8_t held[IDS]; // enum held
static struct {
	bool there;
	struct device_keyed device;
	struct device_info info;
} device[DEVICES];
static uint64_t now_ms = 1000000, number, begun, refused, ended, gone_count, came_round;
static int64_t now_s = 1800000000;
static uint64_t seed, state;
static unsigned step;

#define must(cond)                                                                             \
	do {                                                                                   \
		if (!(cond)) {                                                                 \
			fprintf(stderr, "POSTERN_SEED=%lu, step %u: " #cond "\n", seed, step); \
			cr_assert_fail(#cond);                                                 \
		}                                                                              \
	} while (0)

static uint64_t rnd(uint64_t below)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (state >> 33) % below;
}

static unsigned id_of(const struct edhoc_connection *c_r)
{
	must(c_r->len == ID_LEN);
	return (unsigned)c_r->bytes[0] << 8 | c_r->bytes[1];
}

static uint32_t context_of(const struct edhoc_connection *c_r)
{
	struct dp_context_key key;

	dp_context_key_make(dp_contexts(bed.dp), &key, c_r->bytes, c_r->len, false, NULL, 0);
	return dp_names_find(&dp_contexts(bed.dp)->names, &key);
}

// --- the rules

static void record_end(struct record *record)
{
	record->lives = false;
	ended++;
}

static unsigned living(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < RECORDS; i++)
		count += records[i].used && records[i].lives;
	return count;
}

// The sessions of a credential.
static struct record *newest_of(uint64_t credential, const struct record *but)
{
	struct record *newest = NULL;

	for (unsigned i = 0; i < RECORDS; i++) {
		struct record *record = &records[i];

		if (record->used && record->lives && record->credential == credential &&
			record != but && (!newest || record->number > newest->number))
			newest = record;
	}
	return newest;
}

// Main looks at all of them.
static void records_turn(void)
{
	for (unsigned i = 0; i < RECORDS; i++) {
		struct record *record = &records[i];

		if (!record->used || !record->lives)
			continue;
		const bool came = record->noticed != record->uses;

		record->noticed = record->uses;
		if (came)
			record->seen_ms = now_ms;
		if (record->over_ms) {
			if (came || now_ms - record->over_ms >= TELL)
				record_end(record);
		} else if (now_s > record->not_after || now_ms - record->born_ms >= AGE) {
			record->over_ms = now_ms;
		} else if (record->uses && newest_of(record->credential, NULL) == record &&
			newest_of(record->credential, record)) {
			record_end(newest_of(record->credential, record));
		}
	}
}

// A context is gone, so its identifier is free.
static void gone(void *arg, uint32_t context, uint32_t generation)
{
	sessions_gone(sessions, context, generation);
	for (unsigned i = 0; i < RECORDS; i++) {
		struct record *record = &records[i];

		if (!record->used || record->context != context || record->generation != generation)
			continue;
		must(!record->lives);
		must(held[id_of(&record->c_r)] == OF_SESSION);
		held[id_of(&record->c_r)] = NOBODYS;
		record->used = false;
		gone_count++;
	}
}

static void on_event(void *arg, const struct dp_event *event)
{
	if (event->type == DP_EVENT_DRAINED)
		registry_drained(&registry, event->context, event->generation);
}

// What the gateway has must be what the rules say.
static void compare(void)
{
	const struct sessions_stats *stats = sessions_stats(sessions);
	unsigned of[CREDENTIALS + 1] = {0};

	for (unsigned i = 0; i < RECORDS; i++) {
		const struct record *record = &records[i];

		if (!record->used)
			continue;
		must((context_of(&record->c_r) != DP_INDEX_NONE) == record->lives);
		if (!record->lives)
			continue;
		must(context_of(&record->c_r) == record->context);
		must(++of[record->credential] <= 2);
		must((dp_context_permit(&dp_contexts(bed.dp)->context[record->context]) ==
			     DP_PERMIT_OVER) == (record->over_ms != 0));
	}
	must(living() <= MAX);
	must(stats->living == living());
	must(stats->begun == begun);
	must(stats->refused == refused);
	must(stats->replaced + stats->idle + stats->expired + stats->used_up + stats->lost ==
		ended);
}

// --- operations

// Main's turn, in which each session is looked at.
static void turn(void)
{
	for (unsigned i = 0; i < RECORDS / 16 + 1; i++)
		sessions_turn(sessions, now_ms, now_s);
	records_turn();
}

static void take(void)
{
	struct edhoc_connection none = {0}, c_r;
	const unsigned thread = (unsigned)rnd(THREADS);
	bool low;

	if (taken_count == TAKEN)
		return;
	if (!connections_take(reservations_of(reservations, thread), &none, &c_r, &low)) {
		reservations_fill(reservations);
		return;
	}
	must(held[id_of(&c_r)] == NOBODYS);
	held[id_of(&c_r)] = TAKEN_BY_THREAD;
	taken[taken_count].c_r = c_r;
	taken[taken_count++].thread = thread;
}

// One of the handshakes that are under way, but not of the slow ones, which stay while numbers go
// round. -1: there is none.
static int some_taken(void)
{
	const unsigned slow = RTE_MIN(taken_count, (unsigned)SLOW);

	return taken_count > slow ? (int)(slow + rnd(taken_count - slow)) : -1;
}

// A handshake is not completed.
static void put(unsigned i)
{
	held[id_of(&taken[i].c_r)] = NOBODYS;
	connections_put(reservations_of(reservations, taken[i].thread), &taken[i].c_r);
	taken[i] = taken[--taken_count];
}

// Many handshakes begin and are not completed, and many sessions that nobody sees end: numbers go
// round. Their identifiers come back as those of a session do.
static void go_round(void)
{
	const unsigned before = taken_count;
	struct edhoc_connection none = {0}, c_r;
	bool low;

	for (unsigned i = 0; i < GO_ROUND; i++) {
		const unsigned thread = (unsigned)rnd(THREADS);

		if (!connections_take(reservations_of(reservations, thread), &none, &c_r, &low))
			reservations_fill(reservations);
		else {
			must(held[id_of(&c_r)] == NOBODYS);
			reservations_end(reservations, &c_r);
			came_round++;
		}
	}
	must(taken_count == before);
}

static struct record *record_new(void)
{
	for (unsigned i = 0; i < RECORDS; i++)
		if (!records[i].used)
			return &records[i];
	return NULL;
}

// Whether a stored device has this kid.
static bool is_a_devices(const struct edhoc_connection *c_r)
{
	for (unsigned i = 0; i < DEVICES; i++)
		if (device[i].there && !memcmp(device[i].device.device_id, c_r->bytes, ID_LEN))
			return true;
	return false;
}

// Ends one to make room for another, if the rules have it so. False if there is no room. Of those
// that were seen last at the same time any may be the one.
static bool room_make(void)
{
	struct record *oldest = NULL, *went = NULL;

	if (living() < MAX)
		return true;
	for (unsigned i = 0; i < RECORDS; i++)
		if (records[i].used && records[i].lives &&
			(!oldest || records[i].seen_ms < oldest->seen_ms))
			oldest = &records[i];
	if (now_ms - oldest->seen_ms < KEEP)
		return false;
	for (unsigned i = 0; i < RECORDS; i++)
		if (records[i].used && records[i].lives &&
			context_of(&records[i].c_r) == DP_INDEX_NONE) {
			must(!went);
			went = &records[i];
		}
	must(went && went->seen_ms == oldest->seen_ms);
	record_end(went);
	return true;
}

// A message_3 verified: main takes the session, or not.
static void complete(void)
{
	const int at = some_taken();
	struct record *record = record_new();

	if (at < 0 || !record)
		return;
	const unsigned i = (unsigned)at;
	const uint64_t credential = 1 + rnd(CREDENTIALS);
	struct handshake_session agreed = {.alg = AEAD_AES_CCM_16_64_128,
		.c_i = {1, {1}},
		.c_r = taken[i].c_r,
		.owner = {.id = credential,
			.name = "d",
			.not_after = rnd(4) ? INT64_MAX : now_s + (int64_t)rnd(AGE / 1000)}};

	randombytes_buf(&agreed.keys, sizeof(agreed.keys));
	turn();
	const bool theirs = is_a_devices(&taken[i].c_r);
	const int rc = sessions_add(sessions, &agreed, &from, now_ms);
	struct record *newer = newest_of(credential, NULL), *older = newest_of(credential, newer);

	if (newer && older)
		record_end(newer->noticed ? older : newer);
	const bool room = room_make();

	must(rc == (!room ? -EAGAIN : theirs ? -EEXIST : 0));
	if (rc) {
		refused++;
		put(i); // as the thread does
		return;
	}
	begun++;
	*record = (struct record){.used = true,
		.lives = true,
		.credential = credential,
		.number = ++number,
		.born_ms = now_ms,
		.seen_ms = now_ms,
		.not_after = agreed.owner.not_after,
		.context = context_of(&agreed.c_r),
		.c_r = agreed.c_r};
	must(record->context != DP_INDEX_NONE); // its request may be given back at once
	record->generation = registry.entry[record->context].generation;
	held[id_of(&agreed.c_r)] = OF_SESSION;
	taken[i] = taken[--taken_count];
}

static struct record *some_record(void)
{
	struct record *record = &records[rnd(RECORDS)];

	for (unsigned i = 0; i < RECORDS && !(record->used && record->lives); i++)
		record = &records[(record - records + 1) % RECORDS];
	return record->used && record->lives ? record : NULL;
}

// A worker accepts a request.
static void use(void)
{
	struct record *record = some_record();

	if (!record)
		return;
	dp_contexts(bed.dp)->context[record->context].accepted++;
	record->uses++;
}

static void use_up(void)
{
	struct record *record = some_record();

	if (!record)
		return;
	must(sessions_used_up(sessions, record->context, record->generation, now_ms));
	if (!record->over_ms)
		record->over_ms = now_ms;
}

static void lose(void)
{
	const uint64_t credential = 1 + rnd(CREDENTIALS);
	struct record *record;

	sessions_credential_gone(sessions, credential);
	while ((record = newest_of(credential, NULL)) != NULL)
		record_end(record);
}

// An operator adds a device whose kid a thread has taken, or removes one.
static void operate(void)
{
	const unsigned i = (unsigned)rnd(DEVICES);
	struct device_keyed *it = &device[i].device;

	if (device[i].there) {
		must(!registry_remove(&registry, &device[i].info));
		device[i].there = false;
		return;
	}
	if (!taken_count)
		return;
	*it = (struct device_keyed){.id = 100 + ++number,
		.name = "stored",
		.alg = AEAD_AES_CCM_16_64_128,
		.window_known = true,
		.has_id_context = true,
		.id_context_len = 1,
		.device_id_len = ID_LEN,
		.gateway_id_len = 3};
	memcpy(it->device_id, taken[rnd(taken_count)].c_r.bytes, ID_LEN);
	it->id_context[0] = (uint8_t)i;
	randombytes_buf(&it->keys, sizeof(it->keys));
	if (registry_add(&registry, it))
		return;
	device[i].info = (struct device_info){
		.id = it->id, .device_id_len = ID_LEN, .has_id_context = true, .id_context_len = 1};
	memcpy(device[i].info.device_id, it->device_id, ID_LEN);
	memcpy(device[i].info.id_context, it->id_context, 1);
	device[i].there = true;
}

static void pass(uint64_t ms)
{
	now_ms += ms;
	now_s += (int64_t)ms / 1000;
	turn();
}

static void one_step(void)
{
	switch (rnd(16)) {
	case 0:
	case 1:
	case 2:
		take();
		break;
	case 3:
		if (some_taken() >= 0)
			put((unsigned)some_taken());
		break;
	case 4:
	case 5:
	case 6:
		complete();
		break;
	case 7:
	case 8:
	case 9:
		use();
		break;
	case 10:
		pass(rnd(4) ? rnd(KEEP / 2) : rnd(TELL + TELL / 2));
		break;
	case 11:
		if (!rnd(8))
			use_up();
		break;
	case 12:
		if (!rnd(16))
			lose();
		break;
	case 13:
		operate();
		break;
	case 14:
		if (!rnd(128))
			go_round();
		break;
	default:
		// Contexts that drain are late now and then.
		dp_poll(bed.dp, on_event, NULL);
		registry_turn(&registry);
		bed_turn(&bed);
	}
	compare();
}

Test(edhoc_sessions, agree_with_the_model, .timeout = 300)
{
	const char *text = getenv("POSTERN_SEED"), *steps = getenv("POSTERN_STEPS");
	const unsigned count = steps ? (unsigned)strtoul(steps, NULL, 0) : STEPS;
	uint8_t key[SHARD_KEY_LEN];

	if (text)
		seed = strtoull(text, NULL, 0);
	else
		randombytes_buf(&seed, sizeof(seed));
	state = seed;
	bed_make(&bed);
	registry = (struct registry){.gone = gone};
	must(!registry_init(&registry, bed.dp, BED_DEVICES));
	randombytes_buf(key, sizeof(key));
	reservations = reservations_create(bed.dp, NULL, THREADS, ID_LEN, key);
	must(reservations);
	sessions = sessions_create(&(const struct sessions_conf){.registry = &registry,
		.reservations = reservations,
		.max = MAX,
		.keep_ms = KEEP,
		.max_age_ms = AGE});
	must(sessions);
	for (step = 0; step < count; step++)
		one_step();
	const struct sessions_stats *stats = sessions_stats(sessions);

	printf("# %u steps, %lu sessions, %lu refused; ended: %lu replaced, %lu idle, %lu by time, "
	       "%lu used up, "
	       "%lu lost; %lu contexts gone, %lu identifiers went round\n",
		count, stats->begun, stats->refused, stats->replaced, stats->idle, stats->expired,
		stats->used_up, stats->lost, gone_count, came_round);
	must(count < STEPS ||
		(stats->refused && stats->replaced && stats->idle && stats->expired &&
			stats->used_up && stats->lost && came_round > 2 * IDS));
	sessions_free(sessions);
	reservations_free(reservations);
	registry_fini(&registry);
	bed_free(&bed);
}
