// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/handshakes.h"

#include "base/clock.h"
#include "base/container.h"
#include "gw/daemon/disk.h"
#include "gw/daemon/identity.h"
#include "gw/daemon/registry.h"
#include "gw/daemon/reservations.h"
#include "gw/daemon/reserve.h"
#include "gw/os/log.h"
#include "gw/store/jobs.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GROUP   256   // contexts that one transaction of the store writes, at most
#define TELL_MS 10000 // between two lines about failures

struct handshakes {
	struct daemon *daemon;
	struct handshake_mailbox box;
	// EDHOC; NULL: it is not served.
	struct reservations *reservations;
	struct sessions *sessions;
	struct edhoc_side_conf side[DP_SLOW_THREADS_MAX];
	unsigned thread_count;
	struct handshake *thread[DP_SLOW_THREADS_MAX];
	bool identifying[DP_SLOW_THREADS_MAX]; // the thread may still use the credentials of before
	// In the order in which they came: those that the next group takes, and those whose context
	// is published while their worker has no room for the request.
	struct handshake_born *waiting, **waiting_end;
	struct handshake_born *again, **again_end;
	// With the store, if it is busy.
	bool busy;
	struct store_rederive_job job;
	struct store_rederivation item[GROUP];
	struct handshake_born *born[GROUP];
	struct handshakes_stats stats;
	uint64_t told_ms; // CLOCK_MONOTONIC: when a failure was logged last
};

static void count(uint64_t *stat, int64_t more)
{
	__atomic_store_n(stat, *stat + (uint64_t)more, __ATOMIC_RELAXED);
}

static void list_add(struct handshake_born ***end, struct handshake_born *born)
{
	born->next = NULL;
	**end = born;
	*end = &born->next;
}

// Gives a request back to the worker that received it.
static bool reinject(struct handshakes *h, struct handshake_born *born)
{
	if (!dp_reinject(h->daemon->dp, born->worker, &born->flow, born->coap, born->len))
		return false;
	handshake_born_free(born);
	return true;
}

// What is to be reinjected of something that goes back to its thread. NULL without memory.
static struct handshake_born *born_copy(const struct handshake_born *born)
{
	struct handshake_born *copy = malloc(sizeof(*copy) + born->len);

	if (!copy)
		return NULL;
	*copy = (struct handshake_born){.kind = HANDSHAKE_AGAIN,
		.worker = born->worker,
		.flow = born->flow,
		.len = born->len};
	memcpy(copy->coap, born->coap, born->len);
	return copy;
}

// Whether a failure may be logged: a device can send its request #2 again and again.
static bool may_tell(struct handshakes *h)
{
	const uint64_t now_ms = clock_ms();

	if (h->told_ms && now_ms - h->told_ms < TELL_MS)
		return false;
	h->told_ms = now_ms;
	return true;
}

// Publishes the context of one request #2, once it is durable. Returns whether the request may be
// served.
static bool publish(struct handshakes *h, struct store_rederivation *item)
{
	struct daemon *daemon = h->daemon;
	uint32_t context, generation = 0;
	const bool overtaken = item->result == -ESTALE && item->device.id == item->id;
	int rc = item->result;

	if (rc == -ENOENT) {
		count(&h->stats.overtaken, 1);
		return false;
	}
	// A write that failed may be on the disk all the same: then the store knows of a run more,
	// and the device is served with that context, or no run of it would ever be its next one.
	if (!rc || overtaken)
		rc = registry_rederive(&daemon->registry, &item->device, &context, &generation);
	if (rc) {
		count(&h->stats.refused, 1);
		if (!h->job.job.result && may_tell(h))
			log_warning(
				"a context that a device derived is not taken: %s", strerror(-rc));
		return false;
	}
	if (overtaken) {
		count(&h->stats.overtaken, 1);
		reserve_device(daemon->reserve, &item->device);
		return false;
	}
	count(&h->stats.contexts, 1);
	log_debug("device %s has derived a context", item->device.name);
	reserve_device(daemon->reserve, &item->device);
	return generation != 0;
}

static void group_done(struct store_job *job)
{
	struct handshakes *h = CONTAINER_OF(job, struct handshakes, job.job);

	h->busy = false;
	disk_result(h->daemon, job->result);
	if (job->result && may_tell(h))
		log_warning("contexts that devices derived are not stored: %s", job->error.text);
	for (size_t i = 0; i < h->job.count; i++) {
		struct handshake_born *born = h->born[i];

		if (job->result)
			h->item[i].result = job->result;
		const bool served = publish(h, &h->item[i]);

		// From now on the thread looks at the device's next request #2.
		handshake_end(h->thread[born->thread], born->device);
		count(&h->stats.pending, -1);
		sodium_memzero(&h->item[i], sizeof(h->item[i]));
		if (!served)
			handshake_born_free(born);
		else if (h->again || !reinject(h, born))
			list_add(&h->again_end, born);
	}
}

// The run base that the new context needs, see registry_next_base().
static uint32_t next_base(const struct handshakes *h, const struct handshake_born *born)
{
	const struct dp_context_table *table = dp_contexts(h->daemon->dp);
	struct dp_context_key key;

	dp_context_key_make(table, &key, born->kid, born->kid_len, false, NULL, 0);
	const uint32_t index = dp_names_find(&table->names, &key);

	return index == DP_INDEX_NONE ? 0 : registry_next_base(&h->daemon->registry, index);
}

// What came while the last group was written is the next one.
static void group_start(struct handshakes *h)
{
	size_t n = 0;

	while (h->waiting && n < GROUP) {
		struct handshake_born *born = h->waiting;
		struct store_rederivation *item = &h->item[n];

		h->waiting = born->next;
		*item = (struct store_rederivation){
			.id = born->device,
			.rederived = (uint32_t)born->count,
			.run_base = next_base(h, born),
			.id_context_len = born->id.len,
		};
		memcpy(item->id_context, born->id.bytes, born->id.len);
		h->born[n++] = born;
	}
	if (!h->waiting)
		h->waiting_end = &h->waiting;
	h->job.job.done = group_done;
	h->job.rederivation = h->item;
	h->job.count = n;
	h->busy = true;
	store_rederive_job_init(&h->job);
	store_thread_submit(h->daemon->store_thread, &h->job.job);
}

// Publishes the session of a message_3 that verified, then has its request served.
static void session_begin(struct handshakes *h, struct handshake_born *born)
{
	struct handshake_session *session = born->session;
	const int rc = sessions_add(h->sessions, session, &born->flow, clock_ms());
	struct handshake_born *request = NULL;

	session->published = !rc;
	// A device may have got the kid while it was being reserved: each session with it would be
	// refused.
	session->c_r_lost = rc && reservations_lost(h->reservations, &session->c_r);
	if (session->c_r_lost)
		reservations_end(h->reservations, &session->c_r);
	if (rc)
		log_debug("a session of device %s is not taken: %s", session->owner.name,
			strerror(-rc));
	else
		log_debug("device %s has agreed on a session", session->owner.name);
	// The thread gets it back, to answer it or to know that copies may be served.
	if (!rc && session->combined)
		request = born_copy(born);
	handshake_settle(h->thread[born->thread], born);
	if (request && (h->again || !reinject(h, request)))
		list_add(&h->again_end, request);
}

static void take(struct handshakes *h, struct handshake_born *born)
{
	switch (born->kind) {
	case HANDSHAKE_DERIVED:
		list_add(&h->waiting_end, born);
		count(&h->stats.pending, 1);
		break;
	case HANDSHAKE_AGREED:
		session_begin(h, born);
		break;
	case HANDSHAKE_AGAIN:
		if (h->again || !reinject(h, born))
			list_add(&h->again_end, born);
		break;
	}
}

bool handshakes_turn(struct handshakes *h)
{
	struct handshake_born *next;

	for (struct handshake_born *born = handshake_mailbox_take(&h->box); born; born = next) {
		next = born->next;
		take(h, born);
	}
	if (h->sessions) {
		reservations_fill(h->reservations);
		sessions_turn(h->sessions, clock_ms(), time(NULL));
	}
	while (h->again) {
		next = h->again->next;
		if (!reinject(h, h->again))
			break;
		h->again = next;
	}
	if (!h->again)
		h->again_end = &h->again;
	if (h->waiting && !h->busy)
		group_start(h);
	return h->again != NULL;
}

static bool device_find(void *arg, const uint8_t *kid, uint8_t kid_len, struct b2_device *device)
{
	struct vault_device found;
	const bool has = vault_open(arg, kid, kid_len, &found);

	if (has)
		*device = (struct b2_device){.id = found.id,
			.count = found.rederived,
			.fingerprint = found.fingerprint,
			.params = found.params};
	sodium_memzero(&found, sizeof(found));
	return has;
}

static void on_credential_gone(void *arg, uint64_t id)
{
	sessions_credential_gone(arg, id);
}

static void on_credential_changed(void *arg, const struct credential_owner *owner)
{
	sessions_credential_changed(arg, owner);
}

static bool kid_lent(void *arg, const uint8_t *kid, uint8_t kid_len)
{
	return reservations_has(arg, kid, kid_len);
}

// What the threads have for EDHOC, if it is served. Returns 0 or -errno.
static int edhoc_prepare(struct handshakes *h, const uint8_t shard_key[SHARD_KEY_LEN])
{
	struct daemon *daemon = h->daemon;
	const struct conf_edhoc *conf = &daemon->conf->edhoc;
	const unsigned threads = dp_slow_count(daemon->dp);
	struct edhoc_side_conf side = {
		.own = daemon->identity->own,
		.own_count = daemon->identity->count,
		.methods = conf->methods ? (unsigned)conf->methods : UINT_MAX,
		.suites = conf->suites ? (unsigned)conf->suites : UINT_MAX,
		.echo = (enum edhoc_echo)daemon->conf->handshakes.echo,
		.tell_unknown = conf->tell_unknown,
		.message_4 = conf->message_4,
		.find = credentials_find,
		.credentials = daemon->credentials,
	};

	h->reservations = reservations_create(
		daemon->dp, daemon->reserved, threads, conf->c_r_length, shard_key);
	if (!h->reservations)
		return -errno;
	h->sessions = sessions_create(&(const struct sessions_conf){
		.registry = &daemon->registry,
		.reservations = h->reservations,
		.credentials = daemon->credentials,
		.max = daemon->conf->handshakes.sessions,
		.keep_ms = daemon->conf->handshakes.keep_ms,
		.max_age_ms = daemon->conf->handshakes.max_age_ms,
	});
	if (!h->sessions)
		return -errno;
	credentials_watch(daemon->credentials,
		&(const struct credentials_watch){.gone = on_credential_gone,
			.changed = on_credential_changed,
			.arg = h->sessions});
	reservations_fill(h->reservations);
	if (daemon->reserved)
		device_reserved_lend(daemon->reserved, kid_lent, h->reservations);
	randombytes_buf(side.echo_key, sizeof(side.echo_key));
	for (unsigned i = 0; i < threads; i++) {
		h->side[i] = side;
		h->side[i].connections = reservations_of(h->reservations, i);
	}
	sodium_memzero(&side, sizeof(side));
	return 0;
}

int handshakes_start(struct daemon *daemon, const uint8_t shard_key[SHARD_KEY_LEN])
{
	const struct conf_handshakes *conf = &daemon->conf->handshakes;
	struct handshakes *h = calloc(1, sizeof(*h));
	struct handshake_conf thread = {
		.devices = daemon->conf->devices.max,
		.rate = conf->rate,
		.device_rate = conf->device_rate,
		.find = device_find,
		.arg = daemon->registry.vault,
	};
	int rc = h ? handshake_mailbox_init(&h->box) : -ENOMEM;

	if (rc) {
		free(h);
		log_error("handshakes: %s", strerror(-rc));
		return rc;
	}
	h->daemon = daemon;
	h->waiting_end = &h->waiting;
	h->again_end = &h->again;
	daemon->handshakes = h;
	thread.mailbox = &h->box;
	randombytes_buf(thread.mac_key, sizeof(thread.mac_key));
	if (daemon->identity)
		rc = edhoc_prepare(h, shard_key);
	for (unsigned i = 0; !rc && i < dp_slow_count(daemon->dp); i++) {
		thread.slow = dp_slow(daemon->dp, i);
		thread.edhoc = daemon->identity ? &h->side[i] : NULL;
		h->thread[i] = handshake_start(&thread);
		rc = h->thread[i] ? 0 : -errno;
		h->thread_count += !rc;
	}
	sodium_memzero(&thread, sizeof(thread));
	if (rc)
		log_error("a thread of handshakes cannot start: %s", strerror(-rc));
	return rc;
}

void handshakes_stop(struct handshakes *h)
{
	if (!h)
		return;
	for (unsigned i = 0; i < h->thread_count; i++)
		handshake_stop(h->thread[i]);
	// Contexts that the store has are published before windows are written: those of the
	// contexts before are not theirs.
	while (h->busy)
		store_thread_wait(h->daemon->store_thread);
}

static void list_free(struct handshake_born *first)
{
	struct handshake_born *next;

	for (; first; first = next) {
		next = first->next;
		handshake_born_free(first);
	}
}

void handshakes_free(struct handshakes *h)
{
	if (!h)
		return;
	for (unsigned i = 0; i < h->thread_count; i++)
		handshake_free(h->thread[i]);
	list_free(h->waiting);
	list_free(h->again);
	if (h->sessions)
		credentials_watch(
			h->daemon->credentials, &(const struct credentials_watch){.arg = NULL});
	if (h->reservations && h->daemon->reserved)
		device_reserved_lend(h->daemon->reserved, NULL, NULL);
	sessions_free(h->sessions);
	reservations_free(h->reservations);
	handshake_mailbox_fini(&h->box);
	sodium_memzero(h, sizeof(*h));
	free(h);
}

unsigned handshakes_threads(const struct handshakes *h)
{
	return h->thread_count;
}

void handshakes_identify(struct handshakes *h, struct edhoc_identities *const identities[])
{
	for (unsigned i = 0; i < h->thread_count; i++) {
		handshake_identify(h->thread[i], identities[i]);
		h->identifying[i] = true;
	}
}

bool handshakes_identified(struct handshakes *h)
{
	bool all = true;

	for (unsigned i = 0; i < h->thread_count; i++) {
		struct edhoc_identities *before =
			h->identifying[i] ? handshake_identified(h->thread[i]) : NULL;

		h->identifying[i] &= !before;
		all &= !h->identifying[i];
		edhoc_identities_free(before);
	}
	return all;
}

int handshakes_fd(const struct handshakes *h)
{
	return h->box.fd;
}

uint64_t handshakes_stat(const struct handshakes *h, enum handshake_stat stat)
{
	uint64_t sum = 0;

	for (unsigned i = 0; h && i < h->thread_count; i++)
		sum += handshake_stat_read(handshake_stats(h->thread[i]), stat);
	return sum;
}

void handshakes_context_gone(struct handshakes *h, uint32_t context, uint32_t generation)
{
	if (h && h->sessions)
		sessions_gone(h->sessions, context, generation);
}

bool handshakes_used_up(struct handshakes *h, uint32_t context, uint32_t generation)
{
	return h && h->sessions && sessions_used_up(h->sessions, context, generation, clock_ms());
}

const struct sessions_stats *handshakes_sessions(const struct handshakes *h)
{
	return sessions_stats(h ? h->sessions : NULL);
}

bool handshakes_session_next(
	const struct handshakes *h, uint32_t place, uint64_t credential, struct session_view *view)
{
	return h && sessions_next(h->sessions, place, credential, clock_ms(), time(NULL), view);
}

const struct handshakes_stats *handshakes_stats(const struct handshakes *h)
{
	static const struct handshakes_stats none;

	return h ? &h->stats : &none;
}

uint64_t handshakes_progress(const struct handshakes *h, unsigned thread)
{
	return handshake_progress(h->thread[thread]);
}
