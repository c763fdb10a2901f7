/* SPDX-License-Identifier: ISC */
/*
 * secret.h - the encrypted stream between two keys, protocol 06 §A.
 *
 * Sits on one UDX stream, which it borrows: encrypts what is written into the
 * send buffer, and decrypts what has been received (frame_reader.h). The
 * handshake happens elsewhere; its result is passed to secret_new(). Calls
 * nothing back: after UDX_EV_READABLE, read until nothing is left;
 * UDX_EV_WRITABLE reports space. The end of a stream is not authenticated,
 * protocol 06 §A.6: an application that must know that all bytes arrived has to
 * say so in the bytes. Uses: base, crypto, udx, libsodium.
 */
#ifndef STREAM_SECRET_H
#define STREAM_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/timer.h"
#include "base/wire.h"
#include "base/world.h"
#include "crypto/secretstream.h"
#include "stream/frame_budget.h"
#include "stream/frame_reader.h"
#include "stream/secret_derive.h"
#include "stream/secret_messages.h"
#include "udx/udx.h"

enum {
	SECRET_OVERHEAD = FRAME_OVERHEAD,
	SECRET_WRITE_MAX = 65536, /* plaintext in one frame of ours */
	SECRET_FRAME_MAX = FRAME_MAX,
};

/* Result of the handshake; the owner wipes it. */
struct secret_keys {
	uint8_t tx[SECRET_KEY_LEN], rx[SECRET_KEY_LEN];
	uint8_t hash[SECRET_HASH_LEN];
	bool initiator;
};

/* State of our direction. */
enum secret_tx_state {
	SECRET_TX_NEW,  /* secret_start() writes the header */
	SECRET_TX_OPEN, /* secret_end() ends it */
	SECRET_TX_ENDED,
};

struct secret_keepalive {
	struct timer timer;
	uint64_t interval_us; /* 0: off */
	uint64_t wrote_us;    /* time of the latest frame */
};

/* Contains keys: wiped when freed. */
struct secret {
	struct world *world;
	struct timers *timers;
	struct udx_stream *udx;
	enum secret_tx_state tx_state;
	struct secretstream tx;
	uint8_t header[HEADER_LEN]; /* of our direction */
	struct secret_keepalive keepalive;
	struct frame_reader reader;
	struct secret_messages messages;
};

/*
 * Copies the keys; draws the header and the message counter from the world.
 * Returns NULL if memory is short. Free with secret_free().
 */
struct secret *secret_new(struct world *w, struct timers *ts,
    struct udx_stream *udx, const struct secret_keys *keys);

/* Wipes and frees the stream; the UDX stream stays with its owner. */
void secret_free(struct secret *s);

/*
 * Writes the header of our direction into the send buffer. Must be the first
 * write. Returns 0 or ERR_MEMORY.
 */
int secret_start(struct secret *s) __attribute__((warn_unused_result));

/*
 * Sends an empty frame whenever nothing was written for this long, give or
 * take a sixteenth, until our direction ends (protocol 06 §A.5). 0 disables
 * keep-alives and delivers the peer's to the reader of messages.
 */
void secret_set_keepalive(struct secret *s, uint32_t ms);

/* Sends an empty frame, which the peer acknowledges and ignores. Sends nothing
 * if the send buffer is full: then data is in flight already. */
void secret_send_empty(struct secret *s);

/*
 * Limits the frames accepted from the peer to this length, SECRET_FRAME_MAX by
 * default; a longer one breaks the stream.
 */
void secret_set_frame_max(struct secret *s, uint32_t len);

/*
 * Charges frames that do not fit the receive buffer to a budget, which must
 * outlive the stream. ERR_LIMIT breaks a stream that the budget evicts.
 */
void secret_set_budget(struct secret *s, struct frame_budget *b);

/*
 * Returns true once secret_peek() has read the peer's header, which proves that
 * the peer knows the handshake. Writing need not wait for it (pitfall E2).
 */
bool secret_opened(const struct secret *s);

/* ---- sending ---- */

/* Returns the number of plaintext bytes that secret_write() accepts now. */
size_t secret_space(const struct secret *s);

/*
 * Encrypts up to SECRET_WRITE_MAX bytes into one frame. Returns the number of
 * bytes taken (0: no space, wait for UDX_EV_WRITABLE), ERR_CLOSED or
 * ERR_MEMORY.
 */
ptrdiff_t secret_write(struct secret *s, const void *p, size_t len);

/*
 * Sends one message as one frame. Any free space is enough for it, so the send
 * buffer may exceed its limit by one message. Returns 0, ERR_FULL (wait for
 * UDX_EV_WRITABLE), ERR_SIZE, ERR_CLOSED or ERR_MEMORY; on error nothing is
 * sent.
 */
int secret_send(struct secret *s, const void *p, size_t len)
    __attribute__((warn_unused_result));

/* Ends our direction by ending the UDX stream. Stops keep-alives. */
void secret_end(struct secret *s);

/* ---- receiving ---- */

/*
 * Returns the unread plaintext of the frame at the front; p is NULL if no
 * complete frame has arrived. Sets *err to 0 or to the reason why the stream
 * must be destroyed (ERR_MALFORMED, ERR_SIGNATURE, ERR_SIZE, ERR_LIMIT,
 * ERR_MEMORY). The bytes are borrowed until the next call for this stream, its
 * UDX stream, or secret_peek() of a stream that shares its budget.
 *
 * A reader of messages passes `whole`, which is set if nothing of the frame was
 * consumed, and also receives empty frames unless keep-alive is on (pitfall
 * E5). A reader of bytes passes NULL and never sees them.
 */
struct bytes secret_peek(struct secret *s, bool *whole, int *err);

/*
 * Consumes the first n bytes. The frame ends when all its bytes are consumed;
 * an empty one ends by consuming 0.
 */
void secret_consume(struct secret *s, size_t n);

/* Returns true if the peer ended its direction and everything was read. */
bool secret_ended(const struct secret *s);

/* ---- unordered messages, protocol 06 §A.7 ---- */

/*
 * Sends a message. Returns 0, ERR_TOO_BIG for the path, ERR_FULL or ERR_CLOSED.
 */
int secret_send_message(struct secret *s, const void *p, size_t len);

/*
 * Sends a message over another path, at once or not at all. Works after our
 * direction has ended, while the UDX stream is alive. Returns as above.
 */
int secret_send_message_via(
    struct secret *s, const struct udx_path *path, const void *p, size_t len);

/*
 * Decrypts a message into out (at least m->payload.len bytes). Success proves
 * that the peer sent it, whatever address it came from. Returns the length of
 * the plaintext, ERR_SIGNATURE, ERR_SIZE or ERR_EXISTS (a replay, or older
 * than the window).
 */
ptrdiff_t secret_open_message(
    struct secret *s, const struct udx_message *m, uint8_t *out);

#endif
