/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "world/alloc.h"

enum {
	CHAIN_MAX = 40,
	SITES_MAX = 1 << 15,
	FRAME_MAX = 1 << 20, /* bytes; a larger one is no frame */
	LINE_MAX_LEN = 1024,
};

struct chain {
	uint64_t hash;
	unsigned len;
	uintptr_t at[CHAIN_MAX]; /* as in the file of the program */
};

struct site {
	uint64_t hash; /* 0: free */
	uint32_t uses;
};

bool alloc_counting;
unsigned long alloc_count;

static struct {
	bool on;
	int log_fd;
	uint64_t fail_site;
	uint32_t fail_use;
	unsigned long children; /* started so far: tests of Check */
	bool in_child;
	uintptr_t bias; /* where the program was loaded */
	pthread_mutex_t lock;
	struct site sites[SITES_MAX];
} faults = {.log_fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

extern char __executable_start, etext;

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *p, size_t len);
void *__real_reallocarray(void *p, size_t n, size_t len);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *p, size_t len);
void *__wrap_reallocarray(void *p, size_t n, size_t len);
char *__wrap_strdup(const char *s);

/* ---- set-up ---- */

static void
before_fork(void)
{
	if (!faults.in_child)
		faults.children++;
}

/* A child of a child belongs to the same test. */
static void
enter_child(void)
{
	faults.in_child = true;
}

/* The first object is the program. */
static int
note_bias(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	*(uintptr_t *)arg = info->dlpi_addr;
	return 1;
}

__attribute__((constructor)) static void
read_environment(void)
{
	const char *log = getenv("ALLOC_LOG"), *fail = getenv("ALLOC_FAIL");
	char *end;

	if (log == NULL)
		return;
	faults.log_fd =
	    open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (faults.log_fd < 0)
		abort();
	if (fail != NULL) {
		faults.fail_site = strtoull(fail, &end, 16);
		faults.fail_use =
		    *end == ':' ? (uint32_t)strtoul(end + 1, NULL, 10) : 1;
	}
	dl_iterate_phdr(note_bias, &faults.bias);
	pthread_atfork(before_fork, NULL, enter_child);
	faults.on = true;
}

/* ---- sites ---- */

static bool
is_own_code(uintptr_t at)
{
	return at >= (uintptr_t)&__executable_start && at < (uintptr_t)&etext;
}

/* Reads the chain that begins with the frame of the wrapper. */
__attribute__((no_sanitize_address)) static void
read_chain(struct chain *c, const uintptr_t *frame)
{
	uintptr_t up;

	c->len = 0;
	c->hash = 14695981039346656037u; /* FNV-1a */
	while (c->len < CHAIN_MAX && is_own_code(frame[1])) {
		c->at[c->len] = frame[1] - faults.bias;
		c->hash = (c->hash ^ c->at[c->len++]) * 1099511628211u;
		up = frame[0];
		if (up <= (uintptr_t)frame || up % sizeof up != 0 ||
		    up - (uintptr_t)frame > FRAME_MAX)
			break;
		frame = (const uintptr_t *)up;
	}
	c->hash |= 1;
}

static struct site *
find_site(uint64_t hash)
{
	for (uint32_t i = 0; i < SITES_MAX; i++) {
		struct site *s =
		    &faults.sites[((uint32_t)(hash >> 20) + i) % SITES_MAX];

		if (s->hash == 0)
			s->hash = hash;
		if (s->hash == hash)
			return s;
	}
	abort();
}

static void
write_line(const char *text, int len)
{
	if (len > 0 && write(faults.log_fd, text, (size_t)len) != len)
		abort();
}

/* Logs the uses 1, 2, 4, 8 ... and, with the first, the chain. */
static void
log_use(const struct chain *c, uint32_t uses)
{
	char line[LINE_MAX_LEN];
	int len;

	if ((uses & (uses - 1)) != 0)
		return;
	len = snprintf(line, sizeof line, "use %lu %llx %u",
	    faults.in_child ? faults.children : 0, (unsigned long long)c->hash,
	    (unsigned)uses);
	for (unsigned i = 0; uses == 1 && i < c->len; i++)
		len += snprintf(line + len, sizeof line - (size_t)len, " %llx",
		    (unsigned long long)c->at[i]);
	line[len++] = '\n';
	write_line(line, len);
}

/* Counts the use of a site. Returns whether it must fail. */
static bool
must_fail(const uintptr_t *frame)
{
	static const char line[] = "failed\n";
	struct chain c;
	uint32_t uses;

	alloc_count += alloc_counting;
	if (!faults.on)
		return false;
	read_chain(&c, frame);
	pthread_mutex_lock(&faults.lock);
	uses = ++find_site(c.hash)->uses;
	if (faults.fail_use == 0)
		log_use(&c, uses);
	pthread_mutex_unlock(&faults.lock);
	if (c.hash != faults.fail_site || uses != faults.fail_use)
		return false;
	write_line(line, sizeof line - 1);
	errno = ENOMEM;
	return true;
}

/* ---- the functions ---- */

void *
__wrap_malloc(size_t len)
{
	if (must_fail(__builtin_frame_address(0)))
		return NULL;
	return __real_malloc(len);
}

void *
__wrap_calloc(size_t n, size_t len)
{
	if (must_fail(__builtin_frame_address(0)))
		return NULL;
	return __real_calloc(n, len);
}

void *
__wrap_realloc(void *p, size_t len)
{
	if (must_fail(__builtin_frame_address(0)))
		return NULL;
	return __real_realloc(p, len);
}

void *
__wrap_reallocarray(void *p, size_t n, size_t len)
{
	if (must_fail(__builtin_frame_address(0)))
		return NULL;
	return __real_reallocarray(p, n, len);
}

char *
__wrap_strdup(const char *s)
{
	if (must_fail(__builtin_frame_address(0)))
		return NULL;
	return __real_strdup(s);
}
