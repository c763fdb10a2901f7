/* SPDX-License-Identifier: ISC */
/*
 * inside.h - a secret stream as its files see it: secret.c (life, out, keep-
 * alive), secret_in.c (frames in), secret_budget.c (their memory),
 * secret_message.c (unordered messages).
 */
#ifndef STREAM_INSIDE_H
#define STREAM_INSIDE_H

#include <sodium.h>

#include "stream/secret.h"

enum {
	SECRET_ID_LEN = 32,
	SECRET_MAC_LEN = crypto_secretstream_xchacha20poly1305_ABYTES,
	SECRET_INIT_LEN = crypto_secretstream_xchacha20poly1305_HEADERBYTES,
	SECRET_LENGTH_LEN = 3,
	SECRET_HEADER_LEN = SECRET_ID_LEN + SECRET_INIT_LEN,

	/* Messages may overtake each other by so many, protocol 06 §A.7. */
	SECRET_WINDOW = 256,
};

/* A frame too large to wait for in the receive buffer, in one of its own. */
struct secret_gather {
	uint8_t *buf;
	uint32_t len, cap;
	uint32_t want; /* the length of the frame's body; 0: none under way */
};

/* The plaintext being read: in the receive buffer, or in what was gathered. */
struct secret_plain {
	bool here;
	uint32_t len, pos;
};

/* Which of the latest counters of the peer's messages were seen. */
struct secret_window {
	bool begun;
	uint64_t top; /* the highest; bit top % SECRET_WINDOW is its own */
	uint64_t seen[SECRET_WINDOW / 64];
};

TAILQ_HEAD(secret_list, secret);

struct secret {
	struct world *world;
	struct timers *timers;
	struct udx_stream *udx;
	bool started, ended;

	struct timer keepalive;
	uint64_t keepalive_us; /* 0: off */
	uint64_t wrote_us;

	crypto_secretstream_xchacha20poly1305_state tx, rx;
	uint8_t own_header[SECRET_HEADER_LEN]; /* id, then what inits tx */
	uint8_t peer_id[SECRET_ID_LEN];
	uint8_t rx_key[SECRET_KEY_LEN]; /* until the peer's header has come */

	bool opened;
	int err; /* why nothing more is read */
	uint32_t frame_max;
	struct secret_budget *budget;
	struct secret_payer *payer; /* NULL: holds nothing of it */
	uint64_t paid;              /* bytes held of it */
	TAILQ_ENTRY(secret) pays;   /* with the others of the payer */
	struct secret_gather gather;
	struct secret_plain plain;

	uint8_t message_tx_key[SECRET_KEY_LEN];
	uint8_t message_rx_key[SECRET_KEY_LEN];
	uint64_t counter; /* of our latest message */
	struct secret_window window;
};

/* Drops what was gathered and gives its bytes back to the budget. */
void secret_gather_fini(struct secret *s);

/* Nothing more is read of it, whatever of a frame is here is dropped. */
void secret_break(struct secret *s, int err);

/*
 * n more bytes for what it gathers: 0, ERR_MEMORY, or ERR_LIMIT if it is the
 * one to do without; others may be broken for it.
 */
int secret_budget_take(struct secret *s, uint64_t n);
void secret_budget_give(struct secret *s, uint64_t n);

/* Names of the directions, protocol 06 §A.2. */
enum secret_namespace {
	SECRET_NS_INITIATOR,
	SECRET_NS_RESPONDER,
	SECRET_NS_SEND,
};

#endif
