// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/served.h"

#include "gw/device/credential.h"

#include <errno.h>

static int credential_put(struct credentials *credentials, const struct device_keyed *device)
{
	if (device->replaces)
		credentials_take(credentials, device->replaces);
	return credentials_put(credentials,
		&(struct credential_row){
			.id = device->id,
			.name = device->name,
			.settings = &device->settings,
			.x509 = device_credential_is_x509(device->credential),
			.item = {device->credential, device->credential_len},
			.kid = {device->kid, device->kid_len},
		});
}

int served_add(struct registry *registry, const struct device_keyed *device)
{
	struct credentials *credentials = registry->credentials;
	int rc = credentials ? credentials_name_put(credentials, device->name) : 0;

	if (rc)
		return rc;
	if (!device->credential_len)
		return registry_add(registry, device);
	return credentials ? credential_put(credentials, device) : 0;
}

int served_rotate(struct registry *registry, const struct device_info *before,
	const struct device_keyed *device)
{
	if (!before->credential[0] && !device->credential_len)
		return registry_rotate(registry, before, device);
	const int rc = served_remove(registry, before);

	return rc && rc != -ENOENT ? rc : served_add(registry, device);
}

int served_remove(struct registry *registry, const struct device_info *info)
{
	struct credentials *credentials = registry->credentials;

	if (credentials)
		credentials_name_take(credentials, info->name);
	if (!info->credential[0])
		return registry_remove(registry, info);
	if (credentials)
		credentials_take(credentials, info->id);
	return 0;
}

int served_resync(struct registry *registry, const struct device_keyed *device, uint64_t from)
{
	if (!device->credential_len)
		return registry_resync(registry, device, from);
	if (registry->credentials)
		credentials_end(registry->credentials, device->id);
	return 0;
}
