// SPDX-License-Identifier: BSD-3-Clause
// usage: edhoc_pipe <IN >OUT
// Plays an end of EDHOC for tests/interop/edhoc_lakers.py. A line in is one of these, bytes in
// hexadecimal ("-": none), and has a line out: what is said of it here, or "refused WHY".
//
//     initiator METHOD SUITE SECRET CCS PEER-CCS kid|value C_I   -> message_1
//     message_2 MESSAGE                                          -> message_3 SECRET SALT
//     message_4 MESSAGE                                          -> "ok"
//     responder SECRET CCS PEER-CCS kid|value C_R MESSAGE_1      -> message_2
//     message_3 MESSAGE                                          -> message_4 SECRET SALT

#include "tests/unit/gw/edhoc/bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct edhoc_engine engine;
static struct edhoc_session session;
static struct edhoc_done done;
static struct bed_end own;
static struct bed_bytes peer_ccs;
static struct edhoc_credential peer;
static char *at; // of the line

static const char *word(void)
{
	const char *found = strsep(&at, " \n");

	if (!found || !*found)
		abort();
	return found;
}

static void bytes_read(struct bed_bytes *bytes)
{
	const char *hex = word();

	bed_hex(bytes, strcmp(hex, "-") ? hex : "");
}

static void hex_print(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
}

// Prints what was written, or why nothing was.
static void answer(enum edhoc_result result, const struct edhoc_writer *writer)
{
	if (result != EDHOC_OK)
		printf("refused %s", edhoc_result_text(result));
	else
		hex_print(writer->start, edhoc_writer_len(writer));
}

// Takes SECRET CCS PEER-CCS kid|value.
static void ends_read(void)
{
	struct edhoc_credential credential;
	struct edhoc_id_cred id_cred;
	struct edhoc_writer writer = edhoc_writer(own.id_cred.data, BED_ROOM);
	struct bed_bytes secret;

	bytes_read(&secret);
	bytes_read(&own.item);
	bytes_read(&peer_ccs);
	const enum edhoc_id_cred_kind kind = strcmp(word(), "kid") ? EDHOC_ID_KCCS : EDHOC_ID_KID;

	edhoc_identity_fini(&own.identity);
	if (edhoc_credential_from_ccs(&engine, bed_view(&own.item), &credential) != EDHOC_OK ||
		edhoc_credential_from_ccs(&engine, bed_view(&peer_ccs), &peer) != EDHOC_OK ||
		edhoc_id_cred_make(&id_cred, kind, &credential, credential.kid, &writer) !=
			EDHOC_OK ||
		edhoc_identity_init(&own.identity, &engine, &credential, &id_cred, secret.data) !=
			EDHOC_OK)
		abort();
}

static void connection_read(struct edhoc_connection *connection)
{
	struct bed_bytes bytes;

	bytes_read(&bytes);
	if (bytes.len > EDHOC_CONNECTION_MAX)
		abort();
	connection->len = (uint8_t)bytes.len;
	memcpy(connection->bytes, bytes.data, bytes.len);
}

// The peer's credential, if an ID_CRED means it; that it is the one we know is checked, too.
static enum edhoc_result peer_find(const struct edhoc_id_cred *id_cred)
{
	const struct edhoc_bytes *value = &id_cred->value,
				 *known = id_cred->kind == EDHOC_ID_KCCS ? &peer.item : &peer.kid;

	if (id_cred->kind != EDHOC_ID_KCCS && id_cred->kind != EDHOC_ID_KID)
		return EDHOC_ID_CRED;
	return value->len == known->len && !memcmp(value->data, known->data, value->len)
		? EDHOC_OK
		: EDHOC_UNKNOWN;
}

static void keys_print(enum edhoc_role role)
{
	struct osc_params params;

	edhoc_oscore(&done, role, &params);
	printf(" ");
	hex_print(params.secret, params.secret_len);
	printf(" ");
	hex_print(params.salt, params.salt_len);
}

static void initiator_start(void)
{
	static uint8_t room[BED_ROOM];
	struct edhoc_writer writer = edhoc_writer(room, sizeof(room));
	struct edhoc_start start = {.method = (unsigned)atoi(word()), .n_suites = 1};
	const int64_t suite = atoi(word());
	struct ecc_pair ephemeral;

	start.suites = &suite;
	start.ephemeral = &ephemeral;
	ends_read();
	connection_read(&start.c_i);
	if (ecc_pair_make(engine.ecc, edhoc_suites[suite].agreement, &ephemeral))
		abort();
	answer(edhoc_message_1_make(&start, &session, &writer), &writer);
}

static void message_2_take(void)
{
	static uint8_t room[BED_ROOM], out[BED_ROOM];
	struct edhoc_writer writer = edhoc_writer(out, sizeof(out));
	struct edhoc_opened opened;
	struct bed_bytes message;
	enum edhoc_result result;

	bytes_read(&message);
	result = edhoc_message_2_open(&engine, &session, message.data, message.len, room, &opened);
	if (result == EDHOC_OK)
		result = peer_find(&opened.plaintext.id_cred);
	if (result == EDHOC_OK)
		result = edhoc_message_2_verify(&engine, &session, &opened, &peer);
	if (result == EDHOC_OK)
		result = edhoc_message_3_make(
			&engine, &session, &own.identity, (struct edhoc_bytes){0}, &writer, &done);
	answer(result, &writer);
	if (result == EDHOC_OK)
		keys_print(EDHOC_INITIATOR);
}

static void message_4_take(void)
{
	static uint8_t room[BED_ROOM];
	struct bed_bytes message;
	struct edhoc_bytes ead;

	bytes_read(&message);
	const enum edhoc_result result =
		edhoc_message_4_open(&engine, &done, message.data, message.len, room, &ead);

	printf("%s", result == EDHOC_OK ? "ok" : "refused");
}

static void responder_start(void)
{
	static uint8_t out[BED_ROOM];
	struct edhoc_writer writer = edhoc_writer(out, sizeof(out));
	struct edhoc_message_1 parsed;
	struct ecc_pair ephemeral;
	struct bed_bytes message_1;
	struct edhoc_message_2 message = {
		.message_1 = &parsed, .identity = &own.identity, .ephemeral = &ephemeral};
	enum edhoc_result result;

	ends_read();
	connection_read(&message.c_r);
	bytes_read(&message_1);
	result = edhoc_message_1_parse(&parsed, message_1.data, message_1.len);
	if (result == EDHOC_OK)
		result = edhoc_message_1_check(&parsed, 0xf, 0xf);
	if (result == EDHOC_OK &&
		ecc_pair_make(engine.ecc, edhoc_suites[parsed.suite].agreement, &ephemeral))
		abort();
	if (result == EDHOC_OK)
		result = edhoc_message_2_make(&engine, &message, &session, &writer);
	answer(result, &writer);
}

static void message_3_take(void)
{
	static uint8_t room[BED_ROOM], out[BED_ROOM];
	struct edhoc_writer writer = edhoc_writer(out, sizeof(out));
	struct edhoc_opened opened;
	struct bed_bytes message;
	enum edhoc_result result;

	bytes_read(&message);
	result = edhoc_message_3_open(&engine, &session, message.data, message.len, room, &opened);
	if (result == EDHOC_OK)
		result = peer_find(&opened.plaintext.id_cred);
	if (result == EDHOC_OK)
		result = edhoc_message_3_verify(&engine, &session, &opened, &peer, &done);
	if (result == EDHOC_OK)
		result = edhoc_message_4_make(&engine, &done, (struct edhoc_bytes){0}, &writer);
	answer(result, &writer);
	if (result == EDHOC_OK)
		keys_print(EDHOC_RESPONDER);
}

int main(void)
{
	static const struct {
		const char *name;
		void (*take)(void);
	} commands[] = {
		{"initiator", initiator_start},
		{"message_2", message_2_take},
		{"message_4", message_4_take},
		{"responder", responder_start},
		{"message_3", message_3_take},
	};
	char *line = NULL;
	size_t room = 0;

	engine = bed_engine();
	while (getline(&line, &room, stdin) > 0) {
		at = line;
		const char *name = word();
		size_t i = 0;

		while (strcmp(commands[i].name, name))
			if (++i == sizeof(commands) / sizeof(*commands))
				abort();
		commands[i].take();
		printf("\n");
		fflush(stdout);
	}
	free(line);
	edhoc_identity_fini(&own.identity);
	bed_engine_free(&engine);
	return 0;
}
