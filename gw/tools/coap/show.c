// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/show.h"

#include "gw/tools/coap/formats.h"
#include "gw/tools/coap/number.h"
#include "gw/tools/coap/printable.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const types[] = {"CON", "NON", "ACK", "RST"};

const char *code_text(char text[CODE_TEXT_LEN], uint8_t code)
{
	const char *name = coap_code_name(code);

	if (!name)
		name = coap_method_name(code);
	snprintf(text, CODE_TEXT_LEN, "%u.%02u%s%s", COAP_CODE_CLASS(code), COAP_CODE_DETAIL(code),
		name ? " " : "", name ? name : "");
	return text;
}

void show_option(FILE *out, const char *prefix, const struct coap_option *option)
{
	const char *name = option_name(option->number);
	char text[OPTION_TEXT_LEN];

	if (name)
		fprintf(out, "%s%s: %s\n", prefix, name, option_text(text, option));
	else
		fprintf(out, "%soption %u: %s\n", prefix, option->number,
			option_text(text, option));
}

static void show_options(FILE *out, char sign, const struct coap_body *body)
{
	const char prefix[] = {sign, ' ', ' ', ' ', 0};
	struct coap_option_iter iter;
	struct coap_option option;

	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option))
		show_option(out, prefix, &option);
}

void show_message(FILE *out, char sign, const struct coap_msg *msg, size_t len)
{
	char code[CODE_TEXT_LEN];

	fprintf(out, "%c %s %s, mid 0x%04x", sign, types[msg->type],
		msg->code == COAP_EMPTY ? "empty" : code_text(code, msg->code), msg->mid);
	if (msg->token_len)
		fprintf(out, ", token ");
	for (unsigned i = 0; i < msg->token_len; i++)
		fprintf(out, "%02x", msg->token[i]);
	fprintf(out, ", %zu bytes\n", len);
	show_options(out, sign, &msg->body);
}

void show_content(FILE *out, char sign, uint8_t code, const struct coap_body *body)
{
	char text[CODE_TEXT_LEN];

	fprintf(out, "%c   inside: %s, payload of %u bytes\n", sign, code_text(text, code),
		body->payload_len);
	show_options(out, sign, body);
}

void show_bytes(FILE *out, char sign, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i += 16) {
		fprintf(out, "%c   %04zx ", sign, i);
		for (size_t j = i; j < len && j < i + 16; j++)
			fprintf(out, " %02x", data[j]);
		fputc('\n', out);
	}
}

void show_protection(FILE *out, const char *verb, const struct protection *protection)
{
	char nonce[2 * AEAD_NONCE_MAX + 1];

	fprintf(out, "* %s: ", verb);
	if (protection->has_piv)
		fprintf(out, "Partial IV %" PRIu64, protection->piv);
	else
		fprintf(out, "no Partial IV (nonce of the request)");
	fprintf(out, ", nonce %s, ciphertext %u bytes\n",
		hex_format(nonce, protection->nonce, protection->nonce_len),
		protection->ciphertext_len);
}

static json_t *json_hex(const uint8_t *bytes, size_t len)
{
	char *text = malloc(2 * len + 1);
	json_t *value = text ? json_string(hex_format(text, bytes, len)) : NULL;

	free(text);
	return value;
}

static json_t *json_option(const struct coap_option *option)
{
	enum option_kind kind = option_kind(option->number);
	const char *name = option_name(option->number);
	json_t *object = json_object();
	json_t *value = NULL;
	uint32_t number;

	json_object_set_new(object, "number", json_integer(option->number));
	if (name)
		json_object_set_new(object, "name", json_string(name));
	if (kind == OPTION_STRING)
		value = json_stringn((const char *)option->value, option->len); // NULL if no UTF-8
	else if ((kind == OPTION_UINT || kind == OPTION_FORMAT) &&
		coap_option_uint(option, &number))
		value = json_integer(number);
	if (value)
		json_object_set_new(object, "value", value);
	else
		json_object_set_new(object, "hex", json_hex(option->value, option->len));
	return object;
}

static json_t *json_protection(const struct protection *protection)
{
	json_t *object = json_object();

	json_object_set_new(object, "partial_iv",
		protection->has_piv ? json_integer((json_int_t)protection->piv) : json_null());
	json_object_set_new(object, "nonce", json_hex(protection->nonce, protection->nonce_len));
	json_object_set_new(object, "ciphertext_length", json_integer(protection->ciphertext_len));
	return object;
}

static void add_answer(json_t *root, const struct result *r)
{
	const struct coap_body *body = &r->answer->body;
	struct coap_option_iter iter;
	struct coap_option option;
	char code[CODE_TEXT_LEN];
	json_t *options = json_array(), *payload;
	uint32_t format;

	snprintf(code, sizeof(code), "%u.%02u", COAP_CODE_CLASS(r->answer->code),
		COAP_CODE_DETAIL(r->answer->code));
	json_object_set_new(root, "code", json_string(code));
	if (coap_code_name(r->answer->code))
		json_object_set_new(root, "name", json_string(coap_code_name(r->answer->code)));
	json_object_set_new(root, "protected", json_boolean(r->protected));
	if (coap_option_find(body, COAP_OPT_CONTENT_FORMAT, &option) &&
		coap_option_uint(&option, &format) && format_name(format))
		json_object_set_new(root, "format", json_string(format_name(format)));
	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option))
		json_array_append_new(options, json_option(&option));
	json_object_set_new(root, "options", options);
	payload = json_stringn(r->payload_len ? (const char *)r->payload : "", r->payload_len);
	if (payload)
		json_object_set_new(root, "payload", payload);
	else
		json_object_set_new(root, "payload_hex", json_hex(r->payload, r->payload_len));
}

// What went and came as blocks; zeros where all was in one message.
static json_t *json_blocks(const struct transfer *t)
{
	json_t *object = json_object();

	json_object_set_new(object, "sent", json_integer(t->blocks_sent));
	json_object_set_new(object, "bytes_sent", json_integer((json_int_t)t->sent));
	json_object_set_new(object, "received", json_integer(t->blocks_received));
	json_object_set_new(object, "bytes_received", json_integer((json_int_t)t->body_len));
	json_object_set_new(object, "repeated", json_integer((json_int_t)t->repeated));
	json_object_set_new(object, "starts", json_integer(t->starts));
	return object;
}

static json_t *json_handshake(const struct show_handshake *h)
{
	json_t *object = json_object();

	json_object_set_new(object, "handshakes", json_integer(h->count));
	if (!h->count)
		return object;
	json_object_set_new(object, "combined", json_boolean(h->combined));
	json_object_set_new(object, "method", json_integer(h->done->method));
	json_object_set_new(object, "suite", json_integer(h->done->suite));
	json_object_set_new(object, "c_i", json_hex(h->done->c_i.bytes, h->done->c_i.len));
	json_object_set_new(object, "c_r", json_hex(h->done->c_r.bytes, h->done->c_r.len));
	return object;
}

int show_json(FILE *out, const struct result *r)
{
	json_t *root = json_object(), *request = json_object(), *response;

	if (r->error) {
		json_object_set_new(root, "error", json_string(r->error));
		json_object_set_new(root, "message", json_string(r->message));
	}
	if (r->has_answer)
		add_answer(root, r);
	if (r->request) {
		if (r->has_request_piv)
			json_object_set_new(
				request, "oscore", json_protection(r->request_protection));
		json_object_set_new(request, "datagram", json_hex(r->request, r->request_len));
		json_object_set_new(request, "transmissions", json_integer(r->transmissions));
		json_object_set_new(root, "request", request);
	} else {
		json_decref(request);
	}
	if (r->response) {
		response = json_object();
		if (r->protected)
			json_object_set_new(
				response, "oscore", json_protection(&r->answer->protection));
		json_object_set_new(response, "datagram", json_hex(r->response, r->response_len));
		json_object_set_new(root, "response", response);
		json_object_set_new(root, "milliseconds", json_real(r->milliseconds));
	}
	if (r->handshake)
		json_object_set_new(root, "edhoc", json_handshake(r->handshake));
	json_object_set_new(root, "blocks", json_blocks(r->transfer));
	json_object_set_new(root, "echo_challenges", json_integer(r->challenges));
	json_object_set_new(root, "unverified", json_integer(r->unverified));
	// In ASCII: a terminal takes commands from U+0080 to U+009F, too.
	int err = json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6) | JSON_ENSURE_ASCII)
		? -ENOMEM
		: 0;
	fputc('\n', out);
	json_decref(root);
	return err;
}

static int notification_json(
	FILE *out, const struct show_notification *shown, const struct result *r)
{
	json_t *root = json_object();

	json_object_set_new(root, "notification", json_integer(shown->number));
	json_object_set_new(root, "age", json_real(shown->age_s));
	json_object_set_new(root, "max_age", json_integer(shown->max_age_s));
	json_object_set_new(root, "registration", json_integer(shown->registrations));
	json_object_set_new(root, "out_of_order", json_integer(shown->stale));
	json_object_set_new(
		root, "observe", shown->has_observe ? json_integer(shown->observe) : json_null());
	json_object_set_new(root, "partial_iv",
		shown->has_piv ? json_integer((json_int_t)shown->piv) : json_null());
	add_answer(root, r);
	int err = json_dumpf(root, out, JSON_COMPACT | JSON_REAL_PRECISION(9) | JSON_ENSURE_ASCII);

	json_decref(root);
	return err;
}

int show_notification(FILE *out, const struct show_notification *shown, const struct result *r,
	bool json, bool include)
{
	char code[CODE_TEXT_LEN];
	struct coap_option_iter iter;
	struct coap_option option;

	if (json) {
		if (notification_json(out, shown, r))
			return -EIO;
	} else {
		fprintf(out, "#%u %.3f s: %s", shown->number, shown->age_s,
			code_text(code, r->answer->code));
		if (shown->has_observe)
			fprintf(out, ", Observe %u", shown->observe);
		fprintf(out, ", Max-Age %u\n", shown->max_age_s);
		coap_option_iter_init(&iter, &r->answer->body);
		while (include && coap_option_next(&iter, &option))
			show_option(out, "  ", &option);
		printable_write(out, r->payload, r->payload_len);
	}
	if (json || (r->payload_len && r->payload[r->payload_len - 1] != '\n'))
		fputc('\n', out);
	return fflush(out) || ferror(out) ? -EIO : 0;
}
