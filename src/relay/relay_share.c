/* SPDX-License-Identifier: ISC */
#include "relay/relay_share.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"

struct relay_share {
	UT_hash_handle hh;
	uint64_t id;
	uint32_t units;
	uint32_t holders; /* it is freed with the last */
};

void
relay_shares_init(struct relay_shares *t, const struct core *core)
{
	*t = (struct relay_shares){.core = core};
}

void
relay_shares_fini(struct relay_shares *t)
{
	for (int i = 0; i < RELAY_SHARE_KINDS; i++) {
		struct relay_share *sh, *next;

		HASH_ITER (hh, t->by_id[i], sh, next) {
			HASH_DELETE(hh, t->by_id[i], sh);
			free(sh);
		}
	}
}

static uint32_t
share_max(const struct relay_shares *t, int kind)
{
	const struct limits *l = t->core->limits;
	const uint32_t max[] = {
	    [RELAY_SHARE_KEY] = l->relay_sessions_key,
	    [RELAY_SHARE_HOST] = l->relay_sessions_host,
	    [RELAY_SHARE_PREFIX] = l->relay_sessions_prefix,
	};

	return max[kind];
}

int
relay_holder_take(struct relay_shares *t, struct relay_holder *h)
{
	if (t->len >= t->core->limits->relay_sessions)
		return ERR_LIMIT;
	for (int i = 0; i < RELAY_SHARE_KINDS && !h->exempt; i++)
		if (h->of[i]->units >= share_max(t, i))
			return ERR_LIMIT;
	for (int i = 0; i < RELAY_SHARE_KINDS; i++)
		h->of[i]->units++;
	h->units++;
	t->len++;
	return 0;
}

void
relay_holder_give(struct relay_shares *t, struct relay_holder *h)
{
	for (int i = 0; i < RELAY_SHARE_KINDS; i++)
		h->of[i]->units--;
	h->units--;
	t->len--;
}

/* Returns the share of that id, which it creates if there is none, or NULL. */
static struct relay_share *
join_share(struct relay_shares *t, int kind, uint64_t id)
{
	uint32_t hash = hash_u64(&t->core->hash_key, id);
	struct relay_share *sh;

	HASH_FIND_BYHASHVALUE(hh, t->by_id[kind], &id, sizeof id, hash, sh);
	if (sh == NULL) {
		sh = calloc(1, sizeof *sh);
		if (sh == NULL)
			return NULL;
		sh->id = id;
		HASH_ADD_BYHASHVALUE(
		    hh, t->by_id[kind], id, sizeof sh->id, hash, sh);
		if (sh->hh.tbl == NULL) {
			free(sh);
			return NULL;
		}
	}
	sh->holders++;
	return sh;
}

static void
leave_shares(struct relay_shares *t, struct relay_holder *h)
{
	for (int i = 0; i < RELAY_SHARE_KINDS; i++) {
		struct relay_share *sh = h->of[i];

		if (sh == NULL || --sh->holders > 0)
			continue;
		HASH_DELETE(hh, t->by_id[i], sh);
		free(sh);
	}
}

int
relay_holder_init(struct relay_shares *t, struct relay_holder *h,
    const uint8_t *key, const struct addr *addr, bool exempt)
{
	uint64_t id[RELAY_SHARE_KINDS];
	int err = 0;

	memcpy(&id[RELAY_SHARE_KEY], key, sizeof id[RELAY_SHARE_KEY]);
	id[RELAY_SHARE_HOST] = addr_host_key(addr);
	id[RELAY_SHARE_PREFIX] = addr_prefix_key(addr);
	*h = (struct relay_holder){.exempt = exempt};
	for (int i = 0; i < RELAY_SHARE_KINDS; i++)
		if ((h->of[i] = join_share(t, i, id[i])) == NULL)
			err = ERR_MEMORY;
	if (err == 0)
		err = relay_holder_take(t, h);
	if (err != 0)
		leave_shares(t, h);
	return err;
}

void
relay_holder_fini(struct relay_shares *t, struct relay_holder *h)
{
	while (h->units > 0)
		relay_holder_give(t, h);
	leave_shares(t, h);
}
