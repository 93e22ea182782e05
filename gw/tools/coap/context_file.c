// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/context_file.h"

#include "gw/tools/coap/number.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// The parser's memory holds the Master Secret: it is wiped before it is freed.
static void wipe_and_free(void *memory)
{
	if (memory)
		sodium_memzero(memory, malloc_usable_size(memory));
	free(memory);
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
	while ((n = read(fd, text + *len, CONTEXT_FILE_MAX - *len)) > 0)
		*len += (size_t)n;
	int err = n < 0 || fstat(fd, &st) ? -errno : 0;
	close(fd);
	if (err)
		return error_set(f, err, "%s: %s", path, strerror(-err));
	if (*len == CONTEXT_FILE_MAX)
		return error_set(f, -EFBIG, "%s: longer than %d bytes", path, CONTEXT_FILE_MAX);
	if (S_ISREG(st.st_mode) && st.st_mode & (S_IROTH | S_IWOTH))
		return error_set(f, -EACCES,
			"%s: all users can read or write this file with a secret; chmod 600 it",
			path);
	*group_may_read = S_ISREG(st.st_mode) && st.st_mode & (S_IRGRP | S_IWGRP);
	return 0;
}

// Takes key out of the object. *present: whether it was there.
static int take_hex(json_t *object, const char *key, uint8_t *out, size_t room, uint8_t *len,
	bool *present, struct error *f)
{
	json_t *value = json_object_get(object, key);

	*present = value;
	if (!value)
		return 0;
	const char *text = json_string_value(value);
	if (!text || strlen(text) != json_string_length(value))
		return error_set(f, -EINVAL, "\"%s\" is not a string of hexadecimal digits", key);
	if (strlen(text) > 2 * room)
		return error_set(f, -EINVAL, "\"%s\" has more than %zu bytes", key, room);
	int n = hex_parse(text, out, room);
	if (n < 0)
		return error_set(f, -EINVAL, "\"%s\" is not a string of hexadecimal digits", key);
	*len = (uint8_t)n;
	json_object_del(object, key);
	return 0;
}

// An id under its name in RFC 8613 or its name without a viewpoint; one of them must be there.
static int take_id(json_t *object, const char *name, const char *other, uint8_t *out, uint8_t *len,
	struct error *f)
{
	bool present, other_present;
	int err = take_hex(object, name, out, OSC_KID_LEN_MAX, len, &present, f);

	if (err)
		return err;
	err = take_hex(object, other, out, OSC_KID_LEN_MAX, len, &other_present, f);
	if (err)
		return err;
	if (present == other_present)
		return error_set(f, -EINVAL,
			present ? "both \"%s\" and \"%s\" are there, which mean the same"
				: "neither \"%s\" nor \"%s\" is there",
			name, other);
	return 0;
}

static int take_algorithm(json_t *object, enum aead_alg *alg, struct error *f)
{
	json_t *value = json_object_get(object, "algorithm");
	int err;

	*alg = AEAD_AES_CCM_16_64_128;
	if (!value)
		return 0;
	json_int_t number = json_integer_value(value);
	if (json_is_string(value))
		err = aead_alg_from_name(json_string_value(value), alg);
	else if (json_is_integer(value) && number >= INT_MIN && number <= INT_MAX)
		err = aead_alg_from_cose((int)number, alg);
	else
		err = -EINVAL;
	if (err)
		return error_set(f, err,
			"\"algorithm\" is none of AES-CCM-16-64-128 (10), AES-CCM-16-128-128 (30), "
			"A128GCM (1), A256GCM (3), ChaCha20/Poly1305 (24)");
	json_object_del(object, "algorithm");
	return 0;
}

static int take_params(struct osc_params *p, json_t *object, struct error *f)
{
	// Of a row for the gateway's import, so that one object serves both.
	static const char *const ignored[] = {"name", "never_used", "gateway_seq"};
	bool present;
	int err;

	if (!json_is_object(object))
		return error_set(f, -EINVAL, "not a JSON object");
	err = take_hex(
		object, "master_secret", p->secret, sizeof(p->secret), &p->secret_len, &present, f);
	if (err)
		return err;
	if (!p->secret_len)
		return error_set(f, -EINVAL, "\"master_secret\" is missing or empty");
	err = take_hex(object, "master_salt", p->salt, sizeof(p->salt), &p->salt_len, &present, f);
	if (!err)
		err = take_hex(object, "id_context", p->id_context, sizeof(p->id_context),
			&p->id_context_len, &p->has_id_context, f);
	if (!err)
		err = take_id(object, "sender_id", "device_id", p->sender_id, &p->sender_id_len, f);
	if (!err)
		err = take_id(object, "recipient_id", "gateway_id", p->recipient_id,
			&p->recipient_id_len, f);
	if (!err)
		err = take_algorithm(object, &p->alg, f);
	if (err)
		return err;
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		json_object_del(object, ignored[i]);
	void *left = json_object_iter(object);
	if (left)
		return error_set(f, -EINVAL, "\"%s\" is not known", json_object_iter_key(left));
	return 0;
}

static int derive(struct client_context *context, struct error *f)
{
	const struct osc_params *p = &context->params;
	unsigned id_max = osc_id_len_max(p->alg);
	int err = osc_derive(&context->keys, p);

	if (!err)
		return 0;
	if (p->sender_id_len > id_max || p->recipient_id_len > id_max)
		return error_set(f, err, "an id has more than the %u bytes of %s", id_max,
			aead_algs[p->alg].name);
	return error_set(f, err, "both ids are the same");
}

int context_file_load(struct client_context *context, const char *path, struct error *f)
{
	char *text = malloc(CONTEXT_FILE_MAX);
	struct error why;
	json_error_t where;
	size_t len = 0;

	*context = (struct client_context){0};
	if (!text)
		return error_set(f, -ENOMEM, "out of memory");
	json_set_alloc_funcs(malloc, wipe_and_free);
	int err = read_file(path, text, &len, &context->group_may_read, f);
	if (!err) {
		json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);

		if (!object) {
			char *near = strstr(where.text, " near '");

			if (near) // the token may be a secret
				*near = 0;
			err = error_set(f, -EINVAL, "%s:%d:%d: %s", path, where.line, where.column,
				where.text);
		} else {
			err = take_params(&context->params, object, &why);
			if (!err)
				err = derive(context, &why);
			if (err)
				error_set(f, err, "%s: %s", path, why.text);
		}
		json_decref(object);
	}
	sodium_memzero(text, CONTEXT_FILE_MAX);
	free(text);
	return err;
}

void context_wipe(struct client_context *context)
{
	sodium_memzero(context, sizeof(*context));
}
