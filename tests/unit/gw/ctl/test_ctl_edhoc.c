// SPDX-License-Identifier: BSD-3-Clause
// The verbs about EDHOC.

#include "tests/unit/gw/ctl/one_client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct ctl_sessions asked;
static char ended_of[DEVICE_NAME_MAX + 1];
static unsigned identities;

static void fake_identity(void *arg, struct ctl_request *req)
{
	identities++;
	ctl_request_end(req);
}

static void fake_sessions(void *arg, struct ctl_request *req, const struct ctl_sessions *what)
{
	asked = *what;
	ctl_request_end(req);
}

static void fake_end(void *arg, struct ctl_request *req, const char *name)
{
	snprintf(ended_of, sizeof(ended_of), "%s", name);
	ctl_request_end(req);
}

static struct ctl_ops ops = {
	.edhoc_identity = fake_identity,
	.edhoc_sessions = fake_sessions,
	.edhoc_end = fake_end,
};

static void setup(void)
{
	one_client_begin(&ops);
}

TestSuite(ctl_edhoc, .init = setup, .fini = one_client_end);

Test(ctl_edhoc, they_are_asked_for_as_given)
{
	struct ctl_writer *request = client_begin(1, "edhoc sessions");

	client_send(client, NULL, 0);
	expect(1, "ok");
	cr_expect_str_eq(asked.device, "");
	cr_expect_eq(asked.after, 0);
	cr_expect_eq(asked.limit, CTL_LIST_MAX);
	request = client_begin(2, "edhoc sessions");
	ctl_put_text(request, "device", "pump-7");
	ctl_put_uint(request, "after", UINT32_MAX);
	ctl_put_uint(request, "limit", 5);
	client_send(client, NULL, 0);
	expect(2, "ok");
	cr_expect_str_eq(asked.device, "pump-7");
	cr_expect_eq(asked.after, UINT32_MAX);
	cr_expect_eq(asked.limit, 5);
	request = client_begin(3, "edhoc end");
	ctl_put_text(request, "device", "pump-7");
	client_send(client, NULL, 0);
	expect(3, "ok");
	cr_expect_str_eq(ended_of, "pump-7");
	(void)client_begin(4, "edhoc identity");
	client_send(client, NULL, 0);
	expect(4, "ok");
	cr_expect_eq(identities, 1);
}

Test(ctl_edhoc, what_has_not_the_form_is_refused)
{
	struct ctl_writer *request = client_begin(1, "edhoc sessions");

	ctl_put_uint(request, "limit", CTL_LIST_MAX + 1);
	client_send(client, NULL, 0);
	expect(1, "bad-request");
	request = client_begin(2, "edhoc sessions");
	ctl_put_uint(request, "after", UINT64_C(1) << 32);
	client_send(client, NULL, 0);
	expect(2, "bad-request");
	(void)client_begin(3, "edhoc end");
	client_send(client, NULL, 0);
	expect(3, "bad-request");
	request = client_begin(4, "edhoc identity");
	ctl_put_text(request, "device", "pump-7");
	client_send(client, NULL, 0);
	expect(4, "bad-request");
	cr_expect_eq(identities, 0);
	cr_expect_str_eq(ended_of, "");
}
