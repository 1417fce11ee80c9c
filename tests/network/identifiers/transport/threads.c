/* Both loops, two writers and a reader of the queue at once, with garbage among the questions: for a build with the sanitizer of
 * threads or of addresses. Prints how many questions were answered. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "server.h"

enum { NAMES = 500, CHANGES = 30000, QUESTIONS = 8000, ROOM = 70000 };

static struct index *records, *homes;
static struct server *server;
static struct tally *tallies[2];
static uint64_t counted;
static struct sockaddr_in address = {.sin_family = AF_INET};

static void *datagrams(void *nothing) {
    if (hulian_serve_datagrams(server))
        abort();
    return nothing;
}

static void *connections(void *nothing) {
    if (hulian_serve_connections(server))
        abort();
    return nothing;
}

static void take(void) {
    static uint8_t taken[1 << 18];
    uint64_t size = hulian_server_take(server, taken, sizeof taken), at = 0;
    while (at < size) {
        struct handed head;
        memcpy(&head, taken + at, sizeof head);
        if (head.kind == A_CONNECTION) {
            close(head.descriptor);
            hulian_server_closed(server);
        }
        at += head.size;
    }
}

/* Empties the counters of both loops; their first numbers are answers by code. */
static void collect(void) {
    static uint64_t taken[1 << 13];
    for (int which = 0; which < 2; which++) {
        if (!hulian_tally_take(tallies[which], (uint8_t *)taken, sizeof taken))
            abort();
        for (int code = 0; code < TALLY_CODES; code++)
            counted += taken[code];
    }
}

static void *writer(void *number) {
    unsigned seed = (unsigned)(size_t)number;
    uint8_t value[512] = {0, 0, 0, 1};
    value[4 + 13] = 14;
    for (int turn = 0; turn < CHANGES; turn++) {
        char key[32];
        uint32_t size = (uint32_t)snprintf(key, sizeof key, "88.111.1/%d", rand_r(&seed) % NAMES), data = rand_r(&seed) % 400;
        put_u32(value + 4 + 18, data);
        if (rand_r(&seed) % 4)
            hulian_index_put(records, (uint8_t *)key, size, value, 4 + 26 + data);
        else
            hulian_index_delete(records, (uint8_t *)key, size);
        if (turn % 50 == 0) {
            uint64_t counters[COUNTERS];
            uint8_t out[1024];
            hulian_index_get(records, (uint8_t *)key, size, out, sizeof out);
            hulian_server_counters(server, counters);
            if (rand_r(&seed) % 2)
                hulian_index_put(homes, (const uint8_t *)"0.NA/88.111.1", 13, NULL, 0);
            else
                hulian_index_delete(homes, (const uint8_t *)"0.NA/88.111.1", 13);
            if ((size_t)number == 1) {
                take();
                collect();
            }
        }
    }
    return NULL;
}

static int towards(int kind) {
    struct timeval patience = {0, 3000};
    int made = socket(AF_INET, kind, 0);
    setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(made, (struct sockaddr *)&address, sizeof address))
        abort();
    return made;
}

int main(void) {
    socklen_t size = sizeof address;
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(udp, (struct sockaddr *)&address, size) || getsockname(udp, (struct sockaddr *)&address, &size) ||
        bind(tcp, (struct sockaddr *)&address, size) || listen(tcp, 16))
        return 3;
    records = hulian_index_new();
    homes = hulian_index_new();
    struct budget *budget = hulian_budget_new(1e9, NULL, 0);
    server = hulian_server_new(AUTHORITATIVE, records, homes, budget, udp, tcp, 1 << 16, 8, 60);
    for (int which = 0; which < 2; which++)
        tallies[which] = hulian_tally_new(24, 48);
    hulian_server_tally(server, tallies[0], tallies[1]);
    pthread_t threads[4];
    void *(*work[4])(void *) = {datagrams, connections, writer, writer};
    for (size_t number = 0; number < 4; number++)
        pthread_create(&threads[number], NULL, work[number], (void *)(number - 1));
    int asking = towards(SOCK_DGRAM), stream = towards(SOCK_STREAM);
    unsigned seed = 7;
    long answered = 0;
    for (int turn = 0; turn < QUESTIONS; turn++) {
        static uint8_t question[ROOM], answer[ROOM];
        char name[32];
        uint32_t handle = (uint32_t)snprintf(name, sizeof name, "88.111.1/%d", turn % (NAMES + 100)), length = 48 + handle + 12;
        memset(question, 0, 128);
        memcpy(question, "\2\13\2\13", 4);
        put_u32(question + 16, length - 20);
        put_u32(question + 20, 1);
        put_u32(question + 28, 0x01000000);
        put_u32(question + 40, length - 48);
        put_u32(question + 44, handle);
        memcpy(question + 48, name, handle);
        int garbage = turn % 40 == 0;
        for (int changes = garbage ? rand_r(&seed) % 5 : 0; changes; changes--)
            question[(uint32_t)rand_r(&seed) % length] = (uint8_t)rand_r(&seed);
        if (garbage && rand_r(&seed) % 4 == 0)
            length = (uint32_t)rand_r(&seed) % 60000;
        send(asking, question, length, 0);
        send(stream, question, length, MSG_NOSIGNAL);
        if (!garbage)
            answered += recv(asking, answer, sizeof answer, 0) > 0;
        if (recv(stream, answer, sizeof answer, garbage ? 0 : MSG_DONTWAIT) == 0 || turn % 500 == 0) {
            close(stream);
            stream = towards(SOCK_STREAM);
        }
    }
    pthread_join(threads[2], NULL);
    pthread_join(threads[3], NULL);
    hulian_server_stop(server);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    collect();
    uint64_t counters[COUNTERS];
    hulian_server_counters(server, counters);
    /* What was answered but not sent is counted apart. */
    if (counted < counters[ANSWERED] || counted > counters[ANSWERED] + counters[UNSENT])
        abort();
    for (int which = 0; which < 2; which++)
        hulian_tally_free(tallies[which]);
    hulian_server_free(server);
    hulian_index_free(records);
    hulian_index_free(homes);
    hulian_budget_free(budget);
    printf("%ld\n", answered);
    return 0;
}
