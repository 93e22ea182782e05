// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/context_file.h"

#include "gw/tools/coap/json_file.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <string.h>

// Takes a short one out of the object.
static int take_hex(json_t *object, const char *key, uint8_t *out, size_t room, uint8_t *len,
	bool *present, struct error *f)
{
	size_t n = *len;
	int err = json_take_hex(object, key, out, room, &n, present, f);

	*len = (uint8_t)n;
	return err;
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
	return json_nothing_left(object, f);
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

int context_take(struct client_context *context, json_t *object, struct error *f)
{
	int err = take_params(&context->params, object, f);

	return err ? err : derive(context, f);
}

int context_file_load(struct client_context *context, const char *path, struct error *f)
{
	struct error why;
	json_t *object;

	*context = (struct client_context){0};
	int err = json_file_load(&object, path, &context->group_may_read, f);

	if (err)
		return err;
	err = context_take(context, object, &why);
	if (err)
		error_set(f, err, "%s: %s", path, why.text);
	json_decref(object);
	return err;
}

void context_wipe(struct client_context *context)
{
	sodium_memzero(context, sizeof(*context));
}
