// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/dataplane/worker/observer.h"

#include "dataplane/shared/change.h"

#include <criterion/criterion.h>

#define SHARED_ID 11

struct bed bed;
struct bed_device device, other;
struct bed_request request;
struct bed_answer answer;
struct coap_body body;
uint64_t last_piv;
uint8_t observer_code;
struct dp_route routes[2];
static struct dp_route_index *index_of_routes;
static uint64_t piv;
static uint16_t mid;

static const struct dp_segment segments[] = {{"s", 1}, {"plain", 5}};

void observer_init(void)
{
	routes[0] = (struct dp_route){.segments = &segments[0],
		.segment_count = 1,
		.rest = true,
		.methods = 0xfe,
		.slot = 1,
		.timeout_ms = BED_TIMEOUT_MS,
		.cache_id = SHARED_ID,
		.cache_shared = true,
		.observe = true,
		.home = 2};
	routes[1] = (struct dp_route){.segments = &segments[1],
		.segment_count = 1,
		.methods = 0xfe,
		.slot = 3,
		.timeout_ms = BED_TIMEOUT_MS};
	bed_make_loops(&bed, 2);
	bed_stop_clock(&bed);
	index_of_routes = dp_route_index_create(routes, RTE_DIM(routes));
	bed.policy.routes = routes;
	bed.policy.route_count = RTE_DIM(routes);
	bed.policy.index = index_of_routes;
	bed.policy.observe_per_device = PER_DEVICE;
	bed.policy.observe_confirm = CONFIRM;
	bed.policy.observe_burst = 64;
	bed.policy.observe_max_age_s = 60;
	bed_device_make(&device, 2, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
	bed_device_make(&other, 3, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &other, true);
	dp_run_grant(bed.dp, 1);
	piv = 0;
	mid = 0x4100; // so that no token has a zero
	last_piv = 0;
	observer_code = COAP_GET;
}

void observer_fini(void)
{
	for (uint32_t i = 0; i < 64; i++)
		cr_expect_eq(dp_rep_pins(&dp_reps(bed.dp)->table[1], i) != 0,
			bed.w->observations && dp_observation_of_slot(bed.w->observations, 64 + i));
	dp_route_index_free(index_of_routes);
	bed_free(&bed);
}

unsigned observers(void)
{
	return dp_observation_count(bed.w->observations);
}

void later(uint64_t ms)
{
	bed_later(&bed, ms);
	bed_turn(&bed);
}

// ---- what the loop publishes

static struct dp_rep_key key_of(const uint8_t *plaintext, size_t len)
{
	const struct dp_rep_asker asker = {
		.route = SHARED_ID, .code = plaintext[0], .shared = true};
	struct coap_body options;
	struct dp_rep_key key;

	cr_assert_eq(coap_body_parse(&options, plaintext + 1, len - 1), 0);
	cr_assert(dp_rep_key_make(&key, &dp_reps(bed.dp)->keys, &asker, &options));
	return key;
}

static size_t get_write(uint8_t *out, const char *path, int observe, int szx)
{
	struct coap_writer w;

	coap_writer_init(&w, out, 64);
	coap_write_code(&w, observer_code);
	if (observe >= 0)
		coap_write_option_uint(&w, COAP_OPT_OBSERVE, observe);
	coap_write_option(&w, COAP_OPT_URI_PATH, "s", 1);
	coap_write_option(&w, COAP_OPT_URI_PATH, path, strlen(path));
	if (szx >= 0)
		coap_write_option_uint(&w, COAP_OPT_BLOCK2, szx);
	return coap_writer_len(&w);
}

void publish_with(const char *path, const struct published *p)
{
	struct dp_reps *reps = dp_reps(bed.dp);
	struct dp_rep_table *table = &reps->table[1];
	uint8_t plaintext[64];
	size_t len = get_write(plaintext, path, -1, -1);
	struct dp_rep_key key = key_of(plaintext, len);
	struct dp_representation *rep = dp_rep_make(&key, p->len);

	rep->stored_ms = bed.w->now_ms;
	rep->fresh_ms = bed.w->now_ms + FRESH_MS;
	rep->observe_ms = p->observe_ms ? p->observe_ms : rep->fresh_ms;
	rep->code = p->code;
	rep->content_format = p->format;
	rep->etag_len = p->etag != NULL;
	if (p->etag)
		rep->etag[0] = (uint8_t)*p->etag;
	memcpy(rep->bytes + rep->key_len, p->payload, p->len);
	uint32_t slot = dp_rep_place(table, rep->hash, rep->bytes, rep->key_len, NULL, NULL);

	dp_rep_publish(table, slot, rep);
	if (!p->quiet)
		dp_change_tell(table, slot, dp_loop(bed.dp, 1));
}

void take_out(void)
{
	struct dp_rep_table *table = &dp_reps(bed.dp)->table[1];

	for (uint32_t slot = 0; slot < 64; slot++) {
		if (!dp_rep_pins(table, slot))
			continue;
		dp_rep_drop(table, slot);
		dp_change_tell(table, slot, dp_loop(bed.dp, 1));
	}
}

void publish(const char *path, const char *payload)
{
	publish_with(path,
		&(struct published){
			.code = COAP_CONTENT, .payload = payload, .len = strlen(payload)});
}

// ---- requests and what comes back

void send_get(const struct bed_device *from, enum coap_type type, const char *path, int observe,
	const char *token, int szx)
{
	uint8_t plaintext[64];
	size_t len = get_write(plaintext, path, observe, szx);

	piv++;
	bed_seal(from, &request, type, ++mid, piv, plaintext, len);
	if (token) {
		cr_assert_eq(request.token_len, strlen(token));
		memcpy(request.token, token, request.token_len);
		memcpy(request.coap + 4, token, request.token_len);
	}
	bed_send_request(&bed, &request);
	bed_turn(&bed);
}

void expect_nothing(void)
{
	cr_assert(!bed_receive(&bed, &answer), "an answer that none waits for");
}

// Takes a message to the device, and opens it as an answer to a registration.
void take(const struct bed_device *to, const struct bed_request *registration)
{
	uint32_t value;
	struct coap_option option;

	cr_assert(bed_receive(&bed, &answer), "nothing came");
	cr_assert(bed_open(to, registration, &answer));
	cr_assert_eq(answer.msg.token_len, registration->token_len);
	cr_assert(!memcmp(answer.msg.token, registration->token, registration->token_len));
	cr_assert_eq(coap_body_parse(&body, answer.plaintext + 1, answer.plaintext_len - 1), 0);
	answer.has_observe = coap_option_find(&answer.msg.body, COAP_OPT_OBSERVE, &option) &&
		coap_option_uint(&option, &value);
	answer.observe = answer.has_observe ? value : 0;
}

// What 2.xx to a registration is (RFC 8613 section 4.1.3.5), in order.
void check_notification(const char *payload)
{
	struct coap_option option;

	cr_assert(answer.has_piv);
	cr_assert_gt(answer.piv, last_piv);
	last_piv = answer.piv;
	cr_assert_eq(answer.msg.code, COAP_CONTENT);
	cr_assert(answer.has_observe);
	cr_assert_eq(answer.observe, answer.piv & 0xffffff);
	cr_assert_eq(answer.plaintext[0], COAP_CONTENT);
	cr_assert(coap_option_find(&body, COAP_OPT_OBSERVE, &option));
	cr_assert_eq(option.len, 0);
	if (!payload)
		return;
	cr_assert_eq(body.payload_len, strlen(payload));
	if (body.payload_len) // without one there is no pointer
		cr_assert(!memcmp(body.payload, payload, body.payload_len), "%.*s",
			body.payload_len, body.payload);
}

void expect_notification(
	const struct bed_request *registration, enum coap_type type, const char *payload)
{
	take(&device, registration);
	cr_assert_eq(answer.msg.type, type);
	check_notification(payload);
}

void expect_plain(uint8_t code)
{
	struct coap_option option;

	take(&device, &request);
	cr_assert_eq(answer.plaintext[0], code);
	cr_assert_eq(answer.msg.code, COAP_CHANGED);
	cr_assert(!answer.has_observe);
	cr_assert(!coap_option_find(&body, COAP_OPT_OBSERVE, &option));
}

// An error that ends the registration.
void expect_end(const struct bed_request *registration, uint8_t code)
{
	struct coap_option option;

	take(&device, registration);
	cr_assert_eq(answer.plaintext[0], code);
	cr_assert(answer.has_piv);
	cr_assert_eq(answer.msg.code, COAP_CHANGED);
	cr_assert(!answer.has_observe);
	cr_assert(!coap_option_find(&body, COAP_OPT_OBSERVE, &option));
	cr_assert_eq(observers(), 0);
}

void ack(uint16_t of)
{
	bed_send_empty(&bed, &bed.flow, COAP_ACK, of);
	bed_turn(&bed);
}

void registered(const char *path, const char *payload)
{
	publish(path, payload);
	send_get(&device, COAP_CON, path, 0, NULL, -1);
	expect_notification(&request, COAP_ACK, payload);
	cr_assert_eq(answer.msg.mid, mid);
	expect_nothing();
}
