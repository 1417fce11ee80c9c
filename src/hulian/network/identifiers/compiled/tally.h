/* What one loop has answered in the current interval: response codes, times, questions of each second, sources.
 *
 * One thread writes, without a lock: it works on one of two halves, and says which while it does. Whoever collects turns it to
 * the other half, waits until it has left the old one (a batch long), and has that for itself. `statistics/tally.py` counts the
 * same in Python.
 */
#ifndef HULIAN_TALLY_H
#define HULIAN_TALLY_H

#include "bytes.h"

enum {
    TALLY_CODES = 4,      /* success, no handle, no values, anything else */
    TALLY_SECONDS = 64,   /* remembered one by one; who collects less often loses the oldest */
    TALLY_SOURCES = 2048, /* told apart in one interval; the questions of further ones are counted together */
    TALLY_PLACES = 2 * TALLY_SOURCES
};

struct tally_source {
    uint8_t network[16];
    uint64_t count;
};

struct half {
    uint64_t answers[TALLY_CODES];
    uint64_t total, least, most; /* ns */
    uint64_t least_at, most_at;  /* Unix ms */
    uint64_t seconds[TALLY_SECONDS]; /* Unix second in the upper 32 bits, questions in the lower */
    uint64_t others;
    uint64_t sources;
    struct tally_source *last; /* most questions come from where the one before came from */
    struct tally_source places[TALLY_PLACES];
};

struct tally {
    struct hash_key key;
    uint8_t mask[16], mask4[16]; /* of addresses in IPv6 form, and of IPv4 addresses in it */
    int keeps_sources;
    int active; /* which half is written next; set by who collects */
    int within; /* 1 + the half that is being written, 0 between batches; set by who writes */
    struct half halves[2];
};

/* `bits4` and `bits6` of an address are kept of a source; -1 for no sources at all. */
struct tally *hulian_tally_new(int bits4, int bits6);
void hulian_tally_free(struct tally *tally);
/* Everything that was counted since the last time, which is forgotten with it; how many bytes, 0 where there is no room. */
uint64_t hulian_tally_take(struct tally *tally, uint8_t *out, uint64_t room);
/* `count` questions from `address` with one answer each of `code`, at `at` (Unix ms), which took `nanoseconds` each. */
void hulian_tally_add(struct tally *tally, const uint8_t *address, uint32_t code, uint64_t count, uint64_t at,
                      uint64_t nanoseconds);

struct half *tally_enter(struct tally *tally);
void tally_source(struct tally *tally, struct half *half, const uint8_t *address, uint64_t count);
void tally_took(struct half *half, uint64_t count, uint64_t at, uint64_t nanoseconds);

static inline void tally_code(struct half *half, uint32_t code, uint64_t count) {
    half->answers[code == 1 ? 0 : code == 100 ? 1 : code == 200 ? 2 : 3] += count;
}

static inline void tally_leave(struct tally *tally) { __atomic_store_n(&tally->within, 0, __ATOMIC_RELEASE); }

#endif
