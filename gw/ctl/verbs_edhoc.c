// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/verbs_edhoc.h"

#include "gw/ctl/args.h"
#include "gw/ctl/verbs.h"

void ctl_on_edhoc_identity(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	const struct ctl_ops *ops = arg;

	if (!ctl_args_read(req, map, NULL, 0))
		return;
	if (ops->edhoc_identity)
		ops->edhoc_identity(ops->arg, req);
	else
		ctl_unsupported(req);
}

void ctl_on_edhoc_sessions(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	enum { DEVICE, AFTER, LIMIT, COUNT };
	struct ctl_arg args[COUNT] = {
		[DEVICE] = {"device", CTL_CBOR_TEXT, .min = 1, .max = DEVICE_NAME_MAX},
		[AFTER] = {"after", CTL_CBOR_UINT, .min = 1, .max = UINT32_MAX},
		[LIMIT] = {"limit", CTL_CBOR_UINT, .min = 1, .max = CTL_LIST_MAX},
	};
	const struct ctl_ops *ops = arg;
	struct ctl_sessions asked = {.limit = CTL_LIST_MAX};

	if (!ctl_args_read(req, map, args, COUNT) ||
		!ctl_arg_name(req, &args[DEVICE], asked.device))
		return;
	if (args[AFTER].given)
		asked.after = (uint32_t)args[AFTER].item.value;
	if (args[LIMIT].given)
		asked.limit = (unsigned)args[LIMIT].item.value;
	if (ops->edhoc_sessions)
		ops->edhoc_sessions(ops->arg, req, &asked);
	else
		ctl_unsupported(req);
}

void ctl_on_edhoc_end(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	enum { DEVICE, COUNT };
	struct ctl_arg args[COUNT] = {
		[DEVICE] = {"device", CTL_CBOR_TEXT, .required = true, .min = 1,
			.max = DEVICE_NAME_MAX},
	};
	const struct ctl_ops *ops = arg;
	char device[DEVICE_NAME_MAX + 1];

	if (!ctl_args_read(req, map, args, COUNT) || !ctl_arg_name(req, &args[DEVICE], device))
		return;
	if (ops->edhoc_end)
		ops->edhoc_end(ops->arg, req, device);
	else
		ctl_unsupported(req);
}
