// SPDX-License-Identifier: BSD-3-Clause
// Lines of InfluxDB from SenML in JSON: a line for each resolved record (RFC 8428 section 4.6),
//   senml,device=NAME,name=N,unit=U v=23.1 1700000000000000000
// Its readers disagree about backslashes, so none is ever written outside of a string.

#include "gw/batch/json.h"
#include "gw/batch/writers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENML_JSON       110
#define SENSML_JSON      111
#define SENML_VERSION    10
#define NAME_MAX_BYTES   256
#define UNIT_MAX_BYTES   32
#define NUMBER_TEXT      80
#define RELATIVE_SECONDS ((double)(1 << 28)) // below, a time is relative to now

enum label { BN, BT, BU, BV, BS, BVER, N, U, V, VS, VB, VD, S, T, UT, LABELS };

static const char *const labels[LABELS] = {[BN] = "bn",
	[BT] = "bt",
	[BU] = "bu",
	[BV] = "bv",
	[BS] = "bs",
	[BVER] = "bver",
	[N] = "n",
	[U] = "u",
	[V] = "v",
	[VS] = "vs",
	[VB] = "vb",
	[VD] = "vd",
	[S] = "s",
	[T] = "t",
	[UT] = "ut"};

// One SenML record as it is read.
struct record {
	uint32_t seen;            // bit n: label n is there
	struct json text[LABELS]; // the reader at the value of each
	double number[LABELS];
	bool truth;
};

// What records take over from those before them.
struct base {
	uint8_t name[NAME_MAX_BYTES], unit[UNIT_MAX_BYTES];
	size_t name_len, unit_len;
	double value, sum;
	long double time;
	bool has_value, has_sum;
};

void influx_way_put(struct http_text *text, struct batch_way *way, const struct batch_source *s)
{
	way->id_len = 0;
	http_text_str(text, "senml,device=");
	http_text_percent(text, (const uint8_t *)s->device, strlen(s->device), "");
	http_text_str(text, ",name=");
}

// ---- reading

static long double number_of(const struct json *json)
{
	char text[NUMBER_TEXT];

	memcpy(text, json->text, json->len); // at most 64 characters, as the reader says
	text[json->len] = 0;
	return strtold(text, NULL);
}

static int label_of(const struct json *json)
{
	for (int i = 0; i < LABELS; i++)
		if (!json->escaped && json_is(json, labels[i]))
			return i;
	return -1;
}

static bool value_read(struct json *json, struct record *r, int label)
{
	enum json_token token = json_next(json);
	bool text = label == BN || label == BU || label == N || label == U || label == VS ||
		label == VD;

	if (r->seen >> label & 1)
		return false;
	r->seen |= 1u << label;
	r->text[label] = *json;
	if (label == VB) {
		r->truth = token == TOKEN_TRUE;
		return token == TOKEN_TRUE || token == TOKEN_FALSE;
	}
	if (text)
		return token == TOKEN_STRING;
	if (token != TOKEN_NUMBER)
		return false;
	r->number[label] = (double)number_of(json);
	return true;
}

// Reads one record, behind its brace.
static bool record_read(struct json *json, struct record *r)
{
	enum json_token token;

	r->seen = 0;
	while ((token = json_next(json)) == TOKEN_NAME) {
		int label = label_of(json);
		// A label that ends so must be understood (RFC 8428 section 4.4).
		bool must = json->len && json->text[json->len - 1] == '_';

		if (label >= 0 ? !value_read(json, r, label)
			       : must || !json_skip(json, json_next(json)))
			return false;
	}
	return token == TOKEN_OBJECT_END;
}

static bool has(const struct record *r, enum label label)
{
	return r->seen >> label & 1;
}

// ---- names and units

// Of a name (RFC 8428 section 4.5.1), of a unit what no reader of lines gives a meaning to.
static bool chars_ok(const uint8_t *s, size_t len, bool name)
{
	for (size_t i = 0; i < len; i++) {
		bool alnum = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'A' && s[i] <= 'Z') ||
			(s[i] >= 'a' && s[i] <= 'z');

		if (!s[i] || (!alnum && !strchr(name ? "-:./_" : "-./_%#*^", s[i])) ||
			(name && !i && !alnum))
			return false;
	}
	return true;
}

static bool text_append(const struct json *json, uint8_t *buf, size_t room, size_t *len)
{
	size_t n = json_unescape(json, buf + *len, room - *len);

	if (n == SIZE_MAX)
		return false;
	*len += n;
	return true;
}

static bool base_take(struct base *base, const struct record *r)
{
	if (has(r, BVER) && r->number[BVER] > SENML_VERSION)
		return false;
	if (has(r, BN)) {
		base->name_len = 0;
		if (!text_append(&r->text[BN], base->name, sizeof(base->name), &base->name_len))
			return false;
	}
	if (has(r, BU)) {
		base->unit_len = 0;
		if (!text_append(&r->text[BU], base->unit, sizeof(base->unit), &base->unit_len))
			return false;
	}
	if (has(r, BT))
		base->time = number_of(&r->text[BT]);
	if (has(r, BV))
		base->value = r->number[BV];
	if (has(r, BS))
		base->sum = r->number[BS];
	base->has_value |= has(r, BV);
	base->has_sum |= has(r, BS);
	return true;
}

// ---- writing

// Without a base the number is copied, digit by digit.
static void number_put(struct http_text *out, const char *name, const struct record *r,
	enum label label, bool based, double base)
{
	char text[NUMBER_TEXT];

	http_text_str(out, name);
	if (!based) {
		http_text_put(out, r->text[label].text, r->text[label].len);
		return;
	}
	snprintf(text, sizeof(text), "%.17g", (has(r, label) ? r->number[label] : 0) + base);
	http_text_str(out, text);
}

// A string field. Control characters are refused: a line feed would end the line for many.
static bool string_put(struct http_text *out, const char *name, const struct json *json)
{
	uint8_t buf[2048];
	size_t len = json_unescape(json, buf, sizeof(buf));

	if (len == SIZE_MAX)
		return false;
	http_text_str(out, name);
	http_text_char(out, '"');
	for (size_t i = 0; i < len; i++) {
		if (buf[i] < 0x20 || buf[i] == 0x7f)
			return false;
		if (buf[i] == '"' || buf[i] == '\\')
			http_text_char(out, '\\');
		http_text_char(out, (char)buf[i]);
	}
	http_text_char(out, '"');
	return true;
}

static bool fields_put(struct http_text *out, const struct base *base, const struct record *r)
{
	const char *between = "";
	bool value = has(r, V) || (base->has_value && !has(r, VS) && !has(r, VB) && !has(r, VD));

	if (value) {
		number_put(out, "v=", r, V, base->has_value, base->value);
		between = ",";
	}
	if (has(r, VS)) {
		http_text_str(out, between);
		if (!string_put(out, "vs=", &r->text[VS]))
			return false;
		between = ",";
	}
	if (has(r, VB)) {
		http_text_str(out, between);
		http_text_str(out, r->truth ? "vb=true" : "vb=false");
		between = ",";
	}
	if (has(r, VD)) {
		http_text_str(out, between);
		if (!string_put(out, "vd=", &r->text[VD]))
			return false;
		between = ",";
	}
	if (has(r, S) || base->has_sum) {
		http_text_str(out, between);
		number_put(out, "s=", r, S, base->has_sum, base->sum);
	}
	return true;
}

// Nanoseconds since 1970.
static bool time_of(const struct base *base, const struct record *r, uint64_t unix_ms, int64_t *ns)
{
	long double t = base->time + (has(r, T) ? number_of(&r->text[T]) : 0);

	if (t < (long double)RELATIVE_SECONDS)
		t += (long double)unix_ms / 1000;
	if (!(t > 0) || t > 9e9L)
		return false;
	*ns = llroundl(t * 1e9L);
	return true;
}

static bool line_put(struct http_text *out, const struct batch_way *way, const struct base *base,
	const struct record *r, uint64_t unix_ms)
{
	uint8_t name[NAME_MAX_BYTES], unit[UNIT_MAX_BYTES];
	size_t name_len = base->name_len, unit_len = base->unit_len;
	unsigned values = has(r, V) + has(r, VS) + has(r, VB) + has(r, VD);
	char time[32];
	int64_t ns;

	if (values > 1)
		return false;
	if (!values && !has(r, S) && !base->has_value && !base->has_sum)
		return !has(r, N); // only a base
	memcpy(name, base->name, name_len);
	memcpy(unit, base->unit, unit_len);
	if (has(r, N) && !text_append(&r->text[N], name, sizeof(name), &name_len))
		return false;
	if (has(r, U)) {
		unit_len = 0;
		if (!text_append(&r->text[U], unit, sizeof(unit), &unit_len))
			return false;
	}
	if (!name_len || !chars_ok(name, name_len, true) || !chars_ok(unit, unit_len, false) ||
		!time_of(base, r, unix_ms, &ns))
		return false;
	http_text_put(out, way->bytes, way->all_len);
	http_text_put(out, name, name_len);
	if (unit_len) {
		http_text_str(out, ",unit=");
		http_text_put(out, unit, unit_len);
	}
	http_text_char(out, ' ');
	if (!fields_put(out, base, r))
		return false;
	snprintf(time, sizeof(time), " %lld\n", (long long)ns);
	http_text_str(out, time);
	return true;
}

enum batch_put influx_put(const struct batch_way *way, const struct batch_reading *reading,
	uint8_t *at, size_t room, size_t *len)
{
	struct base base = {.time = 0};
	struct http_text out;
	struct record record;
	enum json_token token;
	struct json json;

	if (way->content_format != SENML_JSON && way->content_format != SENSML_JSON)
		return BATCH_PUT_BAD_TYPE;
	if (!json_embeds(reading->payload, reading->len))
		return BATCH_PUT_BAD_PAYLOAD;
	http_text_init(&out, (char *)at, room);
	json_init(&json, reading->payload, reading->len, 4);
	if (json_next(&json) != TOKEN_ARRAY)
		return BATCH_PUT_BAD_PAYLOAD;
	while ((token = json_next(&json)) == TOKEN_OBJECT)
		if (!record_read(&json, &record) || !base_take(&base, &record) ||
			!line_put(&out, way, &base, &record, reading->unix_ms))
			return BATCH_PUT_BAD_PAYLOAD;
	if (token != TOKEN_ARRAY_END || json_next(&json) != TOKEN_END)
		return BATCH_PUT_BAD_PAYLOAD;
	*len = (size_t)(out.at - (char *)at);
	if (out.failed)
		return BATCH_PUT_NO_ROOM;
	return *len ? BATCH_PUT_OK : BATCH_PUT_BAD_PAYLOAD;
}
