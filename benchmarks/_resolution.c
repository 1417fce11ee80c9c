/* What the benchmarks of resolution need in C: servers that only echo, and generators of questions.
 *
 *     resolution echo-udp ANSWER_BYTES            answers each datagram with ANSWER_BYTES bytes that begin as it does
 *     resolution echo-tcp ANSWER_BYTES            the same for messages of a stream, one write for one read
 *     resolution load-udp PORT ID_AT OUTSTANDING SECONDS FILE [WARM_SECONDS]
 *     resolution load-tcp PORT CONNECTIONS DEPTH SECONDS FILE
 *
 * Servers print their port and serve 127.0.0.1 from one thread until they are killed. Generators send the questions of FILE
 * (each a 32-bit length of this machine and its bytes) in turn, with as many outstanding, and print: answers a second, wrong
 * ones, lost ones, bytes of answers a second. An answer is right when it carries the number of a question that is under way,
 * and what looks like success: response code 1 (ID_AT 10: Handle), or no error and an answer (ID_AT 0: DNS).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, ROOM = 2048, CHUNK = 65536, MOST = 1024 };

static uint8_t in[BATCH][ROOM], out[BATCH][ROOM];
static struct mmsghdr received[BATCH], sent[BATCH];
static struct iovec in_pieces[BATCH], out_pieces[BATCH];
static struct sockaddr_in sources[BATCH];

static double now(void) {
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (double)moment.tv_sec + (double)moment.tv_nsec * 1e-9;
}

static int fail(const char *what) {
    perror(what);
    exit(1);
}

static int bound(int kind) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int made = socket(AF_INET, kind, 0), room = 4 << 20;
    setsockopt(made, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (made < 0 || bind(made, (struct sockaddr *)&address, sizeof address) || (kind == SOCK_STREAM && listen(made, 256)))
        fail("bind");
    getsockname(made, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return made;
}

static int towards(int kind, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int made = socket(AF_INET, kind, 0), room = 4 << 20, on = 1;
    setsockopt(made, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (made < 0 || connect(made, (struct sockaddr *)&address, sizeof address))
        fail("connect");
    if (kind == SOCK_STREAM)
        setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return made;
}

static void pieces(int with_source) {
    for (int number = 0; number < BATCH; number++) {
        in_pieces[number] = (struct iovec){in[number], ROOM};
        out_pieces[number] = (struct iovec){out[number], ROOM};
        received[number].msg_hdr = (struct msghdr){.msg_iov = &in_pieces[number], .msg_iovlen = 1};
        sent[number].msg_hdr = (struct msghdr){.msg_iov = &out_pieces[number], .msg_iovlen = 1};
        if (with_source) {
            received[number].msg_hdr.msg_name = &sources[number];
            received[number].msg_hdr.msg_namelen = sizeof sources[number];
            sent[number].msg_hdr.msg_name = &sources[number];
            sent[number].msg_hdr.msg_namelen = sizeof sources[number];
        }
    }
}

static void echo_udp(size_t size) {
    int descriptor = bound(SOCK_DGRAM);
    pieces(1);
    for (;;) {
        int came = recvmmsg(descriptor, received, BATCH, MSG_WAITFORONE, NULL);
        for (int number = 0; number < came; number++) {
            size_t length = received[number].msg_len;
            memcpy(out[number], in[number], length < size ? length : size);
            out[number][27] = 1;
            out_pieces[number].iov_len = size;
        }
        if (came > 0)
            sendmmsg(descriptor, sent, (unsigned)came, 0);
    }
}

struct stream {
    int descriptor;
    size_t held;
    uint8_t bytes[2 * CHUNK];
};

static uint32_t length_at(const uint8_t *at) {
    return ((uint32_t)at[16] << 24 | (uint32_t)at[17] << 16 | (uint32_t)at[18] << 8 | at[19]) + 20;
}

static void write_all(int descriptor, const uint8_t *data, size_t size) {
    while (size) {
        ssize_t went = send(descriptor, data, size, MSG_NOSIGNAL);
        if (went <= 0)
            return;
        data += went;
        size -= (size_t)went;
    }
}

static void echo_tcp(size_t size) {
    static uint8_t answers[CHUNK / 20 * ROOM];
    int listener = bound(SOCK_STREAM), watched = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[BATCH];
    epoll_ctl(watched, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int came = epoll_wait(watched, events, BATCH, -1);
        for (int number = 0; number < came; number++) {
            struct stream *stream = events[number].data.ptr;
            if (!stream) {
                int on = 1;
                stream = calloc(1, sizeof *stream);
                stream->descriptor = accept(listener, NULL, NULL);
                setsockopt(stream->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                event.data.ptr = stream;
                epoll_ctl(watched, EPOLL_CTL_ADD, stream->descriptor, &event);
                continue;
            }
            ssize_t got = recv(stream->descriptor, stream->bytes + stream->held, CHUNK, 0);
            if (got <= 0) {
                close(stream->descriptor);
                free(stream);
                continue;
            }
            size_t end = stream->held + (size_t)got, at = 0, filled = 0;
            while (end - at >= 20 && end - at >= length_at(stream->bytes + at)) {
                size_t length = length_at(stream->bytes + at);
                memcpy(answers + filled, stream->bytes + at, length < size ? length : size);
                uint32_t body = htonl((uint32_t)size - 20);
                memcpy(answers + filled + 16, &body, 4);
                answers[filled + 27] = 1;
                filled += size;
                at += length;
            }
            memmove(stream->bytes, stream->bytes + at, end - at);
            stream->held = end - at;
            write_all(stream->descriptor, answers, filled);
        }
    }
}

/* -- generators ------------------------------------------------------------------------------------------------------ */

static uint8_t *questions;
static size_t questions_size, cursor;

static void read_questions(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file)
        fail(path);
    fseek(file, 0, SEEK_END);
    questions_size = (size_t)ftell(file);
    rewind(file);
    questions = malloc(questions_size);
    if (fread(questions, 1, questions_size, file) != questions_size)
        fail(path);
    fclose(file);
}

static uint32_t next_question(uint8_t *to, int id_at, uint16_t id) {
    uint32_t size;
    if (cursor >= questions_size)
        cursor = 0;
    memcpy(&size, questions + cursor, 4);
    memcpy(to, questions + cursor + 4, size);
    cursor += 4 + size;
    to[id_at] = (uint8_t)(id >> 8);
    to[id_at + 1] = (uint8_t)id;
    return size;
}

static int is_right(const uint8_t *answer, size_t size, int id_at) {
    if (id_at)
        return size >= 28 && answer[24] == 0 && answer[25] == 0 && answer[26] == 0 && answer[27] == 1;
    return size >= 12 && (answer[3] & 15) == 0 && answer[7];
}

static void load_udp(int port, int id_at, int outstanding, double seconds, double warm) {
    static uint16_t expected[BATCH];
    int descriptor = towards(SOCK_DGRAM, port);
    struct timeval patience = {0, 100000};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    pieces(0);
    uint64_t right = 0, wrong = 0, lost = 0, bytes = 0;
    double began = now(), end = began + warm + seconds, moment = began;
    int wanted = outstanding;
    for (int slot = 0; slot < outstanding; slot++)
        expected[slot] = (uint16_t)slot;
    int slots[BATCH];
    for (int slot = 0; slot < wanted; slot++)
        slots[slot] = slot;
    while (moment < end) {
        for (int number = 0; number < wanted; number++)
            out_pieces[number].iov_len = next_question(out[number], id_at, expected[slots[number]]);
        for (int gone = 0; gone < wanted;) {
            int went = sendmmsg(descriptor, sent + gone, (unsigned)(wanted - gone), 0);
            if (went < 0 && errno != ECONNREFUSED)
                fail("sendmmsg");
            gone += went > 0 ? went : 0;
        }
        wanted = 0;
        int came = recvmmsg(descriptor, received, BATCH, MSG_WAITFORONE, NULL);
        for (int number = 0; number < came; number++) {
            uint16_t id = (uint16_t)(in[number][id_at] << 8 | in[number][id_at + 1]);
            int slot = id & 63;
            if (slot >= outstanding || expected[slot] != id) {
                continue; /* too late: it was given up */
            }
            if (is_right(in[number], received[number].msg_len, id_at))
                right++;
            else
                wrong++;
            bytes += received[number].msg_len;
            expected[slot] = (uint16_t)(id + 64);
            slots[wanted++] = slot;
        }
        if (came <= 0)
            for (lost += (uint64_t)outstanding; wanted < outstanding; wanted++) {
                expected[wanted] = (uint16_t)(expected[wanted] + 64);
                slots[wanted] = wanted;
            }
        moment = now();
        if (warm > 0 && moment > began + warm) { /* what came until now does not count */
            right = wrong = lost = bytes = 0;
            began = moment;
            end = began + seconds;
            warm = 0;
        }
    }
    printf("%.1f %llu %llu %.0f\n", (double)right / (moment - began), (unsigned long long)wrong, (unsigned long long)lost,
           (double)bytes / (moment - began));
}

static void load_tcp(int port, int connections, int depth, double seconds) {
    static struct stream *streams[MOST];
    static uint8_t asks[CHUNK];
    struct epoll_event event = {.events = EPOLLIN}, events[BATCH];
    int watched = epoll_create1(0);
    uint64_t right = 0, wrong = 0, bytes = 0;
    for (int number = 0; number < connections; number++) {
        streams[number] = calloc(1, sizeof *streams[number]);
        streams[number]->descriptor = towards(SOCK_STREAM, port);
        event.data.ptr = streams[number];
        epoll_ctl(watched, EPOLL_CTL_ADD, streams[number]->descriptor, &event);
    }
    double began = now(), end = began + seconds, moment = began;
    for (int number = 0; number < connections; number++) {
        size_t filled = 0;
        for (int one = 0; one < depth; one++)
            filled += next_question(asks + filled, 10, (uint16_t)one);
        write_all(streams[number]->descriptor, asks, filled);
    }
    while (moment < end) {
        int came = epoll_wait(watched, events, BATCH, 1000);
        if (!came)
            fail("no answers for a second");
        for (int number = 0; number < came; number++) {
            struct stream *stream = events[number].data.ptr;
            ssize_t got = recv(stream->descriptor, stream->bytes + stream->held, CHUNK, 0);
            if (got <= 0)
                fail("the server hung up");
            size_t stop = stream->held + (size_t)got, at = 0, filled = 0;
            while (stop - at >= 20 && stop - at >= length_at(stream->bytes + at)) {
                size_t length = length_at(stream->bytes + at);
                if (is_right(stream->bytes + at, length, 10))
                    right++;
                else
                    wrong++;
                bytes += length;
                at += length;
                filled += next_question(asks + filled, 10, 0);
                if (filled > CHUNK - ROOM) {
                    write_all(stream->descriptor, asks, filled);
                    filled = 0;
                }
            }
            memmove(stream->bytes, stream->bytes + at, stop - at);
            stream->held = stop - at;
            write_all(stream->descriptor, asks, filled);
        }
        moment = now();
    }
    printf("%.1f %llu 0 %.0f\n", (double)right / (moment - began), (unsigned long long)wrong, (double)bytes / (moment - began));
}

int main(int count, char **arguments) {
    const char *what = count > 2 ? arguments[1] : "";
    if (!strcmp(what, "echo-udp"))
        echo_udp((size_t)atoi(arguments[2]));
    else if (!strcmp(what, "echo-tcp"))
        echo_tcp((size_t)atoi(arguments[2]));
    else if (count >= 7 && !strcmp(what, "load-udp")) {
        read_questions(arguments[6]);
        load_udp(atoi(arguments[2]), atoi(arguments[3]), atoi(arguments[4]), atof(arguments[5]), count > 7 ? atof(arguments[7]) : 0);
    } else if (count == 7 && !strcmp(what, "load-tcp")) {
        read_questions(arguments[6]);
        load_tcp(atoi(arguments[2]), atoi(arguments[3]), atoi(arguments[4]), atof(arguments[5]));
    } else
        return 2;
    return 0;
}
