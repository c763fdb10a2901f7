/* SPDX-License-Identifier: ISC */
/*
 * frame_reader.h - decrypts the frames that a UDX stream has received.
 *
 * A frame is decrypted as soon as all of it lies in the receive buffer: in
 * place if it is in one piece there, else from the pieces to memory of its own,
 * without joining them before. A frame of which the missing part exceeds the
 * receive window would never be complete there, so it is gathered in a buffer
 * of its own, which grows with the bytes received and is charged to a
 * frame_budget. Uses: base, crypto, udx.
 */
#ifndef STREAM_FRAME_READER_H
#define STREAM_FRAME_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/wire.h"
#include "crypto/secretstream.h"
#include "stream/frame.h"
#include "stream/frame_budget.h"
#include "udx/udx.h"

/* A frame too large for the receive buffer. */
struct frame_gather {
	uint8_t *buf;
	uint32_t len, cap;
	uint32_t want; /* length of the frame's body; 0: no frame */
};

/*
 * The decrypted frame at the front: in the receive buffer, gathered, or in
 * memory of its own.
 */
struct frame_plain {
	bool present;
	uint32_t len, pos;
	uint8_t *own; /* tag and plaintext, or NULL */
};

struct frame_reader {
	struct udx_stream *udx; /* borrowed */
	struct secretstream rx;
	uint8_t peer_id[SECRET_ID_LEN];
	uint8_t rx_key[SECRET_KEY_LEN]; /* wiped once the header was read */
	bool opened;                    /* the peer's header was read */
	int err;                        /* why nothing more is read */
	uint32_t frame_max;
	struct frame_account account;
	struct frame_gather gather;
	struct frame_plain plain;
};

/* Borrows the UDX stream and the bulk cipher, which may be NULL. Copies the id
 * and the key of the peer's direction. */
void frame_reader_init(struct frame_reader *r, struct udx_stream *udx,
    struct bulk_cipher *bulk, const uint8_t peer_id[SECRET_ID_LEN],
    const uint8_t key[SECRET_KEY_LEN]);

/* Frees what was gathered. The keys are wiped by the owner of the struct. */
void frame_reader_fini(struct frame_reader *r);

/*
 * Returns the unread plaintext of the frame at the front; p is NULL if no
 * complete frame has arrived. Skips empty frames if asked to. Sets *whole (may
 * be NULL) if nothing of the frame was consumed, and *err to 0 or to the reason
 * why the stream must be destroyed. The bytes are borrowed until the next call
 * for this reader, its UDX stream, or a reader that shares its budget.
 */
struct bytes frame_reader_peek(
    struct frame_reader *r, bool skip_empty, bool *whole, int *err);

/* Consumes n bytes of the frame at the front, all of them to end it. */
void frame_reader_consume(struct frame_reader *r, size_t n);

/* Returns true if all frames were read, none failed, and the peer ended. */
bool frame_reader_ended(const struct frame_reader *r);

#endif
