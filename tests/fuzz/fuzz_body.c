// SPDX-License-Identifier: BSD-3-Clause
// Sequences of blocks against a plain model: whatever devices send, a body that is complete has the
// bytes that were sent, a block of an answer has the bytes of that answer, no other device's and no
// other operation's; and there is never more memory than allowed.
//
// Each operation takes six bytes: what, who, of which body, which block, of which size, which
// bytes. The model has no table: the bytes of a body say whose they are. A device sends a body of
// its own as a stream that begins anywhere, so that every byte tells device, body and place.

#include "gw/body/table.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define DEVICES  4
#define NAMES    4
#define MOST     6000
#define MEMORY   (48u << 10)
#define ROOM     1100
#define VERSIONS 4

struct model {
	// What an upload must have if it is ever complete: blocks that were taken since the last
	// block with number 0.
	struct upload {
		uint8_t bytes[MOST + 1024];
		size_t len;
		bool open;
		uint32_t format;
		struct body *asking;
		size_t answer_len;
		uint8_t answer_seed;
	} upload[DEVICES][NAMES];
	uint32_t generation[DEVICES];
	struct body_table *table;
	uint64_t now_ms;
	unsigned asking;
	uint8_t seed; // of this step
};

static uint8_t byte_of(unsigned seed, size_t at)
{
	return (uint8_t)(seed * 31 + at + (at >> 8) * 7);
}

static void body_bytes_make(uint8_t *bytes, size_t len, unsigned seed, size_t from)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = byte_of(seed, from + i);
}

struct step {
	uint8_t what, device, name, num, szx, seed;
};

static uint8_t encoded[2048];
static struct coap_body message;

static bool request_make(struct model *m, struct body_request *r, const struct step *s,
	const uint8_t *payload, size_t len)
{
	static const uint8_t codes[] = {COAP_PUT, COAP_POST, COAP_FETCH, COAP_GET};
	bool up = s->what % 8 < 4;
	struct coap_writer w;

	coap_writer_init(&w, encoded, sizeof(encoded));
	coap_write_option(&w, COAP_OPT_URI_PATH, "p", 1);
	if (s->what & 64)
		coap_write_option_uint(&w, COAP_OPT_CONTENT_FORMAT, 60);
	if (!up || s->what & 128)
		coap_write_option_uint(
			&w, COAP_OPT_BLOCK2, (up ? 0u : s->num % 8u) << 4 | s->szx % 8);
	if (up)
		coap_write_option_uint(&w, COAP_OPT_BLOCK1,
			(s->num % 8u) << 4 | (s->what & 1 ? 8u : 0) | s->szx % 8);
	coap_write_option(&w, COAP_OPT_REQUEST_TAG, &s->name, 1);
	coap_write_payload(&w, payload, len);
	FUZZ_CHECK(!w.failed);
	FUZZ_CHECK(coap_body_parse(&message, encoded, coap_writer_len(&w)) == COAP_OK);
	if (!body_request_read(r, body_secret(m->table), codes[s->name % 4], &message))
		return false;
	r->context = s->device;
	r->generation = m->generation[s->device];
	body_request_name(r, body_secret(m->table));
	return true;
}

static void memory_check(const struct model *m)
{
	FUZZ_CHECK(body_stat(m->table, BODY_STAT_bytes) <= MEMORY);
	FUZZ_CHECK(body_stat(m->table, BODY_STAT_bodies) <= (uint64_t)DEVICES * NAMES);
}

// What was served is the answer's, from the place that it says.
static void served_check(
	struct model *m, struct body *body, const struct body_request *r, unsigned seed, size_t len)
{
	uint8_t out[ROOM];
	struct coap_body answer;
	struct coap_option option;
	struct coap_block block = {0};

	uint16_t n = body_serve(m->table, body, r, out, sizeof(out), 1024, m->now_ms);
	FUZZ_CHECK(n && n <= sizeof(out));
	FUZZ_CHECK(coap_body_parse(&answer, out + 1, n - 1u) == COAP_OK);
	if (out[0] != COAP_CONTENT)
		return;
	if (coap_option_find(&answer, COAP_OPT_BLOCK2, &option))
		FUZZ_CHECK(coap_block_read(&block, &option));
	uint64_t at = coap_block_offset(&block);
	if (r->has_block2)
		FUZZ_CHECK(block.szx <= r->block2.szx &&
			at == (r->has_block1 ? 0 : coap_block_offset(&r->block2)));
	FUZZ_CHECK(at + answer.payload_len <= len);
	FUZZ_CHECK(block.more == (at + answer.payload_len < len));
	FUZZ_CHECK(!block.more || answer.payload_len == coap_block_size(block.szx));
	for (size_t i = 0; i < answer.payload_len; i++)
		FUZZ_CHECK(answer.payload[i] == byte_of(seed, at + i));
}

static void ask_over(struct model *m, struct upload *u, const struct body_request *r)
{
	uint8_t bytes[MOST];
	const struct body_answer answer = {.code = COAP_CONTENT,
		.max_age = u->answer_seed,
		.payload = bytes,
		.payload_len = u->answer_len};
	struct body *body = u->asking;

	body_bytes_make(bytes, u->answer_len, u->answer_seed, 0);
	u->asking = NULL;
	m->asking--;
	bool all = body_answered(m->table, body, &answer, m->now_ms);
	if (!all)
		u->answer_len = 0;
	if (r)
		served_check(m, body, r, u->answer_seed, u->answer_len);
}

// A first block begins anew whatever was there.
static void first(struct model *m, struct upload *u, const struct body_request *r,
	enum body_action action, const struct body_reply *reply)
{
	u->len = 0;
	u->open = false;
	if (u->asking) // answers nobody any more
		ask_over(m, u, NULL);
	if (!r->block1.more) {
		FUZZ_CHECK(action == BODY_FORWARD);
		return;
	}
	FUZZ_CHECK(action == BODY_REFUSE);
	if (reply->code != COAP_CONTINUE) {
		FUZZ_CHECK(reply->code == COAP_SERVICE_UNAVAILABLE);
		return;
	}
	u->len = r->message->payload_len;
	memcpy(u->bytes, r->message->payload, u->len);
	u->open = true;
	u->format = r->content_format;
}

static void later(struct model *m, struct upload *u, const struct body_request *r,
	enum body_action action, const struct body_reply *reply, struct body *body)
{
	const uint8_t *payload = r->message->payload;
	size_t at = coap_block_offset(&r->block1), len = r->message->payload_len;

	switch (action) {
	case BODY_REFUSE:
		if (reply->code == COAP_CONTINUE) {
			FUZZ_CHECK(u->open && r->block1.more && r->content_format == u->format);
			FUZZ_CHECK(at <= u->len);
			if (at == u->len) {
				memcpy(u->bytes + at, payload, len);
				u->len += len;
			}
			FUZZ_CHECK(at + len <= u->len && !memcmp(u->bytes + at, payload, len));
			FUZZ_CHECK(reply->block1.num == r->block1.num && reply->block1.more);
			break;
		}
		FUZZ_CHECK(reply->code == COAP_REQUEST_ENTITY_INCOMPLETE ||
			reply->code == COAP_REQUEST_ENTITY_TOO_LARGE ||
			reply->code == COAP_SERVICE_UNAVAILABLE);
		u->open = false;
		break;
	case BODY_ASK:
		FUZZ_CHECK(u->open && !r->block1.more && at == u->len);
		if (len)
			memcpy(u->bytes + at, payload, len);
		u->len += len;
		u->open = false;
		FUZZ_CHECK(body->bytes.len == u->len && !memcmp(body->bytes.at, u->bytes, u->len));
		u->asking = body;
		m->asking++;
		u->answer_seed = m->seed;
		u->answer_len = (size_t)m->seed * 23;
		if (m->seed & 1)
			ask_over(m, u, r);
		break;
	case BODY_JOIN:
		FUZZ_CHECK(u->asking == body);
		FUZZ_CHECK(!u->open && at + len == u->len);
		FUZZ_CHECK(!len || !memcmp(u->bytes + at, payload, len));
		ask_over(m, u, r);
		break;
	case BODY_SERVE:
		FUZZ_CHECK(!u->open && at + len == u->len);
		FUZZ_CHECK(!len || !memcmp(u->bytes + at, payload, len));
		served_check(m, body, r, u->answer_seed, u->answer_len);
		break;
	default:
		FUZZ_CHECK(!"an upload ends so");
	}
}

static void up(struct model *m, const struct step *s, struct upload *u)
{
	uint8_t payload[1024];
	size_t size = coap_block_size(s->szx % 8u % 7u), at = (s->num % 8u) * size;
	size_t len = s->what & 1 ? size : s->seed % (size + 1);
	struct body_limits limits = {.max_body = MOST, .payload_max = 1024};
	struct body_request r;
	struct body_reply reply;
	struct body *body;

	m->seed = s->seed;
	// Most follow on the bytes of before; some do not.
	body_bytes_make(payload, len, s->seed & 64 ? s->seed : s->device * 16u + s->name, at);
	if (!request_make(m, &r, s, payload, len))
		return;
	enum body_action action = body_take(m->table, &r, &limits, m->now_ms, &reply, &body);
	if (!r.block1.num)
		first(m, u, &r, action, &reply);
	else
		later(m, u, &r, action, &reply, body);
}

static void down(struct model *m, const struct step *s, struct upload *u)
{
	struct body_limits limits = {.max_body = MOST, .payload_max = 1024};
	struct body_request r;
	struct body_reply reply;
	struct body *body;
	bool too_large;

	if (!request_make(m, &r, s, NULL, 0))
		return;
	enum body_action action = body_take(m->table, &r, &limits, m->now_ms, &reply, &body);
	if (action == BODY_SERVE) {
		FUZZ_CHECK(body->holder->context == s->device && body->kept.code == COAP_CONTENT);
		served_check(m, body, &r, (unsigned)body->kept.max_age, body->bytes.len);
		return;
	}
	if (action == BODY_REFUSE)
		return;
	FUZZ_CHECK(action == BODY_FORWARD || action == BODY_REFETCH);
	uint8_t bytes[MOST];
	struct body_answer answer = {.code = COAP_CONTENT,
		.max_age = s->seed, // not sent: tells whose bytes they are
		.payload = bytes,
		.payload_len = (size_t)s->seed * 23};

	body_bytes_make(bytes, answer.payload_len, s->seed, 0);
	if (body_answer_fits(&answer, &r, ROOM, 1024))
		return;
	body = body_keep(m->table, &r, &answer, ROOM, 1024, m->now_ms, &too_large);
	if (body)
		served_check(m, body, &r, s->seed, answer.payload_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct model m;
	const struct body_config config = {.secret = "sixteen bytes...",
		.memory = MEMORY,
		.per_device = NAMES,
		.keep_ms = 3000,
		.idle_ms = 10000};

	memset(&m, 0, sizeof(m));
	m.table = body_table_create(&config);
	m.now_ms = 1000;
	FUZZ_CHECK(m.table);
	for (; len >= sizeof(struct step);
		data += sizeof(struct step), len -= sizeof(struct step)) {
		struct step s;

		memcpy(&s, data, sizeof(s));
		s.device %= DEVICES;
		s.name %= NAMES;
		struct upload *u = &m.upload[s.device][s.name];

		switch (s.what % 8) {
		case 4:
		case 5:
			down(&m, &s, u);
			break;
		case 6:
			m.now_ms += s.seed * 20u;
			body_table_turn(m.table, m.now_ms);
			break;
		case 7:
			if (u->asking)
				ask_over(&m, u, NULL);
			else if (s.seed > 240)
				m.generation[s.device]++;
			break;
		default:
			up(&m, &s, u);
			break;
		}
		memory_check(&m);
	}
	for (unsigned i = 0; i < DEVICES; i++)
		for (unsigned j = 0; j < NAMES; j++)
			if (m.upload[i][j].asking)
				ask_over(&m, &m.upload[i][j], NULL);
	body_table_free(m.table);
	return 0;
}
