// SPDX-License-Identifier: BSD-3-Clause
// Imports. import_step() reads rows, checks each for itself, seals it and spools it. import_write()
// checks them against each other and against the devices that are there, and writes all or none: a
// few in one transaction, many in a copy of the database that takes its place (shadow.c).
// import_next() hands out what was written.

#include "gw/store/import.h"

#include "base/clock.h"
#include "gw/device/record.h"
#include "gw/store/apply.h"
#include "gw/store/commit.h"
#include "gw/store/row.h"
#include "gw/store/shadow.h"
#include "gw/store/spec.h"
#include "gw/store/spool.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_MAX   (64 * 1024) // bytes at once
#define STEP_ROWS  256
#define STEP_BYTES (4 * READ_MAX) // of one step, whether there are rows in them or not
#define TURN_NS    5000000        // a turn of writing is over with the first rows behind this
#define LOOK_ROWS  16             // between two looks at the clock

// All that cleartext secrets come through; in memory of its own kind.
struct work {
	char data[READ_MAX];
	union {
		struct csv csv;
		struct json json;
	};
	struct record record;
	struct device_spec spec;
};

enum stage {
	STAGE_START,
	STAGE_ROWS,
	STAGE_READ,
	STAGE_COPY,  // the database is copied
	STAGE_APPLY, // rows go into the copy
	STAGE_SWAP,  // it takes the place of the database, or the one transaction is committed
	STAGE_COMMITTED,
	STAGE_DOUBT, // the disk failed, and nobody knows whether the rows are on it
	STAGE_FAILED,
};

struct import {
	struct store *store;
	struct import_options options;
	int fd;
	enum stage stage;
	struct work *work;
	struct parse_input input;
	struct spool *staged, *accepted;
	struct shadow *shadow;
	uint64_t bytes, bytes_total, rows_staged, applied;
	// Devices that rows were about, by a hash of their ids; at most half of it is full.
	struct met {
		uint64_t id; // 0: none
		uint64_t line;
	} * met;
	uint64_t met_mask; // a power of two, - 1
	struct import_report report;
};

void import_free(struct import *import)
{
	if (import == NULL)
		return;
	if (import->fd >= 0)
		close(import->fd);
	shadow_free(import->shadow);
	spool_free(import->staged);
	spool_free(import->accepted);
	sodium_free(import->work);
	free(import->met);
	free(import);
}

static int import_new(struct store *store, int fd, const struct import_options *options,
	struct import **import, struct error *error)
{
	struct stat st;

	struct import *new = calloc(1, sizeof(*new));
	if (new == NULL) {
		close(fd);
		return error_set(error, -ENOMEM, "no memory for an import");
	}
	new->store = store;
	new->options = *options;
	new->fd = fd;
	// sodium_malloc() aligns the end of what it gives.
	size_t size = (sizeof(*new->work) + 63) & ~(size_t)63;
	new->work = sodium_malloc(size);
	if (new->work == NULL) {
		import_free(new);
		return error_set(error, -ENOMEM, "no memory for an import");
	}
	memset(new->work, 0, size);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		new->bytes_total = st.st_size;
	new->staged = spool_open(store);
	new->accepted = new->staged ? spool_open(store) : NULL;
	if (new->accepted == NULL) {
		int code = -errno;
		import_free(new);
		return error_set(error, code, "no room to stage rows beside the database: %s",
			strerror(-code));
	}
	*import = new;
	return 0;
}

int import_open_fd(struct store *store, int fd, const struct import_options *options,
	struct import **import, struct error *error)
{
	*import = NULL;
	return import_new(store, fd, options, import, error);
}

int import_open_path(struct store *store, const char *path, const struct import_options *options,
	struct import **import, struct error *error)
{
	*import = NULL;
	// A pipe without a writer is not waited for here.
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		int code = -errno;
		return error_set(error, code, "%s: %s", path, strerror(-code));
	}
	return import_new(store, fd, options, import, error);
}

int import_fd(const struct import *import)
{
	return import->fd;
}

// The first IMPORT_ERRORS_MAX by line are kept in their order.
static void bad_row(struct import *import, uint64_t line, const struct error *why)
{
	struct import_report *report = &import->report;
	unsigned at = report->named;

	report->bad++;
	while (at > 0 && report->bad_row[at - 1].line > line)
		at--;
	if (at == IMPORT_ERRORS_MAX)
		return;
	unsigned moved = report->named - at - (report->named == IMPORT_ERRORS_MAX);
	memmove(&report->bad_row[at + 1], &report->bad_row[at], moved * sizeof(report->bad_row[0]));
	report->bad_row[at].line = line;
	report->bad_row[at].error = *why;
	report->named += report->named < IMPORT_ERRORS_MAX;
}

static int stage_row(
	struct import *import, const struct device_spec *spec, uint64_t line, struct error *error)
{
	struct store_row row;
	struct error why;

	if (row_prepare_new(import->store, spec, &row, &why) != 0) {
		bad_row(import, line, &why);
		return 0;
	}
	row.line = line;
	// What could not be taken as a whole must not fill the disk.
	import->rows_staged++;
	if (import->store->max_devices != 0 && import->rows_staged > import->store->max_devices)
		return error_set(error, -EDQUOT,
			"the file has more than %" PRIu64 " devices, the most allowed",
			import->store->max_devices);
	int code = spool_write(import->staged, &row);
	return code == 0 ? 0 : error_set(error, code, "cannot stage rows: %s", strerror(-code));
}

static int take_record(struct import *import, struct error *error)
{
	struct work *work = import->work;
	struct error why;
	int code = 0;

	import->report.rows++;
	if (record_to_spec(&work->record, import->options.never_used, &work->spec, &why) != 0)
		bad_row(import, work->record.line, &why);
	else
		code = stage_row(import, &work->spec, work->record.line, error);
	sodium_memzero(&work->spec, sizeof(work->spec));
	return code;
}

static bool begins_with(const struct parse_input *input, const char *mark, size_t len)
{
	return input->len >= len && memcmp(input->data, mark, len) == 0;
}

// Finds the format, and passes over a byte order mark. *found is false while there is too little to
// see.
static int sniff(struct import *import, bool *found, struct error *error)
{
	struct parse_input *input = &import->input;
	bool all = input->last || input->len == READ_MAX;

	*found = false;
	if (input->len < 3 && !all)
		return 0;
	if (begins_with(input, "\xff\xfe", 2) || begins_with(input, "\xfe\xff", 2))
		return error_set(
			error, -EBADMSG, "the file is UTF-16 (\"Unicode text\"): save it as UTF-8");
	size_t at = begins_with(input, "\xef\xbb\xbf", 3) ? 3 : 0;
	size_t mark = at;
	while (at < input->len && memchr(" \t\r\n", input->data[at], 4) != NULL)
		at++;
	if (at == input->len && !all)
		return 0;
	input->used = mark;
	if (import->options.format == IMPORT_AUTO) {
		bool json = at < input->len && (input->data[at] == '{' || input->data[at] == '[');
		import->options.format = json ? IMPORT_JSON : IMPORT_CSV;
	}
	*found = true;
	return 0;
}

// Reads more behind what is not used yet. IMPORT_WAIT if there is nothing yet.
static int refill(struct import *import, enum import_state *state, struct error *error)
{
	struct parse_input *input = &import->input;
	struct pollfd ready = {.fd = import->fd, .events = POLLIN};

	*state = IMPORT_MORE;
	if (input->used > 0) {
		input->len -= input->used;
		memmove(import->work->data, import->work->data + input->used, input->len);
		input->used = 0;
	}
	input->data = import->work->data;
	if (poll(&ready, 1, 0) == 0) {
		*state = IMPORT_WAIT;
		return 0;
	}
	ssize_t n = read(import->fd, import->work->data + input->len, READ_MAX - input->len);
	if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
		*state = IMPORT_WAIT;
		return 0;
	}
	if (n < 0) {
		int code = -errno;
		return error_set(error, code, "cannot read the file: %s", strerror(-code));
	}
	input->len += n;
	input->last = n == 0;
	import->bytes += n;
	return 0;
}

static enum parse_verdict parse(struct import *import, struct error *error)
{
	struct work *work = import->work;

	return import->options.format == IMPORT_JSON
		? json_parse(&work->json, &import->input, &work->record, error)
		: csv_parse(&work->csv, &import->input, &work->record, error);
}

// One record, or more data. *state is IMPORT_MORE unless there is a reason to stop.
static int turn(struct import *import, enum import_state *state, struct error *error)
{
	struct error why;

	switch (parse(import, &why)) {
	case PARSE_NEED_DATA:
		return refill(import, state, error);
	case PARSE_RECORD:
		return take_record(import, error);
	case PARSE_BAD_RECORD:
		import->report.rows++;
		bad_row(import, import->work->record.line, &why);
		return 0;
	case PARSE_END:
		import->stage = STAGE_READ;
		*state = IMPORT_READ;
		// No secret is needed any more.
		sodium_free(import->work);
		import->work = NULL;
		return 0;
	case PARSE_BROKEN:
		break;
	}
	if (error != NULL)
		*error = why;
	return -EBADMSG;
}

int import_step(struct import *import, enum import_state *state, struct error *error)
{
	const uint64_t rows = import->report.rows, bytes = import->bytes;
	int code = 0;

	*state = IMPORT_MORE;
	if (import->stage > STAGE_ROWS) {
		*state = IMPORT_READ;
		return import->stage == STAGE_READ
			? 0
			: error_set(error, -EINVAL, "the import is over");
	}
	while (code == 0 && *state == IMPORT_MORE && import->stage == STAGE_START &&
		import->bytes - bytes < STEP_BYTES) {
		bool found = false;
		code = refill(import, state, error);
		if (code == 0 && *state == IMPORT_MORE)
			code = sniff(import, &found, error);
		if (found)
			import->stage = STAGE_ROWS;
	}
	while (code == 0 && *state == IMPORT_MORE && import->stage == STAGE_ROWS &&
		import->report.rows - rows < STEP_ROWS && import->bytes - bytes < STEP_BYTES)
		code = turn(import, state, error);
	if (code != 0)
		import->stage = STAGE_FAILED;
	return code;
}

static int met_make(struct import *import, struct error *error)
{
	uint64_t room = 16;

	while (room < 2 * import->rows_staged)
		room *= 2;
	import->met = calloc(room, sizeof(import->met[0]));
	import->met_mask = room - 1;
	return import->met != NULL ? 0 : error_set(error, -ENOMEM, "no memory for an import");
}

// Where a device is among those that rows were about, or would be.
static struct met *met_find(const struct import *import, uint64_t id)
{
	uint64_t at = (id * UINT64_C(0x9e3779b97f4a7c15)) >> 32;

	while (import->met[at & import->met_mask].id != 0 &&
		import->met[at & import->met_mask].id != id)
		at++;
	return &import->met[at & import->met_mask];
}

static bool is_of_row(int code)
{
	return code == -EEXIST || code == -ENOTUNIQ || code == -EKEYREVOKED || code == -ERANGE ||
		code == -EINVAL;
}

// Says which row of the file the other one is.
static void name_other_line(const struct import *import, uint64_t other, struct error *why)
{
	uint64_t line = other != 0 ? met_find(import, other)->line : 0;
	size_t len = strlen(why->text);

	if (line != 0)
		snprintf(why->text + len, sizeof(why->text) - len, " (line %" PRIu64 ")", line);
}

static int apply_row(
	struct import *import, struct store *into, struct store_row *row, struct error *error)
{
	struct error why;
	enum device_outcome outcome = DEVICE_ADDED;
	uint64_t other = 0;

	int code = row_apply(into, row, import->options.replace, &outcome, &other, &why);
	if (code == 0 && outcome != DEVICE_ADDED) {
		uint64_t there = outcome == DEVICE_REPLACED ? row->replaces : other;
		if (met_find(import, there)->line != 0) {
			other = there;
			code = error_set(&why, -EEXIST, "the device is in the file before");
		}
	}
	if (is_of_row(code)) {
		name_other_line(import, other, &why);
		bad_row(import, row->line, &why);
		return 0;
	}
	if (code != 0) {
		if (error != NULL)
			*error = why;
		return code;
	}
	// Which of two rows counts must not depend on their order. Where nothing changes, the same
	// twice does no harm.
	if (outcome != DEVICE_UNCHANGED || import->options.replace) {
		uint64_t id = outcome == DEVICE_UNCHANGED ? other : row->id;
		*met_find(import, id) = (struct met){.id = id, .line = row->line};
	}
	import->report.unchanged += outcome == DEVICE_UNCHANGED;
	import->report.added += outcome == DEVICE_ADDED;
	import->report.replaced += outcome == DEVICE_REPLACED;
	import->report.changed += outcome == DEVICE_CHANGED;
	if (outcome == DEVICE_UNCHANGED)
		return 0;
	if (import->report.bad > 0)
		return 0; // nothing will be handed out
	// Read again from the store when it is handed out.
	row->keys_len = row->secret_len = row->id_context_len = 0;
	code = spool_write(import->accepted, row);
	return code == 0 ? 0 : error_set(error, code, "cannot stage rows: %s", strerror(-code));
}

// Rows until `until`, or all if that is 0. *done after the last: then none was bad.
static int apply_rows(
	struct import *import, struct store *into, uint64_t until, bool *done, struct error *error)
{
	struct store_row row;
	int code;

	*done = false;
	while ((code = spool_read(import->staged, &row)) == 1) {
		code = apply_row(import, into, &row, error);
		if (code != 0)
			return code;
		import->applied++;
		if (until != 0 && import->applied % LOOK_ROWS == 0 && clock_ns() > until)
			return 0;
	}
	if (code != 0)
		return error_set(error, code, "cannot read staged rows: %s", strerror(-code));
	if (import->report.bad > 0)
		return error_set(error, -EBADMSG, "%" PRIu64 " bad rows, nothing was imported",
			import->report.bad);
	*done = true;
	code = spool_rewind(import->accepted);
	return code == 0 ? 0 : error_set(error, code, "cannot stage rows: %s", strerror(-code));
}

// A few rows: in one transaction of the database itself.
static int write_direct(struct import *import, bool *done, struct error *error)
{
	int code = store_begin(import->store, error);
	if (code != 0)
		return code;
	code = apply_rows(import, import->store, 0, done, error);
	if (code != 0) {
		store_rollback(import->store);
		return code;
	}
	import->stage = STAGE_SWAP;
	return store_commit(import->store, error);
}

static int write_begin(struct import *import, bool *done, struct error *error)
{
	if (store_importing(import->store))
		return 0; // another import is being written
	int code = met_make(import, error);
	if (code != 0)
		return code;
	code = spool_rewind(import->staged);
	if (code != 0)
		return error_set(error, code, "cannot stage rows: %s", strerror(-code));
	if (import->rows_staged <= import->store->direct_rows)
		return write_direct(import, done, error);
	code = store_broken(import->store)
		? error_set(error, -EIO, "the store failed to write before")
		: shadow_open(import->store, &import->shadow, error);
	import->stage = STAGE_COPY;
	return code;
}

static int write_rows(struct import *import, struct error *error)
{
	struct store *into = shadow_store(import->shadow);
	bool all;

	int code = apply_rows(import, into, clock_ns() + TURN_NS, &all, error);
	if (code == 0 && all) {
		code = store_exec(into, store_statement(into, SQL_COMMIT), error);
		import->stage = STAGE_SWAP;
	}
	return code;
}

static int write_turn(struct import *import, bool *done, struct error *error)
{
	bool copied;
	int code;

	switch (import->stage) {
	case STAGE_READ:
		return write_begin(import, done, error);
	case STAGE_COPY:
		code = shadow_copy_step(import->shadow, &copied, error);
		if (code == 0 && copied) {
			code = store_begin(shadow_store(import->shadow), error);
			import->stage = STAGE_APPLY;
		}
		return code;
	case STAGE_APPLY:
		return write_rows(import, error);
	case STAGE_SWAP:
		return shadow_swap_step(import->shadow, done, error);
	default:
		return error_set(error, -EINVAL, "the import is not ready to be written");
	}
}

int import_write(struct import *import, bool *done, struct error *error)
{
	*done = false;
	int code = write_turn(import, done, error);
	if (code == 0 && !*done)
		return 0;
	bool in_doubt = import->stage == STAGE_SWAP && store_broken(import->store);
	import->stage = code == 0 ? STAGE_COMMITTED : in_doubt ? STAGE_DOUBT : STAGE_FAILED;
	shadow_free(import->shadow);
	import->shadow = NULL;
	free(import->met);
	import->met = NULL;
	if (code != 0)
		import->report.added = import->report.unchanged = import->report.replaced =
			import->report.changed = 0;
	return code;
}

bool import_in_doubt(const struct import *import)
{
	return import->stage == STAGE_DOUBT;
}

bool store_importing(const struct store *store)
{
	return store->changed != NULL;
}

void import_progress(const struct import *import, struct import_progress *progress)
{
	progress->bytes = import->bytes;
	progress->bytes_total = import->bytes_total;
	progress->rows = import->report.rows;
	progress->applied = import->applied;
}

void import_report(const struct import *import, struct import_report *report)
{
	*report = import->report;
}

// A row is read again from the store: since the commit it may have been removed or replaced, and
// then the data plane must not get it. One that is in doubt may never have been there; no other
// gets its id.
static int hand_out(struct import *import, const struct store_row *accepted,
	struct device_keyed *device, struct error *error)
{
	struct store_row row;

	int code = row_find_by_id(import->store, accepted->id, &row, error);
	if (code != 0)
		return code;
	row.never_used = accepted->never_used && !import_in_doubt(import);
	row.replaces = accepted->replaces;
	row.changed = accepted->changed;
	code = row_to_device(import->store, &row, device);
	return code == 0 ? 0
			 : error_set(error, code, "device %s is damaged in the store", row.name);
}

int import_next(struct import *import, struct device_keyed *devices, size_t room, size_t *count,
	struct error *error)
{
	struct store_row row;
	int code = 0;

	*count = 0;
	if (import->stage != STAGE_COMMITTED && !import_in_doubt(import))
		return error_set(error, -EINVAL, "the import has no devices to hand out");
	while (*count < room && (code = spool_read(import->accepted, &row)) != 0) {
		code = code > 0
			? hand_out(import, &row, &devices[*count], error)
			: error_set(error, code, "cannot read staged rows: %s", strerror(-code));
		*count += code == 0;
		if (code == 0 || code == -ENOENT)
			continue;
		(void)!spool_rewind(import->accepted);
		return code;
	}
	return 0;
}
