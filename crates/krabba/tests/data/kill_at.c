/* Loaded before the C library: ends the process without warning at its nth durable step, or lets the disk fail from then on.
 *
 * Steps are counted in this process alone. One is the first write after something was made durable, which is the moment
 * when everything before is on the disk and nothing of the next thing is; the other is making it durable. KILL_AT names the step, 0 none;
 * the number of steps is left in the file KILL_COUNT. With FAIL_WITH, an error number, the process goes on: from that step on, what it
 * writes to files ends with that error. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long steps = 0;
static int fresh = 1;

static int fails = 0;

/* The error that the step ends with, or 0. */
static int step(int durable) {
    pthread_mutex_lock(&lock);
    if (durable || fresh) {
        const char *at = getenv("KILL_AT"), *with = getenv("FAIL_WITH");
        fresh = durable;
        if (++steps == (at ? atol(at) : 0)) {
            fails = with ? atoi(with) : 0;
            if (!fails) {
                kill(getpid(), SIGKILL);
                for (;;) pause();
            }
        }
    }
    int error = fails;
    pthread_mutex_unlock(&lock);
    return error;
}

#define STEP(durable) do { int error = step(durable); if (error) { errno = error; return -1; } } while (0)

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
    STEP(0);
    return real(fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite");
    STEP(0);
    return real(fd, bytes, count, offset);
}

int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    STEP(1);
    return real(fd);
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
    STEP(1);
    return real(fd);
}

static void __attribute__((destructor)) tell(void) {
    const char *path = getenv("KILL_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%ld\n", steps);
        fclose(file);
    }
}
