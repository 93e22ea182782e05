// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/gw/store/import_bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// The same tests are there for imports that are written to a copy of the database.
#ifndef DIRECT_ROWS
#define DIRECT_ROWS STORE_DIRECT_ROWS
#endif

struct bed bed;
struct import *import;
struct import_report report;
size_t import_piece;

void import_set_up(void)
{
	bed_make(&bed);
	bed_open(&bed);
	bed.store->direct_rows = DIRECT_ROWS;
}

void import_tear_down(void)
{
	import_free(import);
	bed_remove(&bed);
}

static int read_pieces(const char *text, size_t len, const struct import_options *options)
{
	enum import_state state;
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	int code = import_open_fd(bed.store, fds[0], options, &import, &bed.error);
	for (size_t at = 0; code == 0 && at < len; at += import_piece) {
		size_t n = len - at < import_piece ? len - at : import_piece;
		cr_assert_eq(write(fds[1], text + at, n), (ssize_t)n);
		do {
			code = import_step(import, &state, &bed.error);
			cr_assert(code != 0 || state != IMPORT_READ);
		} while (code == 0 && state == IMPORT_MORE);
	}
	close(fds[1]);
	while (code == 0 && (code = import_step(import, &state, &bed.error)) == 0 &&
		state != IMPORT_READ)
		continue;
	return code;
}

int import_read_file(const char *text, size_t len, const struct import_options *options)
{
	enum import_state state = IMPORT_MORE;
	int fd = memfd_create("import", 0);

	cr_assert_eq(write(fd, text, len), (ssize_t)len);
	lseek(fd, 0, SEEK_SET);
	int code = import_open_fd(bed.store, fd, options, &import, &bed.error);
	while (code == 0 && state != IMPORT_READ)
		code = import_step(import, &state, &bed.error);
	return code;
}

int import_run_bytes(const char *text, size_t len, const struct import_options *options)
{
	import_free(import);
	import = NULL;
	int code = import_piece ? read_pieces(text, len, options)
				: import_read_file(text, len, options);
	if (code == 0)
		code = bed_import_write(&bed, import);
	import_report(import, &report);
	return code;
}

int import_run(const char *text)
{
	return import_run_bytes(text, strlen(text), &(struct import_options){0});
}

int import_run_replacing(const char *text)
{
	return import_run_bytes(text, strlen(text), &(struct import_options){.replace = true});
}

void import_expect_added(const char *text, uint64_t count)
{
	uint64_t before = store_count(bed.store);
	int code = import_run(text);

	cr_expect_eq(code, 0, "%s: %s: line %lu: %s", text, bed.error.text, report.bad_row[0].line,
		report.bad_row[0].error.text);
	cr_expect_eq(report.added, count, "%s", text);
	cr_expect_eq(store_count(bed.store), before + count);
}

// One bad row, on that line, with a text that says so; the good row beside it is not imported.
void import_expect_bad(const char *text, uint64_t line, const char *why)
{
	int code = import_run(text);

	cr_expect_eq(code, -EBADMSG, "%s: %d", text, code);
	cr_expect_eq(report.bad, 1, "%s: %lu bad", text, report.bad);
	cr_expect_eq(report.bad_row[0].line, line, "%s: line %lu", text, report.bad_row[0].line);
	cr_expect(strstr(report.bad_row[0].error.text, why) != NULL, "%s: %s", text,
		report.bad_row[0].error.text);
	cr_expect_eq(store_count(bed.store), 0, "%s", text);
}

void import_expect_broken(const char *text, const char *why)
{
	cr_expect_eq(import_run(text), -EBADMSG, "%s", text);
	cr_expect(strstr(bed.error.text, why) != NULL, "%s: %s", text, bed.error.text);
	cr_expect_eq(store_count(bed.store), 0, "%s", text);
}
