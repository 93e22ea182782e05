// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/derived.h"

#include "dataplane/oscore/kid_context.h"
#include "gw/tools/coap/number.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD     "oscore-context "
#define FILE_MAX (sizeof(HEAD) + 2 * OSC_ID_CONTEXT_LEN_MAX + 2)

static int no_memory(struct error *f)
{
	return error_set(f, -ENOMEM, "out of memory");
}

static int system_failure(struct error *f, const char *path)
{
	return error_set(f, -errno, "%s: %s", path, strerror(errno));
}

// Gives the context another ID Context and its keys.
static int use(struct client_context *context, const uint8_t *id, uint8_t len, struct error *f)
{
	struct osc_params *params = &context->params;

	params->has_id_context = true;
	params->id_context_len = len;
	memmove(params->id_context, id, len);
	int err = osc_derive(&context->keys, params);

	return err ? error_set(f, err, "the keys cannot be derived") : 0;
}

// Each context has sequence numbers of its own, in a file that its ID Context names.
static int numbers_name(struct derived *d, const struct client_context *context, struct error *f)
{
	char hex[2 * OSC_ID_CONTEXT_LEN_MAX + 1];

	free(d->numbers);
	d->numbers = NULL;
	hex_format(hex, context->params.id_context, context->params.id_context_len);
	if (asprintf(&d->numbers, "%s.%s", d->base, hex) < 0) {
		d->numbers = NULL;
		return no_memory(f);
	}
	return 0;
}

// While nothing was answered the kid context is the ID Context as a byte string; then as it is.
static void kid_context_say(
	struct derived *d, const struct client_context *context, struct session *session)
{
	const struct osc_params *params = &context->params;
	const unsigned head = d->phase == DERIVED_STANDS
		? 0
		: osc_bstr_head(d->kid_context, params->id_context_len);

	memcpy(d->kid_context + head, params->id_context, params->id_context_len);
	d->kid_context_len = (uint8_t)(head + params->id_context_len);
	session->kid_context = d->kid_context;
	session->kid_context_len = d->kid_context_len;
}

static int state_path(const struct derived *d, const char *ending, char **path, struct error *f)
{
	if (asprintf(path, "%s.b2%s", d->base, ending) >= 0)
		return 0;
	*path = NULL;
	return no_memory(f);
}

// *len is 0 if no context is kept.
static int state_read(const char *path, uint8_t *id, uint8_t *len, struct error *f)
{
	char text[FILE_MAX + 1] = "";
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	*len = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : system_failure(f, path);
	ssize_t n = read(fd, text, FILE_MAX);
	int err = n < 0 ? system_failure(f, path) : 0;

	close(fd);
	if (err)
		return err;
	// A file that was cut must not look like one without a context.
	if (n <= (ssize_t)strlen(HEAD) || text[n - 1] != '\n' || strncmp(text, HEAD, strlen(HEAD)))
		return error_set(f, -EBADMSG, "%s: not the context of --b2", path);
	text[n - 1] = 0;
	int bytes = hex_parse(text + strlen(HEAD), id, OSC_ID_CONTEXT_LEN_MAX);

	if (bytes <= 0)
		return error_set(f, -EBADMSG, "%s: not the context of --b2", path);
	*len = (uint8_t)bytes;
	return 0;
}

// Begins with R1, in a context that is used for one request.
static int first_begin(
	struct derived *d, struct client_context *context, struct session *session, struct error *f)
{
	uint8_t r1[DERIVED_NONCE_LEN];

	randombytes_buf(r1, sizeof(r1));
	free(d->numbers);
	d->numbers = NULL;
	d->phase = DERIVED_FIRST;
	int err = use(context, r1, sizeof(r1), f);

	kid_context_say(d, context, session);
	return err;
}

int derived_start(struct derived *d, const char *base, bool anew, struct client_context *context,
	struct session *session, struct error *f)
{
	uint8_t id[OSC_ID_CONTEXT_LEN_MAX], len = 0;
	char *path;

	d->base = base;
	int err = state_path(d, "", &path, f);

	if (!err && !anew)
		err = state_read(path, id, &len, f);
	free(path);
	if (err)
		return err;
	if (!len)
		return first_begin(d, context, session, f);
	d->phase = DERIVED_STANDS;
	err = use(context, id, len, f);
	if (!err)
		err = numbers_name(d, context, f);
	kid_context_say(d, context, session);
	return err;
}

void derived_free(struct derived *d)
{
	free(d->numbers);
	*d = (struct derived){0};
}

bool derived_answer(struct derived *d, const struct client_context *context,
	const struct session *session, uint64_t request_piv, const struct coap_msg *msg,
	struct answer *answer, enum answer_verdict *verdict)
{
	struct client_context second = *context;
	struct session under = *session;
	struct osc_option option;
	const uint8_t *r2;
	struct error f;

	d->r2_len = 0;
	if (d->phase == DERIVED_OFF || msg->body.oscore_count != 1 ||
		osc_option_parse(&option, msg->body.oscore, msg->body.oscore_len) ||
		!option.has_kid_context)
		return false;
	*verdict = ANSWER_BAD_OPTION;
	if (!osc_bstr_read(option.kid_context, option.kid_context_len, &r2, &d->r2_len) ||
		!d->r2_len || d->r2_len + context->params.id_context_len > OSC_ID_CONTEXT_LEN_MAX ||
		d->r2_len + DERIVED_NONCE_LEN + OSC_BSTR_HEAD_MAX > OSC_ID_CONTEXT_LEN_MAX) {
		d->r2_len = 0;
		return true;
	}
	// ID2 = R2 || ID1
	uint8_t id2[2 * OSC_ID_CONTEXT_LEN_MAX];

	memcpy(d->r2, r2, d->r2_len);
	memcpy(id2, r2, d->r2_len);
	memcpy(id2 + d->r2_len, context->params.id_context, context->params.id_context_len);
	*verdict = ANSWER_NOT_VERIFIED;
	if (!use(&second, id2, (uint8_t)(d->r2_len + context->params.id_context_len), &f)) {
		under.params = &second.params;
		under.keys = &second.keys;
		*verdict = answer_open(&under, request_piv, msg, answer);
	}
	if (*verdict == ANSWER_OK && answer->code != COAP_UNAUTHORIZED)
		*verdict = ANSWER_BAD_CONTENT;
	if (*verdict != ANSWER_OK)
		d->r2_len = 0;
	context_wipe(&second);
	return true;
}

int derived_next(
	struct derived *d, struct client_context *context, struct session *session, struct error *f)
{
	uint8_t id3[OSC_ID_CONTEXT_LEN_MAX];

	if (++d->runs > DERIVED_RUNS_MAX)
		return error_set(f, -ELOOP, "the gateway asks for one context after the other");
	memcpy(id3, d->r2, d->r2_len);
	randombytes_buf(id3 + d->r2_len, DERIVED_NONCE_LEN);
	const uint8_t len = (uint8_t)(d->r2_len + DERIVED_NONCE_LEN);

	d->r2_len = 0;
	d->phase = DERIVED_FRESH;
	int err = use(context, id3, len, f);

	if (!err)
		err = numbers_name(d, context, f);
	kid_context_say(d, context, session);
	return err;
}

static int state_write(const char *path, const char *temporary,
	const struct client_context *context, struct error *f)
{
	char hex[2 * OSC_ID_CONTEXT_LEN_MAX + 1], text[FILE_MAX + 1];
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return system_failure(f, temporary);
	hex_format(hex, context->params.id_context, context->params.id_context_len);
	int len = snprintf(text, sizeof(text), HEAD "%s\n", hex);
	int err =
		write(fd, text, (size_t)len) != len || fsync(fd) ? system_failure(f, temporary) : 0;

	if (close(fd) && !err)
		err = system_failure(f, temporary);
	if (!err && rename(temporary, path))
		err = system_failure(f, path);
	return err;
}

// The numbers of the context before: nothing is sealed under it any more.
static void numbers_remove(const struct derived *d, const uint8_t *id, uint8_t len)
{
	char hex[2 * OSC_ID_CONTEXT_LEN_MAX + 1], *path;

	hex_format(hex, id, len);
	if (asprintf(&path, "%s.%s.lock", d->base, hex) < 0)
		return;
	unlink(path);
	path[strlen(path) - strlen(".lock")] = 0;
	if (strcmp(path, d->numbers))
		unlink(path);
	free(path);
}

int derived_keep(struct derived *d, const struct client_context *context, struct error *f)
{
	uint8_t before[OSC_ID_CONTEXT_LEN_MAX], before_len = 0;
	char *path = NULL, *temporary = NULL;

	if (d->phase != DERIVED_FRESH)
		return 0;
	d->phase = DERIVED_STANDS;
	d->runs = 0;
	int err = state_path(d, "", &path, f);

	if (!err)
		err = state_path(d, ".new", &temporary, f);
	if (!err && state_read(path, before, &before_len, f))
		before_len = 0; // what cannot be read is replaced
	if (!err)
		err = state_write(path, temporary, context, f);
	if (!err && before_len)
		numbers_remove(d, before, before_len);
	free(path);
	free(temporary);
	return err;
}
