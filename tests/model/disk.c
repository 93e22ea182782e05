// SPDX-License-Identifier: BSD-3-Clause
#include "tests/model/disk.h"

#include "tests/crash/disk_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR          512
#define DIRECTORIES_MAX 4
#define MOMENTS_MAX     256 // of a directory between two syncs
#define NAMES_MAX       8   // in a directory

static void require(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "disk: %s: %s\n", what, strerror(errno));
		abort();
	}
}

// --- images -------------------------------------------------------------------------------------

static void image_add(struct disk_image *image, const char *path, bool is_directory,
	const uint8_t *data, size_t len)
{
	require(image->count < DISK_FILES_MAX && strlen(path) < DISK_PATH_MAX, "too many files");
	strcpy(image->file[image->count].path, path);
	image->file[image->count].is_directory = is_directory;
	image->file[image->count].len = len;
	image->file[image->count].data = malloc(len + 1);
	require(image->file[image->count].data != NULL, "memory");
	if (len > 0)
		memcpy(image->file[image->count].data, data, len);
	image->count++;
}

static void take_below(struct disk_image *image, const char *directory, const char *below)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, below);
	DIR *dir = opendir(path);
	require(dir != NULL, path);
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		char name[300];
		struct stat st;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s%s%s", below, below[0] ? "/" : "", entry->d_name);
		snprintf(path, sizeof(path), "%s/%s", directory, name);
		require(stat(path, &st) == 0, path);
		if (S_ISDIR(st.st_mode)) {
			image_add(image, name, true, NULL, 0);
			take_below(image, directory, name);
			continue;
		}
		uint8_t *data = malloc(st.st_size + 1);
		int fd = open(path, O_RDONLY);
		require(data != NULL && read(fd, data, st.st_size) == st.st_size, path);
		close(fd);
		image_add(image, name, false, data, st.st_size);
		free(data);
	}
	closedir(dir);
}

void disk_image_take(struct disk_image *image, const char *directory)
{
	image->count = 0;
	take_below(image, directory, "");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return ftw->level > 0 ? remove(path) : 0;
}

void disk_image_put(const struct disk_image *image, const char *directory)
{
	require(nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0, directory);
	for (size_t i = 0; i < image->count; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", directory, image->file[i].path);
		if (image->file[i].is_directory) {
			require(mkdir(path, 0700) == 0, path);
			continue;
		}
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		require(write(fd, image->file[i].data, image->file[i].len) ==
				(ssize_t)image->file[i].len,
			path);
		close(fd);
	}
}

void disk_image_free(struct disk_image *image)
{
	for (size_t i = 0; i < image->count; i++)
		free(image->file[i].data);
	image->count = 0;
}

// --- what is synced -----------------------------------------------------------------------------

struct bytes {
	uint8_t *data;
	size_t len;
};

struct change {
	uint64_t at;
	struct bytes bytes;
	bool truncate; // to `at`
};

struct file {
	bool is_directory;
	struct bytes synced;
	struct change *change; // since then
	size_t changes, room;
	size_t forgotten; // so many of them were there when a sync failed
};

struct names {
	struct {
		char name[DISK_PATH_MAX];
		struct file *file;
	} entry[NAMES_MAX];
	size_t count;
};

// Names as they were when they were synced, and after each change since; the last are the present
// ones.
struct directory {
	char path[DISK_PATH_MAX]; // below the root; "" is the root
	struct names *moment;     // [MOMENTS_MAX]
	size_t moments;
};

static char root[128];
static struct directory directories[DIRECTORIES_MAX];
static size_t directory_count;
static struct file *files[1024]; // all that ever were
static size_t file_count;

#define CALLS_MAX 1024

static const char *call_name[CALLS_MAX + 1]; // from 1
static unsigned calls, fail_at;
static enum disk_fault fail_by;
static bool counting, is_off;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void put(struct bytes *to, const struct change *change, size_t from, size_t len)
{
	size_t end = change->truncate ? change->at : change->at + from + len;

	if (end > to->len || change->truncate) {
		to->data = realloc(to->data, end + 1);
		require(to->data != NULL, "memory");
		if (end > to->len)
			memset(to->data + to->len, 0, end - to->len);
		to->len = end;
	}
	if (!change->truncate && len > 0)
		memcpy(to->data + change->at + from, change->bytes.data + from, len);
}

static void put_all(struct bytes *to, const struct change *change)
{
	put(to, change, 0, change->bytes.len);
}

static uint64_t random_next(uint64_t *seed)
{
	// splitmix64
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void put_some(struct bytes *to, const struct change *change, uint64_t *seed)
{
	for (size_t from = 0; from < change->bytes.len;) {
		size_t len = SECTOR - (change->at + from) % SECTOR;

		if (len > change->bytes.len - from)
			len = change->bytes.len - from;
		if (random_next(seed) & 1)
			put(to, change, from, len);
		from += len;
	}
	if (change->truncate && random_next(seed) & 1)
		put_all(to, change);
}

static struct file *file_new(bool is_directory)
{
	struct file *file = calloc(1, sizeof(*file));

	require(file != NULL && file_count < sizeof(files) / sizeof(files[0]), "too many files");
	file->is_directory = is_directory;
	files[file_count++] = file;
	return file;
}

static void changes_drop(struct file *file)
{
	for (size_t i = 0; i < file->changes; i++)
		free(file->change[i].bytes.data);
	file->changes = file->forgotten = 0;
}

static void file_change(struct file *file, uint64_t at, const void *data, size_t len, bool truncate)
{
	if (file->changes == file->room) {
		file->room = file->room ? 2 * file->room : 16;
		file->change = reallocarray(file->change, file->room, sizeof(*file->change));
		require(file->change != NULL, "memory");
	}
	struct change *change = &file->change[file->changes++];
	*change = (struct change){.at = at, .bytes = {malloc(len + 1), len}, .truncate = truncate};
	require(change->bytes.data != NULL, "memory");
	if (len > 0)
		memcpy(change->bytes.data, data, len);
}

// What a kernel forgot, a later sync does not bring.
static void file_sync(struct file *file)
{
	for (size_t i = file->forgotten; i < file->changes; i++)
		put_all(&file->synced, &file->change[i]);
	changes_drop(file);
}

static struct directory *directory_of(const char *path)
{
	for (size_t i = 0; i < directory_count; i++)
		if (strcmp(directories[i].path, path) == 0)
			return &directories[i];
	return NULL;
}

static void directory_add(const char *path)
{
	require(directory_count < DIRECTORIES_MAX, "too many directories");
	struct directory *directory = &directories[directory_count++];
	strcpy(directory->path, path);
	directory->moment = calloc(MOMENTS_MAX, sizeof(*directory->moment));
	require(directory->moment != NULL, "memory");
	directory->moments = 1;
}

// The directory that a path below the root is in, and its last part.
static struct directory *directory_in(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char parent[DISK_PATH_MAX] = "";

	*name = slash != NULL ? slash + 1 : path;
	if (slash != NULL)
		memcpy(parent, path, slash - path);
	return directory_of(parent);
}

static struct names *names_now(struct directory *directory)
{
	return &directory->moment[directory->moments - 1];
}

static size_t name_find(const struct names *names, const char *name)
{
	size_t i = 0;

	while (i < names->count && strcmp(names->entry[i].name, name) != 0)
		i++;
	return i;
}

static struct file *file_find(const char *path)
{
	const char *name;
	struct directory *directory = directory_in(path, &name);

	if (directory == NULL)
		return NULL;
	const struct names *names = names_now(directory);
	size_t i = name_find(names, name);
	return i < names->count ? names->entry[i].file : NULL;
}

// NULL takes the name away.
static void name_set(const char *path, struct file *file)
{
	const char *name;
	struct directory *directory = directory_in(path, &name);

	require(directory != NULL && directory->moments < MOMENTS_MAX, "too many changes of names");
	directory->moment[directory->moments] = *names_now(directory);
	directory->moments++;
	struct names *names = names_now(directory);
	size_t i = name_find(names, name);
	if (file == NULL) {
		require(i < names->count, "a name that is not there");
		names->entry[i] = names->entry[--names->count];
		return;
	}
	require(i < NAMES_MAX, "too many names");
	strcpy(names->entry[i].name, name);
	names->entry[i].file = file;
	names->count += i == names->count;
}

// --- the calls ----------------------------------------------------------------------------------

static const char *below_root(const char *path)
{
	size_t len = strlen(root);

	if (len == 0 || strncmp(path, root, len) != 0)
		return NULL;
	return path[len] == '/' ? path + len + 1 : path[len] == 0 ? path + len : NULL;
}

bool disk_watched(const char *path)
{
	return counting && below_root(path) != NULL;
}

static enum disk_fate next_call(const char *call, bool is_write)
{
	static const int errors[] = {
		[DISK_EIO] = EIO, [DISK_ENOSPC] = ENOSPC, [DISK_HALF] = ENOSPC, [DISK_CUT] = EIO};

	if (!is_off) {
		require(++calls <= CALLS_MAX, "too many calls");
		call_name[calls] = call;
		if (calls != fail_at)
			return DISK_DO;
	}
	errno = errors[fail_by];
	is_off = fail_by == DISK_CUT;
	return fail_by == DISK_HALF && is_write ? DISK_SHORT : DISK_FAIL;
}

enum disk_fate disk_fate(const char *call, const char *path, bool is_write)
{
	pthread_mutex_lock(&lock);
	enum disk_fate fate = next_call(call, is_write);
	pthread_mutex_unlock(&lock);
	return fate;
}

int disk_call(void)
{
	return counting && disk_fate("put aside", "", false) != DISK_DO ? -errno : 0;
}

void disk_note(char call, const char *path, uint64_t at, const void *data, size_t len)
{
	const char *below = below_root(path);
	struct directory *directory = directory_of(below);
	struct file *file = file_find(below);

	switch (call) {
	case 'm':
		name_set(below, file_new(true));
		directory_add(below);
		break;
	case 'o':
		name_set(below, file_new(false));
		break;
	case 'r':
		name_set(below, NULL);
		name_set(below_root(data), file);
		break;
	case 'u':
		name_set(below, NULL);
		break;
	case 's':
		if (directory != NULL) {
			directory->moment[0] = *names_now(directory);
			directory->moments = 1;
		} else if (file != NULL) { // else it has no name any more
			file_sync(file);
		}
		break;
	case 'f':
		if (file != NULL)
			file->forgotten = file->changes;
		break;
	case 'w':
	case 't':
		if (file != NULL)
			file_change(file, at, data, len, call == 't');
		break;
	}
}

static void forget_all(void)
{
	for (size_t i = 0; i < file_count; i++) {
		changes_drop(files[i]);
		free(files[i]->change);
		free(files[i]->synced.data);
		free(files[i]);
	}
	for (size_t i = 0; i < directory_count; i++)
		free(directories[i].moment);
	file_count = directory_count = 0;
}

void disk_begin(const char *directory, unsigned n, enum disk_fault fault)
{
	struct disk_image image;

	forget_all();
	require(strlen(directory) < sizeof(root), directory);
	strcpy(root, directory);
	directory_add("");
	disk_image_take(&image, directory);
	for (size_t i = 0; i < image.count; i++) {
		struct file *file = file_new(image.file[i].is_directory);

		name_set(image.file[i].path, file);
		if (file->is_directory)
			directory_add(image.file[i].path);
		file->synced = (struct bytes){image.file[i].data, image.file[i].len};
	}
	for (size_t i = 0; i < directory_count; i++) {
		directories[i].moment[0] = *names_now(&directories[i]);
		directories[i].moments = 1;
	}
	calls = 0;
	fail_at = n;
	fail_by = fault;
	is_off = false;
	counting = true;
}

bool disk_failed(void)
{
	pthread_mutex_lock(&lock);
	bool failed = fail_at != 0 && calls >= fail_at;
	pthread_mutex_unlock(&lock);
	return failed;
}

bool disk_is_off(void)
{
	pthread_mutex_lock(&lock);
	bool off = is_off;
	pthread_mutex_unlock(&lock);
	return off;
}

void disk_end(void)
{
	counting = is_off = false;
	fail_at = 0;
}

unsigned disk_calls(void)
{
	return calls;
}

bool disk_call_writes(unsigned n)
{
	return strcmp(call_name[n], "write") == 0;
}

bool disk_call_takes_room(unsigned n)
{
	static const char *const none[] = {"sync", "truncate", "unlink"};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (strcmp(call_name[n], none[i]) == 0)
			return false;
	return true;
}

static void directory_after_cut(
	struct disk_image *image, struct directory *directory, bool some, uint64_t *seed)
{
	size_t moment = some ? random_next(seed) % directory->moments : 0;
	const struct names *names = &directory->moment[moment];

	for (size_t i = 0; i < names->count; i++) {
		const struct file *file = names->entry[i].file;
		struct bytes content = {0};
		char path[2 * DISK_PATH_MAX];

		snprintf(path, sizeof(path), "%s%s%s", directory->path,
			directory->path[0] ? "/" : "", names->entry[i].name);
		put_all(&content, &(struct change){.bytes = {file->synced.data, file->synced.len}});
		for (size_t k = 0; some && k < file->changes; k++)
			put_some(&content, &file->change[k], seed);
		image_add(image, path, file->is_directory, content.data, content.len);
		free(content.data);
		struct directory *inner = file->is_directory ? directory_of(path) : NULL;
		if (inner != NULL)
			directory_after_cut(image, inner, some, seed);
	}
}

void disk_after_cut(struct disk_image *image, bool some, uint64_t seed)
{
	image->count = 0;
	directory_after_cut(image, directory_of(""), some, &seed);
}
