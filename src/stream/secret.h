/* SPDX-License-Identifier: ISC */
/*
 * secret.h - the encrypted stream between two keys, protocol 06 §A.
 *
 * Sits on one UDX stream, which it borrows: seals what is written into its
 * send buffer and opens what arrives in its receive buffer, in place where a
 * frame lies there whole. Handshakes happen elsewhere; here come their results.
 * Knows no socket and calls nobody back: after UDX_EV_READABLE, read until
 * there is nothing; the owner of the stream hears of room to write from udx.
 * Ending is not authenticated, protocol 06 §A.6: who must be certain that all
 * has come says so in the bytes. Uses: base, udx, libsodium.
 */
#ifndef STREAM_SECRET_H
#define STREAM_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/wire.h"
#include "udx/udx.h"

enum {
	SECRET_KEY_LEN = 32,
	SECRET_HASH_LEN = 64,
	SECRET_OVERHEAD = 20, /* length, tag and MAC of a frame */
	SECRET_MESSAGE_OVERHEAD = 24 /* counter and MAC of a message */,
	SECRET_WRITE_MAX = 65536,    /* plaintext of one frame of ours */
	SECRET_FRAME_MAX = 16777215, /* what a peer's frame can measure */
};

/* What the handshake has left; wiped by whoever owns it. */
struct secret_keys {
	uint8_t tx[SECRET_KEY_LEN], rx[SECRET_KEY_LEN];
	uint8_t hash[SECRET_HASH_LEN];
	bool initiator;
};

struct secret;

/* Copies the keys, draws header and counter from the world. NULL: memory. */
struct secret *secret_new(struct world *w, struct timers *ts,
    struct udx_stream *udx, const struct secret_keys *keys);

/* Wipes and frees; the UDX stream stays its owner's. */
void secret_free(struct secret *s);

/*
 * Puts the header into the send buffer; before anything is written. 0 or
 * ERR_MEMORY.
 */
int secret_start(struct secret *s);

/*
 * Empty frames after so long without a write, give or take a sixteenth, until
 * our side ends, protocol 06 §A.5; 0: none, and those of the peer are handed
 * out. 0 or ERR_MEMORY.
 */
int secret_set_keepalive(struct secret *s, uint32_t ms);

/*
 * The largest frame taken of the peer, SECRET_FRAME_MAX if nothing is said;
 * beyond it the stream is broken. Only what has come of a frame costs memory.
 */
void secret_set_frame_max(struct secret *s, uint32_t len);

/*
 * What the frames that do not fit the receive buffer may take together, over
 * all streams that share this; borrowed, to outlive them. When it is used up
 * the network (/24, /56) whose peers hold the most loses its largest frame, and
 * that stream is broken with ERR_LIMIT, if not the one that asks: to wait would
 * be for others that may be waiting too. `max` may change at any time.
 */
struct secret_budget {
	uint64_t used, max; /* bytes */
	TAILQ_HEAD(, secret_payer) payers;
};

void secret_budget_init(struct secret_budget *b, uint64_t max);
void secret_set_budget(struct secret *s, struct secret_budget *b);

/*
 * The peer's header was read (by secret_peek()) and proves that it knows the
 * handshake. Nobody need wait for that before writing (pitfall E2).
 */
bool secret_opened(const struct secret *s);

/* ---- out ---- */

/* Bytes of plaintext that secret_write() takes now. */
size_t secret_room(const struct secret *s);

/*
 * Seals up to SECRET_WRITE_MAX bytes into one frame. Returns the number taken
 * (0: no room, wait for UDX_EV_WRITABLE), or ERR_CLOSED, ERR_MEMORY.
 */
ptrdiff_t secret_write(struct secret *s, const void *p, size_t len);

/*
 * One message, one frame, whole or not at all: 0, ERR_FULL (there is no room,
 * wait for UDX_EV_WRITABLE), ERR_SIZE, ERR_CLOSED, ERR_MEMORY. Any room will do
 * for it: the limits of the send buffer are exceeded by one message at most.
 */
int secret_send(struct secret *s, const void *p, size_t len);

/* Ends our side: no frame, the UDX stream ends. Keep-alives stop. */
void secret_end(struct secret *s);

/* ---- in ---- */

/*
 * The plaintext of the frame under way, what is left of it; p is NULL if no
 * whole frame is there. *err is 0 or why the stream must be destroyed
 * (ERR_MALFORMED, ERR_SIGNATURE: it does not open, ERR_SIZE, ERR_LIMIT,
 * ERR_MEMORY). Borrowed until the next call for this stream or its udx, or
 * secret_peek() of another that shares its budget.
 *
 * *whole tells that nothing of this frame has been consumed. Who reads
 * messages also gets the empty ones, unless keep-alive is on (pitfall E5), and
 * consumes them like any other; who reads bytes gives NULL and never sees them.
 */
struct bytes secret_peek(struct secret *s, bool *whole, int *err);

/* Gives back the first n bytes; all of them, if only 0, end the frame. */
void secret_consume(struct secret *s, size_t n);

/* The peer ended and everything was read; never of a broken stream. */
bool secret_ended(const struct secret *s);

/* ---- unordered messages, protocol 06 §A.7 ---- */

/* 0; ERR_TOO_BIG for the path; ERR_FULL; ERR_CLOSED. */
int secret_send_message(struct secret *s, const void *p, size_t len);

/*
 * The same over another path, at once or not at all; also after our side has
 * ended, while the stream is still to arrive.
 */
int secret_send_message_by(
    struct secret *s, const struct udx_path *path, const void *p, size_t len);

/*
 * Opens a message of the peer into out (at least m->payload.len bytes): its
 * length, or ERR_SIGNATURE, ERR_SIZE, ERR_EXISTS (a replay, or
 * too late to tell). That it opens is proof that the peer sent it, from
 * wherever it came. Who reads the stream as it should be drops the others.
 */
ptrdiff_t secret_open_message(
    struct secret *s, const struct udx_message *m, uint8_t *out);

#endif
