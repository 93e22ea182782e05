// SPDX-License-Identifier: BSD-3-Clause
// Reads a file into a struct conf, and frees a struct conf.

#include "gw/conf/check.h"
#include "gw/conf/conf.h"
#include "gw/conf/document.h"
#include "gw/conf/load.h"
#include "gw/conf/marks.h"
#include "gw/conf/schema.h"
#include "gw/conf/value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void key_free(const struct conf_key *key, void *base);

static void group_free(const struct conf_key *group, void *base)
{
	for (const struct conf_key *key = group->keys; key->name; key++)
		// Keys that exclude each other share one field.
		if (key->choice <= 1)
			key_free(key, base);
}

static void items_free(const struct conf_key *key, void *base)
{
	char *items = *(void **)((char *)base + key->offset);
	size_t count = *(size_t *)((char *)base + key->count_offset);

	for (size_t i = 0; key->item && i < count; i++) {
		char *item = items + i * key->item->size;
		if (key->map_key)
			conf_value_free(key->map_key, item);
		if (key->item->type == CONF_GROUP)
			group_free(key->item, item);
		else
			conf_value_free(key->item, item);
	}
	free(items);
}

static void key_free(const struct conf_key *key, void *base)
{
	void *field = (char *)base + key->offset;

	switch (key->type) {
	case CONF_GROUP:
		group_free(key, field);
		break;
	case CONF_CORES:
	case CONF_LIST:
	case CONF_MAP:
		items_free(key, base);
		break;
	default:
		conf_value_free(key, field);
		break;
	}
}

void conf_free(struct conf *conf)
{
	if (!conf)
		return;
	for (size_t p = 0; p < conf->pass_count; p++)
		free(conf->passes[p].route.path.text);
	group_free(&conf_schema, conf);
	conf_marks_free(conf->marks);
	free(conf->path);
	free(conf);
}

static struct conf *conf_create(const char *path)
{
	struct conf *conf = calloc(1, sizeof(*conf));

	if (!conf)
		return NULL;
	conf->path = strdup(path);
	conf->marks = conf_marks_new();
	if (!conf->path || !conf->marks) {
		conf_free(conf);
		return NULL;
	}
	return conf;
}

static int text_load(
	struct conf *conf, const char *text, size_t len, struct conf_mistakes *mistakes)
{
	yaml_document_t doc;
	int rc = conf_document_load(&doc, text, len, mistakes);

	if (rc)
		return rc;
	rc = conf_fill(conf, &doc, mistakes);
	yaml_document_delete(&doc);
	conf_marks_sort(conf->marks);
	if (rc == 0)
		rc = conf_check(conf, mistakes);
	if (rc == 0 && mistakes->count)
		rc = -EINVAL;
	return rc;
}

int conf_parse(const char *name, const char *text, size_t len, struct conf **conf, FILE *errors)
{
	struct conf_mistakes *mistakes = calloc(1, sizeof(*mistakes));
	struct conf *got = conf_create(name);
	int rc = -ENOMEM;

	*conf = NULL;
	if (len > CONF_FILE_MAX) {
		rc = -EFBIG;
		fprintf(errors, "%s: has more than %d bytes\n", name, CONF_FILE_MAX);
	} else if (got && mistakes) {
		rc = text_load(got, text, len, mistakes);
	}
	if (rc == -ENOMEM)
		fprintf(errors, "%s: out of memory\n", name);
	if (rc == -EINVAL)
		conf_mistakes_print(mistakes, name, errors);
	if (rc == 0)
		*conf = got;
	else
		conf_free(got);
	free(mistakes);
	return rc;
}

// Reads up to `room` bytes. Returns how many were read, or -errno.
static ssize_t file_read(int fd, char *buf, size_t room)
{
	size_t len = 0;

	while (len < room) {
		ssize_t n = read(fd, buf + len, room - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += n;
	}
	return len;
}

// Returns a descriptor, or -errno.
static int file_open(const char *path, bool regular)
{
	struct stat st;
	// A FIFO that nobody writes to would hold the caller.
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (regular ? O_NONBLOCK : 0));

	if (fd < 0)
		return -errno;
	if (!regular || (!fstat(fd, &st) && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))))
		return fd; // reading says what is wrong with a directory
	close(fd);
	return -EBADF;
}

static int load(const char *path, bool regular, struct conf **conf, FILE *errors)
{
	const size_t room = CONF_FILE_MAX + 1; // one more, to notice a file that is too large
	ssize_t len = -ENOMEM;

	*conf = NULL;
	char *text = malloc(room);
	int fd = file_open(path, regular);
	if (fd < 0)
		len = fd;
	else if (text)
		len = file_read(fd, text, room);

	int rc = len;
	if (len == -EBADF)
		fprintf(errors, "%s: is not a file\n", path);
	else if (len < 0)
		fprintf(errors, "%s: %s\n", path, strerror(-len));
	else
		rc = conf_parse(path, text, len, conf, errors);
	if (fd >= 0)
		close(fd);
	free(text);
	return rc;
}

int conf_load(const char *path, struct conf **conf, FILE *errors)
{
	return load(path, false, conf, errors);
}

int conf_load_regular(const char *path, struct conf **conf, FILE *errors)
{
	return load(path, true, conf, errors);
}
