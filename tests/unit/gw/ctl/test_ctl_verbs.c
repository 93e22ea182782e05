// SPDX-License-Identifier: BSD-3-Clause
// The verbs of the control socket, against a daemon that only writes down what it was asked.

#include "tests/unit/gw/ctl/one_client.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// What the daemon was asked.
static unsigned asked;
static struct import_options asked_options;
static char asked_text[16]; // in the file to import
static char asked_name[DEVICE_NAME_MAX + 1];
static unsigned asked_limit;

static const struct device_info stored = {
	.name = "pump-7",
	.alg = AEAD_AES_256_GCM,
	.has_id_context = true,
	.device_id_len = 2,
	.gateway_id_len = 1,
	.id_context_len = 0,
	.device_id = {0xab, 0x01},
	.gateway_id = {0x02},
	.created = 1790000000,
};

static struct ctl_device_info device = {
	.stored = &stored,
	.live = true,
	.state = CTL_DEVICE_REPLAY_LOCKED,
	.has_highest_piv = true,
	.highest_piv = 1099511627775,
	.worker = -1,
	.requests = 12,
};

static void fake_status(void *arg, struct ctl_request *req)
{
	static const char *const addresses[] = {"192.0.2.1/24", "2001:db8::1/64"};
	static const char *const alarms[] = {"the store is full"};
	struct ctl_port_status port = {.name = "lan",
		.kind = "tap",
		.device = "tap0",
		.link_up = true,
		.addresses = addresses,
		.address_count = 2,
		.coap = 5683};
	struct ctl_worker_status worker = {.core = 3,
		.busy_permille = 250,
		.devices = 7,
		.overload = "low",
		.answers_kept_ms = 61500};
	struct ctl_bodies_status bodies = {.bodies = 2, .bytes = 3000, .memory = 64000000};
	struct ctl_upstream_status upstream = {.name = "api", .servers = 2, .servers_up = 1};
	struct ctl_device_count count = {CTL_DEVICE_ACTIVE, 7};
	struct ctl_status status = {.state = "serving",
		.uptime_ms = 61000,
		.devices = 10,
		.devices_max = 100,
		.device_states = &count,
		.device_state_count = 1,
		.ports = &port,
		.port_count = 1,
		.workers = &worker,
		.worker_count = 1,
		.bodies = &bodies,
		.bodies_count = 1,
		.upstreams = &upstream,
		.upstream_count = 1,
		.alarms = alarms,
		.alarm_count = 1};

	ctl_reply_status(req, &status);
}

static void fake_stats(void *arg, struct ctl_request *req)
{
	static const uint64_t workers[] = {1, UINT64_MAX - 1};
	struct ctl_counter counter = {.name = "rx",
		.help = "packets",
		.total = UINT64_MAX,
		.workers = workers,
		.worker_count = 2};

	ctl_list_counter(req, &counter);
	ctl_request_end(req);
}

static void fake_import(
	void *arg, struct ctl_request *req, int fd, const struct import_options *options)
{
	struct import_progress progress = {.bytes = 10, .bytes_total = 20, .rows = 3};
	struct import_report report = {.rows = 9, .added = 4, .unchanged = 3, .replaced = 2};

	asked++;
	asked_options = *options;
	cr_assert(pread(fd, asked_text, sizeof(asked_text) - 1, 0) >= 0);
	close(fd);
	ctl_import_progress(req, &progress);
	if (strcmp(asked_text, "bad") == 0) {
		report.bad = report.named = 2;
		report.bad_row[0].line = 5;
		strcpy(report.bad_row[0].error.text, "device_id: too long");
		report.bad_row[1].line = 6;
	}
	ctl_reply_imported(req, &report);
}

static struct ctl_device_filter asked_filter;

static void fake_list(void *arg, struct ctl_request *req, const char *after, unsigned limit,
	const struct ctl_device_filter *filter)
{
	strcpy(asked_name, after);
	asked_limit = limit;
	asked_filter = *filter;
	for (unsigned i = 0; i < limit; i++)
		ctl_list_device(req, &device);
	ctl_request_end(req);
}

static void fake_show(void *arg, struct ctl_request *req, const char *name)
{
	ctl_reply_device(req, &device);
}

static void fake_remove(void *arg, struct ctl_request *req, const char *name)
{
	struct error error = {.text = "no device is called that"};

	strcpy(asked_name, name);
	if (strcmp(name, "pump-7") == 0)
		ctl_request_end(req);
	else
		ctl_reply_failed(req, -ENOENT, &error);
}

static void fake_shutdown(void *arg, struct ctl_request *req)
{
	asked++;
	ctl_request_end(req);
}

static struct ctl_drain asked_drain;

static void fake_drain(void *arg, struct ctl_request *req, const struct ctl_drain *drain)
{
	asked_drain = *drain;
	ctl_reply_drained(req, 7, 2);
}

static struct ctl_ops ops = {
	.drain = fake_drain,
	.undrain = fake_shutdown,
	.status = fake_status,
	.stats = fake_stats,
	.device_import = fake_import,
	.device_list = fake_list,
	.device_show = fake_show,
	.device_remove = fake_remove,
	.shutdown = fake_shutdown,
};

static void setup(void)
{
	one_client_begin(&ops);
}

TestSuite(ctl_verbs, .init = setup, .fini = one_client_end);

Test(ctl_verbs, hello)
{
	client_request(client, 1, "hello");
	expect(1, "ok");
	cr_expect(reply_text_is(&reply, "name", "postern"));
	cr_expect(reply_text_is(&reply, "version", POSTERN_VERSION));
	cr_expect(reply_text_is(&reply, "level", "admin"));
	cr_expect_eq(reply_uint(&reply, "protocol"), CTL_PROTOCOL);
	cr_expect(reply_has(&reply, "verbs") && reply_has(&reply, "features"));
}

Test(ctl_verbs, status)
{
	client_request(client, 1, "status");
	expect(1, "ok");
	cr_expect(reply_text_is(&reply, "state", "serving"));
	cr_expect_eq(reply_uint(&reply, "uptime_ms"), 61000);
	cr_expect_eq(reply_uint(&reply, "upstreams_left_out"), 0);
	for (size_t i = 0; i < 6; i++) {
		static const char *const keys[] = {
			"devices", "ports", "workers", "bodies", "upstreams", "alarms"};

		cr_expect(reply_has(&reply, keys[i]), "%s", keys[i]);
	}
}

// A gateway with more of everything than a status shows, and the longest names, still has one.
static void huge_status(void *arg, struct ctl_request *req)
{
	static char text[1001];
	static struct ctl_port_status ports[16];
	static struct ctl_worker_status workers[64];
	static struct ctl_bodies_status bodies[16];
	static struct ctl_upstream_status upstreams[1024];
	static const char *addresses[16], *alarms[100];
	struct ctl_status status = {.state = text,
		.ports = ports,
		.port_count = 16,
		.workers = workers,
		.worker_count = 64,
		.bodies = bodies,
		.bodies_count = 16,
		.upstreams = upstreams,
		.upstream_count = 1024,
		.alarms = alarms,
		.alarm_count = 100};

	memset(text, 'x', 1000);
	for (unsigned i = 0; i < 16; i++)
		addresses[i] = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff/128";
	for (unsigned i = 0; i < 16; i++)
		ports[i] = (struct ctl_port_status){text, text, text, true, addresses, 16, 65535};
	for (unsigned i = 0; i < 64; i++)
		workers[i] = (struct ctl_worker_status){
			1023, 1000, UINT32_MAX, UINT32_MAX, "none", UINT32_MAX};
	for (unsigned i = 0; i < 16; i++)
		bodies[i] = (struct ctl_bodies_status){UINT64_MAX, UINT64_MAX, UINT64_MAX};
	for (unsigned i = 0; i < 1024; i++)
		upstreams[i] = (struct ctl_upstream_status){
			text, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
	for (unsigned i = 0; i < 100; i++)
		alarms[i] = text;
	ctl_reply_status(req, &status);
}

Test(ctl_verbs, status_of_the_largest_gateway_fits)
{
	ops.status = huge_status;
	client_request(client, 1, "status");
	expect(1, "ok");
	cr_expect_eq(reply_uint(&reply, "upstreams_left_out"), 1024 - CTL_STATUS_UPSTREAMS_MAX);
}

Test(ctl_verbs, stats)
{
	client_request(client, 1, "stats");
	expect(1, "ok");
	cr_expect(reply_text_is(&reply, "name", "rx"));
	cr_expect_eq(reply_uint(&reply, "total"), UINT64_MAX);
	cr_expect(reply_text_is(&reply, "kind", "counter"));
	expect_end(1);
}

Test(ctl_verbs, arguments_that_are_not_known_are_refused)
{
	static const char *const without[] = {"hello", "status", "stats", "shutdown"};

	for (unsigned i = 0; i < 4; i++) {
		ctl_put_bool(client_begin(i + 1, without[i]), "x", true);
		client_send(client, NULL, 0);
		expect(i + 1, "bad-request");
	}
}

static int file_with(const char *text)
{
	char path[] = "/tmp/test_ctl.XXXXXX";
	int fd = mkstemp(path);

	cr_assert(fd >= 0 && unlink(path) == 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

Test(ctl_verbs, device_import)
{
	struct ctl_writer *request = client_begin(1, "device import");
	int file = file_with("good");
	unsigned before;

	ctl_put_text(request, "format", "csv");
	ctl_put_bool(request, "never_used", true);
	client_send(client, &file, 1);
	before = open_fds();
	expect(1, "ok");
	cr_expect(reply_text_is(&reply, "part", "progress"));
	cr_expect_eq(reply_uint(&reply, "bytes_total"), 20);
	expect(1, "ok");
	cr_expect(reply_text_is(&reply, "part", "result"));
	cr_expect_eq(reply_uint(&reply, "added"), 4);
	expect_end(1);
	cr_expect_str_eq(asked_text, "good");
	cr_expect(asked_options.format == IMPORT_CSV && asked_options.never_used);
	cr_expect_not(asked_options.replace);
	cr_expect_eq(open_fds(), before);
	close(file);
}

Test(ctl_verbs, device_import_names_bad_rows)
{
	int file = file_with("bad");

	client_begin(1, "device import");
	client_send(client, &file, 1);
	expect(1, "ok");
	cr_expect(reply_text_is(&reply, "part", "progress"));
	expect(1, "ok");
	cr_expect(reply_text_is(&reply, "part", "bad-row"));
	cr_expect_eq(reply_uint(&reply, "line"), 5);
	expect(1, "ok");
	cr_expect_eq(reply_uint(&reply, "line"), 6);
	expect(1, "bad-rows");
	cr_expect_eq(asked_options.format, IMPORT_AUTO);
	close(file);
}

Test(ctl_verbs, device_import_refuses_what_cannot_be_read)
{
	unsigned before;
	const int fds[] = {
		open("/dev/null", O_WRONLY | O_CLOEXEC),
		open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		open("/etc/passwd", O_PATH | O_CLOEXEC),
	};

	fixture_turn(&fixture);
	before = open_fds();
	for (unsigned i = 0; i < 3; i++) {
		client_begin(i + 1, "device import");
		client_send(client, &fds[i], 1);
		expect(i + 1, "bad-request");
		cr_expect_eq(open_fds(), before);
	}
	ctl_put_text(client_begin(4, "device import"), "format", "xml");
	client_send(client, &fds[0], 1);
	expect(4, "bad-request");
	client_request(client, 5, "device import");
	expect(5, "bad-request");
	cr_expect_eq(open_fds(), before);
	cr_expect_eq(asked, 0);
}

Test(ctl_verbs, device_list)
{
	struct ctl_writer *request = client_begin(1, "device list");

	ctl_put_text(request, "after", "pump-6");
	ctl_put_uint(request, "limit", 2);
	client_send(client, NULL, 0);
	for (unsigned i = 0; i < 2; i++) {
		expect(1, "ok");
		cr_expect(reply_text_is(&reply, "name", "pump-7"));
		cr_expect(reply_text_is(&reply, "state", "replay-locked"));
		cr_expect_not(reply_has(&reply, "reason"));
	}
	expect_end(1);
	cr_expect_str_eq(asked_name, "pump-6");

	client_request(client, 2, "device list");
	fixture_turn(&fixture);
	cr_expect_str_eq(asked_name, "");
	cr_expect_eq(asked_limit, CTL_LIST_MAX);
	for (unsigned i = 0; i < CTL_LIST_MAX; i++)
		expect(2, "ok");
	expect_end(2);
	for (unsigned limit = 0; limit <= CTL_LIST_MAX + 1; limit += CTL_LIST_MAX + 1) {
		ctl_put_uint(client_begin(3, "device list"), "limit", limit);
		client_send(client, NULL, 0);
		expect(3, "bad-request");
	}
}

Test(ctl_verbs, device_list_filters)
{
	static const struct {
		const char *state;
		struct ctl_device_filter filter;
	} rows[] = {
		{"window-unknown", {.by_state = true, .state = CTL_DEVICE_WINDOW_UNKNOWN}},
		{"limit-reached", {.by_state = true, .state = CTL_DEVICE_LIMIT_REACHED}},
		{"not-live", {.not_live = true}},
	};

	for (unsigned i = 0; i < 3; i++) {
		struct ctl_writer *request = client_begin(1, "device list");

		ctl_put_text(request, "state", rows[i].state);
		ctl_put_uint(request, "limit", 1);
		client_send(client, NULL, 0);
		expect(1, "ok");
		expect_end(1);
		cr_expect_eq(asked_filter.by_state, rows[i].filter.by_state);
		cr_expect_eq(asked_filter.state, rows[i].filter.state);
		cr_expect_eq(asked_filter.not_live, rows[i].filter.not_live);
		cr_expect(!asked_filter.limited && !asked_filter.idle_ms);
	}
	struct ctl_writer *request = client_begin(2, "device list");
	ctl_put_uint(request, "idle_ms", 86400000);
	ctl_put_bool(request, "limited", true);
	ctl_put_text(request, "policy", "meters");
	ctl_put_uint(request, "limit", 1);
	client_send(client, NULL, 0);
	expect(2, "ok");
	expect_end(2);
	cr_expect(asked_filter.limited && asked_filter.idle_ms == 86400000);
	cr_expect_str_eq(asked_filter.policy, "meters");
	ctl_put_text(client_begin(3, "device list"), "state", "tired");
	client_send(client, NULL, 0);
	expect(3, "bad-request");
}

Test(ctl_verbs, device_show)
{
	ctl_put_text(client_begin(1, "device show"), "name", "pump-7");
	client_send(client, NULL, 0);
	expect(1, "ok");
	cr_expect(reply_text_is(&reply, "algorithm", "A256GCM"));
	cr_expect(reply_bytes_are(&reply, "device_id", "\xab\x01", 2));
	cr_expect(reply_bytes_are(&reply, "id_context", "", 0));
	cr_expect_eq(reply_uint(&reply, "highest_piv"), 1099511627775);
	cr_expect(reply_has(&reply, "reason") && reply_has(&reply, "remedy"));
	cr_expect_not(reply_has(&reply, "own_piv") || reply_has(&reply, "worker"));
	cr_expect_not(reply_has(&reply, "last_seen_ms"));

	device.reason = "because";
	device.worker = 0;
	ctl_put_text(client_begin(2, "device show"), "name", "pump-7");
	client_send(client, NULL, 0);
	expect(2, "ok");
	cr_expect(reply_text_is(&reply, "reason", "because"));
	cr_expect_eq(reply_uint(&reply, "worker"), 0);

	device.live = false;
	ctl_put_text(client_begin(3, "device show"), "name", "pump-7");
	client_send(client, NULL, 0);
	expect(3, "ok");
	cr_expect(reply_text_is(&reply, "state", "not-live"));
	client_request(client, 4, "device show");
	expect(4, "bad-request");
}

Test(ctl_verbs, device_remove)
{
	ctl_put_text(client_begin(1, "device remove"), "name", "pump-7");
	client_send(client, NULL, 0);
	expect_end(1);
	ctl_put_text(client_begin(2, "device remove"), "name", "pump-8");
	client_send(client, NULL, 0);
	expect(2, "no-such-device");
	cr_expect(reply_text_is(&reply, "message", "no device is called that"));

	// A name with a 0 in it must not be taken for the part in front of it.
	static const uint8_t sneaky[] = "\x83\x03\x6d"
					"device remove\xa1\x64name\x68pump-7\0x";

	client_send_raw(client, sneaky, sizeof(sneaky) - 1, NULL, 0);
	expect(3, "bad-request");
}

Test(ctl_verbs, shutdown)
{
	client_request(client, 1, "shutdown");
	expect_end(1);
	cr_expect_eq(asked, 1);
}

Test(ctl_verbs, drain)
{
	client_request(client, 1, "drain");
	expect(1, "ok");
	cr_expect_eq(reply_uint(&reply, "under_way"), 7);
	cr_expect_eq(reply_uint(&reply, "left"), 2);
	cr_expect(asked_drain.timeout_s == 60 && asked_drain.return_s == 60 && !asked_drain.stop);
	struct ctl_writer *request = client_begin(2, "drain");
	ctl_put_uint(request, "timeout", 0);
	ctl_put_uint(request, "return", 86400);
	ctl_put_bool(request, "stop", true);
	client_send(client, NULL, 0);
	expect(2, "ok");
	cr_expect(asked_drain.timeout_s == 0 && asked_drain.return_s == 86400 && asked_drain.stop);
	ctl_put_uint(client_begin(3, "drain"), "return", 0);
	client_send(client, NULL, 0);
	expect(3, "bad-request");
	client_request(client, 4, "undrain");
	expect_end(4);
	cr_expect_eq(asked, 1);
}

Test(ctl_verbs, what_the_daemon_lacks_is_unsupported)
{
	static const char *const named[] = {"device show", "device remove", "upstream show"};
	static const char *const plain[] = {
		"status", "device list", "shutdown", "device add", "drain", "undrain"};
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ops = (struct ctl_ops){.status = NULL};
	for (unsigned i = 0; i < 6; i++) {
		client_request(client, 1, plain[i]);
		expect(1, "unsupported");
	}
	for (unsigned i = 0; i < 3; i++) {
		ctl_put_text(client_begin(1, named[i]), "name", "x");
		client_send(client, NULL, 0);
		expect(1, "unsupported");
	}
	client_begin(1, "device import");
	client_send(client, &file, 1);
	expect(1, "unsupported");
	close(file);
}

Test(ctl_verbs, errors_of_the_store_have_codes)
{
	static const struct {
		int ret;
		const char *code;
	} cases[] = {
		{-EINVAL, "bad-request"},
		{-EEXIST, "exists"},
		{-ENOTUNIQ, "keys-in-use"},
		{-EKEYREVOKED, "keys-used"},
		{-ERANGE, "piv-used-up"},
		{-EDQUOT, "full"},
		{-ENOENT, "no-such-device"},
		{-EBADMSG, "bad-rows"},
		{-ECANCELED, "canceled"},
		{-EAGAIN, "busy"},
		{-ENOSPC, "store-failed"},
		{-EROFS, "store-failed"},
		{-EIO, "store-failed"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(ctl_error_code(ctl_error_of_store(cases[i].ret)), cases[i].code);
}

// docs/control.cddl is the contract.
Test(ctl_verbs, schema_has_every_verb_code_and_state)
{
	static char schema[65536];
	FILE *file = fopen(DOCS "/control.cddl", "r");
	char quoted[64];

	cr_assert(file);
	cr_assert(fread(schema, 1, sizeof(schema) - 1, file) > 0);
	fclose(file);
	for (size_t i = 0; i < ctl_verb_count; i++) {
		snprintf(quoted, sizeof(quoted), "[ id, \"%s\", ", ctl_verbs[i].name);
		cr_expect(strstr(schema, quoted), "%s", ctl_verbs[i].name);
		cr_expect(strlen(ctl_verbs[i].help) > 0);
	}
	for (unsigned i = 0; i < CTL_ERROR_COUNT; i++) {
		snprintf(quoted, sizeof(quoted), "\"%s\"", ctl_error_code(i));
		cr_expect(strstr(schema, quoted), "%s", quoted);
	}
	for (unsigned i = 0; i < CTL_DEVICE_STATE_COUNT; i++) {
		snprintf(quoted, sizeof(quoted), "\"%s\"", ctl_device_state_name(i));
		cr_expect(strstr(schema, quoted), "%s", quoted);
	}
	for (unsigned i = 0; i < AEAD_ALG_COUNT; i++) {
		snprintf(quoted, sizeof(quoted), "\"%s\"", aead_algs[i].name);
		cr_expect(strstr(schema, quoted), "%s", quoted);
	}
}
