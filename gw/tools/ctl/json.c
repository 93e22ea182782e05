// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/json.h"

#include <inttypes.h>
#include <string.h>

static void print_quoted(FILE *out, const uint8_t *text, uint64_t len)
{
	putc('"', out);
	for (uint64_t i = 0; i < len; i++) {
		uint8_t c = text[i];

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out); // the message was checked to be UTF-8
	}
	putc('"', out);
}

static void print_text(FILE *out, const struct ctl_cbor *text)
{
	print_quoted(out, text->data, text->value);
}

void cli_json_text(FILE *out, const char *text)
{
	print_quoted(out, (const uint8_t *)text, strlen(text));
}

static void print_bytes(FILE *out, const struct ctl_cbor *bytes)
{
	putc('"', out);
	for (uint64_t i = 0; i < bytes->value; i++)
		fprintf(out, "%02x", bytes->data[i]);
	putc('"', out);
}

// Depth is bounded by the walker.
static void print_inside(FILE *out, const struct ctl_cbor *item)
{
	struct ctl_cbor_iter iter = ctl_cbor_iter(item);
	bool map = item->type == CTL_CBOR_MAP, first = true;
	struct ctl_cbor inner;

	putc(map ? '{' : '[', out);
	while (ctl_cbor_next(&iter, &inner)) {
		if (!first)
			putc(',', out);
		first = false;
		cli_json(out, &inner);
		if (map && ctl_cbor_next(&iter, &inner)) {
			putc(':', out);
			cli_json(out, &inner);
		}
	}
	putc(map ? '}' : ']', out);
}

void cli_json(FILE *out, const struct ctl_cbor *item)
{
	switch (item->type) {
	case CTL_CBOR_UINT:
		fprintf(out, "%" PRIu64, item->value);
		break;
	case CTL_CBOR_NEGINT:
		// -1 - value; of the largest value this needs 65 bits.
		if (item->value == UINT64_MAX)
			fputs("-18446744073709551616", out);
		else
			fprintf(out, "-%" PRIu64, item->value + 1);
		break;
	case CTL_CBOR_BYTES:
		print_bytes(out, item);
		break;
	case CTL_CBOR_TEXT:
		print_text(out, item);
		break;
	case CTL_CBOR_ARRAY:
	case CTL_CBOR_MAP:
		print_inside(out, item);
		break;
	case CTL_CBOR_BOOL:
		fputs(item->value ? "true" : "false", out);
		break;
	case CTL_CBOR_NULL:
		fputs("null", out);
		break;
	}
}

void cli_json_element(struct cli *cli, const struct ctl_cbor *item)
{
	fputs(cli->json_open ? ",\n" : "[\n", stdout);
	cli->json_open = true;
	cli_json(stdout, item);
}

void cli_json_end(struct cli *cli)
{
	fputs(cli->json_open ? "\n]\n" : "[]\n", stdout);
	cli->json_open = false;
}
