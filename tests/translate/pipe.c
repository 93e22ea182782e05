// SPDX-License-Identifier: BSD-3-Clause
// usage: translate_pipe <IN >OUT
// Translates for tests/translate/properties. A line in is "json|cbor plain|senml HEX": what is to
// be written, the form, and what is to be read. A line out is "ok HEX" or "refused WHAT".

#include "gw/translate/translate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM ((size_t)1 << 20)

static int digit(int c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

// Decodes hex into a copy that ends where it ends, for a sanitizer to see.
static uint8_t *bytes_of(const char *hex, size_t *len)
{
	size_t n = strspn(hex, "0123456789abcdef") / 2;
	uint8_t *bytes = malloc(n);

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
	*len = n;
	return bytes;
}

int main(void)
{
	static char out[ROOM];
	char *line = NULL, to[5], form[6];
	struct tr_fault fault;
	size_t room = 0, len, out_len;
	int at;

	while (getline(&line, &room, stdin) > 0) {
		if (sscanf(line, "%4s %5s %n", to, form, &at) != 2)
			return 1;
		uint8_t *in = bytes_of(line + at, &len);
		enum tr_form tr_form = strcmp(form, "senml") ? TR_PLAIN : TR_SENML;
		enum tr_verdict verdict = strcmp(to, "json")
			? tr_json_to_cbor(
				  tr_form, (char *)in, len, (uint8_t *)out, ROOM, &out_len, &fault)
			: tr_cbor_to_json(tr_form, in, len, out, ROOM, &out_len, &fault);
		free(in);
		if (verdict != TR_OK) {
			printf("refused %s @ %s\n", verdict == TR_REFUSED ? fault.what : "?",
				verdict == TR_REFUSED ? fault.place : "");
			continue;
		}
		fputs("ok ", stdout);
		for (size_t i = 0; i < out_len; i++)
			printf("%02x", (uint8_t)out[i]);
		putchar('\n');
	}
	free(line);
	return 0;
}
