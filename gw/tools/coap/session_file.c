// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/session_file.h"

#include "gw/tools/coap/json_file.h"
#include "gw/tools/coap/number.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARK_LEN 16 // bytes of the hash of what a context is for

static int state_path(
	const struct session_for *of, const char *ending, char **path, struct error *f)
{
	if (asprintf(path, "%s.edhoc%s", of->numbers, ending) >= 0)
		return 0;
	*path = NULL;
	return error_set(f, -ENOMEM, "out of memory");
}

// Credentials and gateway, as digits.
static void mark_make(const struct session_for *of, char text[2 * MARK_LEN + 1])
{
	const struct identity *d = of->identity;
	const struct edhoc_bytes *item = &d->own.credential.item;
	uint8_t mark[MARK_LEN];
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, sizeof(mark));
	crypto_generichash_update(&state, item->data, item->len);
	for (unsigned i = 0; i < d->n_peers; i++)
		crypto_generichash_update(&state, d->peers[i].item.data, d->peers[i].item.len);
	crypto_generichash_update(&state, (const uint8_t *)of->gateway, strlen(of->gateway));
	crypto_generichash_final(&state, mark, sizeof(mark));
	hex_format(text, mark, sizeof(mark));
}

// Takes the mark out of the object. Whether it is that of what the context is wanted for.
static bool mark_take(const struct session_for *of, json_t *object)
{
	char mark[2 * MARK_LEN + 1];
	const char *kept = json_string_value(json_object_get(object, "edhoc"));

	mark_make(of, mark);
	const bool same = kept && !strcmp(kept, mark);

	json_object_del(object, "edhoc");
	return same;
}

int session_load(const struct session_for *of, struct client_context *context, bool *present,
	struct error *f)
{
	json_t *object = NULL;
	char *path;
	int err = state_path(of, "", &path, f);

	*present = false;
	if (err)
		return err;
	if (access(path, F_OK) || access(of->numbers, F_OK)) {
		free(path);
		return 0;
	}
	bool group_may_read;

	err = json_file_load(&object, path, &group_may_read, f);
	if (!err && mark_take(of, object)) {
		struct error why;

		err = context_take(context, object, &why);
		*present = !err;
		if (err)
			error_set(f, err, "%s: %s", path, why.text);
	}
	json_decref(object);
	free(path);
	return err;
}

// The object that a context is kept as. NULL without memory.
static json_t *object_make(const struct session_for *of, const struct client_context *context)
{
	const struct osc_params *p = &context->params;
	char mark[2 * MARK_LEN + 1], sender[2 * OSC_KID_LEN_MAX + 1],
		recipient[2 * OSC_KID_LEN_MAX + 1];
	char secret[2 * sizeof(p->secret) + 1], salt[2 * sizeof(p->salt) + 1];

	mark_make(of, mark);
	json_memory_wipe();
	json_t *object = json_pack("{ss ss ss ss ss ss}", "edhoc", mark, "master_secret",
		hex_format(secret, p->secret, p->secret_len), "master_salt",
		hex_format(salt, p->salt, p->salt_len), "sender_id",
		hex_format(sender, p->sender_id, p->sender_id_len), "recipient_id",
		hex_format(recipient, p->recipient_id, p->recipient_id_len), "algorithm",
		aead_algs[p->alg].name);

	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(salt, sizeof(salt));
	return object;
}

int session_keep(
	const struct session_for *of, const struct client_context *context, struct error *f)
{
	char *path = NULL, *temporary = NULL;
	json_t *object = object_make(of, context);
	int err = object ? state_path(of, "", &path, f) : error_set(f, -ENOMEM, "out of memory");

	if (!err)
		err = state_path(of, ".new", &temporary, f);
	int fd = err ? -1
		     : open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (!err && fd < 0)
		err = error_set(f, -errno, "%s: %s", temporary, strerror(errno));
	if (!err && (json_dumpfd(object, fd, JSON_INDENT(2)) || fsync(fd)))
		err = error_set(f, -EIO, "%s: it cannot be written", temporary);
	if (fd >= 0)
		close(fd);
	if (!err && rename(temporary, path))
		err = error_set(f, -errno, "%s: %s", path, strerror(errno));
	json_decref(object);
	free(path);
	free(temporary);
	return err;
}

void session_forget(const struct session_for *of)
{
	struct error f;
	char *path;

	if (!state_path(of, "", &path, &f))
		unlink(path);
	free(path);
}
