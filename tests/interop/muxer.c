/* SPDX-License-Identifier: ISC */
/*
 * muxer - our protomux, for a peer behind two pipes.
 *
 * Reads messages from standard input and writes those for the peer to standard
 * output, each after its length (4 bytes, little-endian). Accepts every offer
 * of a protocol that begins with "echo" and rejects others; echoes all messages
 * until the channel closes. A message of type 9 is a command: "open NAME" or
 * "close NAME"; a channel opened by it sends "hello" at once. Exits at the end
 * of its input with 0, or 1 if the peer broke the protocol.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/mux.h"

enum { FRAME_MAX = 1 << 24, ORDER = 9, OWN_MAX = 16, NAME_LEN = 31 };

struct own {
	char name[NAME_LEN + 1];
	uint32_t channel;
};

static struct mux *mux;
static struct own own[OWN_MAX];
static uint32_t own_len;

static void
die(const char *why)
{
	fprintf(stderr, "muxer: %s\n", why);
	exit(EXIT_FAILURE);
}

static void
flush(void)
{
	struct bytes m;

	while ((m = mux_peek(mux)).p != NULL) {
		uint8_t len[4] = {(uint8_t)m.len, (uint8_t)(m.len >> 8),
		    (uint8_t)(m.len >> 16), (uint8_t)(m.len >> 24)};

		if (fwrite(len, 1, sizeof len, stdout) != sizeof len ||
		    fwrite(m.p, 1, m.len, stdout) != m.len)
			die("the peer reads no more");
		mux_consume(mux);
	}
	fflush(stdout);
}

static void
send_message(uint32_t channel, uint64_t type, struct bytes body)
{
	flush();
	if (mux_send(mux, channel, type, body.p, body.len) != 0)
		die("a message cannot be sent");
}

static uint32_t
open_channel(struct mux_name name, struct bytes handshake)
{
	uint32_t channel;

	flush();
	if (mux_open(mux, &name, handshake, &channel) != 0)
		die("a channel cannot be opened");
	return channel;
}

static void
obey(struct bytes order)
{
	const uint8_t *name = memchr(order.p, ' ', order.len);
	struct bytes hello = {(const uint8_t *)"hello", 5}, none = {0};
	struct mux_name full = {{0}, {0}};
	struct own *o;

	if (name++ == NULL)
		die("an order without a name");
	full.protocol =
	    (struct bytes){name, order.len - (size_t)(name - order.p)};
	for (o = own; o < own + own_len; o++)
		if (strlen(o->name) == full.protocol.len &&
		    memcmp(o->name, name, full.protocol.len) == 0)
			break;
	if (order.p[0] == 'c' && o < own + own_len) {
		mux_close(mux, o->channel);
		return;
	}
	if (full.protocol.len > NAME_LEN || o == own + OWN_MAX)
		die("too many names");
	if (o == own + own_len) {
		memcpy(o->name, name, full.protocol.len);
		own_len++;
	}
	o->channel = open_channel(full, none);
	send_message(o->channel, 0, hello);
}

static void
handle(const struct mux_event *ev)
{
	const struct bytes *protocol = &ev->name.protocol;

	switch (ev->kind) {
	case MUX_OFFER:
		if (protocol->len >= 4 && memcmp(protocol->p, "echo", 4) == 0)
			(void)open_channel(ev->name, ev->body);
		else
			mux_reject(mux, ev->channel);
		break;
	case MUX_MESSAGE:
		if (ev->type == ORDER)
			obey(ev->body);
		else
			send_message(ev->channel, ev->type, ev->body);
		break;
	case MUX_OPENED:
	case MUX_CLOSED:
		break;
	}
}

/* The next message of the peer in buf; false: that was all. */
static bool
next_message(uint8_t *buf, size_t *len)
{
	uint8_t head[4];

	if (fread(head, 1, sizeof head, stdin) != sizeof head)
		return false;
	*len = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 |
	       (size_t)head[3] << 24;
	if (*len > FRAME_MAX || fread(buf, 1, *len, stdin) != *len)
		die("the input is cut");
	return true;
}

int
main(void)
{
	uint8_t *buf = malloc(FRAME_MAX);
	struct mux_event ev;
	size_t len;
	int result;

	mux = mux_new();
	if (mux == NULL || buf == NULL)
		die("out of memory");
	while (next_message(buf, &len)) {
		struct bytes message = {buf, len};

		while ((result = mux_read(mux, message, &ev)) == MUX_EVENT)
			handle(&ev);
		if (result != MUX_DONE)
			die("the peer broke the protocol");
		flush();
	}
	mux_free(mux);
	free(buf);
	return 0;
}
