// SPDX-License-Identifier: BSD-3-Clause

#include "gw/device/convert_parts.h"
#include "gw/device/spec.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

const struct device_attribute *convert_attribute(const char *name)
{
	return device_attribute(name, strlen(name));
}

const char *convert_id(bool server, bool sender)
{
	return server == sender ? "gateway_id" : "device_id";
}

int convert_finish(const struct convert *convert, struct device_spec *spec, struct error *error)
{
	bool said = spec->has_gateway_seq;

	// That is asked for when the device is imported, if it is not said here.
	spec->never_used = convert->never_used || !said;
	int code = device_spec_check(spec, error);
	spec->never_used = convert->never_used;
	if (code == 0)
		code = convert->each(convert->arg, spec);
	sodium_memzero(spec, sizeof(*spec));
	return code;
}
