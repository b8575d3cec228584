/* Adds to the clock of a process the seconds, of 8 bytes, at the start of the file that CLOCK_STEP names. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

typedef int read_clock(clockid_t, struct timespec *);

static const volatile int64_t *seconds;
static read_clock *original;

__attribute__((constructor)) static void begin(void) {
    original = (read_clock *)dlsym(RTLD_NEXT, "clock_gettime");
    int file = open(getenv("CLOCK_STEP"), O_RDONLY | O_CLOEXEC);
    void *mapped = mmap(NULL, sizeof *seconds, PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) {
        seconds = mapped;
    }
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!original) {
        begin();
    }
    int result = original(clock, time);
    if (result == 0 && clock == CLOCK_REALTIME && seconds) {
        time->tv_sec += *seconds;
    }
    return result;
}
