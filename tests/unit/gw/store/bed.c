// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/gw/store/bed.h"

#include "tests/unit/dataplane/oscore/osc_params_hex.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void bed_write(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert(fd >= 0, "%s", path);
	cr_assert_eq(write(fd, data, len), (ssize_t)len);
	close(fd);
}

void bed_make(struct bed *bed)
{
	memset(bed, 0, sizeof(*bed));
	// In memory, where syncs cost nothing, if that is there.
	strcpy(bed->top, "/dev/shm/postern-store-XXXXXX");
	if (mkdtemp(bed->top) == NULL) {
		strcpy(bed->top, "/tmp/postern-store-XXXXXX");
		cr_assert_not_null(mkdtemp(bed->top));
	}
	snprintf(bed->directory, sizeof(bed->directory), "%s/store", bed->top);
	snprintf(bed->runtime, sizeof(bed->runtime), "%s/run", bed->top);
	snprintf(bed->machine, sizeof(bed->machine), "%s/machine-id", bed->top);
	snprintf(bed->boot, sizeof(bed->boot), "%s/boot-id", bed->top);
	snprintf(bed->kek_path, sizeof(bed->kek_path), "%s/kek", bed->top);
	bed_write(bed->machine, "0123456789abcdef0123456789abcdef\n", 33);
	bed_write(bed->boot, "01234567-89ab-cdef-0123-456789abcdef\n", 37);
	cr_assert_eq(kek_create(bed->kek_path, &bed->error), 0, "%s", bed->error.text);
	cr_assert_eq(kek_load(bed->kek_path, &bed->kek, &bed->error), 0, "%s", bed->error.text);
	bed->config = (struct store_config){
		.directory = bed->directory,
		.runtime = bed->runtime,
		.kek = bed->kek,
		.machine_file = bed->machine,
		.boot_file = bed->boot,
	};
}

void bed_open_unstarted(struct bed *bed)
{
	cr_assert_eq(store_open(&bed->config, &bed->store, &bed->error), 0, "%s", bed->error.text);
}

void bed_open(struct bed *bed)
{
	bed_open_unstarted(bed);
	cr_assert_eq(store_start(bed->store, &bed->error), 0, "%s", bed->error.text);
}

void bed_close(struct bed *bed)
{
	store_close(bed->store);
	bed->store = NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void bed_remove(struct bed *bed)
{
	bed_close(bed);
	kek_free(bed->kek);
	nftw(bed->top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void copy_file(const char *from, const char *to)
{
	static char data[1 << 20];

	int fd = open(from, O_RDONLY);
	cr_assert(fd >= 0, "%s", from);
	ssize_t len = read(fd, data, sizeof(data));
	cr_assert(len >= 0 && (size_t)len < sizeof(data));
	close(fd);
	bed_write(to, data, len);
}

static void copy(const char *from_directory, const char *from_name, const char *to_directory,
	const char *to_name)
{
	char from[128], to[128];

	snprintf(from, sizeof(from), "%s/%s", from_directory, from_name);
	snprintf(to, sizeof(to), "%s/%s", to_directory, to_name);
	copy_file(from, to);
}

void bed_save(const struct bed *bed)
{
	copy(bed->directory, STORE_DB, bed->top, "saved.db");
	copy(bed->directory, STORE_MARK, bed->top, "saved.mark");
}

void bed_restore(const struct bed *bed)
{
	bed_restore_database(bed);
	copy(bed->top, "saved.mark", bed->directory, STORE_MARK);
	copy(bed->top, "saved.mark", bed->runtime, STORE_MARK);
}

void bed_restore_database(const struct bed *bed)
{
	copy(bed->top, "saved.db", bed->directory, STORE_DB);
}

void bed_sql(const struct bed *bed, const char *sql)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/" STORE_DB, bed->directory);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

static const char version_4[] =
	"BEGIN;"
	"CREATE TABLE new_meta ("
	" one INTEGER PRIMARY KEY CHECK (one = 1), store_key BLOB NOT NULL, machine BLOB NOT NULL,"
	" run INTEGER NOT NULL, hour INTEGER NOT NULL, hour_runs INTEGER NOT NULL,"
	" window_token BLOB, clock INTEGER NOT NULL, copy INTEGER NOT NULL,"
	" commits INTEGER NOT NULL, tag BLOB) STRICT;"
	"INSERT INTO new_meta SELECT one, store_key, machine, run, hour, hour_runs, window_token,"
	" clock, copy, commits, tag FROM meta;"
	"CREATE TABLE new_device ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, device_id BLOB NOT NULL,"
	" gateway_id BLOB NOT NULL, id_context BLOB, algorithm INTEGER NOT NULL,"
	" keys BLOB NOT NULL, secret BLOB NOT NULL, sender_hash BLOB NOT NULL,"
	" recipient_hash BLOB NOT NULL, run_base INTEGER NOT NULL, created INTEGER NOT NULL,"
	" recovery INTEGER NOT NULL, own_piv INTEGER NOT NULL, mark INTEGER NOT NULL,"
	" resync INTEGER NOT NULL) STRICT;"
	"INSERT INTO new_device SELECT id, name, device_id, gateway_id, id_context, algorithm,"
	" keys, secret, sender_hash, recipient_hash, run_base, created, recovery, own_piv, mark,"
	" resync FROM device;"
	"DELETE FROM sqlite_sequence WHERE name = 'new_device';"
	"INSERT INTO sqlite_sequence SELECT 'new_device', seq FROM sqlite_sequence"
	" WHERE name = 'device';"
	"CREATE TABLE new_used_key ("
	" hash BLOB PRIMARY KEY, device INTEGER, run INTEGER NOT NULL, mark INTEGER NOT NULL,"
	" tag BLOB) STRICT, WITHOUT ROWID;"
	"INSERT INTO new_used_key SELECT hash, device, run, mark, tag FROM used_key;"
	"CREATE TABLE new_window ("
	" device INTEGER PRIMARY KEY, next INTEGER NOT NULL, bits INTEGER NOT NULL,"
	" tag BLOB NOT NULL) STRICT;"
	"INSERT INTO new_window SELECT device, next, bits, tag FROM window;"
	"DROP TABLE meta; DROP TABLE device; DROP TABLE used_key; DROP TABLE window;"
	"ALTER TABLE new_meta RENAME TO meta; ALTER TABLE new_device RENAME TO device;"
	"ALTER TABLE new_used_key RENAME TO used_key; ALTER TABLE new_window RENAME TO window;"
	"CREATE UNIQUE INDEX device_name ON device (name);"
	"CREATE UNIQUE INDEX device_address ON device (device_id, ifnull(id_context, 0));"
	"PRAGMA user_version = 4; COMMIT;";

void bed_make_version_4(const struct bed *bed)
{
	const char *const directories[] = {bed->directory, bed->runtime};
	char path[128], text[64];
	struct run_mark mark;

	bed_sql(bed, version_4);
	for (int i = 0; i < 2; i++) {
		int fd = open(directories[i], O_RDONLY | O_DIRECTORY);
		int code = run_mark_read(fd, &mark);

		close(fd);
		if (code == -ENOENT)
			continue;
		cr_assert_eq(code, 0);
		int len = snprintf(text, sizeof(text),
			"postern run mark 2: %" PRIu32 " %" PRIu64 "\n", mark.run, mark.commits);
		snprintf(path, sizeof(path), "%s/" STORE_MARK, directories[i]);
		bed_write(path, text, len);
	}
}

void bed_sql_sealed(struct bed *bed, const char *sql)
{
	cr_assert_eq(store_open(&bed->config, &bed->store, &bed->error), 0, "%s", bed->error.text);
	cr_assert_eq(store_begin(bed->store, &bed->error), 0);
	cr_assert_eq(sqlite3_exec(bed->store->db, sql, NULL, NULL, NULL), SQLITE_OK);
	cr_assert_eq(store_commit(bed->store, &bed->error), 0);
	bed_close(bed);
}

struct device_spec bed_spec(unsigned seed, const char *device_id, const char *gateway_id)
{
	char secret[33];

	snprintf(secret, sizeof(secret), "%032x", seed + 1);
	return (struct device_spec){
		.params = osc_params_hex(secret, "", NULL, gateway_id, device_id),
		.never_used = true,
	};
}

static int add(struct bed *bed, const struct device_spec *spec, bool replace)
{
	struct device_keyed device;
	enum device_outcome outcome;

	int code = store_add(bed->store, spec, replace, &device, &outcome, &bed->error);
	return code != 0 ? code : (int)outcome;
}

int bed_add(struct bed *bed, const struct device_spec *spec)
{
	return add(bed, spec, false);
}

int bed_replace(struct bed *bed, const struct device_spec *spec)
{
	return add(bed, spec, true);
}

int bed_remove_device(struct bed *bed, const char *name)
{
	return store_remove(bed->store, name, NULL, &bed->error);
}

uint32_t bed_run_base(struct bed *bed, const char *name)
{
	struct device_info info;

	cr_assert_eq(store_show(bed->store, name, &info, &bed->error), 0, "%s", bed->error.text);
	cr_assert(!info.damaged);
	return info.run_base;
}

int bed_raise_base(struct bed *bed, uint64_t id, uint64_t run_base)
{
	struct store_raise raise = {.id = id, .value = run_base, .result = 1};

	int code = store_bases_raise(bed->store, &raise, 1, &bed->error);
	return code != 0 ? code : raise.result;
}

int bed_import_write(struct bed *bed, struct import *import)
{
	bool done = false;
	int code = 0;

	while (code == 0 && !done)
		code = import_write(import, &done, &bed->error);
	return code;
}

int bed_import_rows(struct bed *bed, uint64_t *count)
{
	struct import_options options = {.never_used = true};
	enum import_state state = IMPORT_MORE;
	struct import *import;
	char text[BED_ROWS * 32];
	int fd = memfd_create("rows", 0);

	char *to = stpcpy(text, "device_id,gateway_id,master_secret\n");
	for (unsigned i = 0; i < BED_ROWS; i++)
		to += sprintf(to, "%04x,aa,%04x\n", i, i);
	cr_assert_eq(write(fd, text, to - text), to - text);
	lseek(fd, 0, SEEK_SET);
	int code = import_open_fd(bed->store, fd, &options, &import, &bed->error);
	while (code == 0 && state != IMPORT_READ)
		code = import_step(import, &state, &bed->error);
	if (code == 0)
		code = bed_import_write(bed, import);
	import_free(import);
	*count = store_count(bed->store);
	return code;
}

struct search {
	const char *name;
	struct device_keyed *device;
};

static int look(void *arg, const struct device_keyed *device)
{
	struct search *search = arg;

	if (search->name && strcmp(search->name, device->name) == 0)
		*search->device = *device;
	return 0;
}

uint64_t bed_load(struct bed *bed, const char *name, struct device_keyed *device)
{
	struct search search = {name, device};
	struct store_load_result result;

	cr_assert_eq(store_load(bed->store, look, &search, &result, &bed->error), 0, "%s",
		bed->error.text);
	cr_assert_eq(result.unreadable, 0);
	return result.loaded;
}

void bed_reopen(struct bed *bed)
{
	bed_close(bed);
	bed_open(bed);
}

struct device_spec bed_floor_spec(unsigned seed, const char *device_id, const char *gateway_id)
{
	struct device_spec spec = bed_spec(seed, device_id, gateway_id);

	spec.has_recovery = true;
	spec.recovery = DEVICE_FLOOR;
	return spec;
}

struct device_keyed bed_device(struct bed *bed, const char *name)
{
	struct device_keyed device = {0};

	bed_load(bed, name, &device);
	cr_assert_neq(device.id, 0, "no device %s", name);
	return device;
}
