// SPDX-License-Identifier: BSD-3-Clause
// Memory runs out at each allocation of gw/conf in turn: -ENOMEM each time, nothing half-made,
// nothing lost. The linker puts these functions in the place of the C library's (--wrap).

#include "gw/conf/conf.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static long left = -1; // allocations that still succeed; below 0: all
static long live;      // blocks that are not freed

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *memory, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);
int __wrap_asprintf(char **text, const char *format, ...);
int __wrap___asprintf_chk(char **text, int flag, const char *format, ...);
void __wrap_free(void *memory);

static bool fails(void)
{
	if (left > 0)
		left--;
	else if (left == 0)
		return true;
	live++;
	return false;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
	if (fails())
		return NULL;
	live -= memory != NULL;
	return __real_reallocarray(memory, count, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
	return fails() ? NULL : __real_strndup(text, len);
}

static int text_make(char **text, const char *format, va_list args)
{
	// What is in *text after a failure is not defined.
	*text = (char *)-1;
	return fails() ? -1 : vasprintf(text, format, args);
}

int __wrap_asprintf(char **text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = text_make(text, format, args);
	va_end(args);
	return len;
}

// What _FORTIFY_SOURCE makes of asprintf().
int __wrap___asprintf_chk(char **text, int flag, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = text_make(text, format, args);
	va_end(args);
	return len;
}

void __wrap_free(void *memory)
{
	live -= memory != NULL;
	__real_free(memory);
}

static const char text[] =
	"ports:\n"
	"- {name: a, tap: t0, addresses: [192.0.2.1/24, \"2001:db8::1/64\"]}\n"
	"upstreams:\n"
	"  up: {servers: [\"https://h:1/b\", \"http+unix:/s\"], tls: {cert: /c, key: /k}}\n"
	"routes:\n"
	"- {path: /a/*/b, to: up, host: h, prefix: /v1}\n"
	"- {path: /*, to: builtin:echo}\n"
	"workers: {cores: [1-3], isa: auto}\n"
	"control: {group: g}\n";

Test(conf_memory, running_out_at_any_allocation_is_told_and_loses_nothing)
{
	static char said[256];
	struct conf *conf = NULL;
	int rc = -ENOMEM;
	long n;

	for (n = 0; rc == -ENOMEM; n++) {
		FILE *errors = fmemopen(said, sizeof(said), "w");
		left = n;
		live = 0;
		rc = conf_parse("f", text, sizeof(text) - 1, &conf, errors);
		left = -1;
		fclose(errors);
		if (rc == 0)
			break;
		cr_assert_eq(rc, -ENOMEM, "allocation %ld: %d", n, rc);
		cr_assert_str_eq(said, "f: out of memory\n", "allocation %ld: %s", n, said);
		cr_assert_null(conf);
		cr_assert_eq(live, 0, "allocation %ld: %ld blocks lost", n, live);
	}
	cr_expect_gt(n, 50, "only %ld allocations", n);
	conf_free(conf);
	cr_expect_eq(live, 0, "%ld blocks lost", live);
}
