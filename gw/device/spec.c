// SPDX-License-Identifier: BSD-3-Clause
// The rules between the attributes of a new device.

#include "gw/device/spec.h"

#include "gw/device/attribute.h"
#include "gw/device/credential.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

// What is said was put by device_put_text() and its like, or by a caller of its own.
static int values_check(const struct device_spec *spec, struct error *error)
{
	struct device_value value;

	for (unsigned i = 0; i < device_attribute_count; i++) {
		const struct device_attribute *attribute = &device_attributes[i];
		if (!device_said(attribute, spec, &value))
			continue;
		if (attribute->kind == DEVICE_TEXT && !attribute->valid(value.text))
			return error_set(
				error, -EINVAL, "%s: %s", attribute->name, attribute->must);
		if (attribute->most != 0 &&
			(value.number < attribute->least || value.number > attribute->most))
			return error_set(error, -EINVAL, "%s: from %" PRIu64 " to %" PRIu64,
				attribute->name, attribute->least, attribute->most);
	}
	return 0;
}

// Where the keys have been.
static int past_check(const struct device_spec *spec, struct error *error)
{
	if (spec->never_used && spec->has_gateway_seq)
		return error_set(error, -EINVAL, "never_used and gateway_seq exclude each other");
	if (!spec->never_used && !spec->has_gateway_seq)
		return error_set(error, -EINVAL,
			"say where the keys have been: never_used, or gateway_seq with the next "
			"sequence number of the gateway that had them");
	if (spec->has_gateway_seq && spec->gateway_seq > DEVICE_GATEWAY_SEQ_MAX)
		return error_set(error, -ERANGE,
			"gateway_seq: %" PRIu64
			" leaves too few sequence numbers: new keys are due",
			spec->gateway_seq);
	if (spec->has_device_seq && spec->never_used)
		return error_set(error, -EINVAL, "never_used and device_seq exclude each other");
	if (spec->has_device_seq && spec->device_seq > DEVICE_SEQ_MAX)
		return error_set(
			error, -EINVAL, "device_seq: no device has numbers beyond 2^40 - 1");
	return 0;
}

// Name and settings beside the credential; what a device with keys has is not said.
static int credential_check(const struct device_spec *spec, struct error *error)
{
	struct device_credential credential;

	if (spec->never_used || spec->has_gateway_seq || spec->params.secret_len > 0)
		return error_set(error, -EINVAL, "a device has keys or a credential, not both");
	int code =
		device_credential_check(spec->credential, spec->credential_len, &credential, error);
	return code != 0 ? code : values_check(spec, error);
}

int device_spec_check(const struct device_spec *spec, struct error *error)
{
	if (spec->credential_len > 0)
		return credential_check(spec, error);
	const struct osc_params *params = &spec->params;
	unsigned id_max = osc_id_len_max(params->alg);

	if (params->secret_len == 0)
		return error_set(error, -EINVAL, "master_secret: is empty");
	if (params->recipient_id_len > id_max)
		return error_set(error, -EINVAL, "device_id: at most %u bytes with %s", id_max,
			aead_algs[params->alg].name);
	if (params->sender_id_len > id_max)
		return error_set(error, -EINVAL, "gateway_id: at most %u bytes with %s", id_max,
			aead_algs[params->alg].name);
	if (params->recipient_id_len == params->sender_id_len &&
		memcmp(params->recipient_id, params->sender_id, params->sender_id_len) == 0)
		return error_set(error, -EINVAL, "device_id and gateway_id are the same");
	int code = values_check(spec, error);
	return code != 0 ? code : past_check(spec, error);
}
