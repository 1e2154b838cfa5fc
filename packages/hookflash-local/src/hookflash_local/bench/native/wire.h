/* Shared by the reference relay and the load generator: WebSockets (RFC 6455) on epoll.
 *
 * One thread, non-blocking sockets, TCP_NODELAY. Text messages of one frame each; clients mask.
 * Extensions and fragments are not supported: neither Twilio nor the relays under test send any,
 * and one ends its connection. Data that a peer does not accept yet is buffered.
 *
 * A program defines `on_open`, `on_message` and `on_gone`. A message may be changed in place and is
 * valid until `on_message` returns. `on_gone` is called once; the peer is released after it.
 */
#ifndef WIRE_H
#define WIRE_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };

#define READ_BYTES (256 * 1024)
#define LARGEST (READ_BYTES - 64)

struct bytes {
    char *at;
    size_t used, room;
};

struct tls; /* see tls.h; NULL if the socket is plain */

struct peer {
    int fd;
    bool client;  /* this side connected, so it masks */
    bool open;    /* the upgrade is done */
    bool gone;
    bool stalled; /* nothing is read from it */
    uint32_t asked; /* what epoll watches */
    int role;     /* the program's */
    void *owner;  /* the program's */
    struct tls *tls;
    struct bytes kept, unsent;
    struct peer *next_gone;
};

static void on_open(struct peer *);
static void on_message(struct peer *, char *text, size_t size);
static void on_gone(struct peer *, const char *why);

static int epoll_fd = -1;
static struct peer *gone_peers;
static char read_room[READ_BYTES];

static void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t random_state;

static uint32_t random_bits(void) { /* xorshift64*, seeded by the kernel */
    if (!random_state && getrandom(&random_state, sizeof random_state, 0) < 0) die("getrandom");
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * 0x2545F4914F6CDD1Dull) >> 32);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void bytes_add(struct bytes *to, const void *from, size_t size) {
    if (to->used + size > to->room) {
        to->room = (to->used + size) * 2;
        to->at = realloc(to->at, to->room);
        if (!to->at) die("realloc");
    }
    memcpy(to->at + to->used, from, size);
    to->used += size;
}

static void bytes_free(struct bytes *of) {
    free(of->at);
    memset(of, 0, sizeof *of);
}

/* --- base64 and SHA-1 ------------------------------------------------------------------------- */

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t base64_encode(char *to, const uint8_t *from, size_t size) {
    char *start = to;
    for (; size >= 3; size -= 3, from += 3) {
        uint32_t v = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
        *to++ = BASE64[v >> 18];
        *to++ = BASE64[v >> 12 & 63];
        *to++ = BASE64[v >> 6 & 63];
        *to++ = BASE64[v & 63];
    }
    if (size) {
        uint32_t v = (uint32_t)from[0] << 16 | (size == 2 ? (uint32_t)from[1] << 8 : 0);
        *to++ = BASE64[v >> 18];
        *to++ = BASE64[v >> 12 & 63];
        *to++ = size == 2 ? BASE64[v >> 6 & 63] : '=';
        *to++ = '=';
    }
    return (size_t)(to - start);
}

static void sha1(const uint8_t *data, size_t size, uint8_t out[20]) { /* size < 119: two blocks */
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    uint8_t block[128] = {0};
    size_t blocks = (size + 8) / 64 + 1;
    memcpy(block, data, size);
    block[size] = 0x80;
    for (int i = 0; i < 8; i++) block[blocks * 64 - 1 - i] = (uint8_t)((uint64_t)size * 8 >> (8 * i));
    for (size_t b = 0; b < blocks; b++) {
        uint32_t w[80];
        for (int i = 0; i < 16; i++) {
            const uint8_t *at = block + b * 64 + i * 4;
            w[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        }
        for (int i = 16; i < 80; i++) {
            uint32_t x = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
            w[i] = x << 1 | x >> 31;
        }
        uint32_t a = h[0], c = h[2], d = h[3], e = h[4], v = h[1];
        for (int i = 0; i < 80; i++) {
            uint32_t f, k;
            if (i < 20) f = (v & c) | (~v & d), k = 0x5A827999;
            else if (i < 40) f = v ^ c ^ d, k = 0x6ED9EBA1;
            else if (i < 60) f = (v & c) | (v & d) | (c & d), k = 0x8F1BBCDC;
            else f = v ^ c ^ d, k = 0xCA62C1D6;
            uint32_t t = (a << 5 | a >> 27) + f + e + k + w[i];
            e = d, d = c, c = v << 30 | v >> 2, v = a, a = t;
        }
        h[0] += a, h[1] += v, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int i = 0; i < 20; i++) out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

/* --- peers ------------------------------------------------------------------------------------ */

#include "tls.h"

static void peer_watch(struct peer *p) {
    bool waits = p->unsent.used || (p->tls && tls_wants_write(p->tls));
    uint32_t wanted = (p->stalled ? 0 : EPOLLIN) | (waits ? EPOLLOUT : 0);
    if (wanted == p->asked || p->gone) return;
    struct epoll_event event = {.events = wanted, .data.ptr = p};
    if (epoll_ctl(epoll_fd, p->asked ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, p->fd, &event)) {
        if (errno != EEXIST || epoll_ctl(epoll_fd, EPOLL_CTL_MOD, p->fd, &event)) die("epoll_ctl");
    }
    p->asked = wanted;
}

static struct peer *peer_new(int fd, bool client, int role, void *owner) {
    struct peer *p = calloc(1, sizeof *p);
    int one = 1;
    if (!p) die("calloc");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    p->fd = fd;
    p->client = client;
    p->role = role;
    p->owner = owner;
    peer_watch(p);
    return p;
}

/* Close the peer at once; it is released after the current events are handled. */
static void peer_drop(struct peer *p, const char *why) {
    if (p->gone) return;
    p->gone = true;
    if (p->tls) tls_free(p->tls);
    close(p->fd);
    bytes_free(&p->kept);
    bytes_free(&p->unsent);
    p->next_gone = gone_peers;
    gone_peers = p;
    on_gone(p, why);
}

static ssize_t peer_write(struct peer *p, const char *data, size_t size) {
    if (p->tls) return tls_write(p->tls, data, size);
    return send(p->fd, data, size, MSG_NOSIGNAL);
}

static void peer_put(struct peer *p, const char *data, size_t size) {
    ssize_t done = 0;
    if (p->gone) return;
    if (!p->unsent.used) {
        done = peer_write(p, data, size);
        if (done < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK) {
                peer_drop(p, "it takes nothing any more");
                return;
            }
            done = 0;
        }
    }
    if ((size_t)done < size) bytes_add(&p->unsent, data + done, size - (size_t)done);
    peer_watch(p);
}

static void peer_flush(struct peer *p) {
    if (p->unsent.used) {
        ssize_t done = peer_write(p, p->unsent.at, p->unsent.used);
        if (done < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK) peer_drop(p, "it takes nothing any more");
            return;
        }
        p->unsent.used -= (size_t)done;
        memmove(p->unsent.at, p->unsent.at + done, p->unsent.used);
    }
    peer_watch(p);
}

static void mask(char *data, size_t size, uint32_t key) {
    uint64_t wide = (uint64_t)key << 32 | key, word;
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        memcpy(&word, data + i, 8);
        word ^= wide;
        memcpy(data + i, &word, 8);
    }
    for (; i < size; i++) data[i] ^= (char)(key >> (8 * (i & 3)));
}

/* Send one frame. `data` has 14 free bytes in front of it, so nothing is copied; it is masked in
 * place. */
static void peer_send_in_place(struct peer *p, int opcode, char *data, size_t size) {
    uint8_t head[14];
    size_t n = 2;
    head[0] = (uint8_t)(0x80 | opcode);
    if (size < 126) {
        head[1] = (uint8_t)size;
    } else if (size < 65536) {
        head[1] = 126;
        head[2] = (uint8_t)(size >> 8);
        head[3] = (uint8_t)size;
        n = 4;
    } else {
        head[1] = 127;
        for (int i = 0; i < 8; i++) head[2 + i] = (uint8_t)((uint64_t)size >> (56 - 8 * i));
        n = 10;
    }
    if (p->client) {
        uint32_t key = random_bits();
        head[1] |= 0x80;
        memcpy(head + n, &key, 4);
        n += 4;
        mask(data, size, key);
    }
    memcpy(data - n, head, n);
    peer_put(p, data - n, n + size);
}

static void peer_send(struct peer *p, int opcode, const char *text, size_t size) {
    static char room[READ_BYTES];
    if (size > LARGEST) die("a message is too long");
    memcpy(room + 14, text, size);
    peer_send_in_place(p, opcode, room + 14, size);
}

static void peer_say(struct peer *p, const char *text) { peer_send(p, TEXT, text, strlen(text)); }

static void peer_close(struct peer *p, const char *why) {
    if (p->gone) return;
    if (p->open) peer_send(p, CLOSE, "\x03\xe8", 2);
    peer_drop(p, why);
}

/* --- the upgrade ------------------------------------------------------------------------------ */

static void peer_ask_upgrade(struct peer *p, const char *path, const char *headers) {
    char request[2048], key[32];
    uint8_t nonce[16];
    for (int i = 0; i < 16; i++) nonce[i] = (uint8_t)random_bits();
    key[base64_encode(key, nonce, 16)] = 0;
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                        "Sec-WebSocket-Version: 13\r\n%s\r\n",
                        path, key, headers);
    peer_put(p, request, (size_t)size);
}

/* Return the number of bytes used, 0 if the upgrade is not complete. */
static size_t peer_upgrade(struct peer *p, char *data, size_t size) {
    char *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end) return 0;
    *end = 0;
    if (p->client) {
        if (strncmp(data, "HTTP/1.1 101", 12)) {
            data[strcspn(data, "\r\n")] = 0;
            fprintf(stderr, "upgrade refused: %.60s\n", data);
            peer_drop(p, "the upgrade was refused");
            return 0;
        }
    } else {
        static const char MAGIC[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
        char *key = strcasestr(data, "\r\nsec-websocket-key:"), answer[256], accept[64];
        uint8_t digest[20];
        char both[128];
        if (!key) {
            peer_drop(p, "it asked for no WebSocket");
            return 0;
        }
        key += 20;
        while (*key == ' ') key++;
        int n = snprintf(both, 100, "%.*s%s", (int)strcspn(key, " \r\n"), key, MAGIC);
        sha1((uint8_t *)both, (size_t)n, digest);
        accept[base64_encode(accept, digest, 20)] = 0;
        n = snprintf(answer, sizeof answer,
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                     accept);
        peer_put(p, answer, (size_t)n);
    }
    p->open = true;
    on_open(p);
    return (size_t)(end - data) + 4;
}

/* Take one frame; return its size in bytes, 0 if it is not complete. */
static size_t peer_frame(struct peer *p, char *data, size_t size) {
    uint8_t *head = (uint8_t *)data;
    size_t n = 2;
    uint64_t length;
    if (size < 2) return 0;
    length = head[1] & 0x7F;
    if (length == 126) {
        if (size < 4) return 0;
        length = (uint64_t)head[2] << 8 | head[3];
        n = 4;
    } else if (length == 127) {
        if (size < 10) return 0;
        length = 0;
        for (int i = 0; i < 8; i++) length = length << 8 | head[2 + i];
        n = 10;
    }
    bool masked = head[1] & 0x80;
    if (!(head[0] & 0x80) || length > LARGEST || masked == p->client) {
        peer_drop(p, "it sent a frame that is none, or a fragment");
        return 0;
    }
    if (size < n + (masked ? 4 : 0) + length) return 0;
    if (masked) {
        uint32_t key;
        memcpy(&key, data + n, 4);
        n += 4;
        mask(data + n, length, key);
    }
    switch (head[0] & 0x0F) {
    case TEXT:
    case 2: on_message(p, data + n, length); break;
    case PING: peer_send(p, PONG, data + n, length); break;
    case CLOSE:
        peer_send(p, CLOSE, data + n, length < 2 ? 0 : 2);
        peer_drop(p, "closed");
        break;
    }
    return n + length;
}

static void peer_read(struct peer *p) {
    size_t size = p->kept.used, used = 0, step;
    ssize_t got;
    memcpy(read_room, p->kept.at ? p->kept.at : "", size);
    if (p->tls) {
        got = tls_read(p->tls, read_room + size, READ_BYTES - size);
    } else {
        got = recv(p->fd, read_room + size, READ_BYTES - size, 0);
    }
    if (got <= 0) {
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) peer_watch(p);
        else peer_drop(p, got ? strerror(errno) : "the connection was cut");
        return;
    }
    p->kept.used = 0;
    size += (size_t)got;
    while (!p->gone && used < size && !(p->stalled && p->open)) {
        step = p->open ? peer_frame(p, read_room + used, size - used)
                       : peer_upgrade(p, read_room + used, size - used);
        if (!step) break;
        used += step;
    }
    if (!p->gone && used < size) bytes_add(&p->kept, read_room + used, size - used);
}

/* --- the loop --------------------------------------------------------------------------------- */

static int listen_on(int *port) { /* 0 takes a free one; only this machine can connect */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    socklen_t size = sizeof address;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0) die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, 1024)) die("listen");
    if (getsockname(fd, (struct sockaddr *)&address, &size)) die("getsockname");
    *port = ntohs(address.sin_port);
    return fd;
}

static int connect_to(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0) die("socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) {
        die("connect");
    }
    return fd;
}

static void loop_start(void) {
    struct rlimit files;
    prctl(PR_SET_TIMERSLACK, 1ul); /* wake at the requested time, not up to 50 us later */
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0) die("epoll_create1");
}

static void loop_watch(int fd, void *as) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = as};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
}

/* Wait for events until the given time at most; 0 means no limit. */
static int loop_wait(struct epoll_event *events, int room, uint64_t until) {
    uint64_t now = until ? now_ns() : 0, left = until > now ? until - now : 0;
#ifdef SYS_epoll_pwait2 /* Linux 5.11 */
    struct timespec wait = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
    static bool missing;
    if (!missing) {
        int n = (int)syscall(SYS_epoll_pwait2, epoll_fd, events, room, until ? &wait : NULL, NULL, 0);
        if (n >= 0 || errno != ENOSYS) return n;
        missing = true;
    }
#endif
    return epoll_wait(epoll_fd, events, room, until ? (int)((left + 999999) / 1000000u) : -1);
}

/* Handle one peer's event. */
static void loop_serve(struct peer *p, uint32_t events) {
    if (p->gone) return;
    if (events & EPOLLOUT) peer_flush(p);
    if (!p->gone && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        /* A stalled peer's data stays in the kernel; a lost connection is not noticed meanwhile. */
        if (!p->stalled) peer_read(p);
        else if (events & (EPOLLHUP | EPOLLERR)) peer_drop(p, "the connection was cut");
    }
}

static void loop_release(void) {
    while (gone_peers) {
        struct peer *p = gone_peers;
        gone_peers = p->next_gone;
        free(p);
    }
}

#endif
