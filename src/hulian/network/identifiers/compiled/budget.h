/* How much one stranger can draw over UDP: a bucket of bytes for each source, as `transport/budget.py` has it. */
#ifndef HULIAN_BUDGET_H
#define HULIAN_BUDGET_H

#include <pthread.h>

#include "bytes.h"

enum { SOURCES = 65536 };

struct source {
    uint8_t network[16];
    double left, heard; /* bytes; monotonic seconds */
    uint32_t older, newer, next; /* by when they were heard of; of the same place in the table. 0 is nobody */
};

struct budget {
    pthread_mutex_t lock; /* taken after the indexes, for a batch of datagrams or one question from Python */
    struct hash_key key;
    double rate;
    uint32_t exempt_count, count, oldest, newest;
    uint8_t (*exempt)[17]; /* an address in IPv6 form and the length of its prefix in bits */
    struct source *sources; /* from 1 to SOURCES */
    uint32_t *table;
};

struct budget *hulian_budget_new(double rate, const uint8_t *exempt, uint32_t exempt_count);
void hulian_budget_free(struct budget *budget);

/* Whether an answer of `size` bytes goes to `address` (IPv4 in its IPv6 form) at `now`; what goes is counted. */
int hulian_budget_allows(struct budget *budget, const uint8_t *address, double size, double now);

/* The same for who holds the lock. */
int budget_allows(struct budget *budget, const uint8_t *address, double size, double now);

/* Whether not even `size` bytes are left: then there is no sense in making an answer. Counts nothing. */
int budget_spent(struct budget *budget, const uint8_t *address, double size, double now);

#endif
