// SPDX-License-Identifier: BSD-3-Clause
// posternctl as users and scripts see it: the built program against a server whose daemon is a
// fake, its output and its exit codes.

#include "gw/ctl/verbs.h"
#include "gw/tools/ctl/commands.h"
#include "tests/unit/gw/ctl/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 12
#define DEVICES  300 // more than one page
#define ADD_ONE                                                        \
	"{\"name\":\"pump\",\"device_id\":\"0a\",\"gateway_id\":\"\"," \
	"\"master_secret\":\"0102030405060708090a0b0c0d0e0f10\",\"never_used\":true}"

static struct fixture fixture;

// What the daemon was asked.
static struct device_spec asked_spec;
static bool asked_replace;
static struct import_options asked_options;
static char asked_text[32];
static char asked_name[DEVICE_NAME_MAX + 1];

static void fake_status(void *arg, struct ctl_request *req)
{
	static const char *const addresses[] = {"192.0.2.1/24", "2001:db8::1/64"};
	static const char *const alarms[] = {"red \x1b[31m alert"};
	struct ctl_port_status port = {"lan", "tap", "tap0", true, addresses, 2, 5683};
	struct ctl_worker_status worker = {3, 253, 7, 1, "none", 262143};
	struct ctl_bodies_status bodies = {2, 16000000, 64000000};
	struct ctl_upstream_status upstream = {"api", 2, 1, 5, 0};
	struct ctl_device_count count = {CTL_DEVICE_ACTIVE, 7};
	struct ctl_status status = {"serving", 61000, 10, 100, &count, 1, &port, 1, &worker, 1,
		&bodies, 1, &upstream, 1, alarms, 1};

	ctl_reply_status(req, &status);
}

static void fake_stats(void *arg, struct ctl_request *req)
{
	static const uint64_t workers[] = {1, 2};
	struct ctl_counter full = {"rx.packets", "packets received", NULL, false, 3, workers, 2};
	struct ctl_counter zero = {"rx.lost", "packets lost", NULL, false, 0, NULL, 0};

	ctl_list_counter(req, &full);
	ctl_list_counter(req, &zero);
	ctl_request_end(req);
}

static void fake_add(
	void *arg, struct ctl_request *req, const struct device_spec *spec, bool replace)
{
	asked_spec = *spec;
	asked_replace = replace;
	ctl_reply_added(req, DEVICE_ADDED, spec->name);
}

static void fake_import(
	void *arg, struct ctl_request *req, int fd, const struct import_options *options)
{
	struct import_report report = {
		.rows = 9, .added = 4, .unchanged = 2, .replaced = 2, .changed = 1};
	struct import_progress progress = {.bytes = 1, .bytes_total = 2};
	ssize_t n = read(fd, asked_text, sizeof(asked_text) - 1);

	cr_assert(n >= 0);
	close(fd);
	asked_text[n] = 0;
	asked_options = *options;
	ctl_import_progress(req, &progress);
	if (strcmp(asked_text, "bad") == 0) {
		report.bad = report.named = 1;
		report.bad_row[0].line = 5;
		strcpy(report.bad_row[0].error.text, "device_id: too long");
	}
	ctl_reply_imported(req, &report);
}

static void fake_list(void *arg, struct ctl_request *req, const char *after, unsigned limit,
	const struct ctl_device_filter *filter)
{
	unsigned first = after[0] ? atoi(after + 1) + 1 : 0;

	for (unsigned i = first; i < DEVICES && i < first + limit; i++) {
		struct device_info stored = {.device_id_len = 1, .device_id = {i & 0xff}};
		struct ctl_device_info device = {
			.stored = &stored, .live = true, .state = CTL_DEVICE_ACTIVE, .worker = -1};

		snprintf(stored.name, sizeof(stored.name), "d%04u", i);
		ctl_list_device(req, &device);
	}
	ctl_request_end(req);
}

static void fake_show(void *arg, struct ctl_request *req, const char *name)
{
	struct device_info stored = {
		.device_id_len = 1, .device_id = {0xab}, .settings.note = "roof"};
	struct ctl_device_info device = {.stored = &stored,
		.live = true,
		.state = CTL_DEVICE_REPLAY_LOCKED,
		.worker = 2,
		.seen = true,
		.last_seen_ms = 1500};
	struct error error = {.text = "no device is called that"};

	strcpy(stored.name, name);
	if (strcmp(name, "lost") == 0)
		ctl_reply_failed(req, -ENOENT, &error);
	else
		ctl_reply_device(req, &device);
}

static void fake_remove(void *arg, struct ctl_request *req, const char *name)
{
	strcpy(asked_name, name);
	ctl_request_end(req);
}

static bool stop;

static void fake_shutdown(void *arg, struct ctl_request *req)
{
	stop = true;
	ctl_request_end(req);
}

static const struct ctl_ops ops = {
	.status = fake_status,
	.stats = fake_stats,
	.device_add = fake_add,
	.device_import = fake_import,
	.device_list = fake_list,
	.device_show = fake_show,
	.device_remove = fake_remove,
	.shutdown = fake_shutdown,
};

static void setup(void)
{
	fixture_init(&fixture, ctl_verbs, ctl_verb_count, (void *)&ops);
	fixture_start(&fixture);
	setenv("POSTERN_SOCKET", fixture.path, 1);
}

static void teardown(void)
{
	fixture_stop(&fixture);
}

TestSuite(ctl_cli, .init = setup, .fini = teardown);

// A file without a name that holds a text.
static int file_with(const char *text)
{
	char path[] = "/tmp/test_ctl.XXXXXX";
	int fd = mkstemp(path);

	cr_assert(fd >= 0 && unlink(path) == 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static char out[131072], err[8192]; // of the program
static bool deaf;                   // the daemon is stopped

static void file_take(int fd, char *text, size_t room)
{
	ssize_t n = pread(fd, text, room - 1, 0);

	cr_assert(n >= 0);
	text[n] = 0;
	close(fd);
}

// Runs posternctl with these arguments, ended by NULL. Returns its exit code.
static int run(const char *input, ...)
{
	char *args[ARGS_MAX] = {POSTERNCTL};
	int in = file_with(input), to_out = file_with(""), to_err = file_with(""), status;
	struct pollfd ready[2];
	unsigned count = 1;
	va_list list;
	pid_t child;

	va_start(list, input);
	while ((args[count] = va_arg(list, char *)))
		cr_assert_lt(++count, ARGS_MAX);
	va_end(list);
	child = fork();
	cr_assert(child >= 0);
	if (child == 0) {
		dup2(in, 0);
		dup2(to_out, 1);
		dup2(to_err, 2);
		execv(args[0], args);
		_exit(127);
	}
	ready[0] = (struct pollfd){.fd = -1, .events = POLLIN};
	ready[1] = (struct pollfd){.fd = pidfd_open(child, 0), .events = POLLIN};
	do {
		if (fixture.server && !deaf)
			ctl_server_poll(fixture.server);
		if (stop) {
			ctl_server_free(fixture.server);
			fixture.server = NULL;
		}
		ready[0].fd = fixture.server && !deaf ? ctl_server_fd(fixture.server) : -1;
		cr_assert_gt(poll(ready, 2, 60000), 0, "posternctl hangs");
	} while (!ready[1].revents);
	close(ready[1].fd);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
	close(in);
	file_take(to_out, out, sizeof(out));
	file_take(to_err, err, sizeof(err));
	return WEXITSTATUS(status);
}

static bool says(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

// The output as JSON, which the caller frees.
static json_t *json_of_out(void)
{
	json_error_t error;
	json_t *json = json_loads(out, 0, &error);

	cr_assert(json, "%s in %s", error.text, out);
	return json;
}

static bool json_text_is(const json_t *json, const char *key, const char *text)
{
	const char *value = json_string_value(json_object_get(json, key));

	return value && strcmp(value, text) == 0;
}

Test(ctl_cli, status)
{
	cr_expect_eq(run("", "status", NULL), 0, "%s", err);
	cr_expect(says(out, "serving for 61 s"), "%s", out);
	cr_expect(says(out, "devices: 10 of at most 100: 7 active\n"), "%s", out);
	cr_expect(says(out, "lan   tap   tap0    up    5683  192.0.2.1/24 2001:db8::1/64\n"), "%s",
		out);
	cr_expect(says(out, "25.3 %"), "%s", out);
	cr_expect(says(out, "api              1/2          5       0\n"), "%s", out);
	cr_expect(says(out, "          0       2  16000000  64000000  25.0 %\n"), "%s", out);
	cr_expect_not(strchr(out, '\x1b'), "nothing that a terminal acts on");
	cr_expect(says(out, "red ?[31m alert\n"), "%s", out);
}

Test(ctl_cli, json_is_what_the_socket_said)
{
	json_t *json, *devices;

	cr_expect_eq(run("", "--json", "status", NULL), 0);
	json = json_of_out();
	cr_expect(json_text_is(json, "state", "serving"));
	devices = json_object_get(json, "devices");
	cr_expect_eq(json_integer_value(json_object_get(devices, "total")), 10);
	json_decref(json);

	cr_expect_eq(run("", "device", "show", "pump", "--json", NULL), 0);
	json = json_of_out();
	cr_expect(json_text_is(json, "device_id", "ab"));
	cr_expect(json_text_is(json, "note", "roof"));
	cr_expect(json_text_is(json, "gateway_id", ""));
	json_decref(json);

	cr_expect_eq(run("", "device", "list", "--json", NULL), 0);
	json = json_of_out();
	cr_expect_eq(json_array_size(json), DEVICES, "one array over all pages");
	json_decref(json);

	cr_expect_eq(run("", "device", "list", "--after", "d9999", "-j", NULL), 0);
	cr_expect_str_eq(out, "[]\n");

	cr_expect_eq(run("", "device", "show", "lost", "--json", NULL), 1);
	json = json_of_out();
	cr_expect(json_text_is(json, "error", "no-such-device"));
	json_decref(json);
}

Test(ctl_cli, stats)
{
	cr_expect_eq(run("", "stats", NULL), 0);
	cr_expect(says(out, "rx.packets"), "%s", out);
	cr_expect(says(out, "packets received\n"));
	cr_expect_not(says(out, "rx.lost"), "zeros are left out");
	cr_expect_eq(run("", "stats", "--all", NULL), 0);
	cr_expect(says(out, "rx.lost"));
	cr_expect_eq(run("", "stats", "--worker", "1", NULL), 0);
	cr_expect(says(out, "rx.packets      2  -"), "%s", out);
	cr_expect_not(says(out, "ctl."), "which no worker counts");
	cr_expect_eq(run("", "stats", "--worker", "2", NULL), 1);
	cr_expect(says(err, "no worker 2"), "%s", err);
}

Test(ctl_cli, device_add_reads_a_file_or_standard_input)
{
	char path[] = "/tmp/test_ctl.XXXXXX";
	int fd = mkstemp(path);

	cr_expect_eq(run(ADD_ONE, "device", "add", "-", NULL), 0, "%s", err);
	cr_expect_str_eq(out, "pump: added\n");
	cr_expect_str_eq(asked_spec.name, "pump");
	cr_expect(asked_spec.never_used && !asked_replace);
	cr_expect_eq(asked_spec.params.recipient_id[0], 0x0a);
	cr_expect_eq(asked_spec.params.sender_id_len, 0);
	cr_expect(asked_spec.params.secret_len == 16 && asked_spec.params.secret[15] == 0x10);
	cr_expect_not(asked_spec.params.has_id_context);

	cr_assert_gt(dprintf(fd,
			     "[{\"device_id\":\"\",\"gateway_id\":\"01\",\"algorithm\":30,"
			     "\"master_secret\":\"01\",\"master_salt\":\"02\","
			     "\"id_context\":\"\",\"gateway_seq\":77}]\n"),
		0);
	cr_expect_eq(run("", "device", "add", "--replace", path, NULL), 0, "%s", err);
	cr_expect(asked_spec.has_gateway_seq && asked_spec.gateway_seq == 77 && asked_replace);
	cr_expect_eq(asked_spec.params.alg, AEAD_AES_CCM_16_128_128);
	cr_expect(asked_spec.params.has_id_context && asked_spec.params.id_context_len == 0);
	cr_expect_eq(asked_spec.params.salt_len, 1);
	close(fd);
	unlink(path);
}

// Options for settings count before what the file says.
Test(ctl_cli, device_add_takes_settings_as_options)
{
	cr_expect_eq(run(ADD_ONE, "device", "add", "--recovery", "floor", "--max-message", "1038",
			     "-", NULL),
		0, "%s", err);
	cr_expect(asked_spec.has_recovery && asked_spec.recovery == DEVICE_FLOOR);
	cr_expect_eq(asked_spec.settings.max_message, 1038);
	cr_expect_eq(run(ADD_ONE, "device", "add", "--note", "roof \u2014 S\u00fcd", "-", NULL), 0,
		"%s", err);
	cr_expect_str_eq(asked_spec.settings.note, "roof \u2014 S\u00fcd");
	cr_expect_eq(run(ADD_ONE, "device", "add", "--note", "two\nlines", "-", NULL), 1);
	cr_expect(says(err, "note: at most 64 characters"), "%s", err);
	cr_expect_eq(run(ADD_ONE, "device", "add", "--max-message", "1", "-", NULL), 1);
	cr_expect(says(err, "max_message: from 64 to 9216"), "%s", err);
	cr_expect_eq(run("", "device", "show", "--recovery", "floor", "pump", NULL), 2);
}

// Its output is a pipe in this test.
Test(ctl_cli, device_convert_shows_no_secret_to_others)
{
	static const char conf[] = "master_secret,hex,01\nsender_id,hex,0a\nrecipient_id,hex,01\n";
	char directory[] = "/tmp/test_ctl.XXXXXX", path[64];
	struct stat st;

	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/made", directory);
	cr_expect_eq(run(conf, "device", "convert", "--from", "libcoap", "--out", path, "-", NULL),
		0, "%s", err);
	cr_expect(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	cr_expect_null(strstr(out, "master_secret"));
	cr_expect_eq(run("", "device", "add", "--never-used", path, NULL), 0, "%s", err);
	cr_expect_eq(asked_spec.params.recipient_id[0], 0x0a);
	cr_expect_eq(run(conf, "device", "convert", "--from", "libcoap", "--out", path, "-", NULL),
		1, "it is there");
	cr_expect_eq(unlink(path), 0);
	cr_expect_eq(
		run("5ecre7", "device", "convert", "--from", "libcoap", "--out", path, "-", NULL),
		1);
	cr_expect(says(err, "line 1: "), "%s", err);
	cr_expect_not(says(err, "5ecre7"), "%s", err);
	cr_expect_neq(stat(path, &st), 0, "nothing is made");
	cr_expect_eq(run(conf, "device", "convert", "--from", "us", "-", NULL), 2);
	cr_expect_eq(run(conf, "device", "convert", "-", NULL), 2);
	rmdir(directory);
}

Test(ctl_cli, device_add_refuses_what_is_not_one_device)
{
	static const struct {
		const char *input, *complaint;
	} cases[] = {
		{"", "empty"},
		{"[]", "no device"},
		{"{", "-: "},
		{ADD_ONE ADD_ONE, "more than one device"},
		{"{\"device_id\":\"0a\",\"gateway_id\":\"\",\"master_secret\":\"01\"}",
			"where the keys have been"},
		{"{\"device_id\":\"0a\",\"master_secret\":\"01\"}", "gateway_id"},
		{"{\"device_id\":\"0a\",\"gateway_id\":\"\",\"master_secret\":\"5ecre7\"}",
			"master_secret"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(run(cases[i].input, "device", "add", "-", NULL), 1);
		cr_expect(says(err, cases[i].complaint), "%s: %s", cases[i].input, err);
		cr_expect_not(says(err, "5ecre7"), "a secret in a complaint");
	}
	cr_expect_eq(run("", "device", "add", "/no/such/file", NULL), 1);
	cr_expect_eq(fixture_stats(&fixture).requests, 0);
}

// What the daemon refuses has a code, which scripts read from the JSON.
Test(ctl_cli, device_add_shows_why_the_daemon_refuses)
{
	static const struct {
		const char *input, *code;
	} cases[] = {
		{"{\"device_id\":\"0a\",\"gateway_id\":\"\",\"master_secret\":\"01\","
		 "\"gateway_seq\":549755813888}",
			"{\"error\":\"piv-used-up\","},
		{"{\"device_id\":\"0a\",\"gateway_id\":\"0a\",\"master_secret\":\"01\","
		 "\"never_used\":true}",
			"{\"error\":\"bad-request\","},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(run(cases[i].input, "--json", "device", "add", "-", NULL), 1);
		cr_expect(says(out, cases[i].code), "%s", out);
	}
}

Test(ctl_cli, device_import_hands_its_file_over)
{
	cr_expect_eq(run("good", "device", "import", "-", "--format", "csv", NULL), 0, "%s", err);
	cr_expect_str_eq(asked_text, "good");
	cr_expect(asked_options.format == IMPORT_CSV && !asked_options.never_used);
	cr_expect_str_eq(out,
		"9 rows: 4 devices added, 2 replaced, 1 changed, 2 were there already\n", "%s",
		out);
	cr_expect_str_eq(err, "", "no progress line where no terminal is");
	cr_expect_eq(run("bad", "device", "import", "--never-used", "-", NULL), 1);
	cr_expect(asked_options.format == IMPORT_AUTO && asked_options.never_used);
	cr_expect(says(err, "-:5: device_id: too long\n"), "%s", err);
	cr_expect(says(err, "nothing was imported (bad-rows)"), "%s", err);
}

Test(ctl_cli, device_list_pages)
{
	unsigned lines = 0;

	cr_expect_eq(run("", "device", "list", NULL), 0, "%s", err);
	for (const char *c = out; *c; c++)
		lines += *c == '\n';
	cr_expect_eq(lines, DEVICES + 1, "one line of titles");
	cr_expect_eq(run("", "device", "list", "--limit", "2", "--after", "d0280", NULL), 0);
	cr_expect(says(out, "d0281 ") && says(out, "d0282 ") && !says(out, "d0283 "), "%s", out);
	cr_expect_eq(run("", "device", "list", "--limit", "0", NULL), 2);
}

Test(ctl_cli, device_show_and_remove)
{
	cr_expect_eq(run("", "device", "show", "pump", NULL), 0);
	cr_expect(says(out, "replay-locked") && says(out, "because") && says(out, "remedy"));
	cr_expect(says(out, "1.5 s ago"), "%s", out);
	cr_expect(says(out, "note           roof\n"), "%s", out);
	cr_expect_eq(run("", "device", "show", "lost", NULL), 1);
	cr_expect_str_eq(err, "posternctl: no device is called that (no-such-device)\n");
	cr_expect_eq(run("", "device", "remove", "pump", NULL), 0);
	cr_expect_str_eq(asked_name, "pump");
	cr_expect_str_eq(out, "pump: removed\n");
}

Test(ctl_cli, shutdown_waits_until_the_daemon_has_gone)
{
	cr_expect_eq(run("", "shutdown", NULL), 0);
	cr_expect(stop);
	cr_expect_null(fixture.server);
	cr_expect_eq(run("", "shutdown", NULL), 3);
}

Test(ctl_cli, daemon_that_does_not_answer_is_an_error)
{
	static const char *const commands[] = {"status", "stats", "events"};

	deaf = true;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		cr_expect_eq(run("", "--timeout", "1", commands[i], NULL), 3, "%s", commands[i]);
		cr_expect(says(err, "postern did not answer for 1 s"), "%s", err);
	}
	deaf = false;
	cr_expect_eq(run("", "--timeout", "0", "status", NULL), 0);
	cr_expect_eq(run("", "--timeout", "86400", "status", NULL), 0);
	cr_expect_eq(run("", "--timeout", "86401", "status", NULL), 2);
	cr_expect_eq(run("", "--timeout", "soon", "status", NULL), 2);
}

Test(ctl_cli, exit_codes)
{
	cr_expect_eq(run("", NULL), 2);
	cr_expect_eq(run("", "fly", NULL), 2);
	cr_expect_eq(run("", "device", NULL), 2);
	cr_expect_eq(run("", "device", "show", NULL), 2);
	cr_expect_eq(run("", "status", "more", NULL), 2);
	cr_expect_eq(run("", "status", "--all", NULL), 2);
	cr_expect_eq(run("", "status", "--bogus", NULL), 2);
	cr_expect_eq(run("", "stats", "--worker", "-1", NULL), 2);
	cr_expect_eq(run("", "--socket", "/no/such/socket", "status", NULL), 3);
	cr_expect(says(err, "postern does not run"), "%s", err);
	cr_expect_eq(run("", "--version", NULL), 0);
	cr_expect_eq(run("", "--help", NULL), 0);
	cr_expect_eq(run("", "device", "add", "--help", NULL), 0);
	cr_expect(says(out, "master_secret"));
	cr_expect_eq(run("", "check", "/no/such/file", NULL), 1);
}

Test(ctl_cli, output_that_cannot_be_written_is_no_success)
{
	char command[256];

	snprintf(command, sizeof(command), "%s --help > /dev/full 2> /dev/null", POSTERNCTL);
	cr_expect_neq(system(command), 0);
}

Test(ctl_cli, check_and_key_create_need_no_daemon)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/key", fixture.directory);
	cr_expect_eq(run("", "--socket", "/no", "key", "create", path, NULL), 0, "%s", err);
	cr_expect(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	cr_expect_eq(run("", "key", "create", path, NULL), 1, "never overwritten");
	unlink(path);
	snprintf(path, sizeof(path), "%s/postern.yaml", fixture.directory);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	cr_expect_eq(run("", "check", path, NULL), 1);
	unlink(path);
	cr_expect_eq(run("", "check", "--no-files", DOCS "/example.yaml", NULL), 0, "%s", err);
	cr_expect_str_eq(out, DOCS "/example.yaml: ok\n");
}

Test(ctl_cli, every_verb_is_a_command)
{
	for (size_t i = 0; i < ctl_verb_count; i++) {
		bool found = strcmp(ctl_verbs[i].name, "hello") == 0; // for programs only

		// Or several commands are: "trace device" and "trace source".
		for (unsigned c = 0; c < cli_command_count; c++) {
			const char *name = cli_commands[c].name;
			const size_t len = strlen(ctl_verbs[i].name);

			found |= strncmp(ctl_verbs[i].name, name, len) == 0 &&
				(name[len] == 0 || name[len] == ' ');
		}
		cr_expect(found, "%s", ctl_verbs[i].name);
	}
}
