// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/spec.h"

#include "gw/ctl/args.h"
#include "gw/ctl/verbs.h"
#include "gw/device/attribute.h"
#include "gw/device/spec.h"

#include <errno.h>
#include <string.h>

static enum ctl_cbor_type type_of(enum device_kind kind)
{
	switch (kind) {
	case DEVICE_BYTES:
	case DEVICE_CREDENTIAL:
		return CTL_CBOR_BYTES;
	case DEVICE_NUMBER:
		return CTL_CBOR_UINT;
	case DEVICE_FLAG:
		return CTL_CBOR_BOOL;
	default:
		return CTL_CBOR_TEXT;
	}
}

static int put(const struct device_attribute *attribute, const struct ctl_cbor *item,
	struct device_spec *spec, struct error *error)
{
	switch (attribute->kind) {
	case DEVICE_BYTES:
		return device_put_bytes(attribute, spec, item->data, item->value, error);
	case DEVICE_CREDENTIAL:
		return device_put_credential(spec, item->data, item->value, error);
	case DEVICE_NUMBER:
		return device_put_number(attribute, spec, item->value, error);
	case DEVICE_FLAG:
		device_put_flag(attribute, spec, item->value);
		return 0;
	default:
		return device_put_text(
			attribute, spec, (const char *)item->data, item->value, error);
	}
}

// An argument for each attribute; what its value may be, the attribute judges. Of a device with a
// credential all that is not said may be missing.
static void args_make(
	struct ctl_arg args[DEVICE_ATTRIBUTES_MAX + 1], bool named, bool has_credential)
{
	for (unsigned i = 0; i < device_attribute_count; i++) {
		const struct device_attribute *attribute = &device_attributes[i];
		bool is_name = strcmp(attribute->name, "name") == 0;

		args[i] = (struct ctl_arg){
			.key = attribute->name,
			.type = type_of(attribute->kind),
			.required = (attribute->required && !has_credential) || (named && is_name),
			.max = UINT64_MAX,
		};
	}
	args[device_attribute_count] =
		(struct ctl_arg){.key = "replace", .type = CTL_CBOR_BOOL, .max = 1};
}

bool ctl_spec_read(struct ctl_request *req, const struct ctl_cbor *map, struct device_spec *spec,
	bool *replace)
{
	struct ctl_arg args[DEVICE_ATTRIBUTES_MAX + 1];
	struct ctl_cbor credential;
	struct error error = {0};
	int code = 0;

	memset(spec, 0, sizeof(*spec));
	spec->params.alg = AEAD_AES_CCM_16_64_128;
	const bool has_credential = ctl_cbor_find(map, "credential", &credential);

	args_make(args, replace == NULL, has_credential);
	if (!ctl_args_read(req, map, args, device_attribute_count + (replace != NULL)))
		return false;
	for (unsigned i = 0; code == 0 && i < device_attribute_count; i++) {
		if (args[i].given && device_attributes[i].keyed && has_credential)
			code = error_set(&error, -EINVAL,
				"%s: a device has keys or a credential, not both", args[i].key);
		else if (args[i].given)
			code = put(&device_attributes[i], &args[i].item, spec, &error);
	}
	if (code == 0)
		code = device_spec_check(spec, &error);
	if (code != 0) {
		ctl_reply_failed(req, code, &error);
		return false;
	}
	if (replace != NULL)
		*replace = ctl_arg_bool(&args[device_attribute_count]);
	return true;
}
