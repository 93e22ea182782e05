// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/verbs_packets.h"

#include "gw/ctl/args.h"
#include "gw/ctl/verbs.h"

#include <string.h>

void ctl_on_capture(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	enum { DEVICE, PORT, PLAIN, FRAMES, SECONDS, COUNT };
	struct ctl_arg args[COUNT] = {
		[DEVICE] = {"device", CTL_CBOR_TEXT, .min = 1, .max = DEVICE_NAME_MAX},
		[PORT] = {"port", CTL_CBOR_TEXT, .min = 1, .max = CTL_PORT_MAX},
		[PLAIN] = {"plain", CTL_CBOR_BOOL, .max = 1},
		[FRAMES] = {"count", CTL_CBOR_UINT, .min = 1, .max = CTL_CAPTURE_COUNT},
		[SECONDS] = {"seconds", CTL_CBOR_UINT, .min = 1, .max = CTL_CAPTURE_TIME},
	};
	const struct ctl_ops *ops = arg;
	struct ctl_capture asked = {.count = UINT64_MAX, .seconds = CTL_CAPTURE_TIME_DEFAULT};

	if (!ctl_args_read(req, map, args, COUNT) ||
		!ctl_arg_name(req, &args[DEVICE], asked.device) ||
		(args[PORT].given && !ctl_arg_text(req, &args[PORT], asked.port)))
		return;
	asked.plain = ctl_arg_bool(&args[PLAIN]);
	if (args[FRAMES].given)
		asked.count = args[FRAMES].item.value;
	if (args[SECONDS].given)
		asked.seconds = args[SECONDS].item.value;
	if (asked.plain && ctl_request_level(req) < CTL_ADMIN)
		ctl_request_error(req, CTL_DENIED, "to see opened messages needs level admin");
	else if (ops->capture)
		ops->capture(ops->arg, req, &asked);
	else
		ctl_unsupported(req);
}

void ctl_on_trace(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	enum { DEVICE, SOURCE, PACKETS, SECONDS, COUNT };
	struct ctl_arg args[COUNT] = {
		[DEVICE] = {"device", CTL_CBOR_TEXT, .min = 1, .max = DEVICE_NAME_MAX},
		[SOURCE] = {"source", CTL_CBOR_BYTES, .min = 4, .max = 16},
		[PACKETS] = {"count", CTL_CBOR_UINT, .min = 1, .max = CTL_TRACE_COUNT},
		[SECONDS] = {"seconds", CTL_CBOR_UINT, .min = 1, .max = CTL_TRACE_TIME},
	};
	const struct ctl_ops *ops = arg;
	struct ctl_trace asked = {
		.count = CTL_TRACE_COUNT_DEFAULT, .seconds = CTL_TRACE_TIME_DEFAULT};

	if (!ctl_args_read(req, map, args, COUNT) ||
		!ctl_arg_name(req, &args[DEVICE], asked.device))
		return;
	if (args[SOURCE].given) {
		asked.source_len = args[SOURCE].item.value;
		memcpy(asked.source, args[SOURCE].item.data, asked.source_len);
	}
	if (args[PACKETS].given)
		asked.count = args[PACKETS].item.value;
	if (args[SECONDS].given)
		asked.seconds = args[SECONDS].item.value;
	if (args[DEVICE].given == args[SOURCE].given ||
		(asked.source_len && asked.source_len != 4 && asked.source_len != 16))
		ctl_request_error(
			req, CTL_BAD_REQUEST, "either device, or source with 4 or 16 bytes");
	else if (ops->trace)
		ops->trace(ops->arg, req, &asked);
	else
		ctl_unsupported(req);
}

void ctl_on_show_refused(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	enum { REASON, LIMIT, COUNT };
	struct ctl_arg args[COUNT] = {
		[REASON] = {"reason", CTL_CBOR_TEXT, .min = 1, .max = CTL_REASON_MAX},
		[LIMIT] = {"limit", CTL_CBOR_UINT, .min = 1, .max = CTL_REFUSED_COUNT},
	};
	const struct ctl_ops *ops = arg;
	char reason[CTL_REASON_MAX + 1] = "";

	if (!ctl_args_read(req, map, args, COUNT) ||
		(args[REASON].given && !ctl_arg_text(req, &args[REASON], reason)))
		return;
	if (ops->show_refused)
		ops->show_refused(ops->arg, req, reason,
			args[LIMIT].given ? (unsigned)args[LIMIT].item.value
					  : CTL_REFUSED_COUNT_DEFAULT);
	else
		ctl_unsupported(req);
}
