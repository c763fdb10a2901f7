/* SPDX-License-Identifier: ISC */
/*
 * secret.h - the encrypted stream between two keys, spec 06 part A.
 *
 * Sits on one UDX stream, which it borrows: seals what is written into its
 * send buffer and opens what arrives in its receive buffer, in place where a
 * frame lies there whole. Handshakes happen elsewhere; here come their results.
 * Knows no socket and calls nobody back: after UDX_EV_READABLE, read until
 * there is nothing; the owner of the stream hears of room to write from udx.
 * Uses: base, udx, libsodium.
 */
#ifndef STREAM_SECRET_H
#define STREAM_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"
#include "udx/udx.h"

enum {
	SECRET_KEY_LEN = 32,
	SECRET_HASH_LEN = 64,
	SECRET_OVERHEAD = 20,        /* length, tag and MAC of a frame */
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

/* Empty frames after so long without a write, spec 06 §A.5; 0: none. */
void secret_set_keepalive(struct secret *s, uint32_t ms);

/* The largest frame taken of the peer; beyond it the stream is broken. */
void secret_set_frame_max(struct secret *s, uint32_t len);

/* The peer's header has come and proves that it knows the handshake. */
bool secret_opened(const struct secret *s);

/* ---- out ---- */

/* Bytes of plaintext that secret_write() takes now. */
size_t secret_room(const struct secret *s);

/*
 * Seals up to SECRET_WRITE_MAX bytes into one frame. Returns the number taken
 * (0: no room, wait for UDX_EV_WRITABLE), or ERR_CLOSED, ERR_MEMORY.
 */
ptrdiff_t secret_write(struct secret *s, const void *p, size_t len);

/* One message = one frame, whole or not at all: 0, ERR_FULL, ERR_SIZE ... */
int secret_send(struct secret *s, const void *p, size_t len);

/* Ends our side: no frame, the UDX stream ends. Keep-alives stop. */
void secret_end(struct secret *s);

/* ---- in ---- */

/*
 * The plaintext of the frame under way, what is left of it: len 0 if no whole
 * frame is there. *err is 0 or why the stream must be destroyed (ERR_MALFORMED,
 * ERR_SIGNATURE: it does not open, ERR_SIZE, ERR_MEMORY). Borrowed until
 * consumed. *whole tells that nothing of this frame has been consumed, so that
 * a message reader sees frames and a byte reader need not.
 */
struct bytes secret_peek(struct secret *s, bool *whole, int *err);
void secret_consume(struct secret *s, size_t n);

/* The peer ended and everything was read. */
bool secret_ended(const struct secret *s);

/* ---- unordered messages, spec 06 §A.7 ---- */

int secret_send_message(struct secret *s, const void *p, size_t len);

/*
 * Opens a message of the peer into out (at least m->payload.len bytes): its
 * length, or ERR_SIGNATURE, ERR_SIZE, ERR_EXISTS (a replay). That it opens is
 * proof that the peer sent it, from wherever it came.
 */
ptrdiff_t secret_open_message(
    struct secret *s, const struct udx_message *m, uint8_t *out);

#endif
