/* Make the disk slow while the file named by SLOW_DISK exists: every write to a file, and every
 * fsync, takes SLOW_MS longer. Load it into a process with LD_PRELOAD. Sockets and pipes are not
 * affected. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SLOW_MS 200

static void wait_for_disk(int fd) {
    const char *slow = getenv("SLOW_DISK");
    struct timespec time = {0, SLOW_MS * 1000000};
    struct stat about;
    if (slow && !fstat(fd, &about) && S_ISREG(about.st_mode) && !access(slow, F_OK)) {
        nanosleep(&time, NULL);
    }
}

#define SLOWED(result, name, parameters, arguments)                 \
    result name parameters {                                        \
        static result(*real) parameters;                            \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name);        \
        wait_for_disk(fd);                                          \
        return real arguments;                                      \
    }

SLOWED(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
SLOWED(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
SLOWED(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
SLOWED(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
SLOWED(int, fsync, (int fd), (fd))
SLOWED(int, fdatasync, (int fd), (fd))
