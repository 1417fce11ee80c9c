/* Plain questions answered out of an index: what `chain/plain.py` does in Python, byte for byte. */
#ifndef HULIAN_PLAIN_H
#define HULIAN_PLAIN_H

#include "index.h"

enum plain_kind {
    AUTHORITATIVE, /* records: key of a handle to its counted values; homes: prefix handles that the node answers for */
    REMEMBERED     /* records: question to end (ms), response code, use, and what stands behind the handle in the answer */
};

struct plain {
    enum plain_kind kind;
    struct index *records, *homes;
};

enum {
    DATAGRAM = 512,        /* the longest answer that goes into one datagram */
    LONGEST_HANDLE = 2048, /* bytes */
    REMEMBERED_HEAD = 12   /* u64 end in Unix ms, u16 response code, u8 used, u8 unused, in this machine's order */
};

/* The answer to `data`, or 0 for anything that is not a plain question with an answer here that fits into `room` bytes: no
 * verdict, for the chain looks closer. `now` in Unix ms. The caller holds both indexes for reading (`plain_hold`). */
size_t plain_answer(const struct plain *plain, const uint8_t *data, size_t size, uint8_t *out, size_t room, int64_t now);

void plain_hold(const struct plain *plain);
void plain_release(const struct plain *plain);
int64_t plain_now(void);

/* The same for one question, from Python. */
int64_t hulian_plain_answer(int kind, struct index *records, struct index *homes, const uint8_t *data, uint64_t size,
                            uint8_t *out, uint64_t room);

#endif
