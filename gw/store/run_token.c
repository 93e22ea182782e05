// SPDX-License-Identifier: BSD-3-Clause

#include "gw/store/run_token.h"

#include "gw/store/file.h"
#include "gw/store/state.h"

#include <sodium.h>
#include <string.h>

// The file: boot id, newline, token in hex, newline.
#define TOKEN_FILE_LEN (STORE_BOOT_ID_LEN + 1 + 2 * STORE_TOKEN_LEN + 1)

bool run_token_read(const struct store *store, uint8_t token[STORE_TOKEN_LEN])
{
	char text[TOKEN_FILE_LEN];
	size_t len;

	if (file_read(store->runtime_fd, STORE_TOKEN, text, sizeof(text)) != TOKEN_FILE_LEN)
		return false;
	const char *hex = text + STORE_BOOT_ID_LEN + 1;
	return memcmp(text, store->boot_id, STORE_BOOT_ID_LEN) == 0 &&
		text[STORE_BOOT_ID_LEN] == '\n' && text[TOKEN_FILE_LEN - 1] == '\n' &&
		sodium_hex2bin(
			token, STORE_TOKEN_LEN, hex, 2 * STORE_TOKEN_LEN, NULL, &len, NULL) == 0 &&
		len == STORE_TOKEN_LEN;
}

int run_token_write(const struct store *store)
{
	char text[TOKEN_FILE_LEN + 1];
	char *to = mempcpy(text, store->boot_id, STORE_BOOT_ID_LEN);
	*to++ = '\n';
	sodium_bin2hex(to, 2 * STORE_TOKEN_LEN + 1, store->token, STORE_TOKEN_LEN);
	text[TOKEN_FILE_LEN - 1] = '\n';
	return file_replace(store->runtime_fd, STORE_TOKEN, text, TOKEN_FILE_LEN);
}
