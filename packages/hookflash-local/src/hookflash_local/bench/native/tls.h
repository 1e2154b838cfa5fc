/* TLS for a peer, with the OpenSSL library that Python uses.
 *
 * The library is loaded at first use, and the few functions used are declared here, so the programs
 * compile without its development files. Names and constants are those of OpenSSL 1.1 and 3. Errors
 * are like a socket's: -1, with EAGAIN if the caller must wait.
 */
#ifndef TLS_H
#define TLS_H
#include <dlfcn.h>

struct tls {
    void *ssl;
    bool wants_write;
};

enum { SSL_WANT_READ = 2, SSL_WANT_WRITE = 3, SSL_ENDED = 6 };
enum { SSL_SET_MODE = 33, SSL_PARTIAL_WRITE = 1, SSL_MOVING_BUFFER = 2, SSL_PEM = 1 };

static struct {
    void *context;
    void *(*method)(void), *(*context_new)(void *), *(*ssl_new)(void *);
    int (*set_fd)(void *, int), (*read)(void *, void *, int), (*write)(void *, const void *, int);
    int (*error)(void *, int), (*chain)(void *, const char *), (*key)(void *, const char *, int);
    void (*accept)(void *), (*connect)(void *), (*ssl_free)(void *), (*clear)(void);
    long (*control)(void *, int, long, void *);
} openssl;

static void *tls_find(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (!found) {
        fprintf(stderr, "libssl has no %s\n", name);
        exit(1);
    }
    return found;
}

/* Load the library. With a certificate it is a server, without one a client that trusts every
 * server: the benchmark measures the cost of TLS on the loopback, not its security. */
static void tls_start(const char *certificate, const char *key) {
    void *library = dlopen("libssl.so.3", RTLD_NOW);
    if (!library) library = dlopen("libssl.so.1.1", RTLD_NOW);
    if (!library) library = dlopen("libssl.so", RTLD_NOW);
    if (!library) {
        fprintf(stderr, "TLS needs OpenSSL's libssl: apt-get install libssl3\n");
        exit(1);
    }
    *(void **)&openssl.method = tls_find(library, "TLS_method");
    *(void **)&openssl.context_new = tls_find(library, "SSL_CTX_new");
    *(void **)&openssl.ssl_new = tls_find(library, "SSL_new");
    *(void **)&openssl.set_fd = tls_find(library, "SSL_set_fd");
    *(void **)&openssl.read = tls_find(library, "SSL_read");
    *(void **)&openssl.write = tls_find(library, "SSL_write");
    *(void **)&openssl.error = tls_find(library, "SSL_get_error");
    *(void **)&openssl.chain = tls_find(library, "SSL_CTX_use_certificate_chain_file");
    *(void **)&openssl.key = tls_find(library, "SSL_CTX_use_PrivateKey_file");
    *(void **)&openssl.accept = tls_find(library, "SSL_set_accept_state");
    *(void **)&openssl.connect = tls_find(library, "SSL_set_connect_state");
    *(void **)&openssl.ssl_free = tls_find(library, "SSL_free");
    *(void **)&openssl.control = tls_find(library, "SSL_CTX_ctrl");
    *(void **)&openssl.clear = dlsym(library, "ERR_clear_error");
    openssl.context = openssl.context_new(openssl.method());
    if (!openssl.context) die("SSL_CTX_new");
    openssl.control(openssl.context, SSL_SET_MODE, SSL_PARTIAL_WRITE | SSL_MOVING_BUFFER, NULL);
    if (certificate && (openssl.chain(openssl.context, certificate) != 1 ||
                        openssl.key(openssl.context, key, SSL_PEM) != 1)) {
        fprintf(stderr, "TLS: cannot use %s and %s\n", certificate, key);
        exit(1);
    }
}

static struct tls *tls_new(int fd, bool client) {
    struct tls *t = calloc(1, sizeof *t);
    if (!t) die("calloc");
    t->ssl = openssl.ssl_new(openssl.context);
    if (!t->ssl || openssl.set_fd(t->ssl, fd) != 1) die("SSL_new");
    if (client) openssl.connect(t->ssl);
    else openssl.accept(t->ssl);
    return t;
}

static bool tls_wants_write(struct tls *t) { return t->wants_write; }

static ssize_t tls_result(struct tls *t, int result) {
    if (result > 0) {
        t->wants_write = false;
        return result;
    }
    int error = openssl.error(t->ssl, result);
    t->wants_write = error == SSL_WANT_WRITE;
    if (error == SSL_WANT_READ || error == SSL_WANT_WRITE) {
        errno = EAGAIN;
        return -1;
    }
    errno = EPROTO;
    return error == SSL_ENDED ? 0 : -1;
}

/* Read everything available: epoll does not see data that OpenSSL has decrypted already. */
static ssize_t tls_read(struct tls *t, char *to, size_t room) {
    size_t got = 0;
    while (got < room) {
        if (openssl.clear) openssl.clear();
        ssize_t step = tls_result(t, openssl.read(t->ssl, to + got, (int)(room - got)));
        if (step <= 0) return got ? (ssize_t)got : step;
        got += (size_t)step;
    }
    return (ssize_t)got;
}

static ssize_t tls_write(struct tls *t, const char *from, size_t size) {
    if (openssl.clear) openssl.clear();
    ssize_t done = tls_result(t, openssl.write(t->ssl, from, (int)size));
    return done == 0 ? (errno = EPIPE, -1) : done;
}

static void tls_free(struct tls *t) {
    openssl.ssl_free(t->ssl);
    free(t);
}

#endif
