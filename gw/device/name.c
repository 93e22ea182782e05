// SPDX-License-Identifier: BSD-3-Clause
// Names of devices and policies, and notes about devices.

#include "base/utf8.h"
#include "gw/device/device.h"

#include <string.h>

bool device_name_valid(const char *name)
{
	size_t len = strspn(name,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789._:-");
	return len > 0 && len <= DEVICE_NAME_MAX && name[len] == 0;
}

bool device_policy_valid(const char *policy)
{
	size_t len = strspn(policy,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789_.-");
	return len <= DEVICE_POLICY_MAX && policy[len] == 0;
}

// Whether a character is one of C0, DEL or C1.
static bool is_control(const uint8_t *character)
{
	return character[0] < 0x20 || character[0] == 0x7f ||
		(character[0] == 0xc2 && character[1] < 0xa0);
}

bool device_note_valid(const char *note)
{
	const uint8_t *at = (const uint8_t *)note;
	size_t left = strlen(note);
	unsigned characters = 0;

	while (left > 0) {
		unsigned len = utf8_len(at, left);
		if (len == 0 || is_control(at) || ++characters > DEVICE_NOTE_CHARACTERS)
			return false;
		at += len;
		left -= len;
	}
	return true;
}
