// SPDX-License-Identifier: BSD-3-Clause
// Refuses a store that is a copy, an older one, or from another machine; and makes one that was
// refused the store of this machine.

#include "gw/store/adopt.h"

#include "gw/store/mark.h"
#include "gw/store/meta.h"
#include "gw/store/run_mark.h"
#include "gw/store/schema.h"
#include "gw/store/state.h"

#include <errno.h>
#include <time.h>

#define ADOPT_RUNS  2048       // that the original may have used since it was copied
#define ADOPT_DAILY 8          // runs a day, or more of them if the store is old
#define ADOPT_EPOCH 1767225600 // 2026-01-01 00:00:00 UTC
#define ADOPT_HINT  ": if this copy shall live on, posternctl store adopt"

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

int copy_check(struct store *store, const struct meta *meta, struct error *error)
{
	struct marks marks;

	if (store->copy)
		return error_set(error, -ESTALE, "the store is a backup" ADOPT_HINT);
	if (!meta->this_machine)
		return error_set(
			error, -ESTALE, "the store was last used on another machine" ADOPT_HINT);
	marks_read(store, &marks);
	// The first transaction makes the store, and its mark comes behind it.
	if (marks.beside_code == -ENOENT && (store->run_next > 0 || store->commits > 1))
		return error_set(error, -ESTALE,
			"the database stands here without its " STORE_MARK ADOPT_HINT);
	if ((marks.beside_code != 0 && marks.beside_code != -ENOENT) ||
		(marks.runtime_code != 0 && marks.runtime_code != -ENOENT))
		return error_set(error, -ESTALE, STORE_MARK " cannot be read" ADOPT_HINT);
	if (store->run_next < marks.highest.run)
		return error_set(error, -ESTALE,
			"the store is an old copy: it is at run %u, " STORE_MARK
			" says %u" ADOPT_HINT,
			store->run_next, marks.highest.run);
	if (store->commits < marks.highest.commits)
		return error_set(error, -ESTALE,
			"the store is an old copy: it is at transaction %llu, " STORE_MARK
			" says %llu" ADOPT_HINT,
			(unsigned long long)store->commits,
			(unsigned long long)marks.highest.commits);
	return 0;
}

// The run with which an adopted store goes on; store->commits becomes that of the newest mark. What
// the original of an older version used since was runs of that version.
int adopt_run(struct store *store, int64_t version, uint32_t *run, struct error *error)
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
		return error_set(error, -ERANGE,
			"too few run numbers are left to adopt the store: the devices need new "
			"keys in a new store");
	*run = adopted;
	return 0;
}

int adopt_write(
	struct store *store, const struct store_config *config, uint32_t run, struct error *error)
{
	int code = meta_adopt(store, config, run, error);

	return code != 0 ? code : marks_distrust(store, error);
}
