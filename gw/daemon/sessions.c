// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/sessions.h"

#include "crypto/keyed_hash.h"
#include "dataplane/shared/memory.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define NONE       UINT32_MAX
#define ROUND_MS   10000 // in which all sessions are looked at
#define TURN_LEAST 16    // sessions of a turn that are, at least
#define TELL_MS    60000 // how long a session that is over waits for a request, to say so
#define DRAINING   64    // one place in so many is for those that drain, and so many more

enum state {
	FREE,
	LIVES,
	ENDS, // its context drains
};

// By its number: the place in session[].
struct session {
	uint8_t state;
	uint8_t method, suite; // of the handshake
	uint32_t next;         // in its chain, or of those that are free
	uint32_t older, newer; // in the order in which they were used, as far as that was seen
	uint32_t context, generation;
	uint64_t credential;
	uint64_t number; // of the session: those of a credential are ordered by it
	uint64_t born_ms, seen_ms;
	uint32_t accepted; // when it was looked at last
	uint64_t over_ms;  // since when its requests are answered 4.01; 0: they are served
	uint64_t *why;     // then: counts its end
	int64_t not_after;
	struct edhoc_connection c_r;
};

struct sessions {
	struct sessions_conf conf;
	uint32_t places;         // max, and room for those that drain
	struct session *session; // [places], mapped lazily by the kernel
	uint32_t *of;            // [max] chains of a credential's
	uint32_t *by_context;    // [registry->max] numbers + 1
	uint64_t *lives;         // a bit for each place whose session does
	uint32_t unused, free;
	uint32_t oldest, newest; // list by `older` and `newer`
	uint32_t look;           // which is looked at next
	uint64_t looked_ms;
	uint64_t number; // that the next session gets
	struct keyed_hash hash;
	struct sessions_stats stats;
};

static void count(uint64_t *stat, int64_t more)
{
	__atomic_store_n(stat, *stat + (uint64_t)more, __ATOMIC_RELAXED);
}

struct sessions *sessions_create(const struct sessions_conf *conf)
{
	struct sessions *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->conf = *conf;
	s->places = conf->max + conf->max / DRAINING + DRAINING;
	s->session = dp_map(s->places * sizeof(*s->session), DP_MAP_LAZY);
	s->of = malloc(conf->max * sizeof(*s->of));
	s->lives = calloc(s->places / 64 + 1, sizeof(*s->lives));
	s->by_context = dp_map(conf->registry->max * sizeof(*s->by_context), DP_MAP_LAZY);
	if (!s->session || !s->of || !s->lives || !s->by_context) {
		sessions_free(s);
		errno = ENOMEM;
		return NULL;
	}
	memset(s->of, 0xff, conf->max * sizeof(*s->of));
	s->free = s->oldest = s->newest = NONE;
	keyed_hash_init(&s->hash);
	return s;
}

void sessions_free(struct sessions *s)
{
	if (!s)
		return;
	dp_unmap(s->session, s->places * sizeof(*s->session));
	dp_unmap(s->by_context, s->conf.registry->max * sizeof(*s->by_context));
	free(s->of);
	free(s->lives);
	free(s);
}

// --- lists

static uint32_t *chain(const struct sessions *s, uint64_t credential)
{
	return &s->of[keyed_hash(&s->hash, &credential, sizeof(credential)) % s->conf.max];
}

static void used_add(struct sessions *s, uint32_t at)
{
	struct session *session = &s->session[at];

	session->older = s->newest;
	session->newer = NONE;
	if (s->newest == NONE)
		s->oldest = at;
	else
		s->session[s->newest].newer = at;
	s->newest = at;
}

static void used_remove(struct sessions *s, uint32_t at)
{
	const struct session *session = &s->session[at];

	if (session->older == NONE)
		s->oldest = session->newer;
	else
		s->session[session->older].newer = session->newer;
	if (session->newer == NONE)
		s->newest = session->older;
	else
		s->session[session->newer].older = session->older;
}

static uint32_t place_take(struct sessions *s)
{
	const uint32_t at = s->free;

	if (at != NONE)
		s->free = s->session[at].next;
	else if (s->unused < s->places)
		return s->unused++;
	return at;
}

// --- ends

// Looks whether a session was used since it was looked at last.
static void look(struct sessions *s, uint32_t at, uint64_t now_ms)
{
	struct session *session = &s->session[at];
	const struct dp_context *ctx =
		&dp_contexts(s->conf.registry->dp)->context[session->context];
	const uint32_t accepted = __atomic_load_n(&ctx->accepted, __ATOMIC_RELAXED);

	if (accepted == session->accepted)
		return;
	session->accepted = accepted;
	session->seen_ms = now_ms;
	used_remove(s, at);
	used_add(s, at);
}

static void end(struct sessions *s, uint32_t at, uint64_t *stat)
{
	struct session *session = &s->session[at];
	uint32_t *in = chain(s, session->credential);

	count(stat, 1);
	count(&s->stats.living, -1);
	session->state = ENDS;
	s->lives[at / 64] &= ~(UINT64_C(1) << at % 64);
	while (*in != at)
		in = &s->session[*in].next;
	*in = session->next;
	used_remove(s, at);
	if (s->conf.credentials)
		credentials_drop(s->conf.credentials, session->credential);
	registry_session_end(s->conf.registry, session->context, session->generation);
}

void sessions_gone(struct sessions *s, uint32_t context, uint32_t generation)
{
	const uint32_t at = s->by_context[context] - 1;

	if (at == NONE || s->session[at].generation != generation)
		return;
	struct session *session = &s->session[at];

	s->by_context[context] = 0;
	if (session->state == LIVES)
		end(s, at, &s->stats.lost);
	reservations_end(s->conf.reservations, &session->c_r);
	session->state = FREE;
	session->next = s->free;
	s->free = at;
}

// The session is over, and its device learns that with its next request, if it sends one soon.
static void tell(struct sessions *s, uint32_t at, uint64_t now_ms, uint64_t *why)
{
	struct session *session = &s->session[at];

	if (session->over_ms)
		return;
	session->over_ms = now_ms;
	session->why = why;
	registry_session_over(s->conf.registry, session->context, session->generation);
}

bool sessions_used_up(struct sessions *s, uint32_t context, uint32_t generation, uint64_t now_ms)
{
	const uint32_t at = s->by_context[context] - 1;

	if (at == NONE || s->session[at].generation != generation)
		return false;
	if (s->session[at].state == LIVES)
		tell(s, at, now_ms, &s->stats.used_up);
	return true;
}

// The sessions of a credential, of which there are two at most.
struct pair {
	uint32_t older, newer; // NONE: there is none
};

static struct pair pair_of(const struct sessions *s, uint64_t credential)
{
	struct pair pair = {NONE, NONE};

	for (uint32_t at = *chain(s, credential); at != NONE; at = s->session[at].next) {
		if (s->session[at].credential != credential)
			continue;
		// The newest comes first in its chain.
		if (pair.newer == NONE)
			pair.newer = at;
		else
			pair.older = at;
	}
	return pair;
}

void sessions_credential_gone(struct sessions *s, uint64_t credential)
{
	const struct pair pair = pair_of(s, credential);

	// At once: nobody is to be told who is not to be served.
	if (pair.older != NONE)
		end(s, pair.older, &s->stats.lost);
	if (pair.newer != NONE)
		end(s, pair.newer, &s->stats.lost);
}

static void settings_of(const struct credential_owner *owner, struct device_settings *settings)
{
	*settings = (struct device_settings){
		.max_message = owner->max_message, .max_in_flight = owner->max_in_flight};
	memcpy(settings->policy, owner->policy, sizeof(settings->policy));
}

void sessions_credential_changed(struct sessions *s, const struct credential_owner *owner)
{
	const struct pair pair = pair_of(s, owner->id);
	const uint32_t both[] = {pair.older, pair.newer};
	struct device_settings settings;

	settings_of(owner, &settings);
	for (unsigned i = 0; i < 2; i++)
		if (both[i] != NONE)
			registry_session_limit(s->conf.registry, s->session[both[i]].context,
				s->session[both[i]].generation, &settings);
}

// Makes room beside the sessions of a credential: of two the newer one goes if it was never used,
// since the device did not get to use it.
static void pair_thin(struct sessions *s, uint64_t credential, uint64_t now_ms)
{
	const struct pair pair = pair_of(s, credential);

	if (pair.older == NONE)
		return;
	look(s, pair.newer, now_ms);
	end(s, s->session[pair.newer].accepted ? pair.older : pair.newer, &s->stats.replaced);
}

// Ends the session that was unused for longest, if it was for long enough.
static bool idle_end(struct sessions *s, uint64_t now_ms)
{
	// Those that were used since they were looked at move up.
	for (unsigned tries = 0; s->oldest != NONE && tries < TURN_LEAST; tries++) {
		const uint32_t at = s->oldest;

		look(s, at, now_ms);
		if (s->oldest != at)
			continue;
		if (now_ms - s->session[at].seen_ms < s->conf.keep_ms)
			return false;
		end(s, at, &s->stats.idle);
		return true;
	}
	return false;
}

// --- begins

static void device_fill(
	struct device_keyed *device, const struct handshake_session *agreed, uint64_t number)
{
	const struct credential_owner *owner = &agreed->owner;

	*device = (struct device_keyed){
		.id = REGISTRY_SESSION | (owner->rule ? SESSION_BY_RULE : 0) | number,
		.alg = agreed->alg,
		.device_id_len = agreed->c_r.len,
		.gateway_id_len = agreed->c_i.len,
		.keys = agreed->keys,
		.window_known = true, // the keys are new
		.fingerprint = agreed->fingerprint,
	};
	memcpy(device->device_id, agreed->c_r.bytes, agreed->c_r.len);
	memcpy(device->gateway_id, agreed->c_i.bytes, agreed->c_i.len);
	memcpy(device->name, owner->name, sizeof(device->name));
	settings_of(owner, &device->settings);
}

static int publish(struct sessions *s, uint32_t at, const struct handshake_session *agreed,
	const struct dp_flow *from, uint64_t now_ms)
{
	const struct registry_agreed how = {.from = from, .credential = agreed->owner.mark.digest};
	struct session *session = &s->session[at];
	struct device_keyed device;

	*session = (struct session){
		.state = LIVES,
		.method = agreed->method,
		.suite = agreed->suite,
		.credential = agreed->owner.id,
		.number = ++s->number,
		.born_ms = now_ms,
		.seen_ms = now_ms,
		.not_after = agreed->owner.not_after,
		.c_r = agreed->c_r,
	};
	device_fill(&device, agreed, session->number);
	const int rc = registry_session_add(
		s->conf.registry, &device, &how, &session->context, &session->generation);

	sodium_memzero(&device, sizeof(device));
	return rc;
}

int sessions_add(struct sessions *s, const struct handshake_session *agreed,
	const struct dp_flow *from, uint64_t now_ms)
{
	struct handshake_session as_now = *agreed;
	int rc = s->conf.credentials ? credentials_hold(s->conf.credentials, &as_now.owner) : 0;

	if (rc) {
		sodium_memzero(&as_now, sizeof(as_now));
		count(&s->stats.refused, 1);
		return rc;
	}
	pair_thin(s, as_now.owner.id, now_ms);
	const bool room = s->stats.living < s->conf.max || idle_end(s, now_ms);
	const uint32_t at = room ? place_take(s) : NONE;

	rc = at == NONE ? -EAGAIN : 0;
	if (!rc) {
		rc = reservations_passed(s->conf.reservations, &as_now.c_r)
			? -EEXIST
			: publish(s, at, &as_now, from, now_ms);
		if (rc) {
			s->session[at].state = FREE;
			s->session[at].next = s->free;
			s->free = at;
		}
	}
	sodium_memzero(&as_now, sizeof(as_now));
	if (rc) {
		if (s->conf.credentials)
			credentials_drop(s->conf.credentials, agreed->owner.id);
		count(&s->stats.refused, 1);
		return rc;
	}
	struct session *session = &s->session[at];
	uint32_t *in = chain(s, session->credential);

	session->next = *in;
	*in = at;
	used_add(s, at);
	s->by_context[session->context] = at + 1;
	s->lives[at / 64] |= UINT64_C(1) << at % 64;
	count(&s->stats.begun, 1);
	count(&s->stats.living, 1);
	return 0;
}

// --- time

// What becomes of a session that is looked at.
static void session_turn(struct sessions *s, uint32_t at, uint64_t now_ms, int64_t now_s)
{
	const struct session *session = &s->session[at];

	if (session->state != LIVES)
		return;
	const uint32_t before = session->accepted;

	look(s, at, now_ms);
	if (session->over_ms) {
		if (session->accepted != before || now_ms - session->over_ms >= TELL_MS)
			end(s, at, session->why);
		return;
	}
	if (now_s > session->not_after || now_ms - session->born_ms >= s->conf.max_age_ms) {
		tell(s, at, now_ms, &s->stats.expired);
		return;
	}
	const struct pair pair = pair_of(s, session->credential);

	if (pair.newer == at && pair.older != NONE && session->accepted)
		end(s, pair.older, &s->stats.replaced);
}

void sessions_turn(struct sessions *s, uint64_t now_ms, int64_t now_s)
{
	const uint64_t passed = now_ms - s->looked_ms;
	uint64_t n = (uint64_t)s->unused * passed / ROUND_MS + TURN_LEAST;

	s->looked_ms = now_ms;
	if (n > s->unused)
		n = s->unused;
	for (; n; n--) {
		s->look = s->look + 1 < s->unused ? s->look + 1 : 0;
		session_turn(s, s->look, now_ms, now_s);
	}
}

// --- what there is

// The place of the first session that lives, from one on. NONE: there is none.
static uint32_t next_of_all(const struct sessions *s, uint32_t from)
{
	for (uint32_t word = from / 64; word <= s->unused / 64; word++) {
		const uint64_t left = word == from / 64 ? UINT64_MAX << from % 64 : UINT64_MAX;
		const uint64_t lives = s->lives[word] & left;

		if (lives)
			return word * 64 + (uint32_t)__builtin_ctzll(lives);
	}
	return NONE;
}

// The same of a credential's.
static uint32_t next_of(const struct sessions *s, uint32_t from, uint64_t credential)
{
	const struct pair pair = pair_of(s, credential);
	const uint32_t first = RTE_MIN(pair.older, pair.newer);
	const uint32_t second = RTE_MAX(pair.older, pair.newer);

	return first >= from ? first : second >= from ? second : NONE;
}

bool sessions_next(const struct sessions *s, uint32_t place, uint64_t credential, uint64_t now_ms,
	int64_t now_s, struct session_view *view)
{
	uint32_t at = NONE;

	if (s && place < s->places)
		at = credential ? next_of(s, place, credential) : next_of_all(s, place);
	if (at == NONE)
		return false;
	const struct session *session = &s->session[at];
	const uint64_t age_ms = now_ms - session->born_ms;
	uint64_t left_ms = age_ms < s->conf.max_age_ms ? s->conf.max_age_ms - age_ms : 0;

	if (session->not_after <= now_s)
		left_ms = 0;
	else if ((uint64_t)session->not_after - (uint64_t)now_s < left_ms / 1000)
		left_ms = ((uint64_t)session->not_after - (uint64_t)now_s) * 1000;
	*view = (struct session_view){
		.place = at,
		.context = session->context,
		.generation = session->generation,
		.credential = session->credential,
		.number = session->number,
		.method = session->method,
		.suite = session->suite,
		.over = session->over_ms,
		.age_ms = age_ms,
		.left_ms = left_ms,
		.c_r = session->c_r,
	};
	return true;
}

const struct sessions_stats *sessions_stats(const struct sessions *s)
{
	static const struct sessions_stats none;

	return s ? &s->stats : &none;
}
