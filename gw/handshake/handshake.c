// SPDX-License-Identifier: BSD-3-Clause

#include "gw/handshake/handshake.h"

#include "base/clock.h"
#include "base/fault_signals.h"
#include "crypto/keyed_hash.h"
#include "dataplane/shared/memory.h"
#include "dataplane/shared/rate.h"
#include "gw/handshake/kept.h"
#include "gw/handshake/pending.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST         32    // messages of one worker in a row
#define DEVICE_RATES  65536 // buckets of device and network; a few share one
#define RATE_BURST    8     // so much of a second's messages may come at once
#define DEVICE_BURST  2     // the same of a device, times its rate
#define BUSY_MAX_AGE  5     // seconds: when a device may try again that was told 5.03
#define BUSY_ROOM     (4 + 2 + B2_TOKEN_MAX + 2)
#define NS_OF_MS      (DP_RATE_SECOND / 1000)
#define PLAINTEXT_MAX 65536
#define SWEEP_MS      1000 // between looks for what is too old

struct handshake {
	struct handshake_conf conf;
	struct b2 b2;
	struct kept *kept;
	struct pending pending;
	struct edhoc_side *edhoc; // NULL: EDHOC is not served
	pthread_mutex_t settled_lock;
	struct handshake_born *settled; // main: sessions that the thread is told of
	// Own credentials: those that the thread uses next, and those that it does not use any
	// more. Atomic; with ownership.
	struct edhoc_identities *next, *before;
	struct keyed_hash rates_hash;
	struct dp_rate all, each;
	uint64_t all_full_at;
	uint64_t *full_at; // [DEVICE_RATES]
	uint8_t *room;     // [PLAINTEXT_MAX]; wiped after each message
	uint64_t now_ms;   // of this turn
	pthread_t thread;
	bool running;
	bool keeps;        // something waits for its device
	uint32_t stop;     // atomic
	uint64_t progress; // atomic
	struct handshake_stats stats;
};

// What is known of the message at hand.
struct work {
	const struct dp_slow_head *head;
	struct b2_request request;
	struct kept_name name;
	struct b2_device device;
	struct b2_id id;
	struct osc_keys keys;
};

static void count(struct handshake *h, enum handshake_stat stat)
{
	handshake_count(&h->stats, stat);
}

static bool answer(
	struct handshake *h, const struct dp_slow_head *to, const uint8_t *coap, size_t len)
{
	if (dp_slow_answer(h->conf.slow, to->worker, &to->flow, coap, (uint16_t)len))
		return true;
	count(h, HANDSHAKE_STAT_answers_lost);
	return false;
}

// An unprotected 5.03 (appendix B.2.1).
static void answer_busy(struct handshake *h, const struct work *work)
{
	const struct coap_msg *msg = &work->request.msg;
	const bool con = msg->type == COAP_CON;
	struct coap_writer writer;
	uint8_t coap[BUSY_ROOM];

	coap_writer_init(&writer, coap, sizeof(coap));
	coap_write_header(&writer, con ? COAP_ACK : COAP_NON, COAP_SERVICE_UNAVAILABLE,
		con ? msg->mid : 0, msg->token, msg->token_len);
	coap_write_option_uint(&writer, COAP_OPT_MAX_AGE, BUSY_MAX_AGE);
	count(h, HANDSHAKE_STAT_b2_overload);
	answer(h, work->head, coap, coap_writer_len(&writer));
}

// Whether the device may be answered once more from this network. Asked when a message has
// verified: nobody else takes of it but who sends recorded ones, and of another network not even
// he.
static bool device_allowed(struct handshake *h, const struct work *work)
{
	const uint64_t at = keyed_hash_words(
		&h->rates_hash, work->device.id, dp_flow_network(&work->head->flow));

	return dp_rate_take(&h->full_at[at % DEVICE_RATES], h->now_ms * NS_OF_MS, &h->each);
}

// Response #1 to a request that verified.
static void respond(struct handshake *h, struct work *work, enum handshake_stat stat)
{
	const struct osc_option *option = &work->request.option;
	uint8_t r2[B2_R2_LEN], coap[B2_RESPONSE_MAX];

	if (!device_allowed(h, work)) {
		count(h, HANDSHAKE_STAT_b2_limited);
		return;
	}
	if (!dp_rate_take(&h->all_full_at, h->now_ms * NS_OF_MS, &h->all)) {
		answer_busy(h, work);
		return;
	}
	b2_r2_make(&h->b2, &work->device, h->now_ms / 1000, r2);
	const size_t len = b2_respond(&h->b2, &work->device, &work->request, &work->id, r2, coap);

	if (!len) {
		count(h, HANDSHAKE_STAT_b2_failed);
		return;
	}
	kept_add(h->kept, option->kid, option->kid_len, &work->name, h->now_ms, coap, len);
	count(h, stat);
	answer(h, work->head, coap, len);
}

// Gives main a request #2 that verified.
static void complete(struct handshake *h, const struct work *work)
{
	const struct dp_slow_head *head = work->head;

	if (!pending_add(&h->pending, work->device.id)) {
		answer_busy(h, work);
		return;
	}
	struct handshake_born *born = malloc(sizeof(*born) + head->len);

	if (!born) {
		pending_end(&h->pending, work->device.id);
		count(h, HANDSHAKE_STAT_b2_failed);
		return;
	}
	*born = (struct handshake_born){
		.device = work->device.id,
		.count = work->device.count,
		.kid_len = work->device.params.recipient_id_len,
		.id = work->id,
		.thread = h->conf.slow->thread,
		.worker = head->worker,
		.flow = head->flow,
		.len = head->len,
	};
	memcpy(born->kid, work->device.params.recipient_id, born->kid_len);
	memcpy(born->coap, head->coap, head->len);
	count(h, HANDSHAKE_STAT_b2_completed);
	handshake_mailbox_put(h->conf.mailbox, born);
}

static bool is_present_id(const struct work *work)
{
	const struct osc_params *params = &work->device.params;

	return params->has_id_context && params->id_context_len == work->id.len &&
		!memcmp(params->id_context, work->id.bytes, work->id.len);
}

// A request with an ID Context that no worker knew.
static void take_unknown(struct handshake *h, struct work *work)
{
	const enum b2_kind kind =
		b2_kind(&h->b2, &work->device, &work->request, h->now_ms / 1000, &work->id);

	if (kind == B2_MALFORMED || kind == B2_TOO_LONG) {
		count(h,
			kind == B2_MALFORMED ? HANDSHAKE_STAT_b2_malformed
					     : HANDSHAKE_STAT_b2_too_long);
		return;
	}
	// The device is served under it by now: its next copy is one for the worker.
	if (is_present_id(work)) {
		count(h, HANDSHAKE_STAT_b2_late);
		return;
	}
	if (pending_has(&h->pending, work->device.id)) {
		count(h, HANDSHAKE_STAT_b2_pending);
		return;
	}
	if (!b2_verify(&h->b2, &work->device, &work->request, &work->id, h->room, &work->keys)) {
		count(h, HANDSHAKE_STAT_b2_forged);
		return;
	}
	if (kind == B2_REQUEST_2)
		complete(h, work);
	else
		respond(h, work, HANDSHAKE_STAT_b2_responses);
}

// A request that the worker has verified under the present context, whose window it does not know:
// the gateway begins at step 2, and the present ID Context is ID1.
static void take_window(struct handshake *h, struct work *work)
{
	const struct osc_params *params = &work->device.params;

	// It verified under other keys than those that the device has by now.
	if (work->head->fingerprint != work->device.fingerprint) {
		count(h, HANDSHAKE_STAT_b2_late);
		return;
	}
	if (!params->has_id_context || params->id_context_len > B2_ID1_MAX) {
		count(h, HANDSHAKE_STAT_b2_too_long);
		return;
	}
	work->id.len = params->id_context_len;
	memcpy(work->id.bytes, params->id_context, params->id_context_len);
	if (pending_has(&h->pending, work->device.id))
		count(h, HANDSHAKE_STAT_b2_pending);
	else
		respond(h, work, HANDSHAKE_STAT_b2_asked);
}

// A copy gets the same bytes before anything is unsealed or derived.
static bool take_copy(struct handshake *h, struct work *work)
{
	const struct dp_slow_head *head = work->head;
	const struct osc_option *option = &work->request.option;
	size_t len;

	kept_name(h->kept, (const uint8_t *)&head->flow, DP_ENDPOINT_LEN, head->coap, head->len,
		&work->name);
	const uint8_t *coap =
		kept_find(h->kept, option->kid, option->kid_len, &work->name, h->now_ms, &len);

	if (!coap)
		return false;
	count(h, HANDSHAKE_STAT_b2_copies);
	answer(h, head, coap, len);
	return true;
}

static void take_edhoc(struct handshake *h, const struct dp_slow_head *head)
{
	if (h->edhoc)
		edhoc_side_take(h->edhoc, head, h->now_ms);
	else
		count(h, HANDSHAKE_STAT_edhoc_malformed);
}

static void take(struct handshake *h, const struct dp_slow_head *head)
{
	struct work work = {.head = head};
	const struct osc_option *option = &work.request.option;

	if (!b2_parse(&work.request, head->coap, head->len)) {
		count(h, HANDSHAKE_STAT_b2_malformed);
		return;
	}
	if (take_copy(h, &work))
		return;
	if (!h->conf.find(h->conf.arg, option->kid, option->kid_len, &work.device))
		count(h, HANDSHAKE_STAT_b2_unknown);
	else if (head->kind == DP_SLOW_WINDOW)
		take_window(h, &work);
	else
		take_unknown(h, &work);
	sodium_memzero(&work.device, sizeof(work.device));
	sodium_memzero(&work.keys, sizeof(work.keys));
}

static bool is_edhoc(const struct dp_slow_head *head)
{
	return head->kind == DP_SLOW_EDHOC || head->kind == DP_SLOW_COMBINED;
}

// What main says of sessions, in whatever order.
static void settle_all(struct handshake *h)
{
	struct handshake_born *next;

	pthread_mutex_lock(&h->settled_lock);
	struct handshake_born *born = h->settled;

	__atomic_store_n(&h->settled, NULL, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&h->settled_lock);
	for (; born; born = next) {
		next = born->next;
		edhoc_side_settle(h->edhoc, born);
	}
}

// Goes on with others of main's.
static void identify(struct handshake *h)
{
	struct edhoc_identities *next;

	if (!__atomic_load_n(&h->next, __ATOMIC_RELAXED))
		return;
	next = __atomic_exchange_n(&h->next, NULL, __ATOMIC_ACQUIRE);
	__atomic_store_n(&h->before, edhoc_side_identify(h->edhoc, next), __ATOMIC_RELEASE);
	handshake_mailbox_wake(h->conf.mailbox);
}

unsigned handshake_turn(struct handshake *h, uint64_t now_ms)
{
	struct dp_slow *slow = h->conf.slow;
	unsigned taken = 0;

	h->now_ms = now_ms;
	if (h->edhoc) {
		identify(h);
		settle_all(h);
	}
	for (unsigned i = 0; i < slow->count; i++) {
		struct dp_copy_ring *ring = slow->lane[i].requests;
		const struct dp_slow_head *head;

		for (unsigned n = 0; n < BURST && (head = dp_slow_peek(ring)) != NULL; n++) {
			if (is_edhoc(head))
				take_edhoc(h, head);
			else
				take(h, head);
			dp_copy_ring_pop(ring);
			taken++;
		}
	}
	if (h->edhoc) {
		edhoc_side_flush(h->edhoc, now_ms);
		h->keeps = edhoc_side_turn(h->edhoc, now_ms);
	}
	return taken;
}

static void progress(struct handshake *h)
{
	__atomic_store_n(&h->progress, h->progress + 1, __ATOMIC_RELAXED);
}

// While something waits for its device it wakes by itself, so that what is too old is wiped in
// time.
static void sleep_until_rung(struct handshake *h)
{
	struct dp_doorbell *bell = &h->conf.slow->bell;
	struct pollfd bells = {.fd = bell->fd, .events = POLLIN};

	progress(h);
	dp_doorbell_arm(bell);
	if (!dp_slow_pending(h->conf.slow) && !__atomic_load_n(&h->stop, __ATOMIC_RELAXED) &&
		!__atomic_load_n(&h->settled, __ATOMIC_RELAXED) &&
		!__atomic_load_n(&h->next, __ATOMIC_RELAXED))
		poll(&bells, 1, h->keeps ? SWEEP_MS : -1);
	dp_doorbell_disarm(bell);
	progress(h);
}

static void *run(void *arg)
{
	struct handshake *h = arg;

	while (!__atomic_load_n(&h->stop, __ATOMIC_RELAXED)) {
		if (!handshake_turn(h, clock_ms())) {
			sleep_until_rung(h);
			continue;
		}
		progress(h);
		progress(h);
	}
	return NULL;
}

void handshake_free(struct handshake *h)
{
	if (!h)
		return;
	while (h->settled) {
		struct handshake_born *born = h->settled;

		h->settled = born->next;
		handshake_born_free(born);
	}
	pthread_mutex_destroy(&h->settled_lock);
	edhoc_identities_free(h->next);
	edhoc_identities_free(h->before);
	edhoc_side_free(h->edhoc);
	aead_engine_free(h->b2.engine);
	kept_free(h->kept);
	dp_unmap(h->full_at, DEVICE_RATES * sizeof(*h->full_at));
	free(h->room);
	pending_fini(&h->pending);
	sodium_memzero(h, sizeof(*h));
	free(h);
}

static bool edhoc_make(struct handshake *h)
{
	const struct edhoc_side_of of = {h->conf.slow, h->conf.mailbox, &h->stats};

	h->edhoc = edhoc_side_create(h->conf.edhoc, &of);
	return h->edhoc;
}

struct handshake *handshake_make(const struct handshake_conf *conf)
{
	struct handshake *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->conf = *conf;
	memcpy(h->b2.mac_key, conf->mac_key, B2_MAC_KEY_LEN);
	h->b2.engine = aead_engine_create(NULL);
	h->kept = kept_create(conf->devices);
	h->full_at = dp_map(DEVICE_RATES * sizeof(*h->full_at), DP_MAP_LAZY);
	h->room = malloc(PLAINTEXT_MAX);
	h->all = dp_rate_make(conf->rate, conf->rate / RATE_BURST + 1);
	h->each = dp_rate_make(conf->device_rate, conf->device_rate * DEVICE_BURST);
	keyed_hash_init(&h->rates_hash);
	pending_init(&h->pending);
	pthread_mutex_init(&h->settled_lock, NULL);
	errno = ENOMEM;
	if (h->b2.engine && h->kept && h->full_at && h->room && (!conf->edhoc || edhoc_make(h)))
		return h;
	const int err = errno;

	handshake_free(h);
	errno = err;
	return NULL;
}

struct handshake *handshake_start(const struct handshake_conf *conf)
{
	struct handshake *h = handshake_make(conf);
	sigset_t blocked, before;
	char name[16];

	if (!h)
		return NULL;
	sigfillset(&blocked);
	fault_signals_keep(&blocked);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	int rc = pthread_create(&h->thread, NULL, run, h);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc) {
		handshake_free(h);
		errno = rc;
		return NULL;
	}
	h->running = true;
	snprintf(name, sizeof(name), "postern-hs%u", conf->slow->thread);
	pthread_setname_np(h->thread, name);
	return h;
}

void handshake_stop(struct handshake *h)
{
	__atomic_store_n(&h->stop, 1, __ATOMIC_RELAXED);
	if (!h->running)
		return;
	dp_doorbell_ring(&h->conf.slow->bell);
	pthread_join(h->thread, NULL);
	h->running = false;
}

void handshake_end(struct handshake *h, uint64_t device)
{
	pending_end(&h->pending, device);
}

void handshake_settle(struct handshake *h, struct handshake_born *born)
{
	pthread_mutex_lock(&h->settled_lock);
	born->next = h->settled;
	__atomic_store_n(&h->settled, born, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&h->settled_lock);
	dp_doorbell_ring(&h->conf.slow->bell);
}

void handshake_identify(struct handshake *h, struct edhoc_identities *identities)
{
	assert(h->edhoc && !h->next && !h->before);
	__atomic_store_n(&h->next, identities, __ATOMIC_RELEASE);
	dp_doorbell_ring(&h->conf.slow->bell);
}

struct edhoc_identities *handshake_identified(struct handshake *h)
{
	return __atomic_exchange_n(&h->before, NULL, __ATOMIC_ACQUIRE);
}

const struct handshake_stats *handshake_stats(const struct handshake *h)
{
	return &h->stats;
}

uint64_t handshake_progress(const struct handshake *h)
{
	return __atomic_load_n(&h->progress, __ATOMIC_RELAXED);
}
