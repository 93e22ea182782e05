// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/args.h"

#include <inttypes.h>
#include <string.h>

static const char *type_name(enum ctl_cbor_type type)
{
	switch (type) {
	case CTL_CBOR_BYTES:
		return "a byte string";
	case CTL_CBOR_TEXT:
		return "a text";
	case CTL_CBOR_UINT:
		return "a number from 0";
	default:
		return "true or false";
	}
}

static bool arg_read(struct ctl_request *req, struct ctl_arg *arg, const struct ctl_cbor *item)
{
	if (item->type != arg->type) {
		ctl_request_error(
			req, CTL_BAD_REQUEST, "%s: must be %s", arg->key, type_name(arg->type));
		return false;
	}
	if (item->value < arg->min || item->value > arg->max) {
		ctl_request_error(req, CTL_BAD_REQUEST, "%s: %s must be %" PRIu64 " to %" PRIu64,
			arg->key, arg->type == CTL_CBOR_UINT ? "it" : "its length in bytes",
			arg->min, arg->max);
		return false;
	}
	arg->given = true;
	arg->item = *item;
	return true;
}

bool ctl_args_read(
	struct ctl_request *req, const struct ctl_cbor *map, struct ctl_arg *args, size_t count)
{
	struct ctl_cbor_iter iter = ctl_cbor_iter(map);
	struct ctl_cbor key, value;

	while (ctl_cbor_next(&iter, &key) && ctl_cbor_next(&iter, &value)) {
		size_t i = 0;

		while (i < count && !ctl_cbor_is_text(&key, args[i].key))
			i++;
		if (i == count) {
			ctl_request_error(req, CTL_BAD_REQUEST,
				"there is an argument that the verb does not know");
			return false;
		}
		if (!arg_read(req, &args[i], &value))
			return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (args[i].required && !args[i].given) {
			ctl_request_error(req, CTL_BAD_REQUEST, "%s: is missing", args[i].key);
			return false;
		}
	}
	return true;
}

bool ctl_arg_name(
	struct ctl_request *req, const struct ctl_arg *arg, char name[DEVICE_NAME_MAX + 1])
{
	memset(name, 0, DEVICE_NAME_MAX + 1);
	if (!arg->given)
		return true;
	memcpy(name, arg->item.data, arg->item.value);
	if (strlen(name) == arg->item.value)
		return true;
	ctl_request_error(req, CTL_BAD_REQUEST, "%s: must not hold a 0", arg->key);
	return false;
}

bool ctl_arg_bool(const struct ctl_arg *arg)
{
	return arg->given && arg->item.value;
}

bool ctl_arg_text(struct ctl_request *req, const struct ctl_arg *arg, char *text)
{
	memcpy(text, arg->item.data, arg->item.value);
	text[arg->item.value] = 0;
	if (strlen(text) == arg->item.value)
		return true;
	ctl_request_error(req, CTL_BAD_REQUEST, "%s: has a 0 in it", arg->key);
	return false;
}

void ctl_unsupported(struct ctl_request *req)
{
	ctl_request_error(req, CTL_UNSUPPORTED, "this daemon does not have the verb");
}
