// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/daemon/reload_bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 4096

struct daemon gateway;
struct fake_loop loops[LOOPS];
unsigned prepared;
int fails_in = -1;
bool workers_left;
unsigned swaps;
const struct dp_policy *policy;
unsigned records;
unsigned records_lost;
unsigned freed;
unsigned ends, errors;
enum ctl_error error_code;
char error_text[512];
char told[NAMES_MAX][CONF_DIFF_KEY_MAX];
unsigned told_count, start_count;

static struct fake_loop *fake(const struct up_loop *loop)
{
	return (struct fake_loop *)(uintptr_t)loop;
}

int __wrap_up_loop_prepare(struct up_loop *loop, const struct conf *conf, uint16_t number,
	struct up_next **next, struct error *error);
int __wrap_up_loop_prepare(struct up_loop *loop, const struct conf *conf, uint16_t number,
	struct up_next **next, struct error *error)
{
	if (fake(loop) == &loops[fails_in < 0 ? LOOPS - 1 : fails_in] && fails_in >= 0)
		return error_set(error, -ENOENT, "loop %d cannot", fails_in);
	*next = malloc(1);
	prepared++;
	return 0;
}

void __wrap_up_loop_discard(struct up_next *next);
void __wrap_up_loop_discard(struct up_next *next)
{
	prepared -= next != NULL;
	free(next);
}

void __wrap_up_loop_switch(struct up_loop *loop, struct up_next *next);
void __wrap_up_loop_switch(struct up_loop *loop, struct up_next *next)
{
	cr_assert_not_null(next);
	__wrap_up_loop_discard(next);
	fake(loop)->switched = true;
	fake(loop)->settled = fake(loop)->last_pushed = false;
}

bool __wrap_up_loop_has(const struct up_loop *loop, uint16_t number);
bool __wrap_up_loop_has(const struct up_loop *loop, uint16_t number)
{
	return fake(loop)->has == number;
}

void __wrap_up_loop_last_pushed(struct up_loop *loop);
void __wrap_up_loop_last_pushed(struct up_loop *loop)
{
	cr_expect(workers_left, "a worker may still push requests of the old one");
	records_lost += records;
	fake(loop)->last_pushed = true;
}

bool __wrap_up_loop_is_settled(const struct up_loop *loop);
bool __wrap_up_loop_is_settled(const struct up_loop *loop)
{
	return fake(loop)->settled;
}

// Whoever gets requests of a configuration must know it.
void __wrap_dp_policy_swap(struct dp *dp, const struct dp_policy *next);
void __wrap_dp_policy_swap(struct dp *dp, const struct dp_policy *next)
{
	for (unsigned i = 0; i < LOOPS; i++)
		cr_expect_eq(loops[i].has, next->number, "loop %u does not know it", i);
	policy = next;
	workers_left = false;
	swaps++;
}

bool __wrap_dp_policy_is_settled(const struct dp *dp);
bool __wrap_dp_policy_is_settled(const struct dp *dp)
{
	return workers_left;
}

void __wrap_access_drain(struct daemon *daemon);
void __wrap_access_drain(struct daemon *daemon)
{
	cr_expect(workers_left, "a worker may still write records of the old one");
	records = 0;
}

void __real_snapshot_free(struct snapshot *snapshot);
void __wrap_snapshot_free(struct snapshot *snapshot);
void __wrap_snapshot_free(struct snapshot *snapshot)
{
	cr_expect_neq(snapshot, gateway.snapshot, "it is in use");
	cr_expect(!snapshot || &snapshot->routes.policy != policy, "the workers have it");
	records_lost += snapshot ? records : 0;
	freed += snapshot != NULL;
	__real_snapshot_free(snapshot);
}

void __wrap_log_line(enum conf_log_level level, const char *format, ...);
void __wrap_log_line(enum conf_log_level level, const char *format, ...)
{
}

void __wrap_ctl_request_end(struct ctl_request *req);
void __wrap_ctl_request_end(struct ctl_request *req)
{
	ends++;
}

void __wrap_ctl_request_error(
	struct ctl_request *req, enum ctl_error error, const char *format, ...);
void __wrap_ctl_request_error(
	struct ctl_request *req, enum ctl_error error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error_text, sizeof(error_text), format, args);
	va_end(args);
	error_code = error;
	errors++;
}

void __wrap_ctl_list_line(struct ctl_request *req, const char *line);
void __wrap_ctl_list_line(struct ctl_request *req, const char *line)
{
}

void __wrap_ctl_list_change(
	struct ctl_request *req, const char *key, const char *change, bool start);
void __wrap_ctl_list_change(
	struct ctl_request *req, const char *key, const char *change, bool start)
{
	if (told_count < NAMES_MAX)
		strcpy(told[told_count++], key);
	start_count += start;
}

enum conf_log_level logged_level;
bool logged_json;

void __wrap_log_level_set(enum conf_log_level wanted);
void __wrap_log_level_set(enum conf_log_level wanted)
{
	logged_level = wanted;
}

void __wrap_log_json_set(bool wanted);
void __wrap_log_json_set(bool wanted)
{
	logged_json = wanted;
}

// ---- who the gateway is for EDHOC

bool threads_left, identity_fails;
unsigned identities, sets;

struct identity *identity_fake(void)
{
	identities++;
	threads_left = true;
	return calloc(1, sizeof(struct identity));
}

int __wrap_identity_load(
	const struct conf_edhoc *conf, struct identity **identity, struct error *error);
int __wrap_identity_load(
	const struct conf_edhoc *conf, struct identity **identity, struct error *error)
{
	if (identity_fails)
		return error_set(error, -EINVAL, "no identity");
	*identity = identity_fake();
	return 0;
}

void __wrap_identity_offers(const struct identity *identity, struct conf_edhoc *conf);
void __wrap_identity_offers(const struct identity *identity, struct conf_edhoc *conf)
{
	conf->offered_methods = FAKE_OFFERED;
}

struct edhoc_identities *__wrap_identity_of_thread(
	const struct identity *identity, const struct conf_edhoc *conf);
struct edhoc_identities *__wrap_identity_of_thread(
	const struct identity *identity, const struct conf_edhoc *conf)
{
	sets++;
	return malloc(1);
}

void __wrap_edhoc_identities_free(struct edhoc_identities *set);
void __wrap_edhoc_identities_free(struct edhoc_identities *set)
{
	sets -= set != NULL;
	free(set);
}

void __wrap_identity_free(struct identity *identity);
void __wrap_identity_free(struct identity *identity)
{
	cr_expect(!identity || threads_left, "a thread may have it");
	identities -= identity != NULL;
	free(identity);
}

unsigned __wrap_handshakes_threads(const struct handshakes *h);
unsigned __wrap_handshakes_threads(const struct handshakes *h)
{
	return 2;
}

void __wrap_handshakes_identify(struct handshakes *h, struct edhoc_identities *const set[]);
void __wrap_handshakes_identify(struct handshakes *h, struct edhoc_identities *const set[])
{
	threads_left = false;
	for (unsigned i = 0; i < 2; i++)
		__wrap_edhoc_identities_free(set[i]);
}

bool __wrap_handshakes_identified(struct handshakes *h);
bool __wrap_handshakes_identified(struct handshakes *h)
{
	return threads_left;
}

// ---- the file, and turns

int a_request;
char path[64];
static char dir[] = "/tmp/reload.XXXXXX";
void file_write(const char *text)
{
	FILE *file = fopen(path, "w");

	cr_assert(file && fputs(text, file) >= 0);
	fclose(file);
}

void file_write_changed(const char *base, const char *from, const char *to)
{
	const char *at = strstr(base, from);
	char text[TEXT_MAX];

	cr_assert_not_null(at, "%s", from);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - base), base, to, at + strlen(from));
	file_write(text);
}

void reload_bed_make(const char *base)
{
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/postern.yaml", dir);
	file_write(base);
	cr_assert_eq(conf_load(path, &gateway.conf, stderr), 0);
	gateway.slots = up_slots_create(LOOPS);
	gateway.reserved = device_reserved_new();
	cr_assert_not_null(gateway.slots);
	const struct snapshot_slots slots = {
		gateway.slots, &gateway.route_slots, &gateway.registry.policies};

	cr_assert_eq(snapshot_make(&slots, gateway.conf, 1, &gateway.snapshot), 0);
	policy = &gateway.snapshot->routes.policy;
	for (unsigned i = 0; i < LOOPS; i++) {
		loops[i] = (struct fake_loop){.has = 1, .settled = true};
		gateway.loop[i] = (struct up_loop *)&loops[i];
	}
}

void reload_bed_free(void)
{
	const struct snapshot *last = gateway.snapshot;

	policy = NULL;
	gateway.snapshot = NULL;
	if (last->conf != gateway.conf)
		conf_free(gateway.conf);
	snapshot_free((struct snapshot *)last);
	up_slots_free(gateway.slots);
	route_slots_free(&gateway.route_slots);
	policies_free(&gateway.registry.policies);
	device_reserved_free(gateway.reserved);
	unlink(path);
	rmdir(dir);
	cr_expect_eq(prepared, 0, "what a loop had prepared is lost");
	cr_expect_eq(records_lost, 0, "access records whose snapshot is gone");
}

void begin(void)
{
	ends = errors = told_count = start_count = 0;
	reload_begin(&gateway, REQUEST, false);
}

void loops_take(uint16_t number)
{
	for (unsigned i = 0; i < LOOPS; i++)
		loops[i].has = number;
}

void loops_settle(void)
{
	for (unsigned i = 0; i < LOOPS; i++) {
		cr_expect(loops[i].last_pushed, "loop %u is not told", i);
		loops[i].settled = true;
	}
}

void expect_refused(enum ctl_error error, const char *words)
{
	cr_expect_eq(errors, 1, "%u errors for '%s'", errors, words);
	cr_expect_eq(ends, 0);
	cr_expect_eq(error_code, error, "%s", error_text);
	cr_expect_not_null(strstr(error_text, words), "'%s' is not in '%s'", words, error_text);
	cr_expect_eq(gateway.reload.phase, RELOAD_IDLE);
	cr_expect_eq(gateway.snapshot->number, 1);
	cr_expect_null(gateway.reload.next);
	cr_expect_null(gateway.reload.before);
	cr_expect_eq(prepared, 0);
	cr_expect_eq(swaps, 0);
	for (unsigned i = 0; i < LOOPS; i++)
		cr_expect_not(loops[i].switched);
}

bool was_told(const char names[][CONF_DIFF_KEY_MAX], unsigned count, const char *key)
{
	for (unsigned i = 0; i < count; i++) {
		const char *name = names[i], *at = key;

		while (*name && *name == *at) {
			name++;
			if (*at++ == '[')
				name += strspn(name, "0123456789");
		}
		if (!*name && !*at)
			return true;
	}
	return false;
}
