// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/message.h"

bool ctl_message_read(struct ctl_message *message, const uint8_t *data, size_t len, bool open)
{
	const struct ctl_cbor root = ctl_cbor_root(data, len);
	struct ctl_cbor_iter iter = ctl_cbor_iter(&root);
	struct ctl_cbor id;

	if (root.type != CTL_CBOR_ARRAY || (!open && root.value != 3) ||
		!ctl_cbor_next(&iter, &id) || id.type != CTL_CBOR_UINT ||
		!ctl_cbor_next(&iter, &message->word) || message->word.type != CTL_CBOR_TEXT ||
		!ctl_cbor_next(&iter, &message->map) || message->map.type != CTL_CBOR_MAP)
		return false;
	message->id = id.value;
	return true;
}

void ctl_message_write(
	struct ctl_writer *out, uint64_t id, const char *word, const uint8_t *body, size_t body_len)
{
	ctl_writer_init(out);
	ctl_write_array(out);
	ctl_write_uint(out, id);
	ctl_write_text(out, word);
	ctl_write_raw(out, body, body_len);
	ctl_write_close(out);
}

void ctl_message_write_error(
	struct ctl_writer *out, uint64_t id, enum ctl_error error, const char *text)
{
	ctl_writer_init(out);
	ctl_write_array(out);
	ctl_write_uint(out, id);
	ctl_write_text(out, ctl_error_code(error));
	ctl_write_map(out);
	ctl_put_text(out, "message", text);
	ctl_write_close(out);
	ctl_write_close(out);
}
