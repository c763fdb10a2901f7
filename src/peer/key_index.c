/* SPDX-License-Identifier: ISC */
#include "peer/key_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "peer/conn_struct.h"

void
key_index_init(struct key_index *x, const struct hash_key *hash_key)
{
	*x = (struct key_index){.hash_key = hash_key};
}

static struct key_entry *
find_entry(const struct key_index *x, const uint8_t *key)
{
	uint32_t hash = hash_bytes(x->hash_key, key, KEY_LEN);
	struct key_entry *e;

	HASH_FIND_BYHASHVALUE(hh, x->entries, key, KEY_LEN, hash, e);
	return e;
}

static struct key_entry *
add_entry(struct key_index *x, const uint8_t *key)
{
	uint32_t hash = hash_bytes(x->hash_key, key, KEY_LEN);
	struct key_entry *e = calloc(1, sizeof *e);

	if (e == NULL)
		return NULL;
	memcpy(e->key, key, KEY_LEN);
	TAILQ_INIT(&e->conns);
	HASH_ADD_BYHASHVALUE(hh, x->entries, key, KEY_LEN, hash, e);
	if (e->hh.tbl == NULL) {
		free(e);
		return NULL;
	}
	return e;
}

int
key_index_add(struct key_index *x, struct conn *c)
{
	struct key_entry *e = find_entry(x, c->key);

	if (e == NULL && (e = add_entry(x, c->key)) == NULL)
		return ERR_MEMORY;
	c->key_entry = e;
	TAILQ_INSERT_TAIL(&e->conns, c, same_key);
	return 0;
}

void
key_index_remove(struct key_index *x, struct conn *c)
{
	struct key_entry *e = c->key_entry;

	if (e == NULL)
		return;
	c->key_entry = NULL;
	TAILQ_REMOVE(&e->conns, c, same_key);
	if (!TAILQ_EMPTY(&e->conns))
		return;
	HASH_DELETE(hh, x->entries, e);
	free(e);
}

struct conn *
key_index_first(const struct key_index *x, const uint8_t *key)
{
	struct key_entry *e = find_entry(x, key);

	return e != NULL ? TAILQ_FIRST(&e->conns) : NULL;
}
