/* SPDX-License-Identifier: MIT */
/* System calls on files and pipes, whose buffers are evicted when they are made. usage: files FOLDER */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"

enum { SMALL = 20000, HUGE_BYTES = 12 << 20, PARTS = 700, PART_BYTES = 4096 + 512 };

static int open_new(const char *name)
{
    const int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0, "%s", name);
    return fd;
}

/* Reads back with pread through memory that is not managed. */
static void check_file(int fd, size_t bytes, unsigned version, const char *what)
{
    static unsigned char buffer[4096];
    for (size_t at = 0; at < bytes; at += sizeof(buffer)) {
        const size_t piece = bytes - at < sizeof(buffer) ? bytes - at : sizeof(buffer);
        CHECK(pread(fd, buffer, piece, (off_t)at) == (ssize_t)piece, "%s: at %zu", what, at);
        for (size_t i = 0; i < piece; i++)
            CHECK(buffer[i] == pattern(at + i, version), "%s: byte %zu of the file", what, at + i);
    }
}

static void test_read_write(size_t bytes, unsigned version)
{
    unsigned char *out = map_pages(bytes + PAGE), *in = map_pages(bytes + PAGE);
    const int fd = open_new("data");
    fill(out + 100, bytes, version); /* not aligned */
    force_out(out, bytes);
    CHECK(write(fd, out + 100, bytes) == (ssize_t)bytes, "write");
    check_file(fd, bytes, version, "write");
    CHECK(lseek(fd, 0, SEEK_SET) == 0, "lseek");
    force_out(in, bytes);
    CHECK(read(fd, in + 7, bytes) == (ssize_t)bytes, "read");
    check_filled(in + 7, bytes, version, "read");
    memset(in, 0, bytes);
    force_out(in, bytes);
    CHECK(pread(fd, in, bytes, 0) == (ssize_t)bytes, "pread");
    check_filled(in, bytes, version, "pread");
    CHECK(read(fd, in, bytes) == 0, "at the end of the file");
    CHECK(ftruncate(fd, 0) == 0, "ftruncate");
    force_out(out, bytes);
    CHECK(pwrite(fd, out + 100, bytes, 0) == (ssize_t)bytes, "pwrite");
    check_file(fd, bytes, version, "pwrite");
    CHECK(pread(fd, in, bytes, (off_t)bytes - 5000) == 5000, "pread across the end");
    munmap(out, bytes + PAGE);
    munmap(in, bytes + PAGE);
    close(fd);
}

/* Many parts, in one block of memory; with `gaps` some parts are empty. */
static struct iovec *make_vector(unsigned char *block, unsigned parts, size_t part_bytes)
{
    struct iovec *vector = map_pages(parts * sizeof(*vector) + (64 << 10));
    for (unsigned i = 0; i < parts; i++)
        vector[i] = (struct iovec){block + i * part_bytes, i % 5 == 3 ? 0 : part_bytes};
    /* What the empty parts leave out, their neighbours take: the whole is the block. */
    for (unsigned i = 0; i + 1 < parts; i++)
        if (!vector[i + 1].iov_len) vector[i].iov_len = 2 * part_bytes;
    return vector;
}

static void test_vectors(unsigned parts, size_t part_bytes, unsigned version)
{
    const size_t bytes = parts * part_bytes;
    unsigned char *out = map_pages(bytes), *in = map_pages(bytes);
    struct iovec *from = make_vector(out, parts, part_bytes), *to = make_vector(in, parts, part_bytes);
    const int fd = open_new("vectors");
    fill(out, bytes, version);
    force_out(out, bytes);
    CHECK(writev(fd, from, (int)parts) == (ssize_t)bytes, "writev");
    check_file(fd, bytes, version, "writev");
    CHECK(lseek(fd, 0, SEEK_SET) == 0, "lseek");
    force_out(in, bytes);
    CHECK(readv(fd, to, (int)parts) == (ssize_t)bytes, "readv");
    check_filled(in, bytes, version, "readv");
    memset(in, 0, bytes);
    force_out(in, bytes);
    CHECK(preadv(fd, to, (int)parts, 0) == (ssize_t)bytes, "preadv");
    check_filled(in, bytes, version, "preadv");
    CHECK(ftruncate(fd, 0) == 0, "ftruncate");
    force_out(out, bytes);
    CHECK(pwritev(fd, from, (int)parts, 0) == (ssize_t)bytes, "pwritev");
    check_file(fd, bytes, version, "pwritev");
    memset(in, 0, bytes);
    CHECK(lseek(fd, 0, SEEK_SET) == 0, "lseek");
    CHECK(preadv2(fd, to, (int)parts, -1, 0) == (ssize_t)bytes, "preadv2 at the position");
    check_filled(in, bytes, version, "preadv2");
    CHECK(lseek(fd, 0, SEEK_CUR) == (off_t)bytes, "the position after preadv2");
    munmap(out, bytes);
    munmap(in, bytes);
    close(fd);
}

static void *drain(void *argument)
{
    const int fd = *(int *)argument;
    static unsigned char buffer[5000];
    size_t at = 0;
    for (ssize_t got; (got = read(fd, buffer, sizeof(buffer))) > 0; at += (size_t)got)
        for (ssize_t i = 0; i < got; i++) CHECK(buffer[i] == pattern(at + (size_t)i, 9), "byte %zu of the pipe", at);
    return (void *)at;
}

static void test_pipe(void)
{
    int ends[2];
    void *received;
    pthread_t thread;
    unsigned char *out = map_pages(HUGE_BYTES);
    fill(out, HUGE_BYTES, 9);
    CHECK(pipe(ends) == 0, "pipe");
    CHECK(pthread_create(&thread, NULL, drain, &ends[0]) == 0, "thread");
    force_out(out, HUGE_BYTES);
    CHECK(write(ends[1], out, HUGE_BYTES) == HUGE_BYTES, "a write larger than the budget to a pipe");
    close(ends[1]);
    CHECK(pthread_join(thread, &received) == 0 && (size_t)received == HUGE_BYTES, "drained %zu", (size_t)received);
    close(ends[0]);
    /* Reading a pipe gives what is there. */
    CHECK(pipe(ends) == 0 && write(ends[1], "four", 4) == 4, "pipe");
    force_out(out, HUGE_BYTES);
    CHECK(read(ends[0], out, HUGE_BYTES) == 4 && memcmp(out, "four", 4) == 0, "a short read of a pipe");
    /* Non-blocking: what fits is written, and then it would block. */
    CHECK(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
    const ssize_t written = write(ends[1], out, HUGE_BYTES);
    CHECK(written >= 4096 && written < HUGE_BYTES, "%zd written to a full pipe", written);
    CHECK(write(ends[1], out, HUGE_BYTES) == -1 && errno == EAGAIN, "write to a full pipe");
    CHECK(pipe2(ends, O_NONBLOCK) == 0, "pipe");
    CHECK(read(ends[0], out, HUGE_BYTES) == -1 && errno == EAGAIN, "read from an empty pipe");
    munmap(out, HUGE_BYTES);
}

/* A pipe in packet mode keeps the bounds of what was written. */
static void test_vmsplice(void)
{
    int ends[2];
    unsigned char *out = map_pages(64 << 10), *in = map_pages(64 << 10);
    struct iovec part = {out, 8192};
    fill(out, 8192, 4);
    CHECK(pipe(ends) == 0, "pipe");
    force_out(out, 8192);
    CHECK(vmsplice(ends[1], &part, 1, 0) == 8192, "vmsplice");
    force_out(out, 8192);
    force_out(in, 8192);
    CHECK(read(ends[0], in, 8192) == 8192, "read what was spliced");
    check_filled(in, 8192, 4, "vmsplice");
    close(ends[0]);
    close(ends[1]);
}

static void test_partly_there(void)
{
    unsigned char *p = map_pages(64 << 10);
    const int fd = open_new("partly");
    fill(p, 64 << 10, 3);
    touch_other_memory(); /* which is mapped before there is a hole */
    CHECK(munmap(p + 8192, (64 << 10) - 8192) == 0, "munmap");
    force_out(p, 8192);
    const ssize_t written = write(fd, p, 64 << 10);
    CHECK(written == 8192, "write of a buffer that ends in nothing gave %zd", written);
    CHECK(write(fd, p + 8192, 10) == -1 && errno == EFAULT, "write of a buffer that is not there");
    CHECK(lseek(fd, 0, SEEK_SET) == 0 && read(fd, p + 4096, 8192) == 4096, "read into a buffer that ends in nothing");
    CHECK(mprotect(p, 4096, PROT_READ) == 0, "mprotect");
    force_out(p, 4096);
    CHECK(read(fd, p, 10) == -1 && errno == EFAULT, "read into memory that cannot be written");
    CHECK(write(fd, p, 10) == 10, "write of memory that can only be read");
    CHECK(mprotect(p, 4096, PROT_NONE) == 0, "mprotect");
    CHECK(write(fd, p, 10) == -1 && errno == EFAULT, "write of memory that cannot be read");
    close(fd);
}

/* Structs and strings, each alone at the end of an evicted page or across two. */
static void test_structs(void)
{
    char *p = map_pages(256 << 10);
    struct stat native, *status = (struct stat *)(void *)(p + PAGE - 64);
    char *name = p + 5 * PAGE - 3;
    strcpy(name, "structs");
    const int fd = open_new("structs");
    CHECK(write(fd, "12345", 5) == 5 && stat("structs", &native) == 0, "native");
    force_out(p, 256 << 10);
    CHECK(stat(name, status) == 0 && status->st_size == 5 && status->st_ino == native.st_ino, "stat");
    force_out(p, 256 << 10);
    memset(&native, 0, sizeof(native));
    force_out(p, 256 << 10);
    CHECK(fstat(fd, status) == 0 && status->st_size == 5, "fstat");
    force_out(p, 256 << 10);
    CHECK(access(name, R_OK) == 0, "access");
    char *link_name = p + 9 * PAGE - 2, *target = p + 12 * PAGE - 5;
    strcpy(link_name, "a-link");
    unlink(link_name);
    force_out(p, 256 << 10);
    CHECK(symlink(name, link_name) == 0, "symlink");
    force_out(p, 256 << 10);
    CHECK(readlink(link_name, target, 3 * PAGE) == 7 && memcmp(target, "structs", 7) == 0, "readlink");
    force_out(p, 256 << 10);
    CHECK(getcwd(target, 20 * PAGE) == target && target[0] == '/', "getcwd");
    char *long_name = p + 40 * PAGE - 2000;
    memset(long_name, '/', 3990); /* a path of nearly PATH_MAX bytes */
    strcpy(long_name + 3990, "etc");
    force_out(p, 256 << 10);
    CHECK(access(long_name, R_OK) == 0, "a path of 4 kB");
    struct timespec *time = (struct timespec *)(void *)(p + 3 * PAGE - 8);
    force_out(p, 256 << 10);
    CHECK(syscall(SYS_clock_gettime, CLOCK_REALTIME, time) == 0 && time->tv_sec > 1000000, "clock_gettime by syscall");
    force_out(p, 256 << 10);
    CHECK(clock_gettime(CLOCK_MONOTONIC, time) == 0, "clock_gettime");
    force_out(p, 256 << 10);
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, time) == 0 && time->tv_sec < 1000, "clock_gettime of processor time");
    force_out(p, 256 << 10);
    CHECK(clock_getres(CLOCK_PROCESS_CPUTIME_ID, time) == 0, "clock_getres");
    force_out(p, 256 << 10);
    CHECK(gettimeofday((struct timeval *)(void *)time, NULL) == 0, "gettimeofday");
    *time = (struct timespec){0, 1000000};
    force_out(p, 256 << 10);
    CHECK(nanosleep(time, time) == 0, "nanosleep");
    struct rusage *usage = (struct rusage *)(void *)(p + 7 * PAGE - 16);
    force_out(p, 256 << 10);
    CHECK(getrusage(RUSAGE_SELF, usage) == 0 && usage->ru_maxrss > 0, "getrusage");
    struct utsname *system_name = (struct utsname *)(void *)(p + 15 * PAGE - 200);
    force_out(p, 256 << 10);
    CHECK(uname(system_name) == 0 && strcmp(system_name->sysname, "Linux") == 0, "uname");
    struct rlimit *limit = (struct rlimit *)(void *)(p + 17 * PAGE - 8);
    force_out(p, 256 << 10);
    CHECK(getrlimit(RLIMIT_NOFILE, limit) == 0 && limit->rlim_cur > 2, "getrlimit");
    int *ends = (int *)(void *)(p + 19 * PAGE - 4);
    force_out(p, 256 << 10);
    CHECK(pipe(ends) == 0 && ends[0] > 2 && ends[1] > ends[0], "pipe");
    force_out(p, 256 << 10);
    CHECK(rename(name, link_name) == 0, "rename");
    off_t *from = (off_t *)(void *)(p + 23 * PAGE), *to = (off_t *)(void *)(p + 24 * PAGE);
    *from = 1;
    *to = 0;
    const int copy = open_new("copied");
    force_out(p, 256 << 10);
    CHECK(copy_file_range(fd, from, copy, to, 4, 0) == 4 && *from == 5 && *to == 4, "copy_file_range");
    munmap(p, 256 << 10);
}

static void test_folder(void)
{
    enum { FILES = 300 };
    bool seen[FILES] = {false};
    char name[32];
    int found = 0;
    CHECK(mkdir("folder", 0700) == 0 || errno == EEXIST, "mkdir");
    for (int i = 0; i < FILES; i++) {
        (void)snprintf(name, sizeof(name), "folder/file%d", i);
        close(open_new(name));
    }
    char *buffer = map_pages(128 << 10);
    const int fd = open("folder", O_RDONLY | O_DIRECTORY);
    for (;;) {
        force_out(buffer, 128 << 10);
        const long got = syscall(SYS_getdents64, fd, buffer, 5000);
        CHECK(got >= 0, "getdents64");
        if (!got) break;
        for (long at = 0; at < got; at += *(unsigned short *)(void *)(buffer + at + 16)) {
            int number;
            if (sscanf(buffer + at + 19, "file%d", &number) != 1) continue;
            CHECK(!seen[number], "file%d came twice", number);
            seen[number] = true;
            found++;
        }
    }
    CHECK(found == FILES, "%d files found", found);
    close(fd);
    munmap(buffer, 128 << 10);
}

static void test_getrandom(void)
{
    unsigned char *p = map_pages(HUGE_BYTES);
    unsigned long sum = 0;
    size_t got = 0;
    force_out(p, HUGE_BYTES);
    while (got < HUGE_BYTES) {
        const ssize_t result = getrandom(p + got, HUGE_BYTES - got, 0);
        CHECK(result > 0, "getrandom");
        got += (size_t)result;
    }
    for (size_t i = 0; i < HUGE_BYTES; i++) sum += p[i];
    CHECK(sum / HUGE_BYTES == 127, "the mean of random bytes is %lu", sum / HUGE_BYTES);
    munmap(p, HUGE_BYTES);
}

static void test_stdio(void)
{
    char *p = map_pages(1 << 20), *line = NULL;
    size_t room = 0;
    FILE *file = fopen("stdio", "w+");
    char *buffer = malloc(300000);
    CHECK(file && buffer && setvbuf(file, buffer, _IOFBF, 300000) == 0, "fopen");
    fill(p, 1 << 20, 11);
    force_out(p, 1 << 20);
    CHECK(fwrite(p, 1, 1 << 20, file) == 1 << 20, "fwrite");
    memset(p, 0, 1 << 20);
    rewind(file);
    touch_other_memory();
    CHECK(fread(p, 1, 1 << 20, file) == 1 << 20, "fread");
    check_filled(p, 1 << 20, 11, "fread");
    CHECK(fclose(file) == 0, "fclose");
    free(buffer);
    file = fopen("lines", "w+");
    for (int i = 0; i < 100000; i++) CHECK(fprintf(file, "line %d\n", i) > 0, "fprintf");
    rewind(file);
    for (int i = 0; i < 100000; i++) {
        int number = -1;
        if (i % 10000 == 0) touch_other_memory();
        CHECK(getline(&line, &room, file) > 0 && sscanf(line, "line %d", &number) == 1 && number == i, "line %d", i);
    }
    CHECK(fclose(file) == 0, "fclose");
    munmap(p, 1 << 20);
}

static void test_small(void)
{
    test_read_write(SMALL, 1);
}

static void test_huge(void)
{
    test_read_write(HUGE_BYTES, 2);
}

static void test_many_parts(void)
{
    test_vectors(PARTS, PART_BYTES, 5);
}

static void test_huge_parts(void)
{
    test_vectors(6, 2 << 20, 6);
}

static const struct group groups[] = {
    {"small", test_small},
    {"huge", test_huge},
    {"many-parts", test_many_parts},
    {"huge-parts", test_huge_parts},
    {"pipe", test_pipe},
    {"vmsplice", test_vmsplice},
    {"partly-there", test_partly_there},
    {"structs", test_structs},
    {"folder", test_folder},
    {"getrandom", test_getrandom},
    {"stdio", test_stdio},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    CHECK(argc >= 2 && chdir(argv[1]) == 0, "usage: files FOLDER [GROUP]");
    run_groups(groups, argv[2]);
    return 0;
}
