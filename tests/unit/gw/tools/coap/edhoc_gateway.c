// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/tools/coap/edhoc_gateway.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct edhoc_engine engine;
struct bed_end device, gateway;
struct received request, again;
struct edhoc_session session;
struct edhoc_done done;
struct bed_bytes message_2;
static uint8_t serial; // C_R of the next session

void edhoc_start(void)
{
	responder_start();
	engine = bed_engine();
}

void edhoc_stop(void)
{
	bed_end_free(&device);
	bed_end_free(&gateway);
	bed_engine_free(&engine);
	responder_stop();
}

// ---- files

static FILE *file_open(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", responder_folder(), name);
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	fchmod(fileno(file), 0600);
	return file;
}

static void hex_write(FILE *file, const char *key, const uint8_t *bytes, size_t len)
{
	fprintf(file, "\"%s\": \"", key);
	for (size_t i = 0; i < len; i++)
		fprintf(file, "%02x", bytes[i]);
	fprintf(file, "\"");
}

void gateway_write(const struct bed_end *end)
{
	FILE *file = file_open("gw.json");

	fprintf(file, "[{");
	hex_write(file, "credential", end->item.data, end->item.len);
	fprintf(file, ", \"name\": \"for people\"}]");
	fclose(file);
}

// More of the device's file, as JSON.
void device_write(const char *more)
{
	FILE *file = file_open("dev.json");

	fprintf(file, "{");
	hex_write(file, "private_key", device.identity.pair.secret, ECC_LEN);
	fprintf(file, ", ");
	hex_write(file, "credential", device.item.data, device.item.len);
	fprintf(file, "%s}", more);
	fclose(file);
}

// Keys of both ends, and the files that tell the program of them.
void ends_make(unsigned method, unsigned suite, enum bed_kind kind, const char *more)
{
	uint8_t secret[ECC_LEN];

	randombytes_buf(secret, sizeof(secret));
	secret[0] &= 0x7f;
	bed_end_make(
		&device, &engine, bed_curve(method, suite, EDHOC_INITIATOR), kind, secret, 0x2b);
	randombytes_buf(secret, sizeof(secret));
	secret[0] &= 0x7f;
	bed_end_make(
		&gateway, &engine, bed_curve(method, suite, EDHOC_RESPONDER), kind, secret, 0x0a);
	gateway_write(&gateway);
	device_write(more);
}

void ends_usual(const char *more)
{
	ends_make(3, 2, BED_CCS_KID, more);
}

// ---- the gateway's steps

void edhoc_answer(const struct received *q, uint8_t code, const uint8_t *bytes, size_t len)
{
	responder_send(q,
		&(struct reply){.type = COAP_ACK,
			.mid = q->outer.mid,
			.plain = true,
			.code = code,
			.format = 64,
			.payload = (const char *)bytes,
			.payload_bytes = len});
}

// What is sent to the resource for EDHOC: its payload without the prefix.
struct edhoc_bytes edhoc_receive(struct received *q, enum edhoc_prefix prefix)
{
	struct edhoc_connection c_r;
	struct edhoc_bytes message = {0};
	struct coap_option option;
	uint32_t format = 0;

	responder_receive_raw(q);
	cr_assert_eq(q->outer.code, COAP_POST);
	cr_assert_eq(q->outer.body.oscore_count, 0);
	cr_expect(coap_option_find(&q->outer.body, COAP_OPT_URI_PATH, &option) && option.len == 11);
	cr_expect(coap_option_find(&q->outer.body, COAP_OPT_CONTENT_FORMAT, &option) &&
		coap_option_uint(&option, &format));
	cr_expect_eq(format, 65);
	cr_assert_eq(edhoc_payload_split(
			     q->outer.body.payload, q->outer.body.payload_len, &c_r, &message),
		prefix);
	if (prefix == EDHOC_PREFIX_C_R)
		cr_expect(edhoc_connection_equal(&c_r, &session.c_r));
	return message;
}

// Makes message_2 of what was received.
void message_2_make(struct edhoc_bytes bytes, unsigned suites)
{
	struct edhoc_writer writer = edhoc_writer(message_2.data, BED_ROOM);
	struct edhoc_message_1 parsed;
	struct ecc_pair ephemeral;

	cr_assert_eq(edhoc_message_1_parse(&parsed, bytes.data, bytes.len), EDHOC_OK);
	cr_assert_eq(edhoc_message_1_check(&parsed, 0xf, suites), EDHOC_OK);
	cr_assert_eq(
		ecc_pair_make(engine.ecc, edhoc_suites[parsed.suite].agreement, &ephemeral), 0);
	cr_assert_eq(edhoc_message_2_make(&engine,
			     &(struct edhoc_message_2){.message_1 = &parsed,
				     .identity = &gateway.identity,
				     .c_r = {2, {0xc0, serial++}},
				     .ephemeral = &ephemeral},
			     &session, &writer),
		EDHOC_OK);
	message_2.len = edhoc_writer_len(&writer);
}

void message_1_answer(void)
{
	message_2_make(edhoc_receive(&request, EDHOC_PREFIX_MESSAGE_1), 0xf);
	edhoc_answer(&request, COAP_CHANGED, message_2.data, message_2.len);
}

// Takes message_3, and the context that it makes.
void message_3_take(struct edhoc_bytes bytes)
{
	uint8_t room[BED_ROOM];
	struct edhoc_opened opened;
	struct osc_params params;

	cr_assert_eq(edhoc_message_3_open(&engine, &session, bytes.data, bytes.len, room, &opened),
		EDHOC_OK);
	cr_assert_eq(edhoc_message_3_verify(
			     &engine, &session, &opened, &device.identity.credential, &done),
		EDHOC_OK);
	edhoc_oscore(&done, EDHOC_RESPONDER, &params);
	responder_use(&params);
}

// The next request, with message_3; returns that.
struct edhoc_bytes combined_receive(struct received *q)
{
	struct edhoc_bytes message_3, ciphertext;

	responder_receive_raw(q);
	cr_assert(q->outer.body.has_edhoc);
	cr_assert(edhoc_combined_split(
		q->outer.body.payload, q->outer.body.payload_len, &message_3, &ciphertext));
	message_3_take(message_3);
	responder_open(q, ciphertext.data, ciphertext.len);
	return message_3;
}

void expect_content(const char *payload)
{
	const struct outcome *o = client_finish();

	cr_expect_eq(o->status, 0, "%s", o->err);
	cr_expect_str_eq(o->out, payload);
}

// A whole run with one handshake.
void run_combined(void)
{
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	message_1_answer();
	combined_receive(&request);
	cr_expect_eq(request.code, COAP_GET);
	responder_answer(&request, COAP_CONTENT, "hello");
	expect_content("hello");
}

void expect_failure(const char *words)
{
	const struct outcome *o = client_finish();

	cr_expect_eq(o->status, 9, "status %d: %s", o->status, o->err);
	cr_expect(strstr(o->err, words), "%s", o->err);
	cr_expect(responder_hears_nothing(0), "and nothing else is sent");
}

void remove_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", responder_folder(), name);
	cr_assert_eq(unlink(path), 0);
}
