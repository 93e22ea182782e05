// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/attribute.h"

static void put_value(struct ctl_writer *writer, const char *key, const struct device_value *value)
{
	switch (value->kind) {
	case DEVICE_BYTES:
		ctl_put_bytes(writer, key, value->bytes, value->len);
		break;
	case DEVICE_NUMBER:
		ctl_put_uint(writer, key, value->number);
		break;
	case DEVICE_FLAG:
		ctl_put_bool(writer, key, value->flag);
		break;
	default:
		ctl_put_text(writer, key, value->text);
		break;
	}
}

void ctl_put_spec(struct ctl_writer *writer, const struct device_spec *spec)
{
	struct device_value value;

	for (unsigned i = 0; i < device_attribute_count; i++) {
		if (device_said(&device_attributes[i], spec, &value))
			put_value(writer, device_attributes[i].name, &value);
	}
}

void ctl_put_info(struct ctl_writer *writer, const struct device_info *info)
{
	struct device_value value;

	for (unsigned i = 0; i < device_attribute_count; i++) {
		const struct device_attribute *attribute = &device_attributes[i];
		if (device_shown(attribute, info, &value))
			put_value(writer, attribute->shown ? attribute->shown : attribute->name,
				&value);
	}
}
