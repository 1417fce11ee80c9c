#define _GNU_SOURCE
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct server *hulian_server_new(int kind, struct index *records, struct index *homes, struct budget *budget, int datagrams,
                                 int listener, uint64_t queue_room, uint32_t most_open, uint32_t idle_seconds) {
    struct server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    server->plain = (struct plain){(enum plain_kind)kind, records, homes};
    server->budget = budget;
    server->datagrams = datagrams;
    server->listener = listener;
    server->most_open = most_open;
    server->idle_seconds = idle_seconds;
    server->queue_room = queue_room;
    server->queue = malloc(queue_room);
    server->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    server->stop = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&server->queue_lock, NULL);
    if (!server->queue || server->wake < 0 || server->stop < 0) {
        hulian_server_free(server);
        return NULL;
    }
    return server;
}

void hulian_server_tally(struct server *server, struct tally *of_datagrams, struct tally *of_connections) {
    server->of_datagrams = of_datagrams;
    server->of_connections = of_connections;
}

static void ring_copy(struct server *server, uint64_t at, uint8_t *out, uint64_t size) {
    uint64_t begin = at % server->queue_room, first = server->queue_room - begin < size ? server->queue_room - begin : size;
    memcpy(out, server->queue + begin, first);
    memcpy(out + first, server->queue, size - first);
}

static void ring_append(struct server *server, const uint8_t *data, uint64_t size) {
    if (!size)
        return;
    uint64_t begin = server->queue_tail % server->queue_room;
    uint64_t first = server->queue_room - begin < size ? server->queue_room - begin : size;
    memcpy(server->queue + begin, data, first);
    memcpy(server->queue, data + first, size - first);
    server->queue_tail += size;
}

void hulian_server_free(struct server *server) {
    while (server->queue && server->queue_tail - server->queue_head >= sizeof(struct handed)) {
        struct handed head; /* connections that nobody took */
        ring_copy(server, server->queue_head, (uint8_t *)&head, sizeof head);
        if (head.descriptor >= 0)
            close(head.descriptor);
        server->queue_head += head.size;
    }
    if (server->wake >= 0)
        close(server->wake);
    if (server->stop >= 0)
        close(server->stop);
    pthread_mutex_destroy(&server->queue_lock);
    free(server->queue);
    free(server);
}

int hulian_server_wake(const struct server *server) { return server->wake; }

static void ring_bell(int descriptor) {
    uint64_t one = 1;
    if (write(descriptor, &one, sizeof one) < 0) {
        /* It rings already: its counter is full. */
    }
}

void hulian_server_stop(struct server *server) {
    __atomic_store_n(&server->stopping, 1, __ATOMIC_RELEASE);
    ring_bell(server->stop);
    ring_bell(server->wake);
}

void hulian_server_counters(struct server *server, uint64_t *out) {
    for (int number = 0; number < COUNTERS; number++)
        out[number] = __atomic_load_n(&server->counters[number], __ATOMIC_RELAXED);
}

void hulian_server_closed(struct server *server) { __atomic_fetch_sub(&server->open, 1, __ATOMIC_RELAXED); }

int hand_on(struct server *server, struct handed *head, const uint8_t *first, uint32_t first_size, const uint8_t *second,
            uint32_t second_size) {
    head->size = (uint32_t)sizeof *head + first_size + second_size;
    pthread_mutex_lock(&server->queue_lock);
    int fits = server->queue_room - (server->queue_tail - server->queue_head) >= head->size;
    int was_empty = server->queue_tail == server->queue_head;
    if (fits) {
        ring_append(server, (const uint8_t *)head, sizeof *head);
        ring_append(server, first, first_size);
        ring_append(server, second, second_size);
    }
    pthread_mutex_unlock(&server->queue_lock);
    if (fits && was_empty)
        ring_bell(server->wake);
    count(server, fits ? HANDED : QUEUE_FULL, 1);
    return fits;
}

uint64_t hulian_server_take(struct server *server, uint8_t *out, uint64_t room) {
    uint64_t filled = 0, bells;
    if (read(server->wake, &bells, sizeof bells) < 0) {
        /* Nobody rang: what is there is taken all the same. */
    }
    pthread_mutex_lock(&server->queue_lock);
    while (server->queue_head != server->queue_tail) {
        struct handed head;
        ring_copy(server, server->queue_head, (uint8_t *)&head, sizeof head);
        if (head.size > room - filled)
            break;
        ring_copy(server, server->queue_head, out + filled, head.size);
        server->queue_head += head.size;
        filled += head.size;
    }
    int left = server->queue_head != server->queue_tail;
    pthread_mutex_unlock(&server->queue_lock);
    if (left)
        ring_bell(server->wake);
    return filled;
}

void describe(struct handed *head, const struct sockaddr_storage *address) {
    memset(head, 0, sizeof *head);
    head->descriptor = -1;
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
        head->family = 6;
        head->port = ntohs(six->sin6_port);
        head->scope = six->sin6_scope_id;
        memcpy(head->address, &six->sin6_addr, 16);
    } else {
        const struct sockaddr_in *four = (const struct sockaddr_in *)address;
        head->family = 4;
        head->port = ntohs(four->sin_port);
        head->address[10] = head->address[11] = 0xFF;
        memcpy(head->address + 12, &four->sin_addr, 4);
    }
}
