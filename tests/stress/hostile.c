// SPDX-License-Identifier: BSD-3-Clause
// Hostile load: while nine of ten packets are junk, at half of what the worker can take, devices
// get their answers, junk gets none, nothing allocates, and every mbuf comes back.
//
// The worker of the test bed is turned by hand, and time is virtual: a turn takes as long as the
// CPU time that it used, packets arrive at the set rate meanwhile, and wait in a queue of 511. The
// worker's clock shows it, too. So the figures are those of a machine that does nothing else.
// Speaks TAP.

#include "bench/load/malformed.h"
#include "tests/stress/allocations.h"
#include "tests/unit/dataplane/worker/bed_inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DEVICES       50
#define PACKETS       20000 // of one run
#define HOSTILE       10    // of so many packets one is a device's
#define TRIES         3     // the machine may have other things to do in one of them
#define ANSWERED_MIN  999   // of 1000: what capacity means
#define GOOD_MIN      950   // of 1000, under hostile load
#define LONG_TURN     8     // times the usual: somebody else had the core
#define CAPACITY_STEP 6     // halvings of the distance in the search for it

enum hostile {
	HOSTILE_UNKNOWN,
	HOSTILE_BAD_TAG,
	HOSTILE_REPLAY,
	HOSTILE_MALFORMED,
	HOSTILE_MIX,
	HOSTILE_NONE,
};

static const char *const hostile_names[] = {
	"unknown kid", "bad tag", "replay", "malformed", "all of these", "none"};

struct outcome {
	unsigned good, good_answered;
	uint64_t junk_bytes_in, junk_bytes_out;
	uint64_t allocations;
	uint64_t busy_ns; // CPU time of the turns
	uint64_t turns;
};

static struct bed bed;
static struct bed_device devices[DEVICES];
static uint64_t next_piv[DEVICES]; // each used once
static struct bed_device nobody;
static struct dp_flow attacker;
static uint64_t usual_turn_ns; // with a full burst
static unsigned points, failures;

__attribute__((format(printf, 2, 3))) static void point(bool good, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	printf("%sok %u - ", good ? "" : "not ", ++points);
	vprintf(format, list);
	printf("\n");
	fflush(stdout);
	va_end(list);
	failures += !good;
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

// --- packets -------------------------------------------------------------------------------------

// A request of the device whose turn it is: every fourth goes to a backend. The message id tells
// the device, the port the same in another way.
static void good_make(struct bed_request *request, unsigned i, struct dp_flow *flow)
{
	unsigned d = i % DEVICES;
	uint64_t piv = next_piv[d]++;

	bed_seal_path(&devices[d], request, COAP_CON, piv, piv, COAP_POST,
		piv % 4 ? "discard" : "up/x", "{\"t\":21.5}");
	*flow = bed.flow;
	flow->remote_port = rte_cpu_to_be_16(40000 + d);
}

static void malformed_make(struct bed_request *request, unsigned i)
{
	unsigned kind = i % (MALFORMED + 1);

	if (kind == MALFORMED) {
		bed_seal_path(&devices[i % DEVICES], request, COAP_CON, i, i, COAP_POST, "x", "x");
		request->len = 5 + i % 6; // cut
		return;
	}
	request->len = malformed[kind].len;
	memcpy(request->coap, malformed[kind].bytes, request->len);
}

static void junk_make(struct bed_request *request, unsigned i, enum hostile hostile)
{
	unsigned d = i % DEVICES;
	enum coap_type type = i / 4 % 2 ? COAP_CON : COAP_NON;

	switch (hostile == HOSTILE_MIX ? i % HOSTILE_MIX : hostile) {
	case HOSTILE_UNKNOWN:
		bed_seal_path(&nobody, request, type, i, i, COAP_POST, "discard", "{\"t\":21.5}");
		break;
	case HOSTILE_BAD_TAG:
		bed_seal_path(&devices[d], request, type, i, next_piv[d] + i % 100, COAP_POST,
			"discard", "{\"t\":21.5}");
		request->coap[request->len - 1 - i % 8] ^= 1 << i % 7;
		break;
	case HOSTILE_REPLAY: // what the device sent before, to the byte
		bed_seal_path(&devices[d], request, COAP_CON, next_piv[d] - 1, next_piv[d] - 1,
			COAP_POST, (next_piv[d] - 1) % 4 ? "discard" : "up/x", "{\"t\":21.5}");
		break;
	default:
		malformed_make(request, i);
		break;
	}
}

// --- one run -------------------------------------------------------------------------------------

static void send_one(struct outcome *o, unsigned i, enum hostile hostile)
{
	bool junk = hostile != HOSTILE_NONE && i % HOSTILE;
	struct bed_request request;
	struct dp_flow flow = attacker;

	if (junk) {
		junk_make(&request, i, hostile);
		o->junk_bytes_in += request.len;
	} else {
		good_make(&request, i / (hostile == HOSTILE_NONE ? 1 : HOSTILE), &flow);
		o->good++;
	}
	if (!rte_ring_full(bed.rx[0])) // else it is lost, as at any port
		bed_send(&bed, &flow, request.coap, request.len);
}

static void backend(void)
{
	static const uint8_t done[] = {COAP_CHANGED};
	dp_handle handle;

	while (bed_upstream_take(&bed, &handle))
		bed_upstream_answer(&bed, handle, done, sizeof(done));
}

static void take_answers(struct outcome *o)
{
	struct bed_answer answer;

	while (bed_receive(&bed, &answer)) {
		// As the device sees it, its own address is the local one.
		if (!memcmp(answer.flow.local_addr, attacker.remote_addr, 4)) {
			o->junk_bytes_out += answer.len;
			continue;
		}
		unsigned d = rte_be_to_cpu_16(answer.flow.local_port) - 40000;

		if (d >= DEVICES)
			continue;
		struct bed_request request = {.piv = next_piv[d] & ~UINT64_C(0xffff)};

		request.piv |= answer.msg.mid;
		if (request.piv >= next_piv[d]) // sent before the last 16 bits went round
			request.piv -= 0x10000;
		o->good_answered += bed_open(&devices[d], &request, &answer) &&
			answer.plaintext[0] == COAP_CHANGED;
	}
}

static uint64_t turn(struct outcome *o, unsigned *work)
{
	uint64_t allocated = allocations();
	uint64_t start = cpu_ns();

	*work = bed_turn_one(&bed, 0);
	uint64_t ns = cpu_ns() - start;

	o->allocations += allocations() - allocated;
	if (usual_turn_ns && ns > LONG_TURN * usual_turn_ns)
		ns = usual_turn_ns;
	o->busy_ns += ns;
	o->turns++;
	return ns;
}

static void time_passes(double ns)
{
	static double untold_ns; // less than a millisecond

	untold_ns += ns;
	uint64_t ms = untold_ns / 1e6;

	bed_later(&bed, ms);
	untold_ns -= ms * 1e6;
}

// So many packets a second of virtual time.
static struct outcome run(double rate, unsigned packets, enum hostile hostile)
{
	struct outcome o = {0};
	double now_ns = 0, told_ns = 0;
	unsigned sent = 0, work;

	do {
		while (sent < packets && sent / rate * 1e9 <= now_ns)
			send_one(&o, sent++, hostile);
		now_ns += turn(&o, &work);
		backend();
		take_answers(&o);
		if (!work && sent < packets)
			now_ns = RTE_MAX(now_ns, sent / rate * 1e9);
		time_passes(now_ns - told_ns);
		told_ns = now_ns;
	} while (work || sent < packets);
	return o;
}

// Packets a second if there is always one more.
static double throughput(void)
{
	struct outcome o = {0};
	unsigned sent, work;

	for (sent = 0; sent < PACKETS; sent += DP_BURST) {
		for (unsigned i = 0; i < DP_BURST; i++)
			send_one(&o, sent + i, HOSTILE_NONE);
		time_passes(turn(&o, &work));
		backend();
		take_answers(&o);
	}
	usual_turn_ns = o.busy_ns / o.turns;
	return sent * 1e9 / o.busy_ns;
}

static bool sustained(double rate)
{
	for (unsigned i = 0; i < TRIES; i++) {
		struct outcome o = run(rate, PACKETS, HOSTILE_NONE);

		if ((uint64_t)o.good_answered * 1000 >= (uint64_t)o.good * ANSWERED_MIN)
			return true;
	}
	return false;
}

static double capacity(double from, double to)
{
	for (unsigned i = 0; i < CAPACITY_STEP; i++) {
		double middle = (from + to) / 2;

		if (sustained(middle))
			from = middle;
		else
			to = middle;
	}
	return from;
}

static void hostile_try(double rate, enum hostile hostile)
{
	struct outcome o;
	uint64_t allocated = 0, in = 0, out = 0;
	const char *name = hostile_names[hostile];

	for (unsigned i = 0; i < TRIES; i++) {
		o = run(rate, PACKETS, hostile);
		allocated += o.allocations;
		in += o.junk_bytes_in;
		out += o.junk_bytes_out;
		if ((uint64_t)o.good_answered * 1000 >= (uint64_t)o.good * GOOD_MIN)
			break;
	}
	point((uint64_t)o.good_answered * 1000 >= (uint64_t)o.good * GOOD_MIN,
		"%s: %u of %u requests of devices are answered", name, o.good_answered, o.good);
	point(out <= in, "%s: %lu bytes out for %lu bytes in", name, out, in);
	point(!allocated, "%s: %lu allocations", name, allocated);
}

int main(void)
{
	struct outcome o = {0};

	bed_make_exchanges(&bed, 1, 1, 1024);
	bed_stop_clock(&bed);
	for (unsigned d = 0; d < DEVICES; d++) {
		bed_device_make(&devices[d], 2 + d, AEAD_AES_CCM_16_64_128);
		bed_device_add(&bed, &devices[d], true);
		next_piv[d] = 1;
	}
	bed_device_make(&nobody, 0xee, AEAD_AES_CCM_16_64_128);
	attacker = bed.flow;
	attacker.remote_addr[3] = 66;
	unsigned free_mbufs = rte_mempool_avail_count(bed.pool);

	double most = throughput();
	double rate = capacity(most / 4, most * 1.25);

	printf("# %.2f million requests a second are answered to 99.9 %%, %.2f million if never "
	       "idle\n",
		rate / 1e6, most / 1e6);
	o = run(rate / 2, PACKETS, HOSTILE_NONE);
	point(!o.allocations, "good requests alone: %lu allocations", o.allocations);
	for (enum hostile h = HOSTILE_UNKNOWN; h <= HOSTILE_MIX; h++)
		hostile_try(rate / 2, h);
	allocations_plant(true);
	o = run(rate / 2, 1000, HOSTILE_MIX);
	allocations_plant(false);
	point(o.allocations, "an allocation that was planted is seen (%lu)", o.allocations);
	point(rte_mempool_avail_count(bed.pool) == free_mbufs &&
			rte_mempool_avail_count(bed_worker_pool(&bed, 0)) == bed.worker_pool_full,
		"every mbuf is back");
	point(dp_worker_exchanges_free(bed.dp, 0) == 1024, "every exchange is back");
	point(bed_count(&bed, DP_STAT_drop_unknown_context) && bed_count(&bed, DP_STAT_drop_tag) &&
			bed_count(&bed, DP_STAT_drop_replay) &&
			bed_count(&bed, DP_STAT_drop_coap_format),
		"junk of each kind was there");
	bed_free(&bed);
	printf("1..%u\n", points);
	return failures != 0;
}
