// SPDX-License-Identifier: BSD-3-Clause
// Devices as other implementations describe them: each function reads one format, and hands out
// what a new device here is made of. docs/import.md has a table of their names and ours.
//
// Their ids are seen from one end: a device's file calls the device's id its sender id, a server's
// file calls it a recipient id. What a file says that would give other keys than ours, such as
// another key derivation, is refused, and so is a name that is not known.

#ifndef POSTERN_GW_DEVICE_CONVERT_H
#define POSTERN_GW_DEVICE_CONVERT_H

#include "base/error.h"
#include "gw/device/device.h"

#include <stddef.h>

struct convert {
	bool server;     // the file is a server's
	bool never_used; // for all devices: their keys were in no gateway
	// Gets each device; *spec is wiped after it returns. A negative errno ends the conversion,
	// and is returned.
	int (*each)(void *arg, const struct device_spec *spec);
	void *arg;
};

// All take a text that ends with 0 at text[len], and change it: the caller wipes it. Return 0 or
// -EINVAL, with *error, which names the line.

// coap-oscore-conf(5) of libcoap.
int convert_libcoap(const struct convert *convert, char *text, size_t len, struct error *error)
	__attribute__((warn_unused_result));

// settings.json, secret.json and sequence.json of a context directory of aiocoap, in this order; a
// text is NULL where there is no file. Of sequence.json only a server's next number is used.
enum {
	CONVERT_AIOCOAP_SETTINGS,
	CONVERT_AIOCOAP_SECRET,
	CONVERT_AIOCOAP_SEQUENCE,
	CONVERT_AIOCOAP
};
int convert_aiocoap(const struct convert *convert, char *const text[CONVERT_AIOCOAP],
	const size_t len[CONVERT_AIOCOAP], struct error *error) __attribute__((warn_unused_result));
extern const char *const convert_aiocoap_files[CONVERT_AIOCOAP];

// Leshan: configurations of its bootstrap server, with OSCORE objects (object 21), or the security
// information of its server. Either says itself from which end ids are seen.
int convert_leshan(const struct convert *convert, char *text, size_t len, struct error *error)
	__attribute__((warn_unused_result));

#endif
