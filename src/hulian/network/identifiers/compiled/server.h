/* The sockets of one node: plain questions are answered here, everything else is handed on to Python through a bounded queue.
 *
 * Two threads, lent by Python, which hold no lock of the interpreter: one for datagrams, one for connections. Order of locks:
 * the indexes (for reading), then the budget; the queue's lock is taken alone.
 */
#ifndef HULIAN_SERVER_H
#define HULIAN_SERVER_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "budget.h"
#include "plain.h"
#include "tally.h"

enum counter {
    RECEIVED,      /* datagrams that came */
    BROKEN,        /* of them, without an envelope that could be read: nobody looks at them again */
    ANSWERED,      /* of them, and of messages on connections, answered here */
    HANDED,        /* datagrams and connections that went into the queue */
    QUEUE_FULL,    /* dropped because the queue was full */
    OVER_BUDGET,   /* not answered because their source has drawn its share */
    UNSENT,        /* answers that the system would not send */
    CONNECTIONS,   /* that came */
    REFUSED,       /* connections beyond the limit */
    IDLE,          /* connections closed because they said nothing */
    COUNTERS
};

enum handed_kind { A_DATAGRAM = 1, A_CONNECTION = 2 };

/* What stands in front of each thing in the queue; `size` counts this and the bytes behind it. */
struct handed {
    uint32_t size;
    uint8_t kind, family; /* 4 or 6 */
    uint16_t port;
    uint32_t scope;
    int32_t descriptor; /* of a connection: now the taker's; else -1 */
    uint8_t address[16];
};

struct server {
    struct plain plain;
    struct budget *budget;
    struct tally *of_datagrams, *of_connections; /* each is one thread's; NULL where nothing is counted */
    int datagrams, listener; /* sockets, which stay the caller's */
    int wake, stop;          /* eventfd: something is in the queue; it is over */
    uint64_t counters[COUNTERS];
    int stopping;
    uint32_t open, most_open; /* connections, those that were handed on included */
    uint32_t idle_seconds;
    pthread_mutex_t queue_lock;
    uint8_t *queue; /* a ring */
    uint64_t queue_room, queue_head, queue_tail;
};

struct server *hulian_server_new(int kind, struct index *records, struct index *homes, struct budget *budget, int datagrams,
                                 int listener, uint64_t queue_room, uint32_t most_open, uint32_t idle_seconds);
/* Before either thread begins. */
void hulian_server_tally(struct server *server, struct tally *of_datagrams, struct tally *of_connections);
/* After both threads have come back. */
void hulian_server_free(struct server *server);
int hulian_server_wake(const struct server *server);
/* Both serve until `hulian_server_stop`; 0, or an errno that ended them. */
int hulian_serve_datagrams(struct server *server);
int hulian_serve_connections(struct server *server);
void hulian_server_stop(struct server *server);
void hulian_server_counters(struct server *server, uint64_t *out);
/* Moves whole things from the queue into `out`; how many bytes. */
uint64_t hulian_server_take(struct server *server, uint8_t *out, uint64_t room);
/* A connection that was handed on has ended. */
void hulian_server_closed(struct server *server);

static inline void count(struct server *server, enum counter what, uint64_t more) {
    __atomic_fetch_add(&server->counters[what], more, __ATOMIC_RELAXED);
}
static inline int is_stopping(struct server *server) { return __atomic_load_n(&server->stopping, __ATOMIC_ACQUIRE); }
/* Whether it went in; what does not is counted. `first` and `second` stand one behind the other. */
int hand_on(struct server *server, struct handed *head, const uint8_t *first, uint32_t first_size, const uint8_t *second,
            uint32_t second_size);
void describe(struct handed *head, const struct sockaddr_storage *address);

#endif
