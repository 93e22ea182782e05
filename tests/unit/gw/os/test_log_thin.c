// SPDX-License-Identifier: BSD-3-Clause
// Lines that repeat, too many of a kind, and how a line looks as text, as JSON and in fields.

#include "gw/os/log_form.h"
#include "gw/os/log_out.h"
#include "gw/os/log_thin.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char said[4096];
static struct log_thin thin;
static uint64_t now_ms = 1000;

static void write_said(enum conf_log_level level, const char *text, size_t len)
{
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%d %.*s\n", level, (int)len,
		text);
}

static bool take(const void *kind, enum conf_log_level level, const char *text)
{
	return log_thin_take(&thin, kind, level, text, strlen(text), now_ms, write_said);
}

static void expect_said(const char *want)
{
	cr_expect_str_eq(said, want);
	said[0] = 0;
}

Test(log_thin, a_line_that_repeats_is_counted)
{
	cr_expect(take("k", CONF_LOG_NOTICE, "same"));
	for (unsigned i = 0; i < 214; i++)
		cr_expect_not(take("k", CONF_LOG_NOTICE, "same"));
	expect_said("");
	cr_expect(take("k", CONF_LOG_NOTICE, "other"));
	expect_said("5 the last line was repeated 214 times\n");
	cr_expect(take("k", CONF_LOG_NOTICE, "same"));
	cr_expect(take("k", CONF_LOG_ERROR, "same"), "another level is another line");
	cr_expect(take("k", CONF_LOG_ERROR, "same, and more"));
	expect_said("");
}

Test(log_thin, it_is_said_after_a_while_without_another_line)
{
	cr_expect_eq(log_thin_next_ms(&thin), UINT64_MAX);
	cr_expect(take("k", CONF_LOG_NOTICE, "same"));
	cr_expect_not(take("k", CONF_LOG_NOTICE, "same"));
	cr_expect_eq(log_thin_next_ms(&thin), now_ms + LOG_THIN_MS);
	log_thin_turn(&thin, now_ms + LOG_THIN_MS - 1, false, write_said);
	expect_said("");
	log_thin_turn(&thin, now_ms + LOG_THIN_MS, false, write_said);
	expect_said("5 the last line was repeated 1 times\n");
	cr_expect_eq(log_thin_next_ms(&thin), UINT64_MAX);
	cr_expect_not(take("k", CONF_LOG_NOTICE, "same"), "and goes on to be counted");
	log_thin_turn(&thin, now_ms, true, write_said);
	expect_said("5 the last line was repeated 1 times\n");
}

static unsigned take_many(const void *kind, unsigned count)
{
	unsigned taken = 0;
	char text[32];

	for (unsigned i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "line %u", i);
		taken += take(kind, CONF_LOG_WARNING, text);
	}
	return taken;
}

Test(log_thin, of_a_kind_only_so_many_come)
{
	cr_expect_eq(take_many("one", 1000), LOG_KIND_LINES);
	cr_expect_eq(take_many("two", 10), 10, "others are not concerned");
	cr_expect_eq(take_many(NULL, 1000), 1000, "nor is what is no kind");
	expect_said("");
	cr_expect_eq(log_thin_next_ms(&thin), now_ms + LOG_THIN_MS);
	log_thin_turn(&thin, now_ms + LOG_THIN_MS, false, write_said);
	expect_said("4 950 more lines like this were left out: line 50\n");
	now_ms += LOG_THIN_MS;
	cr_expect_eq(take_many("one", 60), LOG_KIND_LINES, "the next time is another");
	now_ms += LOG_THIN_MS;
	cr_expect(take("one", CONF_LOG_NOTICE, "last"));
	expect_said("4 10 more lines like this were left out: line 50\n");
}

// There are places for LOG_KINDS; more of them share, and nothing is lost without a word.
Test(log_thin, more_kinds_than_places)
{
	static const char kinds[4 * LOG_KINDS][8];
	unsigned taken = 0;
	uint64_t told = 0, n;

	for (unsigned i = 0; i < 4 * LOG_KINDS; i++)
		taken += take_many(kinds[i], 60);
	cr_expect_geq(taken, LOG_KINDS * LOG_KIND_LINES);
	for (const char *at = said; (at = strchr(at, ' ')) && sscanf(at, "%lu more", &n) == 1; at++)
		told += n;
	cr_expect_lt(taken, 4 * LOG_KINDS * 60);
	said[0] = 0;
	log_thin_turn(&thin, now_ms, true, write_said);
	cr_expect_neq(said[0], 0);
}

static char line[LOG_LINE_MAX];

Test(log_thin, text_and_priority)
{
	size_t len = log_form_text(line, false, CONF_LOG_ERROR, "postern", "abc", 3);

	cr_expect(len == 13 && !memcmp(line, "postern: abc\n", len));
	len = log_form_text(line, true, CONF_LOG_ERROR, NULL, "abc", 3);
	cr_expect(len == 7 && !memcmp(line, "<3>abc\n", len));
}

Test(log_thin, json_of_any_text)
{
	static const char text[] = "a\"\\\x01\xff\xc3\xa4\x7f";
	static const char want[] =
		"{\"time\":\"2026-11-30T08:00:00.007Z\",\"level\":\"warning\",\"source\":"
		"\"postern\",\"message\":\"a\\u0022\\u005c\\u0001\\ufffd\xc3\xa4\\u007f\"}\n";
	size_t len = log_form_json(line, false, CONF_LOG_WARNING, NULL, text, sizeof(text) - 1,
		UINT64_C(1796025600007));

	cr_expect(len == sizeof(want) - 1 && !memcmp(line, want, len), "%.*s", (int)len, line);
}

Test(log_thin, a_long_line_is_cut_and_stays_whole)
{
	char text[3 * LOG_LINE_MAX];

	memset(text, '"', sizeof(text)); // six bytes each
	size_t len = log_form_json(line, true, CONF_LOG_INFO, "dpdk", text, sizeof(text), 0);

	cr_expect(len <= LOG_LINE_MAX && len > LOG_LINE_MAX - 16);
	cr_expect(!memcmp(line + len - 3, "\"}\n", 3));
	len = log_form_text(line, true, CONF_LOG_INFO, "dpdk", text, LOG_TEXT_MAX);
	cr_expect(len <= LOG_LINE_MAX && line[len - 1] == '\n');
}

static void expect_fields(const char *from, const char *want)
{
	char fields[512];
	size_t len = log_form_fields(fields, sizeof(fields), from, strlen(from));

	cr_expect(len == strlen(want) && !memcmp(fields, want, len), "%.*s", (int)len, fields);
}

Test(log_thin, fields_for_the_journal)
{
	expect_fields("<4>postern: upstream web: server http://h is down",
		"PRIORITY=4\nSYSLOG_IDENTIFIER=postern\nPOSTERN_UPSTREAM=web\n"
		"MESSAGE=upstream web: server http://h is down\n");
	expect_fields("<6>postern: device pump-7 is active",
		"PRIORITY=6\nSYSLOG_IDENTIFIER=postern\nPOSTERN_DEVICE=pump-7\n"
		"MESSAGE=device pump-7 is active\n");
	expect_fields("EAL: hello", "PRIORITY=6\nSYSLOG_IDENTIFIER=postern\nMESSAGE=EAL: hello\n");
	expect_fields("", "PRIORITY=6\nSYSLOG_IDENTIFIER=postern\nMESSAGE=\n");
	cr_expect_eq(log_form_fields(line, 40, "a text that is too long for it", 30), 0);
}

static int journal_make(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(at.sun_path, path, strlen(path));
	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

// Each line is a datagram; who does not read them holds up nobody, and when the journal is gone the
// lines go to the stream.
Test(log_thin, lines_go_to_the_journal)
{
	char folder[] = "/tmp/test_log_thin.XXXXXX", path[64], got[512];
	struct log_out out;
	size_t sent = 0;
	int ends[2];

	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	cr_assert_eq(pipe(ends), 0);
	log_out_open(&out, ends[1]);
	log_out_to_journal(&out, path);
	cr_expect_eq(out.journal, -1, "nobody listens");
	int journal = journal_make(path);

	log_out_to_journal(&out, path);
	cr_assert_geq(out.journal, 0);
	cr_expect_eq(log_out_write(&out, "<3>postern: one\n<4>postern: two\n", 32, 1000), 32);
	for (unsigned i = 0; i < 2; i++) {
		ssize_t n = recv(journal, got, sizeof(got) - 1, 0);

		cr_assert_gt(n, 0);
		got[n] = 0;
		cr_expect_str_eq(got,
			i ? "PRIORITY=4\nSYSLOG_IDENTIFIER=postern\nMESSAGE=two\n"
			  : "PRIORITY=3\nSYSLOG_IDENTIFIER=postern\nMESSAGE=one\n");
	}
	for (unsigned i = 0; i < 100000 && sent < 6 * (i + 1) - 5; i++)
		sent += log_out_write(&out, "<3>ab\n", 6, 0);
	cr_expect_lt(sent, 600000, "it is full some time");
	close(journal);
	cr_expect_eq(log_out_write(&out, "<3>to the stream\n", 17, 1000), 17);
	cr_expect_eq(out.journal, -1);
	cr_expect_eq(read(ends[0], got, sizeof(got)), 17);
	log_out_close(&out);
	unlink(path);
	rmdir(folder);
}
