// SPDX-License-Identifier: BSD-3-Clause
// Opening a store: is it ours, is it whole, is it the newest copy, and on the machine that it was
// on?

#include "gw/store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MACHINE_LEN 16         // bytes of the keyed hash of the machine id
#define ADOPT_RUNS  2048       // that the original may have used since it was copied
#define ADOPT_DAILY 8          // runs a day, or more of them if the store is old
#define ADOPT_EPOCH 1767225600 // 2026-01-01 00:00:00 UTC
#define CACHE_KIB   (64 * 1024)
#define ADOPT_HINT  ": if this copy shall live on, posternctl store adopt"

static int directory_open(const char *path, mode_t mode, struct store_error *error)
{
	if (mkdir(path, mode) != 0 && errno != EEXIST) {
		int code = -errno;
		return store_fail(error, code, "cannot make %s: %s", path, strerror(-code));
	}
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		int code = -errno;
		return store_fail(error, code, "cannot open %s: %s", path, strerror(-code));
	}
	return fd;
}

// Without its name a new store would be lost as a whole, and a newer one would begin with the same
// run.
static int directory_name_sync(const char *path, struct store_error *error)
{
	int code = file_name_sync(path);

	// Made by somebody else, where we may not even look.
	if (code == 0 || code == -EACCES)
		return 0;
	return store_fail(error, code, "cannot sync the name of %s: %s", path, strerror(-code));
}

// A file that only its owner can open: whoever can open the lock can hold it.
static int lock_take(struct store *store, struct store_error *error)
{
	struct stat directory, st;
	int code = 0;

	store->lock_fd = openat(store->directory_fd, STORE_LOCK,
		O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
	if (store->lock_fd < 0 || fstat(store->lock_fd, &st) != 0 ||
		fstat(store->directory_fd, &directory) != 0)
		code = -errno;
	else if (!S_ISREG(st.st_mode) || (st.st_uid != geteuid() && st.st_uid != directory.st_uid))
		code = -EPERM;
	else if ((st.st_mode & 077) != 0 && fchmod(store->lock_fd, 0600) != 0)
		code = -errno;
	else
		code = file_give(store->lock_fd, store->directory_fd);
	if (code != 0)
		return store_fail(error, code, "cannot use %s/" STORE_LOCK ": %s", store->directory,
			strerror(-code));
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	code = errno == EWOULDBLOCK ? -EBUSY : -errno;
	return store_fail(error, code, "the store %s: %s", store->directory,
		code == -EBUSY ? "another process has it" : strerror(-code));
}

static int directories_open(
	struct store *store, const struct store_config *config, struct store_error *error)
{
	store->directory_fd = directory_open(config->directory, 0700, error);
	if (store->directory_fd < 0)
		return store->directory_fd;
	int code = lock_take(store, error);
	if (code != 0)
		return code;
	// Others come through here to the control socket.
	store->runtime_fd = directory_open(config->runtime, 0755, error);
	return store->runtime_fd < 0 ? store->runtime_fd
				     : directory_name_sync(config->directory, error);
}

// Of an import that was interrupted.
static int shadow_forget(struct store *store, struct store_error *error)
{
	struct stat st;
	int code = 0;

	if (fstatat(store->directory_fd, STORE_SHADOW, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		unlinkat(store->directory_fd, STORE_SHADOW, 0) != 0)
		code = -errno;
	return code == 0
		? 0
		: store_fail(error, code, "cannot remove " STORE_SHADOW ": %s", strerror(-code));
}

static int pragma_get(struct store *store, const char *sql, int64_t *value)
{
	sqlite3_stmt *statement = NULL;

	int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return code == SQLITE_ROW ? 0 : -EIO;
}

static int sql_run(struct store *store, const char *sql, struct store_error *error)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK
		? 0
		: store_sql_fail(store, error);
}

int database_open(struct store *store, struct store_error *error)
{
	struct stat st;
	int code = 0;

	// Made by us, so that nobody else can read it at any moment.
	int fd = openat(
		store->directory_fd, STORE_DB, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fstat(fd, &st) != 0)
		code = -errno;
	else
		code = file_give(fd, store->directory_fd);
	if (fd >= 0)
		close(fd);
	if (code != 0)
		return store_fail(error, code, "cannot open %s/" STORE_DB ": %s", store->directory,
			strerror(-code));
	store->db_dev = st.st_dev;
	store->db_ino = st.st_ino;

	char *path;
	if (asprintf(&path, "%s/" STORE_DB, store->directory) < 0)
		return store_fail(error, -ENOMEM, "no memory");
	int opened = sqlite3_open_v2(path, &store->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	free(path);
	if (store->db == NULL)
		return store_fail(error, -ENOMEM, "no memory");
	if (opened != SQLITE_OK)
		return store_sql_fail(store, error);
	// What cannot be opened to write, SQLite opens to read.
	if (sqlite3_db_readonly(store->db, "main") != 0)
		return store_fail(
			error, -EROFS, "%s/" STORE_DB " can be read only", store->directory);

	// One file at rest, and a large import writes its new pages once: the journal that is
	// rolled back, not the one ahead. FULL with TRUNCATE syncs the journal's end too.
	code = sql_run(store,
		"PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = TRUNCATE;"
		"PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;"
		"PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;",
		error);
	if (code != 0)
		return code;
	char cache[64];
	snprintf(cache, sizeof(cache), "PRAGMA cache_size = -%d", CACHE_KIB);
	return sql_run(store, cache, error);
}

static int machine_hash(const struct store *store, const struct store_config *config,
	uint8_t hash[MACHINE_LEN], struct store_error *error)
{
	const char *path = config->machine_file ? config->machine_file : "/etc/machine-id";
	char text[256];

	ssize_t len = file_read(AT_FDCWD, path, text, sizeof(text));
	// Containers often have none, and are all alike then.
	if (len == -ENOENT)
		len = 0;
	if (len < 0)
		return store_fail(error, len, "cannot read %s: %s", path, strerror(-len));
	crypto_generichash(hash, MACHINE_LEN, (const uint8_t *)text, len, store->secrets->machine,
		sizeof(store->secrets->machine));
	return 0;
}

static int boot_id_read(
	struct store *store, const struct store_config *config, struct store_error *error)
{
	const char *path =
		config->boot_file ? config->boot_file : "/proc/sys/kernel/random/boot_id";
	char text[STORE_BOOT_ID_LEN + 2];

	ssize_t len = file_read(AT_FDCWD, path, text, sizeof(text));
	if (len < STORE_BOOT_ID_LEN)
		return store_fail(
			error, len < 0 ? len : -EINVAL, "cannot read the boot id in %s", path);
	memcpy(store->boot_id, text, STORE_BOOT_ID_LEN);
	return 0;
}

static int meta_create(struct store *store, const struct store_config *config, uint32_t run,
	struct store_error *error)
{
	uint8_t sealed[KEK_LEN + SEAL_OVERHEAD], machine[MACHINE_LEN];
	uint8_t *key = sodium_malloc(KEK_LEN);
	sqlite3_stmt *statement = NULL;

	if (key == NULL)
		return store_fail(error, -ENOMEM, "no memory");
	randombytes_buf(key, KEK_LEN);
	store_secrets_derive(store->secrets, key);
	kek_seal(config->kek, sealed, key);
	sodium_free(key);
	int code = machine_hash(store, config, machine, error);
	if (code != 0)
		return code;
	sqlite3_prepare_v2(store->db,
		"INSERT INTO meta (one, store_key, machine, run, hour, hour_runs, clock, copy,"
		" commits) VALUES (1, ?1, ?2, ?3, 0, 0, 0, 0, 0)",
		-1, &statement, NULL);
	sqlite3_bind_blob(statement, 1, sealed, sizeof(sealed), SQLITE_STATIC);
	sqlite3_bind_blob(statement, 2, machine, sizeof(machine), SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, run);
	code = store_exec(store, statement, error);
	sqlite3_finalize(statement);
	return code;
}

// A new store takes up the run of a mark in the runtime directory: who deleted a store and imports
// its devices again gets no run twice before a reboot.
static int database_create(
	struct store *store, const struct store_config *config, struct store_error *error)
{
	struct run_mark mark;

	if (run_mark_read(store->directory_fd, &mark) != -ENOENT)
		return store_fail(error, -ESTALE,
			"%s has a " STORE_MARK " but no devices: put " STORE_DB
			" back, or remove " STORE_MARK " if its keys are never used again",
			config->directory);
	int code = run_mark_read(store->runtime_fd, &mark);
	if (code != 0 && code != -ENOENT)
		return store_fail(error, code, "%s/" STORE_MARK " cannot be read: %s",
			config->runtime, strerror(-code));

	store->commits = mark.commits;
	code = store_begin(store, error);
	if (code != 0)
		return code;
	code = schema_create(store, error);
	if (code == 0)
		code = meta_create(store, config, mark.run, error);
	if (code == 0)
		code = store_functions(store, store->db);
	if (code != 0) {
		store_rollback(store);
		return code;
	}
	// The mark beside it also makes the name of the database durable.
	code = store_commit_run(store, mark.run, error);
	return code != 0 || !store->broken ? code : run_marks_write(store, error);
}

// *version is 0 if the database is empty.
static int version_check(struct store *store, int64_t *version, struct store_error *error)
{
	int64_t app, tables;

	if (pragma_get(store, "PRAGMA application_id", &app) != 0 ||
		pragma_get(store, "PRAGMA user_version", version) != 0 ||
		pragma_get(store, "SELECT count(*) FROM sqlite_schema", &tables) != 0)
		return store_sql_fail(store, error);
	if (tables == 0 && app == 0 && *version == 0)
		return 0;
	if (app != STORE_APP_ID)
		return store_fail(error, -EBADMSG, STORE_DB " is not a store of postern");
	if (*version > STORE_VERSION)
		return store_fail(error, -ENOTSUP,
			"the store has version %lld, made by a newer postern; this one knows %d",
			(long long)*version, STORE_VERSION);
	return *version > 0 ? 0
			    : store_fail(error, -EBADMSG, "the store has no version that ever was");
}

// What meta says of where the store was last used.
struct meta {
	bool this_machine;
};

static int meta_columns(struct store *store, const struct store_config *config, int64_t version,
	sqlite3_stmt *statement, struct meta *meta, struct store_error *error)
{
	uint32_t run_max = version < STORE_VERSION_NARROW ? STORE_WIDE_RUN_MAX : STORE_RUN_MAX;
	uint8_t machine[MACHINE_LEN];

	if (sqlite3_column_bytes(statement, 0) != KEK_LEN + SEAL_OVERHEAD ||
		sqlite3_column_bytes(statement, 1) != MACHINE_LEN)
		return store_fail(error, -EBADMSG, "the store is damaged");
	uint8_t *key = sodium_malloc(KEK_LEN);
	if (key == NULL)
		return store_fail(error, -ENOMEM, "no memory");
	int code = kek_open(config->kek, key, sqlite3_column_blob(statement, 0));
	if (code == 0)
		store_secrets_derive(store->secrets, key);
	sodium_free(key);
	if (code != 0)
		return store_fail(error, code,
			"this is not the key-encryption key that the store was made with");

	code = machine_hash(store, config, machine, error);
	if (code != 0)
		return code;
	meta->this_machine = memcmp(machine, sqlite3_column_blob(statement, 1), MACHINE_LEN) == 0;
	int64_t run = sqlite3_column_int64(statement, 2);
	if (run < 0 || run > run_max + 1)
		return store_fail(error, -EBADMSG, "the store is damaged: its run number");
	store->run_next = version < STORE_VERSION_NARROW ? run_of_wide(run) : run;
	store->hour = sqlite3_column_int64(statement, 3);
	store->hour_runs = sqlite3_column_int64(statement, 4);
	store->clock = store->clock_started = sqlite3_column_int64(statement, 5);
	store->copy = sqlite3_column_int64(statement, 6) != 0;
	store->commits = sqlite3_column_int64(statement, 7);
	return 0;
}

int meta_verify(struct store *store, struct store_error *error)
{
	int64_t right;

	if (pragma_get(store, "SELECT tag IS " STORE_META_TAG " FROM meta", &right) != 0)
		return store_sql_fail(store, error);
	return right ? 0 : store_fail(error, -EBADMSG, "the store is damaged: its first row");
}

static int meta_read(struct store *store, const struct store_config *config, int64_t version,
	struct meta *meta, struct store_error *error)
{
	static const char *const select[] = {
		[1] = "SELECT store_key, machine, run, hour, hour_runs, 0, 0, 0 FROM meta",
		[2] = "SELECT store_key, machine, run, hour, hour_runs, clock, copy, 0 FROM meta",
		[3] = "SELECT store_key, machine, run, hour, hour_runs, clock, copy, commits"
		      " FROM meta",
	};
	sqlite3_stmt *statement = NULL;

	sqlite3_prepare_v2(store->db, select[version < 3 ? version : 3], -1, &statement, NULL);
	int step = statement ? sqlite3_step(statement) : SQLITE_ERROR;
	int code;
	if (step == SQLITE_ROW)
		code = meta_columns(store, config, version, statement, meta, error);
	else if (step == SQLITE_DONE)
		code = store_fail(error, -EBADMSG, "the store is damaged: it lost its first row");
	else
		code = store_sql_fail(store, error);
	sqlite3_finalize(statement);
	if (code == 0 && store_functions(store, store->db) != 0)
		code = store_fail(error, -ENOMEM, "no memory");
	return code != 0 || version < 4 ? code : meta_verify(store, error);
}

// A mark in the runtime directory is missing after every reboot; the one beside the database only
// if the database came here alone.
struct marks {
	int beside_code, runtime_code; // 0, -ENOENT, or why the mark cannot be read
	struct run_mark highest;       // of those that can be read
};

static void marks_read(const struct store *store, struct marks *marks)
{
	struct run_mark beside, runtime;

	marks->beside_code = run_mark_read(store->directory_fd, &beside);
	marks->runtime_code = run_mark_read(store->runtime_fd, &runtime);
	marks->highest = (struct run_mark){
		.run = beside.run > runtime.run ? beside.run : runtime.run,
		.commits = beside.commits > runtime.commits ? beside.commits : runtime.commits,
	};
}

static int copy_check(struct store *store, const struct meta *meta, struct store_error *error)
{
	struct marks marks;

	if (store->copy)
		return store_fail(error, -ESTALE, "the store is a backup" ADOPT_HINT);
	if (!meta->this_machine)
		return store_fail(
			error, -ESTALE, "the store was last used on another machine" ADOPT_HINT);
	marks_read(store, &marks);
	// The first transaction makes the store, and its mark comes behind it.
	if (marks.beside_code == -ENOENT && (store->run_next > 0 || store->commits > 1))
		return store_fail(error, -ESTALE,
			"the database stands here without its " STORE_MARK ADOPT_HINT);
	if ((marks.beside_code != 0 && marks.beside_code != -ENOENT) ||
		(marks.runtime_code != 0 && marks.runtime_code != -ENOENT))
		return store_fail(error, -ESTALE, STORE_MARK " cannot be read" ADOPT_HINT);
	if (store->run_next < marks.highest.run)
		return store_fail(error, -ESTALE,
			"the store is an old copy: it is at run %u, " STORE_MARK
			" says %u" ADOPT_HINT,
			store->run_next, marks.highest.run);
	if (store->commits < marks.highest.commits)
		return store_fail(error, -ESTALE,
			"the store is an old copy: it is at transaction %llu, " STORE_MARK
			" says %llu" ADOPT_HINT,
			(unsigned long long)store->commits,
			(unsigned long long)marks.highest.commits);
	return 0;
}

// The run with which an adopted store goes on; store->commits becomes that of the newest mark. What
// the original of an older version used since was runs of that version.
static int adoption_run(
	struct store *store, int64_t version, uint32_t *run, struct store_error *error)
{
	int64_t width = version < STORE_VERSION_NARROW ? STORE_WIDE_RUN : 1;
	struct marks marks;

	// A mark that is missing or damaged is what adoption is for.
	marks_read(store, &marks);
	if (store->commits < marks.highest.commits)
		store->commits = marks.highest.commits;
	int64_t known = marks.highest.run > store->run_next ? marks.highest.run : store->run_next;
	int64_t daily = ((int64_t)time(NULL) - ADOPT_EPOCH) / 86400 * ADOPT_DAILY * width;
	int64_t beyond = known + ADOPT_RUNS * width;
	int64_t adopted = beyond > daily ? beyond : daily;
	if (adopted > STORE_RUN_MAX)
		return store_fail(error, -ERANGE,
			"too few run numbers are left to adopt the store: the devices need new "
			"keys in a new store");
	*run = adopted;
	return 0;
}

// Within a transaction.
static int adopt(struct store *store, const struct store_config *config, uint32_t run,
	struct store_error *error)
{
	uint8_t machine[MACHINE_LEN];
	sqlite3_stmt *statement = NULL;

	int code = machine_hash(store, config, machine, error);
	if (code != 0)
		return code;
	sqlite3_prepare_v2(store->db,
		"UPDATE meta SET run = ?1, machine = ?2, hour = 0, hour_runs = 0,"
		" window_token = NULL, copy = 0",
		-1, &statement, NULL);
	sqlite3_bind_int64(statement, 1, run);
	sqlite3_bind_blob(statement, 2, machine, sizeof(machine), SQLITE_STATIC);
	code = store_exec(store, statement, error);
	sqlite3_finalize(statement);
	return code != 0 ? code : marks_distrust(store, error);
}

// For a store that is not refused: makes it one of this version, and of this machine if it is
// adopted. Both in one transaction, so that an adoption that is interrupted leaves a store that is
// refused as before.
static int take_up(struct store *store, const struct store_config *config, int64_t version,
	bool adopting, struct store_error *error)
{
	uint32_t run = store->run_next;
	int code = 0;

	if (version == STORE_VERSION && !adopting)
		return run_marks_write(store, error);
	if (adopting)
		code = adoption_run(store, version, &run, error);
	if (code == 0)
		code = store_begin(store, error);
	if (code != 0)
		return code;
	code = schema_upgrade(store, version, error);
	if (code == 0 && adopting)
		code = adopt(store, config, run, error);
	if (code != 0) {
		store_rollback(store);
		return code;
	}
	code = store_commit_run(store, run, error);
	return code != 0 || !store->broken ? code : run_marks_write(store, error);
}

int counters_read(struct store *store, struct store_error *error)
{
	int64_t count, last = 0;

	if (pragma_get(store, "SELECT count(*) FROM device", &count) != 0 ||
		pragma_get(store,
			"SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'device'), 0)",
			&last) != 0)
		return store_sql_fail(store, error);
	store->count = count;
	// Not below the ids that an import has given to its rows.
	if (store->next_id <= (uint64_t)last)
		store->next_id = last + 1;
	return 0;
}

static int store_open_as(const struct store_config *config, bool adopting, struct store *store,
	struct store_error *error)
{
	struct meta meta = {0};
	int64_t version = 0;

	int code = directories_open(store, config, error);
	if (code == 0)
		code = shadow_forget(store, error);
	if (code == 0)
		code = boot_id_read(store, config, error);
	if (code == 0)
		code = database_open(store, error);
	if (code == 0)
		code = version_check(store, &version, error);
	if (code == 0 && version == 0) {
		code = adopting ? store_fail(error, -ENOENT, "there is no store to adopt")
				: database_create(store, config, error);
		version = STORE_VERSION;
	}
	if (code == 0)
		code = meta_read(store, config, version, &meta, error);
	if (code == 0)
		code = store_claim(store, error);
	if (code == 0 && !adopting)
		code = copy_check(store, &meta, error);
	if (code == 0)
		code = take_up(store, config, version, adopting, error);
	return code != 0 ? code : counters_read(store, error);
}

static struct store *store_new(const struct store_config *config, struct store_error *error)
{
	struct store *store = sodium_init() < 0 ? NULL : calloc(1, sizeof(*store));

	if (store != NULL) {
		store->directory_fd = store->lock_fd = store->runtime_fd = store->claim_fd = -1;
		store->max_devices = config->max_devices;
		store->direct_rows = STORE_DIRECT_ROWS;
		store->directory = strdup(config->directory);
		store->secrets = sodium_malloc(sizeof(*store->secrets));
	}
	if (store == NULL || store->directory == NULL || store->secrets == NULL) {
		store_close(store);
		store_fail(error, -ENOMEM, "no memory");
		return NULL;
	}
	return store;
}

int store_open(const struct store_config *config, struct store **store, struct store_error *error)
{
	*store = NULL;
	struct store *opened = store_new(config, error);
	if (opened == NULL)
		return -ENOMEM;
	int code = store_open_as(config, false, opened, error);
	if (code != 0) {
		store_close(opened);
		return code;
	}
	opened->opened = true;
	*store = opened;
	return 0;
}

int store_adopt(const struct store_config *config, uint32_t *run, struct store_error *error)
{
	struct store *store = store_new(config, error);
	if (store == NULL)
		return -ENOMEM;
	int code = store_open_as(config, true, store, error);
	if (code == 0 && run != NULL)
		*run = store->run_next;
	store_close(store);
	return code;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	for (size_t i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(store->statement[i]);
	sqlite3_close(store->db);
	sodium_free(store->secrets);
	free(store->directory);
	if (store->claim_fd >= 0)
		close(store->claim_fd);
	if (store->runtime_fd >= 0)
		close(store->runtime_fd);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	if (store->directory_fd >= 0)
		close(store->directory_fd);
	sodium_memzero(store, sizeof(*store));
	free(store);
}
