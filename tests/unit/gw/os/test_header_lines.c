// SPDX-License-Identifier: BSD-3-Clause
// Values of headers from files and from the configuration.

#include "gw/conf/headers.h"
#include "gw/os/header_lines.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/test_header_lines.XXXXXX";

static void file_write(const void *text, size_t len)
{
	static bool there;
	int fd = there ? open(path, O_WRONLY | O_TRUNC) : mkstemp(path);

	there = true;
	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
}

static void file_remove(void)
{
	unlink(path);
}

TestSuite(header_lines, .fini = file_remove);

// What is freed while this is set must be wiped.
static const struct header_lines *watched;
static unsigned wiped;

void __real_free(void *memory);
void __wrap_free(void *memory);

void __wrap_free(void *memory)
{
	if (memory && memory == watched) {
		const uint8_t *byte = memory;

		for (size_t i = 0; i < sizeof(*watched); i++)
			cr_assert_eq(byte[i], 0);
		wiped++;
	}
	__real_free(memory);
}

static struct conf_header from_file = {"Authorization", CONF_HEADER_FILE, path, 7};

// Reads the file as the value of one header. Returns what line there is, or 0 and *rc.
static const char *line_of(const void *text, size_t len, int *rc, struct error *error)
{
	static char line[HEADER_LINES_ROOM];
	const struct conf_header *wrong;
	struct header_lines *lines;

	file_write(text, len);
	*rc = header_lines_read(&from_file, 1, NULL, 0, &lines, &wrong, error);
	cr_assert_eq(*rc == 0, lines != NULL);
	cr_assert_eq(*rc != 0, wrong == &from_file);
	if (*rc)
		return NULL;
	cr_assert_eq(lines->count, 1);
	cr_assert_eq(lines->line[0].name_len, strlen(from_file.name));
	cr_assert_eq(lines->line[0].len, strlen(lines->line[0].text));
	strcpy(line, lines->line[0].text);
	header_lines_free(lines);
	return line;
}

Test(header_lines, a_line_end_behind_the_value_is_cut)
{
	static const struct {
		const char *text, *line; // NULL: refused
	} rows[] = {
		{"Bearer abc", "Authorization: Bearer abc"},
		{"Bearer abc\n", "Authorization: Bearer abc"},
		{"Bearer abc\r\n", "Authorization: Bearer abc"},
		{"a\tb c", "Authorization: a\tb c"},
		{"~", "Authorization: ~"},
		{"", NULL},
		{"\n", NULL},
		{"\r\n", NULL},
		{"abc\n\n", NULL},
		{"abc\r", NULL /* it is cut, but not alone */},
		{"abc\nX: y", NULL},
		{"abc\rX: y", NULL},
		{" abc", NULL},
		{"abc ", NULL},
		{"abc \n", NULL},
		{"a\x01"
		 "b",
			NULL},
		{"a\x7f"
		 "b",
			NULL},
		{"a\xc3\xa9"
		 "b",
			NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error error = {0};
		int rc;
		const char *line = line_of(rows[i].text, strlen(rows[i].text), &rc, &error);

		if (!rows[i].line) {
			cr_expect_eq(rc, -EBADMSG, "row %zu: %d %s", i, rc, line);
			cr_expect_not(strstr(error.text, "abc"), "%s", error.text);
			continue;
		}
		cr_assert_eq(rc, 0, "row %zu: %s", i, error.text);
		cr_expect_str_eq(line, rows[i].line);
	}
}

Test(header_lines, values_are_bounded)
{
	static char text[8192];
	struct error error;
	int rc;

	memset(text, 'x', sizeof(text));
	cr_assert_not_null(line_of(text, CONF_HEADER_VALUE_MAX, &rc, &error));
	for (size_t len = CONF_HEADER_VALUE_MAX + 1; len < CONF_HEADER_VALUE_MAX + 5; len++) {
		line_of(text, len, &rc, &error);
		cr_expect_eq(rc, -E2BIG, "%zu: %d", len, rc);
	}
	line_of(text, sizeof(text), &rc, &error);
	cr_expect_eq(rc, -E2BIG);
	memcpy(text + CONF_HEADER_VALUE_MAX, "\r\n", 2);
	cr_expect_not_null(line_of(text, CONF_HEADER_VALUE_MAX + 2, &rc, &error));
	line_of(text, CONF_HEADER_VALUE_MAX + 3, &rc, &error);
	cr_expect_eq(rc, -E2BIG);
	line_of("a\0b", 3, &rc, &error);
	cr_expect_eq(rc, -EBADMSG);
}

Test(header_lines, others_must_not_be_able_to_read_a_file)
{
	static const mode_t good[] = {0600, 0400, 0700}, bad[] = {0604, 0602, 0640, 0620, 0644};
	struct error error;
	int rc;

	line_of("abc", 3, &rc, &error);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct header_lines *lines;
		const struct conf_header *wrong;

		cr_assert_eq(chmod(path, good[i]), 0);
		cr_expect_eq(header_lines_read(&from_file, 1, NULL, 0, &lines, &wrong, &error), 0);
		header_lines_free(lines);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct header_lines *lines;
		const struct conf_header *wrong;

		cr_assert_eq(chmod(path, bad[i]), 0);
		cr_expect_eq(
			header_lines_read(&from_file, 1, NULL, 0, &lines, &wrong, &error), -EACCES);
		cr_expect(strstr(error.text, "headers.Authorization: header value /tmp/"));
		cr_expect(strstr(error.text, "chmod 0600"), "%s", error.text);
	}
	struct conf_header folder = {"A", CONF_HEADER_FILE, "/tmp", 1};
	struct header_lines *lines;
	const struct conf_header *wrong;
	cr_expect_eq(header_lines_read(&folder, 1, NULL, 0, &lines, &wrong, &error), -EBADMSG);
}

static struct conf_header text(const char *name, char *value)
{
	return (struct conf_header){(char *)name, CONF_HEADER_TEXT, value, 1};
}

Test(header_lines, own_ones_stand_in_place_of_others)
{
	const struct conf_header own[] = {text("X-A", "1"), text("X-B", "2")};
	const struct conf_header others[] = {text("x-b", "3"), text("X-C", "4")};
	const struct conf_header *wrong;
	struct header_lines *lines;
	struct error error;

	cr_assert_eq(header_lines_read(own, 2, others, 2, &lines, &wrong, &error), 0);
	cr_assert_eq(lines->count, 3);
	cr_expect_str_eq(lines->line[0].text, "X-A: 1");
	cr_expect_str_eq(lines->line[1].text, "X-B: 2");
	cr_expect_str_eq(lines->line[2].text, "X-C: 4");
	header_lines_free(lines);
	cr_assert_eq(header_lines_read(NULL, 0, NULL, 0, &lines, &wrong, &error), 0);
	cr_expect_null(lines);
	header_lines_free(lines);
}

Test(header_lines, all_together_are_bounded)
{
	char value[2049];
	struct conf_header own[] = {text("A", value), text("B", value)};
	const struct conf_header *wrong;
	struct header_lines *lines;
	struct error error;

	memset(value, 'x', sizeof(value));
	value[2048 - 5] = 0; // with name, colon, blank and line end 2048
	cr_assert_eq(header_lines_read(own, 2, NULL, 0, &lines, &wrong, &error), 0);
	header_lines_free(lines);
	value[2048 - 5] = 'x';
	value[2048 - 4] = 0;
	cr_expect_eq(header_lines_read(own, 2, NULL, 0, &lines, &wrong, &error), -E2BIG);
	cr_expect_eq(wrong, &own[1]);
}

Test(header_lines, values_are_wiped)
{
	const struct conf_header *wrong;
	struct header_lines *lines;
	struct error error;

	file_write("s3cret", 6);
	cr_assert_eq(header_lines_read(&from_file, 1, NULL, 0, &lines, &wrong, &error), 0);
	watched = lines;
	header_lines_free(lines);
	cr_expect_eq(wiped, 1);
}
