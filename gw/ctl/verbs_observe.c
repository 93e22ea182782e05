// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/verbs_observe.h"

#include "gw/ctl/args.h"
#include "gw/ctl/verbs.h"

void ctl_on_observe_list(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	enum { DEVICE, AFTER, LIMIT, COUNT };
	struct ctl_arg args[COUNT] = {
		[DEVICE] = {"device", CTL_CBOR_TEXT, .min = 1, .max = DEVICE_NAME_MAX},
		[AFTER] = {"after", CTL_CBOR_UINT, .min = 1, .max = UINT64_C(1) << 48},
		[LIMIT] = {"limit", CTL_CBOR_UINT, .min = 1, .max = CTL_LIST_MAX},
	};
	const struct ctl_ops *ops = arg;
	struct ctl_observed asked = {.limit = CTL_LIST_MAX};

	if (!ctl_args_read(req, map, args, COUNT) ||
		!ctl_arg_name(req, &args[DEVICE], asked.device))
		return;
	if (args[AFTER].given)
		asked.after = args[AFTER].item.value;
	if (args[LIMIT].given)
		asked.limit = (unsigned)args[LIMIT].item.value;
	if (ops->observe_list)
		ops->observe_list(ops->arg, req, &asked);
	else
		ctl_unsupported(req);
}

void ctl_on_observe_cancel(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	enum { DEVICE, PATH, COUNT };
	struct ctl_arg args[COUNT] = {
		[DEVICE] = {"device", CTL_CBOR_TEXT, true, 1, DEVICE_NAME_MAX},
		[PATH] = {"path", CTL_CBOR_TEXT, .min = 1, .max = CTL_PATH_MAX},
	};
	const struct ctl_ops *ops = arg;
	char device[DEVICE_NAME_MAX + 1], path[CTL_PATH_MAX + 1] = "";

	if (!ctl_args_read(req, map, args, COUNT) || !ctl_arg_name(req, &args[DEVICE], device) ||
		(args[PATH].given && !ctl_arg_text(req, &args[PATH], path)))
		return;
	if (path[0] && path[0] != '/')
		ctl_request_error(req, CTL_BAD_REQUEST, "path: must begin with /");
	else if (ops->observe_cancel)
		ops->observe_cancel(ops->arg, req, device, path);
	else
		ctl_unsupported(req);
}

void ctl_on_observe_push(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	enum { PATH, DEVICE, FORMAT, TYPE, MAX_AGE, DELETE, VALUE, COUNT };
	struct ctl_arg args[COUNT] = {
		[PATH] = {"path", CTL_CBOR_TEXT, true, 1, CTL_PATH_MAX},
		[DEVICE] = {"device", CTL_CBOR_TEXT, .min = 1, .max = DEVICE_NAME_MAX},
		[FORMAT] = {"format", CTL_CBOR_UINT, .max = CTL_FORMAT_MAX},
		[TYPE] = {"type", CTL_CBOR_TEXT, .min = 1, .max = CTL_TYPE_MAX},
		[MAX_AGE] = {"max_age", CTL_CBOR_UINT, .min = 1, .max = CTL_MAX_AGE_MAX},
		[DELETE] = {"delete", CTL_CBOR_BOOL, .max = 1},
		[VALUE] = {"value", CTL_CBOR_BYTES, .max = CTL_PUSH_MAX},
	};
	const struct ctl_ops *ops = arg;
	struct ctl_pushed pushed = {.format = -1};

	if (!ctl_args_read(req, map, args, COUNT) || !ctl_arg_text(req, &args[PATH], pushed.path) ||
		!ctl_arg_name(req, &args[DEVICE], pushed.device) ||
		(args[TYPE].given && !ctl_arg_text(req, &args[TYPE], pushed.type)))
		return;
	if (args[FORMAT].given)
		pushed.format = (int)args[FORMAT].item.value;
	pushed.gone = args[DELETE].given && args[DELETE].item.value;
	if (args[MAX_AGE].given)
		pushed.max_age_s = (uint32_t)args[MAX_AGE].item.value;
	if (args[VALUE].given) {
		pushed.value = args[VALUE].item.data;
		pushed.len = args[VALUE].item.value;
	}
	if (pushed.path[0] != '/')
		ctl_request_error(req, CTL_BAD_REQUEST, "path: must begin with /");
	else if (args[FORMAT].given && args[TYPE].given)
		ctl_request_error(req, CTL_BAD_REQUEST, "format and type: only one of them");
	else if (!pushed.gone && !args[VALUE].given)
		ctl_request_error(req, CTL_BAD_REQUEST, "value: is missing");
	else if (pushed.gone &&
		(args[VALUE].given || args[FORMAT].given || args[TYPE].given ||
			args[MAX_AGE].given))
		ctl_request_error(req, CTL_BAD_REQUEST,
			"delete: value, format, type and max_age are not for what is taken away");
	else if (ops->observe_push)
		ops->observe_push(ops->arg, req, &pushed);
	else
		ctl_unsupported(req);
}
