/* SPDX-License-Identifier: ISC */
/*
 * mux_channel.h - the channels of a protomux session, protocol 06 §B.
 *
 * A list in the order of creation, found by our id, the peer's id or the name.
 * At most MUX_CHANNELS_MAX, so every search is short. Uses: base.
 */
#ifndef STREAM_MUX_CHANNEL_H
#define STREAM_MUX_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/limits.h"
#include "base/wire.h"

enum {
	MUX_NAME_MAX = 64, /* bytes of a protocol, and of an id */
};

struct mux_name {
	struct bytes protocol, id; /* an absent id is an empty one */
};

enum mux_state {
	MUX_OFFERED, /* the peer has opened it; we accept or reject */
	MUX_OPENING, /* we have opened it; the peer opens or rejects */
	MUX_OPEN,    /* both have opened it; either closes */
	/* We closed before the peer's answer: our id is in use until it opens
	 * or rejects. */
	MUX_CLOSING,
};

struct mux_channel {
	TAILQ_ENTRY(mux_channel) link;
	enum mux_state state;
	uint32_t local, remote; /* ids; 0: none yet */
	bool remote_closed;     /* while offered: closed after what is queued */
	uint8_t protocol_len, id_len;
	uint8_t name[]; /* protocol, id */
};

struct mux_channels {
	TAILQ_HEAD(, mux_channel) list; /* oldest first */
	uint32_t len;
	uint32_t remote_highest; /* highest id that the peer has used */
};

void mux_channels_init(struct mux_channels *cs);
void mux_channels_fini(struct mux_channels *cs);

/* Return the channel with this id, or NULL. */
struct mux_channel *mux_channel_by_local(struct mux_channels *cs, uint64_t id);
struct mux_channel *mux_channel_by_remote(struct mux_channels *cs, uint64_t id);

/* Returns the oldest channel of this name in state a or b, or NULL. */
struct mux_channel *mux_channel_by_name(struct mux_channels *cs,
    const struct mux_name *name, enum mux_state a, enum mux_state b);

/*
 * Appends a channel without ids; the name is copied. Returns 0, ERR_SIZE (of
 * the name), ERR_LIMIT or ERR_MEMORY.
 */
int mux_channel_new(struct mux_channels *cs, const struct mux_name *name,
    enum mux_state state, struct mux_channel **out)
    __attribute__((warn_unused_result));
void mux_channel_free(struct mux_channels *cs, struct mux_channel *c);

/* Returns our lowest unused id; the reference reuses ids too. */
uint32_t mux_channels_unused_id(struct mux_channels *cs);

#endif
