// SPDX-License-Identifier: BSD-3-Clause
// What an AEAD message costs, by algorithm, engine, length, contexts, AAD and batch size, beside
// the libraries that do the same work in the same run. See bench/README.md.
// usage: aead [--json] [--quick] [--rounds N] [--algorithm NAME] [--op open|seal]
//             [--length BYTES|mixed] [--contexts N] [--batch N] [--aad BYTES]

#include "crypto/aead.h"

#include "bench/aead_measure.h"
#include "bench/aead_rivals.h"

#include <getopt.h>
#include <limits.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#define CONTEXTS_MANY   (1u << 20)
#define CONTEXTS_BURST  64    // and as many messages: a burst of a worker, which stays in L1
#define MESSAGES_FEW    1024  // of a round with fewer contexts: they stay in L2 up to 512 bytes
#define MESSAGES_RING   256   // with many contexts: messages that stay in the cache, as in a worker
#define BATCHES_TURN    2     // a worker opens one, seals one and wipes the engine
#define MESSAGES_ROUND  16384 // at least so many are timed at once
#define OUT_SLOTS       512   // messages whose output is kept, more than any rival has in flight
#define ROUNDS          9
#define ROUNDS_QUICK    7 // and the least
#define ROUNDS_MAX      64
#define RIVALS_MAX      16
#define CONTESTANTS_MAX 24
#define LENGTH_MIXED    0 // 8 to 64 bytes

static const unsigned lengths[] = {8, 16, 24, 32, 48, 64, 128, 256, 512, 1024};
static const unsigned contexts[] = {1, CONTEXTS_BURST, 1000, CONTEXTS_MANY};
static const unsigned aads[] = {24, 31}; // two and three blocks
static const unsigned batches[] = {1, 2, 4, 8, 16, 32, 64};
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

// One engine of postern or one way to use a rival.
struct contestant {
	const char *name;
	struct aead_engine *engine; // else rival
	struct rival *rival;
	double ns[ROUNDS_MAX];     // per message
	double cycles[ROUNDS_MAX]; // by the clock of that round
	double median, min, max, cycles_median;
};

// What is measured together.
struct cell {
	enum aead_alg alg;
	bool sealing;
	unsigned length; // bytes or LENGTH_MIXED
	unsigned aad;    // bytes
	unsigned contexts;
	unsigned batch;
};

static struct {
	bool json, quick;
	unsigned rounds; // 0: ROUNDS or ROUNDS_QUICK
	// Filters; -1 is all.
	int alg, sealing, length, contexts, batch, aad;
} options = {.alg = -1, .sealing = -1, .length = -1, .contexts = -1, .batch = -1, .aad = -1};

static struct aead_engine *engines[8];
static struct rival rivals[RIVALS_MAX];
static unsigned engine_count, rival_count;
// Blocks of AES that the core issues in a cycle, by the width of its registers.
static double blocks_512, blocks_256, blocks_128;

// Context memory, made once: keys at a stride of a device context, and the same keys expanded. All
// are the same key, so that a message opens under each.
static uint8_t *context_memory, *schedule_memory;

static void contexts_create(void)
{
	uint64_t seed = 1;

	context_memory = huge_alloc((size_t)CONTEXTS_MANY * CONTEXT_SIZE);
	schedule_memory = huge_alloc((size_t)CONTEXTS_MANY * SCHEDULE_SIZE);
	random_fill(&seed, context_memory, AEAD_KEY_MAX);
	rival_key_expand(schedule_memory, context_memory);
	for (size_t i = 1; i < CONTEXTS_MANY; i++) {
		memcpy(context_memory + i * CONTEXT_SIZE, context_memory, AEAD_KEY_MAX);
		memcpy(schedule_memory + i * SCHEDULE_SIZE, schedule_memory, SCHEDULE_SIZE);
	}
}

struct messages {
	struct work work;
	uint32_t *order;
	uint8_t *bodies, *outs;
	size_t ops_len, bodies_len, outs_len;
};

static unsigned length_draw(const struct cell *cell, uint64_t *seed)
{
	return cell->length == LENGTH_MIXED ? 8 + random_next(seed) % 57 : cell->length;
}

// In place, for those who are to open them.
static void messages_seal(const struct work *work)
{
	struct aead_op seal[AEAD_BATCH_MAX];

	for (size_t first = 0; first < work->ring; first += AEAD_BATCH_MAX) {
		memcpy(seal, work->ops + first, sizeof(seal));
		for (unsigned i = 0; i < AEAD_BATCH_MAX; i++)
			seal[i].out = (uint8_t *)(uintptr_t)seal[i].in;
		if (aead_seal_batch(engines[0], work->alg, seal, AEAD_BATCH_MAX) != AEAD_BATCH_MAX)
			abort();
	}
}

// Bodies are the prepared AAD, then the message, on whole cache lines.
static struct messages messages_create(const struct cell *cell)
{
	const struct aead_alg_info *info = &aead_algs[cell->alg];
	const unsigned longest = cell->length == LENGTH_MIXED ? 64 : cell->length;
	const size_t aad_room = (2 + cell->aad + 15) / 16 * 16;
	const size_t body_room = (aad_room + longest + info->tag_len + 63) / 64 * 64;
	const size_t out_room = (longest + info->tag_len + 63) / 64 * 64;
	const bool many = cell->contexts == CONTEXTS_MANY;
	const size_t count = many                  ? MESSAGES_RING
		: cell->contexts == CONTEXTS_BURST ? CONTEXTS_BURST
						   : MESSAGES_FEW;
	struct messages messages = {
		.ops_len = count * sizeof(struct aead_op),
		.bodies_len = count * body_room,
		.outs_len = OUT_SLOTS * out_room,
		.work = {.alg = cell->alg,
			.sealing = cell->sealing,
			.batch = cell->batch,
			.count = many ? CONTEXTS_MANY : count,
			.ring = count,
			.contexts = context_memory,
			.schedules = schedule_memory},
	};
	uint64_t seed = 2;

	messages.order = order_create(cell->contexts, messages.work.count, &seed);
	messages.work.order = many ? messages.order : NULL;
	messages.bodies = huge_alloc(messages.bodies_len);
	messages.outs = huge_alloc(messages.outs_len);
	messages.work.ops = huge_alloc(messages.ops_len);
	for (size_t i = 0; i < count; i++) {
		struct aead_op *op = &messages.work.ops[i];
		uint8_t *body = messages.bodies + i * body_room;
		uint8_t nonce[AEAD_NONCE_MAX];

		op->key = context_memory + (size_t)messages.order[i] * CONTEXT_SIZE;
		op->aad = body;
		op->aad_len = cell->aad;
		op->in = body + aad_room;
		op->out = messages.outs + i % OUT_SLOTS * out_room;
		op->len = length_draw(cell, &seed);
		body[1] = cell->aad;
		random_fill(&seed, body + 2, cell->aad);
		random_fill(&seed, body + aad_room, op->len);
		random_fill(&seed, nonce, sizeof(nonce));
		aead_op_nonce(op, cell->alg, nonce);
	}
	if (!cell->sealing)
		messages_seal(&messages.work);
	return messages;
}

static void messages_free(struct messages *messages)
{
	huge_free(messages->work.ops, messages->ops_len);
	huge_free(messages->bodies, messages->bodies_len);
	huge_free(messages->outs, messages->outs_len);
	free(messages->order);
}

static size_t engine_run(struct aead_engine *engine, const struct work *work)
{
	size_t good = 0;
	unsigned done = 0;

	for (size_t first = 0; first < work->count; first += work->batch) {
		struct aead_op *ops = work_op(work, first);

		batch_prefetch(work, first, work->contexts, CONTEXT_SIZE, 1);
		good += work->sealing ? aead_seal_batch(engine, work->alg, ops, work->batch)
				      : aead_open_batch(engine, work->alg, ops, work->batch);
		if (++done % BATCHES_TURN == 0)
			aead_engine_wipe(engine);
	}
	aead_engine_wipe(engine);
	return good;
}

static double contestant_time(struct contestant *c, const struct work *work)
{
	const size_t repeats = work->count < MESSAGES_ROUND ? MESSAGES_ROUND / work->count : 1;
	double start = cpu_ns();

	for (size_t i = 0; i < repeats; i++) {
		size_t good =
			c->engine ? engine_run(c->engine, work) : c->rival->run(c->rival, work);

		if (good != work->count) {
			fprintf(stderr, "%s: %zu of %zu messages\n", c->name, good, work->count);
			exit(1);
		}
	}
	return (cpu_ns() - start) / (repeats * work->count);
}

static void contestant_conclude(struct contestant *c, unsigned rounds)
{
	qsort(c->ns, rounds, sizeof(*c->ns), double_compare);
	qsort(c->cycles, rounds, sizeof(*c->cycles), double_compare);
	c->cycles_median = c->cycles[rounds / 2];
	c->median = c->ns[rounds / 2];
	c->min = c->ns[0];
	c->max = c->ns[rounds - 1];
}

static bool is_ccm(enum aead_alg alg)
{
	return alg == AEAD_AES_CCM_16_64_128 || alg == AEAD_AES_CCM_16_128_128;
}

// Engines that serve the algorithm in different ways, then the rivals that can.
static unsigned contestants_enter(
	struct contestant *list, const struct cell *cell, const struct work *work)
{
	const bool many = cell->contexts == CONTEXTS_MANY;
	unsigned n = 0;

	for (unsigned i = 0; i < engine_count; i++) {
		const char *name = aead_engine_name(engines[i], cell->alg);
		bool known = false;

		for (unsigned k = 0; k < n; k++)
			known |= strcmp(list[k].name, name) == 0;
		// Two million messages at OpenSSL's pace are too long for a quick look.
		if (!known && !(options.quick && many && i > 0))
			list[n++] = (struct contestant){.name = name, .engine = engines[i]};
	}
	for (unsigned i = 0; i < rival_count; i++) {
		struct rival *rival = &rivals[i];

		// What has never been the fastest way is left out of it as well.
		if (options.quick &&
			(rival->checked || (many && strcmp(rival->name, "ipsec-mb-burst"))))
			continue;
		if (options.quick && rival->flushed == (cell->batch >= 16))
			continue;
		if (rival->can(rival, work))
			list[n++] = (struct contestant){.name = rival->name, .rival = rival};
	}
	return n;
}

// Blocks of AES that a message needs, over those that the core issues in a cycle with registers of
// the contestant's width, as measured. Expanding a key takes ten S-boxes of a word, which the
// vector engines do for four lanes at once.
static double limit_cycles(const struct cell *cell, const char *name)
{
	const bool widest = strcmp(name, "vaes512") == 0 || strcmp(name, "ipsec-mb-burst") == 0 ||
		strcmp(name, "ipsec-mb-job") == 0;
	const double per_cycle = widest && blocks_512    ? blocks_512
		: widest || strcmp(name, "vaes256") == 0 ? (blocks_256 ? blocks_256 : blocks_128)
							 : blocks_128;

	if (!per_cycle)
		return 0;
	double data = cell->length / 16 + (cell->length % 16 != 0);
	double aad = (2 + cell->aad + 15) / 16;

	// The mean number of blocks of 8 to 64 bytes, each as likely.
	if (cell->length == LENGTH_MIXED)
		data = (9 * 1 + 16 * (2 + 3 + 4)) / 57.0;
	if (is_ccm(cell->alg))
		return ((2 + aad + 2 * data) * 10 + (strncmp(name, "ipsec", 5) ? 2.5 : 0)) /
			per_cycle;
	if (cell->alg == AEAD_AES_128_GCM)
		return ((2 + data) * 10 + 10) / per_cycle; // the hash key, the mask, the data
	if (cell->alg == AEAD_AES_256_GCM)
		return ((2 + data) * 14 + 13) / per_cycle;
	return 0; // no AES
}

// The fastest of the contestants with this name.
static const struct contestant *best_of(const struct contestant *list, unsigned n, const char *name)
{
	const struct contestant *best = NULL;

	for (unsigned i = 0; i < n; i++) {
		if (strcmp(list[i].name, name) == 0 && (!best || list[i].median < best->median))
			best = &list[i];
	}
	return best;
}

// Whom a row is compared with: the libraries, also where postern calls one itself.
static bool is_rival(const struct contestant *c)
{
	return c->rival || strcmp(c->name, "openssl") == 0 || strcmp(c->name, "libsodium") == 0;
}

static void row_print(const struct cell *cell, const struct contestant *list, unsigned n,
	const struct contestant *c)
{
	const char *comma = "";
	char length[16];

	if (cell->length == LENGTH_MIXED)
		strcpy(length, options.json ? "\"8-64\"" : "8-64");
	else
		sprintf(length, "%u", cell->length);
	if (options.json)
		printf("{\"bench\":\"aead\",\"algorithm\":\"%s\",\"op\":\"%s\",\"engine\":\"%s\","
		       "\"length\":%s,\"aad\":%u,\"contexts\":%u,\"batch\":%u,\"ns_median\":%.2f,"
		       "\"ns_min\":%.2f,\"ns_max\":%.2f,\"cycles_median\":%.1f,"
		       "\"limit_cycles\":%.1f,\"vs\":{",
			aead_algs[cell->alg].name, cell->sealing ? "seal" : "open", c->name, length,
			cell->aad, cell->contexts, cell->batch, c->median, c->min, c->max,
			c->cycles_median, limit_cycles(cell, c->name));
	else
		printf("%-18s %s %-14s %4s B aad %u contexts %7u batch %2u: %7.1f ns (%.1f-%.1f) "
		       "%6.0f cycles, limit %.0f",
			aead_algs[cell->alg].name, cell->sealing ? "seal" : "open", c->name, length,
			cell->aad, cell->contexts, cell->batch, c->median, c->min, c->max,
			c->cycles_median, limit_cycles(cell, c->name));
	for (unsigned i = 0; i < n; i++) {
		if (!is_rival(&list[i]) || strcmp(list[i].name, c->name) == 0 ||
			best_of(list, n, list[i].name) != &list[i])
			continue;
		printf(options.json ? "%s\"%s\":%.3f" : "%s  %s %.2fx", comma, list[i].name,
			list[i].median / c->median);
		comma = options.json ? "," : "";
	}
	printf(options.json ? "}}\n" : "\n");
	fflush(stdout);
}

static void cell_measure(const struct cell *cell)
{
	struct messages messages = messages_create(cell);
	struct contestant list[CONTESTANTS_MAX];
	unsigned n = contestants_enter(list, cell, &messages.work);

	// Warm up what stays in the cache.
	for (unsigned i = 0; i < n && !messages.work.order; i++)
		(void)contestant_time(&list[i], &messages.work);
	for (unsigned round = 0; round < options.rounds; round++) {
		for (unsigned i = 0; i < n; i++) {
			const double ghz = core_ghz();

			list[i].ns[round] = contestant_time(&list[i], &messages.work);
			list[i].cycles[round] = list[i].ns[round] * ghz;
		}
	}
	for (unsigned i = 0; i < n; i++)
		contestant_conclude(&list[i], options.rounds);
	for (unsigned i = 0; i < n; i++) {
		if (best_of(list, n, list[i].name) == &list[i])
			row_print(cell, list, n, &list[i]);
	}
	messages_free(&messages);
}

static bool wanted(int option, unsigned value)
{
	return option < 0 || (unsigned)option == value;
}

// The rows that the quick run keeps: those of the promises in bench/README.md.
static bool quick_wants(const struct cell *cell)
{
	if (cell->alg != AEAD_AES_CCM_16_64_128 || cell->aad != aads[0] || cell->contexts == 1)
		return false;
	if (cell->contexts == CONTEXTS_BURST)
		return cell->batch >= 32;
	if (cell->contexts == CONTEXTS_MANY)
		return cell->batch == 32 && cell->length <= 64 && cell->length != 24;
	return cell->batch == 32 || (cell->batch <= 4 && cell->length == 16);
}

// The complete product is kept for the algorithm that everyone must speak; for the others, the
// batch sizes at both ends and the number of contexts at both ends say it all.
static bool full_wants(const struct cell *cell)
{
	return cell->alg == AEAD_AES_CCM_16_64_128 ||
		(cell->contexts != CONTEXTS_BURST && (cell->batch == 1 || cell->batch == 32));
}

static void cell_consider(const struct cell *cell)
{
	if (wanted(options.alg, cell->alg) && wanted(options.sealing, cell->sealing) &&
		wanted(options.length, cell->length) && wanted(options.contexts, cell->contexts) &&
		wanted(options.batch, cell->batch) && wanted(options.aad, cell->aad) &&
		(options.quick ? quick_wants(cell) : full_wants(cell)))
		cell_measure(cell);
}

static void all_measure(void)
{
	struct cell cell;

	for (cell.alg = 0; cell.alg < AEAD_ALG_COUNT; cell.alg++) {
		for (unsigned c = 0; c < COUNT_OF(contexts); c++) {
			cell.contexts = contexts[c];
			for (unsigned b = 0; b < COUNT_OF(batches); b++) {
				cell.batch = batches[b];
				for (unsigned i = 0; i < 2 * COUNT_OF(aads); i++) {
					cell.sealing = i & 1;
					cell.aad = aads[i / 2];
					for (unsigned l = 0; l < COUNT_OF(lengths); l++) {
						cell.length = lengths[l];
						cell_consider(&cell);
					}
					if (cell.batch < 32)
						continue;
					cell.length = LENGTH_MIXED;
					cell_consider(&cell);
				}
			}
		}
	}
}

__attribute__((noreturn, format(printf, 1, 2))) static void mistake(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("aead: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

static unsigned number_read(const char *option, const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || number > INT_MAX)
		mistake("--%s: \"%s\" is no number", option, text);
	return number;
}

// One of the values that are measured.
static int value_read(const char *option, const char *text, const unsigned *values, size_t count)
{
	unsigned value = number_read(option, text);
	char list[128] = "";

	for (size_t i = 0; i < count; i++) {
		if (values[i] == value)
			return (int)value;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%u", i ? ", " : "",
			values[i]);
	}
	mistake("--%s: %s is none of %s", option, text, list);
}

static int op_read(const char *text)
{
	if (strcmp(text, "open") && strcmp(text, "seal"))
		mistake("--op: \"%s\" is neither open nor seal", text);
	return strcmp(text, "seal") == 0;
}

static int algorithm_read(const char *text)
{
	enum aead_alg alg;

	if (aead_alg_from_name(text, &alg) != 0)
		mistake("--algorithm: \"%s\" is none, such as AES-CCM-16-64-128", text);
	return alg;
}

static void options_read(int argc, char **argv)
{
	static const struct option names[] = {
		{"json", no_argument, NULL, 'j'},
		{"quick", no_argument, NULL, 'q'},
		{"rounds", required_argument, NULL, 'r'},
		{"algorithm", required_argument, NULL, 'a'},
		{"op", required_argument, NULL, 'o'},
		{"length", required_argument, NULL, 'l'},
		{"contexts", required_argument, NULL, 'c'},
		{"batch", required_argument, NULL, 'b'},
		{"aad", required_argument, NULL, 'd'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'j':
			options.json = true;
			break;
		case 'q':
			options.quick = true;
			break;
		case 'r':
			options.rounds = number_read("rounds", optarg);
			if (options.rounds < ROUNDS_QUICK || options.rounds > ROUNDS_MAX)
				mistake("--rounds is %d to %d", ROUNDS_QUICK, ROUNDS_MAX);
			break;
		case 'a':
			options.alg = algorithm_read(optarg);
			break;
		case 'o':
			options.sealing = op_read(optarg);
			break;
		case 'l':
			options.length = strcmp(optarg, "mixed")
				? value_read("length", optarg, lengths, COUNT_OF(lengths))
				: LENGTH_MIXED;
			break;
		case 'c':
			options.contexts =
				value_read("contexts", optarg, contexts, COUNT_OF(contexts));
			break;
		case 'b':
			options.batch = value_read("batch", optarg, batches, COUNT_OF(batches));
			break;
		case 'd':
			options.aad = value_read("aad", optarg, aads, COUNT_OF(aads));
			break;
		default:
			exit(2); // getopt said why
		}
	}
	if (optind != argc)
		mistake("\"%s\" is one argument too many", argv[optind]);
	if (!options.rounds)
		options.rounds = options.quick ? ROUNDS_QUICK : ROUNDS;
}

static void engines_create(void)
{
	for (const char *const *isa = aead_isa_names(); *isa; isa++) {
		struct aead_engine *engine = aead_engine_create(*isa);

		if (!engine)
			continue;
		aead_engine_wipe_later(engine);
		engines[engine_count++] = engine;
	}
	if (!engine_count)
		abort();
}

// Whether this CPU runs the engine of that name.
static bool has_engine(const char *name)
{
	for (unsigned i = 0; i < engine_count; i++) {
		if (strcmp(aead_engine_name(engines[i], AEAD_AES_CCM_16_64_128), name) == 0)
			return true;
	}
	return false;
}

static double ghz(unsigned unused)
{
	return core_ghz();
}

static void core_measure(void)
{
	if (has_engine("vaes512"))
		blocks_512 = 4 * median_of(aes_per_cycle, 512);
	if (has_engine("vaes256"))
		blocks_256 = 2 * median_of(aes_per_cycle, 256);
	if (has_engine("aesni"))
		blocks_128 = median_of(aes_per_cycle, 128);
	if (!options.json)
		printf("core at %.2f GHz; blocks of AES a cycle: %.2f by 512 bits, %.2f by 256, "
		       "%.2f by 128\n",
			median_of(ghz, 0), blocks_512, blocks_256, blocks_128);
}

int main(int argc, char **argv)
{
	options_read(argc, argv);
	engines_create();
	rival_count = rivals_create(rivals, RIVALS_MAX);
	contexts_create();
	core_measure();
	all_measure();
	return 0;
}
