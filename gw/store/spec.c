// SPDX-License-Identifier: BSD-3-Clause
// Makes a row of what an operator says of a new device: derives its keys, and seals them and its
// secret.

#include "gw/store/spec.h"

#include "gw/device/credential.h"
#include "gw/device/spec.h"
#include "gw/store/hashes.h"
#include "gw/store/row.h"
#include "gw/store/seal.h"
#include "gw/store/state.h"

#include <errno.h>
#include <string.h>
#include <time.h>

_Static_assert((DEVICE_GATEWAY_SEQ_MAX >> STORE_COUNTER_BITS) + 1 <= STORE_RUN_MAX / 2 + 1,
	"a run_base leaves half of all runs");

#define HEX_MAX (2 * OSC_ID_CONTEXT_LEN_MAX + 1)

// "empty" stands for an id of no bytes; it is no hex, so no other id has this name.
static int default_name(struct store_row *row, struct error *error)
{
	char name[2 * OSC_KID_LEN_MAX + 1 + HEX_MAX];
	char *to = name;

	if (row->device_id_len == 0)
		to = mempcpy(to, "empty", sizeof("empty") - 1);
	else
		to = sodium_bin2hex(to, HEX_MAX, row->device_id, row->device_id_len) +
			2 * row->device_id_len;
	if (row->has_id_context) {
		*to++ = '.';
		to = sodium_bin2hex(to, HEX_MAX, row->id_context, row->id_context_len) +
			2 * row->id_context_len;
	}
	*to = 0;
	if (strlen(name) > DEVICE_NAME_MAX)
		return error_set(error, -EINVAL,
			"name: the ID Context is too long to make a name of it, give one");
	memcpy(row->name, name, to - name + 1);
	return 0;
}

// Where the mark of a device without Echo begins must be known; with Echo there is none.
int spec_floor_check(const struct store_row *row, struct error *error)
{
	if (row->recovery == DEVICE_FLOOR && !row->never_used && !row->has_device_seq)
		return error_set(error, -EINVAL,
			"recovery is floor and the keys were used: device_seq must say the next "
			"sequence number of the device");
	if (row->recovery_said && row->recovery == DEVICE_ECHO && row->has_device_seq)
		return error_set(error, -EINVAL, "device_seq is for recovery: floor");
	return 0;
}

int spec_rederive_check(const struct store_row *row, struct error *error)
{
	if (row->recovery == DEVICE_B2 && row->rederive != DEVICE_REDERIVE_B2)
		return error_set(error, -EINVAL, "recovery: b2 is for devices with rederive: b2");
	if (row->recovery == DEVICE_B2 &&
		(!row->has_id_context || row->id_context_len > DEVICE_B2_CONTEXT_MAX))
		return error_set(error, -EINVAL,
			"recovery: b2 needs an id_context of at most %d bytes: a run that the "
			"gateway starts makes it longer by 16",
			DEVICE_B2_CONTEXT_MAX);
	if (row->recovery == DEVICE_FLOOR && row->rederive == DEVICE_REDERIVE_B2)
		return error_set(error, -EINVAL,
			"recovery: floor and rederive: b2 exclude each other: a device that "
			"derives contexts begins its numbers again with each");
	return 0;
}

static int reserved_check(struct store *store, const struct device_spec *spec, struct error *error)
{
	const struct device_ids ids = {
		.kid = spec->params.recipient_id,
		.kid_len = spec->params.recipient_id_len,
		.has_id_context = spec->params.has_id_context,
		.id_context = spec->params.id_context,
		.id_context_len = spec->params.id_context_len,
		.derives = spec->has_rederive && spec->rederive == DEVICE_REDERIVE_B2,
	};

	if (device_reserved_has(store->reserved, &ids))
		return error_set(error, -EEXIST,
			"messages with this device_id are passed through: see passthrough in the "
			"configuration");
	// Its device would never learn that it has no session any more.
	if (device_reserved_lent(store->reserved, ids.kid, ids.kid_len))
		return error_set(error, -EEXIST,
			"a session of EDHOC has this device_id, or will get it: take another "
			"one, best of another length than edhoc.c_r_length");
	return 0;
}

// A device with a credential: what is sealed in the place of keys is 0.
static int credential_prepare(struct store *store, const struct device_spec *spec,
	struct store_row *row, struct error *error)
{
	const struct osc_params none = {.alg = AEAD_AES_CCM_16_64_128};
	const struct osc_keys no_keys = {0};
	struct device_credential credential;

	int code =
		device_credential_check(spec->credential, spec->credential_len, &credential, error);
	if (code != 0)
		return code;
	row->id = store->next_id++;
	row->named = true;
	memcpy(row->name, spec->name, sizeof(row->name));
	row->alg = none.alg;
	row->created = time(NULL);
	row->settings = spec->settings;
	row->credential_len = spec->credential_len;
	memcpy(row->credential, spec->credential, spec->credential_len);
	row->kid_len = credential.kid_len;
	memcpy(row->kid, credential.kid, sizeof(row->kid));
	memcpy(row->digest, credential.digest, sizeof(row->digest));
	seal_keys(store, row, &no_keys);
	seal_secret(store, row, &none);
	return 0;
}

int row_prepare_new(struct store *store, const struct device_spec *spec, struct store_row *row,
	struct error *error)
{
	if (spec->credential_len > 0 && spec->name[0] == 0) {
		memset(row, 0, sizeof(*row));
		return error_set(error, -EINVAL, "name: a device with a credential needs one");
	}
	return row_prepare(store, spec, row, error);
}

int row_prepare(struct store *store, const struct device_spec *spec, struct store_row *row,
	struct error *error)
{
	const struct osc_params *params = &spec->params;
	struct osc_keys keys;

	memset(row, 0, sizeof(*row));
	int code = device_spec_check(spec, error);
	if (code == 0 && spec->credential_len > 0)
		return credential_prepare(store, spec, row, error);
	if (code == 0)
		code = reserved_check(store, spec, error);
	if (code != 0)
		return code;
	code = osc_derive(&keys, params);
	if (code != 0)
		return error_set(error, code, "no keys can be derived of these parameters");

	row->id = store->next_id++;
	row->named = spec->name[0] != 0;
	memcpy(row->name, spec->name, sizeof(row->name));
	row->never_used = spec->never_used;
	row->alg = params->alg;
	row->device_id_len = params->recipient_id_len;
	memcpy(row->device_id, params->recipient_id, params->recipient_id_len);
	row->gateway_id_len = params->sender_id_len;
	memcpy(row->gateway_id, params->sender_id, params->sender_id_len);
	row->has_id_context = params->has_id_context;
	if (row->has_id_context) {
		row->id_context_len = params->id_context_len;
		memcpy(row->id_context, params->id_context, params->id_context_len);
	}
	row->run_base = spec->has_gateway_seq ? (spec->gateway_seq >> STORE_COUNTER_BITS) + 1 : 0;
	row->gateway_seq = spec->has_gateway_seq ? spec->gateway_seq : 0;
	row->created = time(NULL);
	row->recovery_said = spec->has_recovery;
	row->own_piv_said = spec->has_own_piv;
	row->rederive_said = spec->has_rederive;
	if (row->rederive_said)
		row->rederive = spec->rederive;
	if (row->recovery_said)
		row->recovery = spec->recovery;
	if (row->own_piv_said)
		row->own_piv = spec->own_piv;
	row->settings = spec->settings;
	row->has_device_seq = spec->has_device_seq;
	row->device_seq = spec->device_seq;
	code = spec_floor_check(row, error);
	if (code != 0) {
		sodium_memzero(&keys, sizeof(keys));
		return code;
	}
	store_secret_hash(store, row->secret_hash, params);
	store_key_hash(store, row->sender_hash, keys.sender_key, row->alg);
	store_key_hash(store, row->recipient_hash, keys.recipient_key, row->alg);
	seal_keys(store, row, &keys);
	seal_secret(store, row, params);
	sodium_memzero(&keys, sizeof(keys));
	return row->named ? 0 : default_name(row, error);
}
