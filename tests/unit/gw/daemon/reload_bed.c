// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/daemon/reload_bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
