// SPDX-License-Identifier: BSD-3-Clause
// The verbs about observers.

#include "tests/unit/gw/ctl/one_client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct ctl_observed asked_observed;
static char cancelled_of[DEVICE_NAME_MAX + 1], cancelled_path[CTL_PATH_MAX + 1];

static void fake_observe_list(void *arg, struct ctl_request *req, const struct ctl_observed *what)
{
	asked_observed = *what;
	ctl_request_end(req);
}

static void fake_observe_cancel(
	void *arg, struct ctl_request *req, const char *name, const char *path)
{
	snprintf(cancelled_of, sizeof(cancelled_of), "%s", name);
	snprintf(cancelled_path, sizeof(cancelled_path), "%s", path);
	ctl_request_end(req);
}

static struct ctl_pushed pushed;
static uint8_t pushed_value[CTL_PUSH_MAX];

static void fake_observe_push(void *arg, struct ctl_request *req, const struct ctl_pushed *what)
{
	pushed = *what;
	if (what->len)
		memcpy(pushed_value, what->value, what->len);
	ctl_request_end(req);
}

static struct ctl_ops ops = {
	.observe_push = fake_observe_push,
	.observe_list = fake_observe_list,
	.observe_cancel = fake_observe_cancel,
};

static void setup(void)
{
	one_client_begin(&ops);
}

TestSuite(ctl_observe, .init = setup, .fini = one_client_end);

Test(ctl_observe, observers_are_asked_for_as_given)
{
	struct ctl_writer *request = client_begin(1, "observe list");

	client_send(client, NULL, 0);
	expect_end(1);
	cr_expect_str_eq(asked_observed.device, "");
	cr_expect_eq(asked_observed.after, 0);
	cr_expect_eq(asked_observed.limit, CTL_LIST_MAX);
	request = client_begin(2, "observe list");
	ctl_put_text(request, "device", "pump-7");
	ctl_put_uint(request, "after", (UINT64_C(3) << 32) + 9);
	ctl_put_uint(request, "limit", 5);
	client_send(client, NULL, 0);
	expect_end(2);
	cr_expect_str_eq(asked_observed.device, "pump-7");
	cr_expect_eq(asked_observed.after, (UINT64_C(3) << 32) + 9);
	cr_expect_eq(asked_observed.limit, 5);
	request = client_begin(3, "observe list");
	ctl_put_uint(request, "limit", CTL_LIST_MAX + 1);
	client_send(client, NULL, 0);
	expect(3, "bad-request");
	request = client_begin(4, "observe cancel");
	client_send(client, NULL, 0);
	expect(4, "bad-request");
	request = client_begin(5, "observe cancel");
	ctl_put_text(request, "device", "pump-7");
	client_send(client, NULL, 0);
	expect_end(5);
	cr_expect_str_eq(cancelled_of, "pump-7");
	cr_expect_str_eq(cancelled_path, "");
	request = client_begin(6, "observe cancel");
	ctl_put_text(request, "device", "pump-7");
	ctl_put_text(request, "path", "state");
	client_send(client, NULL, 0);
	expect(6, "bad-request");
	request = client_begin(7, "observe cancel");
	ctl_put_text(request, "device", "pump-7");
	ctl_put_text(request, "path", "/state/%61");
	client_send(client, NULL, 0);
	expect_end(7);
	cr_expect_str_eq(cancelled_path, "/state/%61", "the daemon decodes it");
}

Test(ctl_observe, what_is_pushed_is_as_given)
{
	static uint8_t value[CTL_PUSH_MAX + 1];
	struct ctl_writer *request = client_begin(1, "observe push");

	ctl_put_text(request, "path", "/set/a%20b");
	ctl_put_bytes(request, "value", "21.5", 4);
	client_send(client, NULL, 0);
	expect_end(1);
	cr_expect_str_eq(pushed.path, "/set/a%20b");
	cr_expect_str_eq(pushed.device, "");
	cr_expect_str_eq(pushed.type, "");
	cr_expect_eq(pushed.format, -1);
	cr_expect_eq(pushed.len, 4);
	cr_expect_eq(memcmp(pushed_value, "21.5", 4), 0);
	request = client_begin(2, "observe push");
	ctl_put_text(request, "path", "/own/x");
	ctl_put_text(request, "device", "pump-7");
	ctl_put_uint(request, "format", 0);
	memset(value, 'x', sizeof(value));
	ctl_put_bytes(request, "value", value, CTL_PUSH_MAX);
	client_send(client, NULL, 0);
	expect_end(2);
	cr_expect_str_eq(pushed.device, "pump-7");
	cr_expect_eq(pushed.format, 0);
	cr_expect_eq(pushed.len, CTL_PUSH_MAX);
	cr_expect_eq(memcmp(pushed_value, value, CTL_PUSH_MAX), 0);
	// Nothing is a value, too.
	request = client_begin(3, "observe push");
	ctl_put_text(request, "path", "/own/x");
	ctl_put_text(request, "type", "text/plain");
	ctl_put_bytes(request, "value", "", 0);
	client_send(client, NULL, 0);
	expect_end(3);
	cr_expect_str_eq(pushed.type, "text/plain");
	cr_expect_eq(pushed.len, 0);
	cr_expect(!pushed.gone && !pushed.max_age_s);
	request = client_begin(4, "observe push");
	ctl_put_text(request, "path", "/own/x");
	ctl_put_uint(request, "max_age", CTL_MAX_AGE_MAX);
	ctl_put_bool(request, "delete", false);
	ctl_put_bytes(request, "value", "x", 1);
	client_send(client, NULL, 0);
	expect_end(4);
	cr_expect(!pushed.gone);
	cr_expect_eq(pushed.max_age_s, CTL_MAX_AGE_MAX);
	request = client_begin(5, "observe push");
	ctl_put_text(request, "path", "/own/x");
	ctl_put_bool(request, "delete", true);
	client_send(client, NULL, 0);
	expect_end(5);
	cr_expect(pushed.gone);
	cr_expect_eq(pushed.len, 0);
}

Test(ctl_observe, what_is_pushed_badly_is_refused)
{
	for (unsigned i = 0; i < 9; i++) {
		struct ctl_writer *request = client_begin(i + 1, "observe push");

		if (i != 0)
			ctl_put_text(request, "path", i == 1 ? "set" : "/set");
		if (i != 2 && i != 8)
			ctl_put_bytes(request, "value", "x", 1);
		if (i == 3)
			ctl_put_uint(request, "format", 65535);
		if (i == 4) {
			ctl_put_uint(request, "format", 0);
			ctl_put_text(request, "type", "text/plain");
		}
		if (i == 5)
			ctl_put_uint(request, "max_age", 0);
		if (i == 6)
			ctl_put_uint(request, "max_age", CTL_MAX_AGE_MAX + UINT64_C(1));
		if (i >= 7)
			ctl_put_bool(request, "delete", true);
		if (i == 8)
			ctl_put_uint(request, "max_age", 1);
		client_send(client, NULL, 0);
		expect(i + 1, "bad-request");
	}
}
