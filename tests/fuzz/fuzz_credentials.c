// SPDX-License-Identifier: BSD-3-Clause
// What operators write about credentials of EDHOC: credentials in PEM, hex and base64 or as bytes,
// lists of what was revoked, templates of names.
//
// The input is a byte that says which of them, then the text or bytes.

#include "gw/conf/trust_name.h"
#include "gw/device/credential.h"
#include "gw/handshake/revoked.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

// What is taken keeps its promises, and is taken again as it is.
static void item_check(const uint8_t *item, uint16_t len)
{
	struct device_credential credential;
	uint8_t again[DEVICE_CREDENTIAL_MAX], *copy = malloc(len);
	struct error error = {0};
	uint16_t again_len;

	FUZZ_CHECK(copy && len > 0 && len <= DEVICE_CREDENTIAL_MAX);
	memcpy(copy, item, len);
	if (device_credential_check(copy, len, &credential, &error) == 0) {
		FUZZ_CHECK(credential.kid_len <= DEVICE_KID_MAX);
		FUZZ_CHECK(credential.x509 == device_credential_is_x509(copy));
		FUZZ_CHECK(device_credential_take(copy, len, again, &again_len, NULL) == 0);
		FUZZ_CHECK(again_len == len && memcmp(again, item, len) == 0);
	} else {
		FUZZ_CHECK(error.text[0] != 0);
	}
	free(copy);
}

static void text_take(const char *text)
{
	uint8_t item[DEVICE_CREDENTIAL_MAX];
	struct error error = {0};
	uint16_t len;

	if (device_credential_read(text, item, &len, &error) == 0)
		item_check(item, len);
	else
		FUZZ_CHECK(error.text[0] != 0);
}

static void bytes_take(const uint8_t *bytes, size_t len)
{
	uint8_t item[DEVICE_CREDENTIAL_MAX];
	uint16_t item_len;

	if (device_credential_take(bytes, len, item, &item_len, NULL) == 0)
		item_check(item, item_len);
}

static void list_take(const char *text, size_t len)
{
	const struct credential_mark mark = {.serial_len = 1, .serial = {1}};
	struct error error = {0};
	struct revoked *revoked = revoked_create(text, len, &error);

	FUZZ_CHECK(revoked || error.text[0] != 0);
	(void)revoked_has(revoked, &mark);
	FUZZ_CHECK(revoked_count(revoked) <= len);
	revoked_free(revoked);
}

static void template_take(const char *text)
{
	enum conf_trust_value value;
	size_t len;

	if (conf_trust_name_split(text, &len, &value)) {
		FUZZ_CHECK(len > 0 && len <= CONF_TRUST_PREFIX_MAX && len < strlen(text));
		FUZZ_CHECK(conf_trust_names_overlap(text, text));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	char *text = malloc(len); // with a 0 in the place of the first byte

	FUZZ_CHECK(text);
	memcpy(text, data + 1, len - 1);
	text[len - 1] = 0;
	switch (*data % 4) {
	case 0:
		text_take(text);
		break;
	case 1:
		bytes_take(data + 1, len - 1);
		break;
	case 2:
		list_take(text, len - 1);
		break;
	default:
		template_take(text);
		break;
	}
	free(text);
	return 0;
}
