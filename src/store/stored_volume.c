/* SPDX-License-Identifier: ISC */
#include "store/stored_volume.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "log/log.h"

#define VOLUME_FILE "relay-volume"

enum { TEXT_MAX = 3 * 21 + 1, RETRY_US = 10 * 1000000 };

void
stored_volume_load(
    struct stored_volume *s, const struct state *state, struct node *n)
{
	struct relay_volume_saved saved;
	char text[TEXT_MAX + 1];
	size_t len;
	int err;

	*s = (struct stored_volume){.state = state};
	err = state_read(state, VOLUME_FILE, text, TEXT_MAX, &len, NULL);
	if (err != 0) {
		if (err != ERR_NOT_FOUND)
			log_warning("the stored volume of the relay cannot be "
				    "read: %m; it starts empty");
		return;
	}
	text[len] = '\0';
	if (sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &saved.month,
		&saved.left, &saved.unix_ms) == 3)
		node_restore_relay_volume(n, &saved);
	else
		log_warning("the stored volume of the relay is damaged; it "
			    "starts empty");
}

/* Returns false if the volume is not on disk, but the disk may hold more. */
static bool
write_volume(const struct state *s, const struct relay_volume_saved *v)
{
	char text[TEXT_MAX];
	int len =
	    snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
		v->month, v->left, v->unix_ms);

	return s->dir < 0 ||
	       state_write(s, VOLUME_FILE, text, (size_t)len) == 0;
}

void
stored_volume_save(
    struct stored_volume *s, struct node *n, uint64_t now_us, bool last)
{
	struct relay_volume_saved v;

	if ((!last && now_us < s->retry_us) ||
	    !node_save_relay_volume(n, last, &v))
		return;
	if (write_volume(s->state, &v)) {
		node_relay_volume_stored(n, &v);
		return;
	}
	s->retry_us = now_us + RETRY_US;
	log_error("the volume of the relay cannot be stored: %m; it relays "
		  "what was stored before and no more");
}
