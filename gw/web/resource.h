// SPDX-License-Identifier: BSD-3-Clause
// What a push is of, and for how long it is good: the target and a header of its request. Pure
// functions.

#ifndef POSTERN_GW_WEB_RESOURCE_H
#define POSTERN_GW_WEB_RESOURCE_H

#include <stdint.h>

#define WEB_RESOURCES    "/v1/resources"
#define WEB_TARGET_MAX   2048 // bytes of a request's target
#define WEB_SEGMENT_MAX  255  // bytes of a segment, decoded
#define WEB_SEGMENTS_MAX 64
#define WEB_DEVICE_MAX   255 // bytes of a device's name

struct web_resource {
	char path[WEB_TARGET_MAX + 1];   // of the devices' requests, as it stands in the target
	char device[WEB_DEVICE_MAX + 1]; // that alone may have it; "": none is said
};

// Reads a target: "/v1/resources", a path whose segments can stand in Uri-Path options, and perhaps
// "?device=NAME". Returns NULL, or what is wrong with it, and *status is 400 or 404.
const char *web_resource_read(const char *target, struct web_resource *resource, unsigned *status)
	__attribute__((warn_unused_result));

// Reads Cache-Control: the seconds of max-age; 0 if it says nothing of that, or is NULL. Other
// directives of requests are left to caches. Returns NULL, or what is wrong with it.
const char *web_max_age_read(const char *cache_control, uint32_t *seconds)
	__attribute__((warn_unused_result));

#endif
