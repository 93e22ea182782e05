// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/reload.h"

#include "base/clock.h"
#include "gw/conf/diff.h"
#include "gw/daemon/access.h"
#include "gw/daemon/descriptors.h"
#include "gw/daemon/handshakes.h"
#include "gw/daemon/identity.h"
#include "gw/daemon/push.h"
#include "gw/daemon/revoked_file.h"
#include "gw/os/log.h"
#include "gw/upstream/access_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMED_MAX 200     // bytes of the keys that a refusal names
#define SLICE_NS  4000000 // of a turn of main, for what takes many turns

// ---- what differs

// Who is told of changes: a client, or the log.
struct telling {
	struct ctl_request *req; // NULL: the log
	unsigned changes;
	unsigned of_start;
	char named[NAMED_MAX]; // keys of effect "start"
};

static void change_tell(
	void *arg, const char *key, enum conf_change change, enum conf_effect effect)
{
	static const char *const words[] = {
		[CONF_CHANGED] = "changed", [CONF_ADDED] = "added", [CONF_REMOVED] = "removed"};
	struct telling *t = arg;
	size_t len = strlen(t->named);

	t->changes++;
	if (effect == CONF_AT_START) {
		t->of_start++;
		if (len + strlen(key) + 8 < sizeof(t->named))
			snprintf(t->named + len, sizeof(t->named) - len, "%s%s", len ? ", " : "",
				key);
		else if (len + 4 < sizeof(t->named) &&
			(len < 3 || strcmp(t->named + len - 3, "...")))
			snprintf(t->named + len, sizeof(t->named) - len, "...");
	}
	if (t->req)
		ctl_list_change(t->req, key, words[change], effect == CONF_AT_START);
	else
		log_info("reload: %s: %s", key, words[change]);
}

// Answers, to the end.
__attribute__((format(printf, 3, 4))) static void refuse(
	struct ctl_request *req, enum ctl_error error, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_error("the configuration stays as it was: %s", text);
	if (req)
		ctl_request_error(req, error, "%s", text);
}

// What a file of the machine fails with is over at some time; a mistake in it is not.
static enum ctl_error error_of(int rc)
{
	return rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE || rc == -EBUSY ? CTL_BUSY
									       : CTL_BAD_CONFIG;
}

// ---- reading

// Mistakes go to whoever asked, else to the log.
static int file_read(const char *path, struct ctl_request *req, struct conf **conf)
{
	char *text = NULL, *at, *line;
	size_t len;
	FILE *lines = open_memstream(&text, &len);
	int rc = lines ? conf_load_regular(path, conf, lines) : -ENOMEM;

	if (lines)
		fclose(lines);
	at = text;
	while (rc && (line = strsep(&at, "\n"))) {
		if (!*line)
			continue;
		log_error("%s", line);
		if (req)
			ctl_list_line(req, line);
	}
	free(text);
	return rc;
}

// Reads a file and tells what differs from what is used now. Returns the configuration, or NULL
// after the request was answered.
static struct conf *changes_read(
	struct daemon *daemon, struct ctl_request *req, const char *path, struct telling *t)
{
	struct conf *conf;
	int rc = file_read(path, req, &conf);

	*t = (struct telling){.req = req};
	if (!rc) {
		conf_diff(daemon->snapshot->conf, conf, change_tell, t);
		return conf;
	}
	refuse(req, error_of(rc), "%s: %s", path,
		rc == -EINVAL          ? "has mistakes"
			: rc == -EBADF ? "is not a file"
				       : strerror(-rc));
	return NULL;
}

// ---- preparing

// Nothing of it shows before reload_turn() installs it.
struct prepared {
	struct snapshot *snapshot;
	struct up_next *loop[CONF_LOOPS_MAX];
	struct trusted trusted;
	struct identity *identity;
	struct edhoc_identities *of_thread[DP_SLOW_THREADS_MAX];
};

static void identity_discard(
	struct identity **identity, struct edhoc_identities *of_thread[DP_SLOW_THREADS_MAX])
{
	for (unsigned i = 0; i < DP_SLOW_THREADS_MAX; i++) {
		edhoc_identities_free(of_thread[i]);
		of_thread[i] = NULL;
	}
	identity_free(*identity);
	*identity = NULL;
}

static void prepared_discard(struct prepared *p)
{
	for (unsigned i = 0; i < CONF_LOOPS_MAX; i++)
		up_loop_discard(p->loop[i]);
	trusted_free(&p->trusted);
	identity_discard(&p->identity, p->of_thread);
	snapshot_free(p->snapshot);
}

// Reads who the gateway is for EDHOC, and what is offered with that.
static int identity_prepare(const struct daemon *daemon, struct conf_edhoc *conf,
	struct prepared *p, struct error *error)
{
	if (!daemon->identity)
		return 0;
	const int rc = identity_load(conf, &p->identity, error);

	if (rc)
		return rc;
	identity_offers(p->identity, conf);
	for (unsigned i = 0; i < handshakes_threads(daemon->handshakes); i++) {
		p->of_thread[i] = identity_of_thread(p->identity, conf);
		if (!p->of_thread[i])
			return error_set(error, -errno, "no memory");
	}
	return 0;
}

// Why the table of the data plane may lack names of devices that the store has or is about to have;
// NULL: it has all. What is in doubt is added as soon as the disk is sound, whoever else has its
// name.
static const char *names_missing(const struct daemon *daemon)
{
	if (daemon->resync_waiting)
		return "devices wait for a resync";
	if (daemon->registry.waiting)
		return "a device waits for its place";
	if (daemon->taking)
		return "devices are being added";
	return daemon->doubts ? "the disk failed, and what became of a device is not known yet"
			      : NULL;
}

// Takes the configuration in any case. false after the request was answered.
static bool prepare(
	struct daemon *daemon, struct ctl_request *req, struct conf *conf, struct prepared *p)
{
	const struct snapshot_slots slots = {
		daemon->slots, &daemon->route_slots, &daemon->registry.policies};
	uint16_t number = (uint16_t)(daemon->snapshot->number + 1);
	struct error error = {0};
	int rc;

	*p = (struct prepared){.snapshot = NULL};
	if (names_missing(daemon) && !passes_are_reserved(daemon->reserved, conf)) {
		refuse(req, CTL_BUSY, "%s, and passthrough has new names", names_missing(daemon));
		conf_free(conf);
		return false;
	}
	if (conf->pass_count && passes_check(dp_contexts(daemon->dp), conf, &error)) {
		refuse(req, CTL_BAD_CONFIG, "%s: %s", conf->path, error.text);
		conf_free(conf);
		return false;
	}
	rc = identity_prepare(daemon, &conf->edhoc, p, &error);
	if (rc) {
		identity_discard(&p->identity, p->of_thread);
		conf_free(conf);
		refuse(req, error_of(rc), "%s", error.text);
		return false;
	}
	rc = snapshot_make(&slots, conf, number, &p->snapshot);
	if (rc) {
		identity_discard(&p->identity, p->of_thread);
		conf_free(conf);
		refuse(req, CTL_BUSY, "%s",
			rc == -ENOSPC ? "there have been too many upstreams, servers and names of "
					"policies since the start"
				      : "no memory");
		return false;
	}
	if (descriptors_needed(conf, 0) > descriptors_needed(daemon->snapshot->conf, 0))
		rc = descriptors_check(descriptors_needed(conf, 0), &error);
	if (!rc)
		rc = push_token_read(conf, &p->snapshot->push_token, &error);
	if (!rc)
		rc = trusted_read_rules(&conf->edhoc, &p->trusted, &error);
	for (unsigned i = 0; !rc && i < daemon->conf->workers.loops; i++)
		rc = up_loop_prepare(daemon->loop[i], conf, number, &p->loop[i], &error);
	if (!rc)
		return true;
	prepared_discard(p);
	refuse(req, CTL_BAD_CONFIG, "%s", error.text[0] ? error.text : strerror(-rc));
	return false;
}

// All that is needed was read: the loops get it, unless it is a dry run. Takes configuration and
// list; the request was answered, or is answered when the workers have it.
static void loops_switch(struct daemon *daemon, struct revoked *revoked)
{
	struct reload *reload = &daemon->reload;
	struct ctl_request *req = reload->req;
	struct conf *conf = reload->conf;
	struct prepared prepared;

	reload->phase = RELOAD_IDLE;
	reload->req = NULL;
	reload->conf = NULL;
	if (!prepare(daemon, req, conf, &prepared)) {
		revoked_free(revoked);
		return;
	}
	prepared.trusted.revoked = revoked;
	if (reload->dry_run) {
		prepared_discard(&prepared);
		ctl_request_end(req);
		return;
	}
	if (passes_reserve(daemon->reserved, conf)) {
		prepared_discard(&prepared);
		refuse(req, CTL_BUSY, "no memory");
		return;
	}
	log_notice("configuration %u: %u keys changed", prepared.snapshot->number, reload->changes);
	reload->next = prepared.snapshot;
	reload->trusted = prepared.trusted;
	reload->identity = prepared.identity;
	memcpy(reload->of_thread, prepared.of_thread, sizeof(reload->of_thread));
	reload->req = req;
	reload->phase = RELOAD_LOOPS;
	for (unsigned i = 0; i < daemon->conf->workers.loops; i++)
		up_loop_switch(daemon->loop[i], prepared.loop[i]);
}

static void reading_end(struct daemon *daemon, const struct error *error)
{
	struct reload *reload = &daemon->reload;

	revoked_file_free(reload->file);
	reload->file = NULL;
	reload->phase = RELOAD_IDLE;
	if (!error)
		return;
	conf_free(reload->conf);
	reload->conf = NULL;
	refuse(reload->req, error_of(error->code), "%s", error->text);
	reload->req = NULL;
}

// Reads on in the list of what was revoked.
static void read_on(struct daemon *daemon)
{
	struct reload *reload = &daemon->reload;
	struct error error;
	const int rc = revoked_file_read(reload->file, clock_ns() + SLICE_NS, &error);

	if (rc < 0)
		reading_end(daemon, &error);
	if (rc)
		return;
	struct revoked *revoked = revoked_file_take(reload->file);

	reading_end(daemon, NULL);
	loops_switch(daemon, revoked);
}

static void reading_begin(struct daemon *daemon)
{
	struct reload *reload = &daemon->reload;
	struct error error;

	if (!reload->conf->edhoc.revoked) {
		loops_switch(daemon, NULL);
		return;
	}
	reload->phase = RELOAD_READS;
	reload->file = revoked_file_open(reload->conf->edhoc.revoked, &error);
	if (!reload->file)
		reading_end(daemon, &error);
}

void reload_begin(struct daemon *daemon, struct ctl_request *req, bool dry_run)
{
	struct reload *reload = &daemon->reload;
	struct telling t;
	struct conf *conf;

	if (reload->phase != RELOAD_IDLE && !req) { // nobody would try again
		reload->again = true;
		log_notice("the configuration is read again when the reload before is over");
		return;
	}
	if (reload->phase != RELOAD_IDLE) {
		refuse(req, CTL_BUSY,
			reload->phase == RELOAD_READS
				? "a reload reads its files"
				: "requests of the configuration before are not over yet");
		return;
	}
	conf = changes_read(daemon, req, daemon->conf->path, &t);
	if (!conf)
		return;
	if (t.of_start) {
		conf_free(conf);
		refuse(req, CTL_NEEDS_START, "these take effect at a start only: %s", t.named);
		return;
	}
	if (!conf->edhoc.identity_count != !daemon->conf->edhoc.identity_count) {
		conf_free(conf);
		refuse(req, CTL_NEEDS_START,
			"edhoc.identity: whether EDHOC is served is decided at a start");
		return;
	}
	reload->conf = conf;
	reload->req = req;
	reload->changes = t.changes;
	reload->dry_run = dry_run;
	reading_begin(daemon);
}

// ---- installing

static bool loops_have(const struct daemon *daemon, uint16_t number)
{
	for (unsigned i = 0; i < daemon->conf->workers.loops; i++)
		if (!up_loop_has(daemon->loop[i], number))
			return false;
	return true;
}

static bool loops_settled(const struct daemon *daemon)
{
	for (unsigned i = 0; i < daemon->conf->workers.loops; i++)
		if (!up_loop_is_settled(daemon->loop[i]))
			return false;
	return true;
}

// What threads other than the workers and the loops have of the configuration.
static void settings_take(struct daemon *daemon)
{
	const struct conf *conf = daemon->snapshot->conf;

	log_level_set(conf->log.level);
	log_json_set(conf->log.format == CONF_LOG_JSON);
	if (daemon->access) {
		up_access_log_set(daemon->access, &conf->log);
		dp_access_percent(daemon->dp, conf->log.sample);
	}
	if (daemon->web)
		web_hosts_set(daemon->web, conf->metrics.hosts, conf->metrics.host_count);
	push_configured(daemon);
}

// The threads go on with another identity, and what is under way ends with the one with which it
// began. That of before stays until no thread uses it.
static void identity_switch(struct daemon *daemon)
{
	struct reload *reload = &daemon->reload;
	struct identity *before = daemon->identity;

	if (!before)
		return;
	if (!identity_equal(before, reload->identity))
		log_notice("the gateway has another identity for EDHOC: %u credentials",
			reload->identity->count);
	daemon->identity = reload->identity;
	handshakes_identify(daemon->handshakes, reload->of_thread);
	memset(reload->of_thread, 0, sizeof(reload->of_thread));
	reload->identity = before;
}

// Whether no thread has the identity of before any more.
static bool identity_left(struct daemon *daemon)
{
	struct reload *reload = &daemon->reload;

	if (!reload->identity)
		return true;
	if (!handshakes_identified(daemon->handshakes))
		return false;
	identity_discard(&reload->identity, reload->of_thread);
	return true;
}

// The loops know both: the workers may send requests of the new one.
static void workers_switch(struct daemon *daemon)
{
	struct reload *reload = &daemon->reload;

	dp_policy_swap(daemon->dp, &reload->next->routes.policy);
	reload->before = daemon->snapshot;
	daemon->snapshot = reload->next;
	reload->next = NULL;
	reload->count++;
	up_slots_current(daemon->slots, daemon->snapshot->conf);
	policies_configured(&daemon->registry.policies, daemon->snapshot->conf);
	settings_take(daemon);
	trusted_use(&reload->trusted, daemon->credentials);
	reload->sifting = daemon->credentials;
	identity_switch(daemon);
	log_notice("configuration %u is used", daemon->snapshot->number);
	reload->phase = RELOAD_WORKERS;
}

// Ends sessions that rules and list do not let pass any more; then who asked has all of it.
static void sift(struct daemon *daemon)
{
	struct reload *reload = &daemon->reload;
	const uint64_t until_ns = clock_ns() + SLICE_NS;

	while (reload->sifting && clock_ns() < until_ns)
		reload->sifting = credentials_sift(daemon->credentials);
	if (reload->sifting || !reload->req)
		return;
	ctl_request_end(reload->req);
	reload->req = NULL;
}

// No worker has the old one any more: what it sent is in the rings.
static void last_pushed(struct daemon *daemon)
{
	access_drain(daemon);
	for (unsigned i = 0; i < daemon->conf->workers.loops; i++)
		up_loop_last_pushed(daemon->loop[i]);
	daemon->reload.phase = RELOAD_SETTLE;
}

static void settled(struct daemon *daemon)
{
	struct reload *reload = &daemon->reload;

	log_info("configuration %u is over", reload->before->number);
	if (reload->before->conf == daemon->conf)
		reload->before->conf = NULL; // it stays for the keys of the start
	snapshot_free(reload->before);
	reload->before = NULL;
	reload->phase = RELOAD_IDLE;
}

bool reload_turn(struct daemon *daemon)
{
	struct reload *reload = &daemon->reload;

	if (reload->phase == RELOAD_READS)
		read_on(daemon);
	if (reload->phase == RELOAD_LOOPS && loops_have(daemon, reload->next->number))
		workers_switch(daemon);
	if (reload->phase == RELOAD_WORKERS || reload->phase == RELOAD_SETTLE)
		sift(daemon);
	if (reload->phase == RELOAD_WORKERS && dp_policy_is_settled(daemon->dp))
		last_pushed(daemon);
	if (reload->phase == RELOAD_SETTLE && !reload->sifting && identity_left(daemon) &&
		loops_settled(daemon))
		settled(daemon);
	if (reload->phase == RELOAD_IDLE && reload->again) {
		reload->again = false;
		reload_begin(daemon, NULL, false);
	}
	return reload->sifting || reload->phase == RELOAD_READS || reload->phase == RELOAD_LOOPS ||
		reload->phase == RELOAD_WORKERS;
}

void reload_stop(struct daemon *daemon)
{
	struct reload *reload = &daemon->reload;

	if (reload->req)
		ctl_request_error(reload->req, CTL_STOPPING, "the daemon stops");
	reload->req = NULL;
	revoked_file_free(reload->file);
	reload->file = NULL;
	conf_free(reload->conf);
	reload->conf = NULL;
	trusted_free(&reload->trusted);
}

void reload_free(struct daemon *daemon)
{
	struct reload *reload = &daemon->reload;

	identity_discard(&reload->identity, reload->of_thread);
}

// ---- verbs

void verb_reload(void *arg, struct ctl_request *req, bool dry_run)
{
	if (!dry_run)
		log_notice("uid %ju asks for a reload", (uintmax_t)ctl_request_uid(req));
	reload_begin(arg, req, dry_run);
}

void verb_config_diff(void *arg, struct ctl_request *req, const char *path)
{
	struct telling t;
	struct conf *conf = changes_read(arg, req, path, &t);

	if (!conf)
		return;
	conf_free(conf);
	ctl_request_end(req);
}
