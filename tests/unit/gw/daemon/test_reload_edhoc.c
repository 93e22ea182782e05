// SPDX-License-Identifier: BSD-3-Clause
// What a reload does with the files of EDHOC, step by step: who the gateway is. Threads of
// handshakes are the test's.

#include "tests/unit/gw/daemon/reload_bed.h"

#include <criterion/criterion.h>
#include <string.h>

static const char base[] = "ports: [{name: wan0, tap: dtap0, addresses: [192.0.2.1/24]}]\n"
			   "workers: {cores: [0], loops: 3}\n"
			   "upstreams: {up: {servers: [\"http://10.9.0.2:8080\"], timeout: 3s}}\n"
			   "routes: [{path: /t/*, to: up}]\n"
			   "edhoc: {identity: /etc/e, methods: [3]}\n";

static void file_change(const char *from, const char *to)
{
	file_write_changed(base, from, to);
}

static void set_up(void)
{
	reload_bed_make(base);
}

TestSuite(reload_edhoc, .init = set_up, .fini = reload_bed_free);

// Its places in the table and its threads are of the start.
Test(reload_edhoc, edhoc_begins_and_ends_at_a_start)
{
	file_change("identity: /etc/e, ", "");
	begin();
	cr_expect_eq(start_count, 0);
	expect_refused(CTL_NEEDS_START, "whether EDHOC is served");
	file_change("identity: /etc/e, ", "identity: [/etc/f, \"credential:edhoc\"], ");
	begin();
	cr_expect(was_told(told, told_count, "edhoc.identity[]"));
	cr_expect_eq(errors, 0);
	reload_stop(&gateway);
	snapshot_free(gateway.reload.next);
	gateway.reload.next = NULL;
}

// ---- who the gateway is for EDHOC

static void identity_go_on(void)
{
	begin();
	cr_assert_eq(errors, 0, "%s", error_text);
	loops_take((uint16_t)(gateway.snapshot->number + 1));
	reload_turn(&gateway);
}

// It is freed when no thread can have it any more, and the reload is over then.
Test(reload_edhoc, an_identity_stays_until_no_thread_uses_it)
{
	gateway.identity = identity_fake();
	file_change("identity: /etc/e", "identity: /etc/f");
	identity_go_on();
	cr_expect_eq(ends, 1);
	cr_expect_eq(identities, 2, "that of before is there");
	workers_left = true;
	reload_turn(&gateway);
	loops_settle();
	for (unsigned i = 0; i < 3; i++) {
		reload_turn(&gateway);
		cr_expect_eq(gateway.reload.phase, RELOAD_SETTLE);
		cr_expect_eq(identities, 2);
	}
	threads_left = true;
	reload_turn(&gateway);
	cr_expect_eq(gateway.reload.phase, RELOAD_IDLE);
	cr_expect_eq(identities, 1);
	cr_expect_eq(gateway.snapshot->conf->edhoc.offered_methods, FAKE_OFFERED);
	identity_free(gateway.identity);
}

// Nothing of what was prepared is left, whatever it is that fails.
Test(reload_edhoc, an_identity_that_cannot_be_read)
{
	struct identity *before = identity_fake();

	gateway.identity = before;
	identity_fails = true;
	file_change("identity: /etc/e", "identity: /etc/f");
	begin();
	expect_refused(CTL_BAD_CONFIG, "no identity");
	identity_fails = false;
	fails_in = 1;
	begin();
	expect_refused(CTL_BAD_CONFIG, "cannot");
	fails_in = -1;
	cr_expect_eq(gateway.identity, before);
	cr_expect_eq(identities, 1);
	cr_expect_eq(sets, 0, "of threads");
	identity_free(gateway.identity);
}

// A stop in the middle of it.
Test(reload_edhoc, an_identity_of_a_reload_that_is_not_over)
{
	gateway.identity = identity_fake();
	file_change("identity: /etc/e", "identity: /etc/f");
	begin();
	reload_stop(&gateway);
	reload_free(&gateway);
	cr_expect_eq(identities, 1);
	cr_expect_eq(sets, 0);
	snapshot_free(gateway.reload.next);
	gateway.reload = (struct reload){.phase = RELOAD_IDLE};
	identity_free(gateway.identity);
}
