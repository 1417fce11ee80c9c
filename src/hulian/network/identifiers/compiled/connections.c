/* Connections: what one read brings is answered by one write. The first message that is not plain takes its connection, with
 * every byte that was not answered, to Python for good. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

enum {
    EVENTS = 64,
    CHUNK = 65536,
    LONGEST_QUESTION = 4096,    /* a longer message is not plain */
    LONGEST_ANSWER = 20 + 262144,
    FLUSH = CHUNK               /* bytes of answers that are written together */
};

struct connection {
    struct connection *older, *newer; /* by when they last said something */
    struct sockaddr_storage address;
    int descriptor, broken;
    int64_t heard; /* monotonic seconds */
    uint32_t in_size, out_size, out_at;
    uint8_t *in, *out; /* bytes that are not a whole message yet, or wait until `out` is written; what could not be written yet */
};

struct pool {
    struct server *server;
    int epoll, accepting;
    struct connection *oldest, *newest;
    int64_t now;
    uint8_t in[CHUNK + CHUNK + LONGEST_QUESTION], out[FLUSH + LONGEST_ANSWER];
};

static uint64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int64_t seconds(void) { return (int64_t)(nanoseconds() / 1000000000u); }

static void unlink_connection(struct pool *pool, struct connection *one) {
    *(one->older ? &one->older->newer : &pool->oldest) = one->newer;
    *(one->newer ? &one->newer->older : &pool->newest) = one->older;
}

static void link_newest(struct pool *pool, struct connection *one) {
    one->older = pool->newest;
    one->newer = NULL;
    one->heard = pool->now;
    *(pool->newest ? &pool->newest->newer : &pool->oldest) = one;
    pool->newest = one;
}

static void forget(struct pool *pool, struct connection *one) {
    unlink_connection(pool, one);
    free(one->in);
    free(one->out);
    free(one);
}

static void hang_up(struct pool *pool, struct connection *one) {
    close(one->descriptor);
    forget(pool, one);
    hulian_server_closed(pool->server);
}

static void watch(struct pool *pool, struct connection *one, uint32_t events, int how) {
    struct epoll_event wanted = {.events = events, .data.ptr = one};
    if (epoll_ctl(pool->epoll, how, one->descriptor, &wanted) < 0)
        one->broken = 1;
}

/* Replaces what is kept of a stream; -1 where there is no memory. */
static int keep(uint8_t **kept, uint32_t *kept_size, const uint8_t *data, uint32_t size) {
    uint8_t *made = NULL;
    if (size) {
        made = malloc(size);
        if (!made)
            return -1;
        memcpy(made, data, size);
    }
    free(*kept);
    *kept = made;
    *kept_size = size;
    return 0;
}

/* 1 when all is written, 0 when the rest is kept until the other side reads, -1 when the connection is broken. */
static int write_out(struct pool *pool, struct connection *one, const uint8_t *data, uint32_t size) {
    uint32_t at = 0;
    while (at < size) {
        ssize_t went = send(one->descriptor, data + at, size - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (went > 0)
            at += (uint32_t)went;
        else if (went < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        else if (went < 0 && errno != EINTR)
            return -1;
    }
    if (at == size)
        return 1;
    if (keep(&one->out, &one->out_size, data + at, size - at))
        return -1;
    one->out_at = 0;
    watch(pool, one, EPOLLOUT, EPOLL_CTL_MOD); /* nothing more is read of who does not read */
    return 0;
}

static void hand_over(struct pool *pool, struct connection *one, const uint8_t *rest, uint32_t size) {
    struct handed head;
    describe(&head, &one->address);
    head.kind = A_CONNECTION;
    head.descriptor = one->descriptor;
    epoll_ctl(pool->epoll, EPOLL_CTL_DEL, one->descriptor, NULL);
    if (hand_on(pool->server, &head, rest, size, NULL, 0))
        forget(pool, one);
    else
        hang_up(pool, one);
}

/* Each of the questions took as long as those that were written with it. */
static void count_stream(struct tally *tally, struct half *counted, const struct connection *one, uint64_t answered, int64_t now,
                         uint64_t began) {
    if (!counted)
        return;
    if (answered) {
        struct handed head;
        describe(&head, &one->address);
        tally_source(tally, counted, head.address, answered);
        tally_took(counted, answered, (uint64_t)now, nanoseconds() - began);
    }
    tally_leave(tally);
}

/* Answers the plain messages in front; hands the connection over at the first that is not. `data` is the pool's. */
static void answer_stream(struct pool *pool, struct connection *one, uint8_t *data, uint32_t size) {
    struct server *server = pool->server;
    uint32_t at = 0;
    for (;;) {
        uint32_t filled = 0, answered = 0;
        int plain = 1, whole = 1;
        int64_t now = plain_now();
        struct tally *tally = server->of_connections;
        struct half *counted = tally ? tally_enter(tally) : NULL;
        uint64_t began = counted ? nanoseconds() : 0;
        plain_hold(&server->plain);
        while (filled < FLUSH) {
            if (size - at < 20) {
                whole = 0;
                break;
            }
            uint32_t length = get_u32(data + at + 16);
            if (data[at] < 2 || data[at] > 3 || length > LONGEST_QUESTION) {
                plain = 0;
                break;
            }
            if (size - at - 20 < length) {
                whole = 0;
                break;
            }
            size_t made = plain_answer(&server->plain, data + at, 20 + (size_t)length, pool->out + filled, LONGEST_ANSWER, now);
            if (!made) {
                plain = 0;
                break;
            }
            if (counted)
                tally_code(counted, get_u32(pool->out + filled + 24), 1);
            filled += (uint32_t)made;
            at += 20 + length;
            answered++;
        }
        plain_release(&server->plain);
        if (answered)
            count(server, ANSWERED, answered);
        int written = filled ? write_out(pool, one, pool->out, filled) : 1;
        count_stream(tally, counted, one, answered, now, began);
        if (written < 0) {
            hang_up(pool, one);
            return;
        }
        if (!written || !whole) {
            if (keep(&one->in, &one->in_size, data + at, size - at) || one->broken)
                hang_up(pool, one);
            return;
        }
        if (!plain) {
            hand_over(pool, one, data + at, size - at);
            return;
        }
    }
}

static void read_in(struct pool *pool, struct connection *one) {
    uint32_t before = one->in_size;
    if (before)
        memcpy(pool->in, one->in, before);
    ssize_t came = recv(one->descriptor, pool->in + before, CHUNK, MSG_DONTWAIT);
    if (came < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (came <= 0) {
        hang_up(pool, one);
        return;
    }
    unlink_connection(pool, one);
    link_newest(pool, one);
    answer_stream(pool, one, pool->in, before + (uint32_t)came);
}

/* The other side reads again: what was kept goes first, then the questions that waited behind it. */
static void write_on(struct pool *pool, struct connection *one) {
    while (one->out_at < one->out_size) {
        ssize_t went = send(one->descriptor, one->out + one->out_at, one->out_size - one->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (went < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (went < 0 && errno != EINTR) {
            hang_up(pool, one);
            return;
        }
        if (went > 0)
            one->out_at += (uint32_t)went;
    }
    (void)keep(&one->out, &one->out_size, NULL, 0);
    unlink_connection(pool, one);
    link_newest(pool, one);
    watch(pool, one, EPOLLIN, EPOLL_CTL_MOD);
    uint32_t size = one->in_size;
    if (size)
        memcpy(pool->in, one->in, size);
    answer_stream(pool, one, pool->in, size);
}

/* Stops or starts to accept: a process without free descriptors would only spin. */
static void accepting(struct pool *pool, int wanted) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = pool};
    if (wanted != pool->accepting && epoll_ctl(pool->epoll, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, pool->server->listener, &event) == 0)
        pool->accepting = wanted;
}

static void accept_all(struct pool *pool) {
    struct server *server = pool->server;
    for (int number = 0; number < EVENTS; number++) {
        struct sockaddr_storage address = {0};
        socklen_t size = sizeof address;
        int descriptor = accept4(server->listener, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
        if (descriptor < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                accepting(pool, 0);
            return;
        }
        count(server, CONNECTIONS, 1);
        struct connection *one = NULL;
        if (__atomic_add_fetch(&server->open, 1, __ATOMIC_RELAXED) <= server->most_open)
            one = calloc(1, sizeof *one);
        if (!one) {
            count(server, REFUSED, 1);
            hulian_server_closed(server);
            close(descriptor);
            continue;
        }
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        one->descriptor = descriptor;
        one->address = address;
        link_newest(pool, one);
        watch(pool, one, EPOLLIN, EPOLL_CTL_ADD);
        if (one->broken)
            hang_up(pool, one);
    }
}

int hulian_serve_connections(struct server *server) {
    struct pool *pool = calloc(1, sizeof *pool);
    struct epoll_event events[EVENTS], stop = {.events = EPOLLIN, .data.ptr = NULL};
    int result = 0;
    if (!pool)
        return ENOMEM;
    pool->server = server;
    pool->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (pool->epoll < 0 || epoll_ctl(pool->epoll, EPOLL_CTL_ADD, server->stop, &stop) < 0)
        result = errno;
    pool->now = seconds();
    if (!result)
        accepting(pool, 1);
    if (!result && !pool->accepting)
        result = errno;
    while (!result && !is_stopping(server)) {
        int came = epoll_wait(pool->epoll, events, EVENTS, 1000);
        if (came < 0 && errno != EINTR)
            result = errno;
        pool->now = seconds();
        for (int number = 0; number < came; number++) {
            void *which = events[number].data.ptr;
            if (which == pool)
                accept_all(pool);
            else if (which && ((struct connection *)which)->out)
                write_on(pool, which);
            else if (which)
                read_in(pool, which);
        }
        while (pool->oldest && pool->now - pool->oldest->heard > server->idle_seconds) {
            count(server, IDLE, 1);
            hang_up(pool, pool->oldest);
        }
        if (!pool->accepting && came <= 0)
            accepting(pool, 1);
    }
    while (pool->oldest)
        hang_up(pool, pool->oldest);
    if (pool->epoll >= 0)
        close(pool->epoll);
    free(pool);
    return result;
}
