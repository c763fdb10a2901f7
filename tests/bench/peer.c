/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"
#include "tool.h"

enum { SHIFT = 1009 }; /* bytes by which streams differ */

/* ---- options ---- */

static const char *const roles[] = {"send", "receive", "echo", "idle"};

static void
refuse(const char *word)
{
	fprintf(stderr, "%s: see tests/bench/peer.h\n", word);
	exit(2);
}

static struct sockaddr_in
address(const char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	const char *colon = strchr(text, ':');
	char host[INET_ADDRSTRLEN];

	if (colon == NULL || (size_t)(colon - text) >= sizeof host)
		refuse(text);
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		refuse(text);
	a.sin_port = htons((uint16_t)number(colon + 1, 0, 65535));
	return a;
}

static bool
parse_number(struct peer_options *o, const char *word, const char *value)
{
	const struct {
		const char *word;
		uint64_t *to;
		long most;
	} words[] = {
	    {"--bytes", &o->bytes, 1l << 40},
	    {"--abrupt", &o->abrupt, 1l << 40},
	    {"--move", &o->move, 1l << 40},
	    {"--move-port", &o->move_port, 65535},
	    {"--seconds", &o->seconds, 100000},
	    {"--streams", &o->streams, 100000},
	    {"--write", &o->write, PEER_WRITE_MAX},
	    {"--messages", &o->messages, 100000},
	    {"--keepalive", &o->keepalive, 1000000},
	    {"--every", &o->every, 100000},
	    {"--pause", &o->pause, 100000},
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(word, words[i].word) != 0)
			continue;
		*words[i].to = (uint64_t)number(value, 0, words[i].most);
		return true;
	}
	return false;
}

static bool
parse_flag(struct peer_options *o, const char *word)
{
	bool *flag = strcmp(word, "--swap") == 0     ? &o->swap
		     : strcmp(word, "--follow") == 0 ? &o->follow
						     : NULL;

	if (flag != NULL)
		*flag = true;
	return flag != NULL;
}

void
peer_parse(struct peer_options *o, char **argv)
{
	*o = (struct peer_options){.streams = 1, .write = 65519};
	if (argv[1] == NULL)
		refuse("no role");
	while (strcmp(argv[1], roles[o->role]) != 0)
		if (++o->role > PEER_IDLE)
			refuse(argv[1]);
	for (char **word = argv + 2; *word != NULL; word++) {
		if (parse_flag(o, *word))
			continue;
		if (word[1] == NULL)
			refuse(*word);
		if (strcmp(*word, "--here") == 0)
			o->here = address(word[1]);
		else if (strcmp(*word, "--there") == 0)
			o->there = address(word[1]);
		else if (strcmp(*word, "--cc") == 0)
			o->cc = word[1];
		else if (!parse_number(o, *word, word[1]))
			refuse(*word);
		word++;
	}
	if (o->here.sin_port == 0 || o->there.sin_port == 0 || o->write == 0)
		refuse(argv[1]);
	if (o->role == PEER_SEND && o->seconds != 0)
		o->bytes = UINT64_MAX;
}

/* ---- the bytes ---- */

/* Returns a period twice, so that any run of one is contiguous. */
static const uint8_t *
pattern(void)
{
	static uint8_t bytes[2 * PEER_PERIOD];
	static bool made;
	uint32_t x = 1;

	for (size_t i = 0; !made && i < PEER_PERIOD; i++) {
		x = (x * 1103515245 + 12345) & 0x7fffffff;
		bytes[i] = bytes[i + PEER_PERIOD] = (uint8_t)(x >> 16);
	}
	made = true;
	return bytes;
}

const uint8_t *
peer_bytes(uint32_t stream, uint64_t position)
{
	return pattern() + (position + (uint64_t)stream * SHIFT) % PEER_PERIOD;
}

bool
peer_right(uint32_t stream, uint64_t position, const uint8_t *p, size_t len)
{
	while (len > 0) {
		size_t n = len < PEER_PERIOD ? len : PEER_PERIOD;

		if (memcmp(p, peer_bytes(stream, position), n) != 0)
			return false;
		p += n;
		position += n;
		len -= n;
	}
	return true;
}

/* ---- output ---- */

void
peer_tell_ready(uint32_t (*id)(uint32_t stream), uint32_t streams)
{
	printf("{\"ready\":true,\"ids\":[");
	for (uint32_t i = 0; i < streams; i++)
		printf("%s%u", i > 0 ? "," : "", (unsigned)id(i));
	printf("]}\n");
	fflush(stdout);
}

void
peer_tell_going(void)
{
	printf("{\"going\":true}\n");
	fflush(stdout);
}

void
peer_tell_passed(uint64_t in, uint64_t out)
{
	printf("{\"at\":%.3f,\"in\":%llu,\"out\":%llu}\n",
	    (double)now_ns() / 1e6, (unsigned long long)in,
	    (unsigned long long)out);
	fflush(stdout);
}

static double
seconds(uint64_t from_ns, uint64_t to_ns)
{
	return (double)(to_ns - from_ns) / 1e9;
}

static void
tell_number(const char *name, uint64_t n)
{
	printf(",\"%s\":%llu", name, (unsigned long long)n);
}

void
peer_tell_done(const struct peer_options *o, const struct peer_result *r)
{
	printf("{\"done\":true,\"who\":\"%s\",\"role\":\"%s\"", r->who,
	    roles[o->role]);
	printf(",\"good\":%s,\"err\":%s%s%s", r->good ? "true" : "false",
	    r->err != NULL ? "\"" : "", r->err != NULL ? r->err : "null",
	    r->err != NULL ? "\"" : "");
	tell_number("failed", r->failed);
	tell_number("bytes_in", r->bytes_in);
	tell_number("bytes_out", r->bytes_out);
	tell_number("messages", r->messages);
	printf(",\"in_seconds\":%.6f", seconds(r->first_ns, r->last_ns));
	printf(",\"seconds\":%.6f", seconds(r->begun_ns, r->done_ns));
	printf(",\"cpu_seconds\":%.6f", (double)r->cpu_ns / 1e9);
	tell_number("rtt_us", r->rtt_us);
	tell_number("mtu", r->mtu);
	tell_number("packets_out", r->packets_out);
	tell_number("packets_in", r->packets_in);
	tell_number("lost", r->lost);
	tell_number("resent", r->resent);
	printf("}\n");
	fflush(stdout);
}

void
peer_tell_idle(
    const struct peer_options *o, double cpu_share, uint64_t rss_before_kib)
{
	printf("{\"done\":true,\"who\":\"ours\",\"role\":\"idle\"");
	tell_number("streams", o->streams);
	tell_number("rss_before_kib", rss_before_kib);
	tell_number("rss_kib", peer_rss_kib());
	printf(",\"cpu_share\":%.6f}\n", cpu_share);
	fflush(stdout);
}

uint64_t
peer_rss_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long long pages = 0;

	if (f == NULL || fscanf(f, "%*u %llu", &pages) != 1)
		die("/proc/self/statm");
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

uint64_t
peer_cpu_ns(void)
{
	return cpu_ns((int)getpid());
}
