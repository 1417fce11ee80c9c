/* Keys to values, both bytes, in little more room than the bytes themselves.
 *
 * An open-addressing table of 8-byte slots stands over an arena of segments. An entry is appended to the last segment; what is
 * replaced or deleted is dead room, and when a quarter of the arena is dead the living entries of the deadest segment move
 * to the end and the segment goes back to the system.
 *
 * Locking. Writers take turns at `writing`. They write an entry where no reader can find it, then take `lock` for writing
 * just long enough to change slots, so that a reader sees the old entry or the new one and never half of either. Readers hold
 * `lock` for reading as long as they use what they found: a batch of datagrams, some tens of microseconds. A new table is
 * filled beside the old one and swapped in under the lock. Room is given back only after a change of slots under the lock,
 * when no reader can still be looking at it. The lock prefers a waiting writer to new readers, so that no flood of
 * questions keeps a change away.
 */
#ifndef HULIAN_INDEX_H
#define HULIAN_INDEX_H

#include <pthread.h>

#include "bytes.h"

struct segment {
    uint8_t *base;
    uint32_t size, used, dead;
};

struct index {
    pthread_rwlock_t lock;
    pthread_mutex_t writing;
    struct hash_key key;
    uint64_t *slots; /* 24 bits of the hash, 40 bits of address; 0 is empty */
    uint64_t mask, count, version;
    struct segment *segments; /* number 0 is never used, so that no address is 0 */
    uint32_t segment_count, tail;
    uint64_t arena, dead; /* bytes used of all segments, and of them those that nothing points at */
    uint64_t mapped;
};

struct index *hulian_index_new(void);
void hulian_index_free(struct index *index);

/* 0; -1 where there is no memory, -2 where an entry is longer than 2^30 bytes. */
int hulian_index_put(struct index *index, const uint8_t *key, uint32_t key_size, const uint8_t *value, uint32_t value_size);

/* How many of `count` entries were stored; fewer where memory ran out. Keys and values stand one behind another. */
uint64_t hulian_index_put_many(struct index *index, const uint8_t *keys, const uint32_t *key_sizes, const uint8_t *values,
                               const uint32_t *value_sizes, uint64_t count);

/* The size of the value, -1 where there is none. It is copied where it fits into `room`. */
int64_t hulian_index_get(struct index *index, const uint8_t *key, uint32_t key_size, uint8_t *out, uint64_t room);

/* Whether each of `count` keys, one behind another, is there: 1 or 0 in `out`. */
void hulian_index_known(struct index *index, const uint8_t *keys, const uint32_t *key_sizes, uint64_t count, uint8_t *out);

/* Whether it was there. */
int hulian_index_delete(struct index *index, const uint8_t *key, uint32_t key_size);

/* Sets one byte of a value; whether there was such a value. Returns what the byte was before, or -1. */
int hulian_index_exchange(struct index *index, const uint8_t *key, uint32_t key_size, uint32_t at, uint8_t byte);

uint64_t hulian_index_count(struct index *index);
uint64_t hulian_index_bytes(struct index *index);
uint64_t hulian_index_version(struct index *index);

/* Copies entries (two 32-bit sizes in this machine's order, key, value) from slot *cursor on; how many bytes. 0 at the end,
 * -1 where the index has changed since `version`, -2 where not even one fits. */
int64_t hulian_index_items(struct index *index, uint64_t *cursor, uint64_t version, uint8_t *out, uint64_t room);

/* For readers that hold the lock. */
static inline void index_read(struct index *index) { pthread_rwlock_rdlock(&index->lock); }
static inline void index_done(struct index *index) { pthread_rwlock_unlock(&index->lock); }
uint8_t *index_find(const struct index *index, const uint8_t *key, uint32_t key_size, uint32_t *value_size);

#endif
