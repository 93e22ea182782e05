// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/json_file.h"

#include "gw/tools/coap/number.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void wipe_and_free(void *memory)
{
	if (memory)
		sodium_memzero(memory, malloc_usable_size(memory));
	free(memory);
}

void json_memory_wipe(void)
{
	json_set_alloc_funcs(malloc, wipe_and_free);
}

static int read_file(
	const char *path, char *text, size_t *len, bool *group_may_read, struct error *f)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return error_set(f, -errno, "%s: %s", path, strerror(errno));
	*len = 0;
	while ((n = read(fd, text + *len, JSON_FILE_MAX - *len)) > 0)
		*len += (size_t)n;
	int err = n < 0 || fstat(fd, &st) ? -errno : 0;
	close(fd);
	if (err)
		return error_set(f, err, "%s: %s", path, strerror(-err));
	if (*len == JSON_FILE_MAX)
		return error_set(f, -EFBIG, "%s: longer than %d bytes", path, JSON_FILE_MAX);
	if (!group_may_read)
		return 0;
	if (S_ISREG(st.st_mode) && st.st_mode & (S_IROTH | S_IWOTH))
		return error_set(f, -EACCES,
			"%s: all users can read or write this file with a secret; chmod 600 it",
			path);
	*group_may_read = S_ISREG(st.st_mode) && st.st_mode & (S_IRGRP | S_IWGRP);
	return 0;
}

int json_file_load(json_t **value, const char *path, bool *group_may_read, struct error *f)
{
	char *text = malloc(JSON_FILE_MAX);
	json_error_t where;
	size_t len = 0;

	*value = NULL;
	if (!text)
		return error_set(f, -ENOMEM, "out of memory");
	json_memory_wipe();
	int err = read_file(path, text, &len, group_may_read, f);

	if (!err)
		*value = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
	if (!err && !*value) {
		char *near = strstr(where.text, " near '");

		if (near) // the token may be a secret
			*near = 0;
		err = error_set(
			f, -EINVAL, "%s:%d:%d: %s", path, where.line, where.column, where.text);
	}
	sodium_memzero(text, JSON_FILE_MAX);
	free(text);
	return err;
}

int json_hex_read(
	json_t *value, const char *name, uint8_t *out, size_t room, size_t *len, struct error *f)
{
	const char *text = json_string_value(value);

	if (!text || strlen(text) != json_string_length(value))
		return error_set(f, -EINVAL, "\"%s\" is not a string of hexadecimal digits", name);
	if (strlen(text) > 2 * room)
		return error_set(f, -EINVAL, "\"%s\" has more than %zu bytes", name, room);
	int n = hex_parse(text, out, room);

	if (n < 0)
		return error_set(f, -EINVAL, "\"%s\" is not a string of hexadecimal digits", name);
	*len = (size_t)n;
	return 0;
}

int json_take_hex(json_t *object, const char *key, uint8_t *out, size_t room, size_t *len,
	bool *present, struct error *f)
{
	json_t *value = json_object_get(object, key);

	*present = value;
	if (!value)
		return 0;
	int err = json_hex_read(value, key, out, room, len, f);

	if (!err)
		json_object_del(object, key);
	return err;
}

int json_nothing_left(json_t *object, struct error *f)
{
	void *left = json_object_iter(object);

	if (left)
		return error_set(f, -EINVAL, "\"%s\" is not known", json_object_iter_key(left));
	return 0;
}
