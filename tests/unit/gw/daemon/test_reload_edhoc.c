// SPDX-License-Identifier: BSD-3-Clause
// What a reload does with the files of EDHOC, step by step: who the gateway is. Threads of
// handshakes are the test's.

#include "tests/unit/gw/daemon/reload_bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

// ---- what was revoked

#define LINES 400000 // some turns' worth

static const uint8_t item[] = "a credential";
static char list[sizeof(path) + 8];
static unsigned gone;

static void on_gone(void *arg, uint64_t id)
{
	gone++;
	credentials_drop(gateway.credentials, id);
}

// A credential is in use.
static void revoked_set_up(void)
{
	const struct device_settings settings = {.max_message = 500};
	const struct credential_row row = {
		.id = 1, .name = "d", .settings = &settings, .item = {item, sizeof(item)}};
	struct credential_owner owner = {.id = 1};

	reload_bed_make(base);
	snprintf(list, sizeof(list), "%s.revoked", path);
	gateway.identity = identity_fake();
	gateway.credentials = credentials_create();
	cr_assert_not_null(gateway.credentials);
	credentials_watch(gateway.credentials, &(struct credentials_watch){.gone = on_gone});
	cr_assert_eq(credentials_put(gateway.credentials, &row), 0);
	cr_assert_eq(credentials_hold(gateway.credentials, &owner), 0);
}

static void revoked_tear_down(void)
{
	identity_free(gateway.identity);
	credentials_free(gateway.credentials);
	unlink(list);
	reload_bed_free();
}

TestSuite(reload_revoked, .init = revoked_set_up, .fini = revoked_tear_down);

// A list of many that ends with these lines, and a configuration that has it.
static void list_write(const char *last)
{
	FILE *file = fopen(list, "w");
	char text[2 * sizeof(list)];

	cr_assert_not_null(file);
	for (unsigned i = 0; i < LINES; i++)
		fprintf(file, "serial %08x\n", 0x01000000 + i);
	fputs(last, file);
	cr_assert_eq(fclose(file), 0);
	snprintf(text, sizeof(text), "edhoc: {revoked: %s, ", list);
	file_change("edhoc: {", text);
}

static void list_write_item(void)
{
	uint8_t digest[EDHOC_HASH_LEN];
	char line[128], *at = line;

	edhoc_hash(digest, &(const struct edhoc_bytes){item, sizeof(item)}, 1);
	at += sprintf(at, "sha256 ");
	for (unsigned i = 0; i < sizeof(digest); i++)
		at += sprintf(at, "%02x", digest[i]);
	list_write(line);
}

// Whether the credential may be used.
static bool item_passes(void)
{
	struct credential_owner owner = {.id = 1};

	edhoc_hash(owner.mark.digest, &(const struct edhoc_bytes){item, sizeof(item)}, 1);
	if (credentials_hold(gateway.credentials, &owner))
		return false;
	credentials_drop(gateway.credentials, 1);
	return true;
}

// Reads to the end. Returns how many turns that took.
static unsigned list_read(void)
{
	unsigned turns = 0;

	for (; gateway.reload.phase == RELOAD_READS; turns++)
		cr_expect_not(reload_turn(&gateway) != (gateway.reload.phase != RELOAD_IDLE),
			"main comes again soon");
	return turns;
}

static void reload_finish(void)
{
	loops_take((uint16_t)(gateway.snapshot->number + 1));
	reload_turn(&gateway);
	workers_left = threads_left = true;
	reload_turn(&gateway);
	loops_settle();
	reload_turn(&gateway);
	cr_expect_eq(gateway.reload.phase, RELOAD_IDLE);
}

// Nothing of it counts before all of it was read, and all of it counts at once then.
Test(reload_revoked, a_list_is_read_in_slices_and_counts_as_a_whole)
{
	list_write_item();
	begin();
	cr_expect_eq(gateway.reload.phase, RELOAD_READS);
	reload_begin(&gateway, REQUEST, false);
	cr_expect_eq(errors, 1);
	cr_expect_eq(error_code, CTL_BUSY);
	cr_expect(item_passes());
	cr_expect_geq(list_read(), 3);
	cr_expect_eq(gateway.reload.phase, RELOAD_LOOPS);
	cr_expect(item_passes());
	cr_expect_eq(ends, 0);
	reload_finish();
	cr_expect_not(item_passes());
	cr_expect_eq(gone, 1, "what is in use ends");
	cr_expect_eq(ends, 1, "then who asked is told");
	cr_expect_eq(errors, 1);
}

Test(reload_revoked, a_mistake_leaves_the_list_of_before)
{
	list_write_item();
	begin();
	list_read();
	reload_finish();
	list_write("serial\n");
	begin();
	list_read();
	cr_expect_eq(gateway.reload.phase, RELOAD_IDLE);
	cr_expect_eq(errors, 1);
	cr_expect_eq(ends, 0);
	cr_expect_eq(error_code, CTL_BAD_CONFIG);
	cr_expect_not_null(strstr(error_text, "line 400001: "), "%s", error_text);
	cr_expect_not(item_passes());
	unlink(list);
	begin();
	cr_expect_eq(error_code, CTL_BAD_CONFIG);
	cr_expect_eq(gateway.reload.phase, RELOAD_IDLE);
	cr_expect_not(item_passes());
	cr_expect_eq(gateway.snapshot->number, 2);
}

Test(reload_revoked, one_that_changes_while_it_is_read_may_be_tried_again)
{
	list_write_item();
	begin();
	cr_assert_eq(truncate(list, 100), 0);
	list_read();
	expect_refused(CTL_BUSY, "changes while it is read");
	cr_expect(item_passes());
}

Test(reload_revoked, a_signal_while_it_is_read_is_obeyed_afterwards)
{
	list_write("serial\n");
	begin();
	reload_begin(&gateway, NULL, false);
	cr_expect_eq(errors, 0);
	list_write_item();
	while (!errors)
		reload_turn(&gateway);
	cr_expect_eq(gateway.reload.phase, RELOAD_READS, "the next one has begun");
	list_read();
	cr_expect_eq(gateway.reload.phase, RELOAD_LOOPS);
	reload_finish();
	cr_expect_not(item_passes());
}

Test(reload_revoked, a_dry_run_reads_it_and_changes_nothing)
{
	list_write_item();
	reload_begin(&gateway, REQUEST, true);
	cr_expect_eq(ends, 0);
	list_read();
	cr_expect_eq(ends, 1);
	cr_expect_eq(gateway.reload.phase, RELOAD_IDLE);
	cr_expect_eq(prepared, 0);
	cr_expect(item_passes());
	list_write("x\n");
	ends = 0;
	reload_begin(&gateway, REQUEST, true);
	list_read();
	expect_refused(CTL_BAD_CONFIG, "line 400001: neither sha256 nor serial");
}

Test(reload_revoked, a_stop_while_it_is_read)
{
	list_write_item();
	begin();
	reload_turn(&gateway);
	reload_stop(&gateway);
	cr_expect_eq(errors, 1);
	cr_expect_eq(error_code, CTL_STOPPING);
	cr_expect_null(gateway.reload.file);
	gateway.reload.phase = RELOAD_IDLE;
}
