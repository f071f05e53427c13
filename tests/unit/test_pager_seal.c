/* SPDX-License-Identifier: MIT */
/* Pages that a swap file gives back other than it got them, and what the file shows of them: tampering, devices that
 * fail, encryption. */
#include "pager/seal.h"
#include "pager/swapfile.h"
#include "pager/swapfile_io.h"

#include "tests/unit/test_pager_model.h"

#include <errno.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SLOTS = 64, PAGE = MODEL_PAGE_BYTES };

static bool encrypted; /* the tests run with and without */

/* --- stand-ins for system calls --------------------------------------------------------------------------------- */

static off_t bad_offset = -1; /* reads that cover it fail */

ssize_t preadv(int fd, const struct iovec *vector, int parts, off_t offset)
{
    size_t bytes = 0;
    for (int i = 0; i < parts; i++) bytes += vector[i].iov_len;
    if (bad_offset >= offset && bad_offset < offset + (off_t)bytes) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_preadv, fd, vector, parts, (long)offset, 0L);
}

/* --- helpers ---------------------------------------------------------------------------------------------------- */

static struct ol_pager *create(void)
{
    const char *directory = getenv("TMPDIR"), *error = "";
    const struct ol_swapfile_options options = {
        .page_bytes = PAGE, .capacity = SLOTS, .directory = directory ? directory : "/tmp", .encrypted = encrypted};
    struct ol_pager *pager = NULL;
    if (ol_swapfile_create(&options, &pager, &error) != OL_OK) fail_msg("%s", error);
    return pager;
}

static int pager_fd;  /* the pager's descriptor, */
static int file = -1; /* … and one for the test, which need not transfer whole sectors */

static void file_close(void)
{
    if (file >= 0) close(file);
    file = -1;
}

static int file_of_pager(void)
{
    file_close();
    assert_int_equal(nameless_files(&pager_fd), 1);
    file = file_reopen(pager_fd);
    assert_true(file >= 0);
    return file;
}

static void write_pages(struct ol_pager *pager, uint32_t count, uint64_t seed)
{
    char page[PAGE];
    for (uint32_t slot = 0; slot < count; slot++) {
        page_make(page, PAGE_TEXT, seed + slot);
        assert_int_equal(page_write(pager, slot, page), OL_OK);
    }
}

static bool page_is_right(struct ol_pager *pager, ol_slot slot, uint64_t seed)
{
    char page[PAGE], got[PAGE];
    page_make(page, PAGE_TEXT, seed + slot);
    return page_read(pager, slot, got) == OL_OK && memcmp(page, got, PAGE) == 0;
}

static void assert_fails(struct ol_pager *pager, ol_slot slot, int error)
{
    struct ol_swapfile_failure failure = {0};
    char got[PAGE];
    assert_int_equal(page_read(pager, slot, got), OL_E_IO);
    assert_true(ol_swapfile_failure(pager, slot, &failure));
    assert_int_equal(failure.error, error);
    assert_int_equal(failure.offset_bytes, (uint64_t)slot * PAGE);
    assert_int_equal(failure.fd, pager_fd);
}

/* --- damage ----------------------------------------------------------------------------------------------------- */

static void test_one_bit(void **state)
{
    struct ol_pager *pager = create();
    struct ol_swapfile_statistics statistics;
    struct ol_swapfile_failure failure;
    char byte;
    (void)state;
    const int fd = file_of_pager();
    for (unsigned i = 0; i < 200; i++) {
        const off_t at = 5 * PAGE + (off_t)i * 977 % PAGE;
        write_pages(pager, 8, i);
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte = (char)(byte ^ 1 << i % 8);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        assert_fails(pager, 5, OL_SWAP_DAMAGED);
        for (ol_slot slot = 0; slot < 8; slot++) assert_int_equal(page_is_right(pager, slot, i), slot != 5);
    }
    assert_false(ol_swapfile_failure(pager, 6, &failure));
    ol_swapfile_statistics(pager, &statistics);
    assert_int_equal(statistics.pages_damaged, 400);
    pager->ops->close(pager);
    file_close();
}

/* Pages that were whole, but are another slot's, or older than what was written last. */
static void test_pages_of_another_place_or_time(void **state)
{
    struct ol_pager *pager = create();
    char old[PAGE], page[PAGE];
    (void)state;
    const int fd = file_of_pager();
    write_pages(pager, 4, 1);
    assert_int_equal(pread(fd, old, PAGE, 0), PAGE);
    write_pages(pager, 4, 100);
    assert_int_equal(pwrite(fd, old, PAGE, 0), PAGE);
    assert_fails(pager, 0, OL_SWAP_DAMAGED);
    assert_int_equal(pread(fd, page, PAGE, PAGE), PAGE);
    assert_int_equal(pwrite(fd, page, PAGE, 2 * PAGE), PAGE);
    assert_fails(pager, 2, OL_SWAP_DAMAGED);
    /* Equal pages at two slots: where one was read instead of the other nothing is wrong but the place. */
    page_make(page, PAGE_TEXT, 5);
    assert_int_equal(page_write(pager, 1, page), OL_OK);
    assert_int_equal(page_write(pager, 2, page), OL_OK);
    assert_int_equal(page_read(pager, 2, old), OL_OK);
    write_pages(pager, 4, 7); /* written anew, they are whole again */
    for (ol_slot slot = 0; slot < 4; slot++) assert_true(page_is_right(pager, slot, 7));
    pager->ops->close(pager);
    file_close();
}

static void test_a_device_that_fails(void **state)
{
    struct ol_pager *pager = create();
    alignas(PAGE) static char bytes[4][PAGE];
    void *pages[4] = {bytes[0], bytes[1], bytes[2], bytes[3]};
    const ol_slot slots[4] = {0, 1, 2, 3};
    enum ol_status status[4];
    (void)state;
    const int fd = file_of_pager();
    write_pages(pager, 4, 1);
    bad_offset = 2 * PAGE + 17;
    assert_true(pages_transfer(pager, OL_IO_READ, slots, pages, 4, status));
    for (ol_slot slot = 0; slot < 4; slot++) assert_int_equal(status[slot], slot == 2 ? OL_E_IO : OL_OK);
    assert_fails(pager, 2, EIO);
    bad_offset = -1;
    assert_true(page_is_right(pager, 2, 1)); /* it was not the page's fault */
    assert_int_equal(ftruncate(fd, 3 * PAGE + 100), 0);
    assert_fails(pager, 3, OL_SWAP_ENDED);
    assert_true(page_is_right(pager, 2, 1));
    pager->ops->close(pager);
    file_close();
}

/* --- encryption ------------------------------------------------------------------------------------------------- */

/* Is any 16-byte piece of the page somewhere in the file? */
static bool file_shows(int fd, const char *page)
{
    static char bytes[SLOTS * PAGE];
    const ssize_t size = pread(fd, bytes, sizeof bytes, 0);
    assert_true(size >= PAGE);
    for (unsigned at = 0; at < PAGE; at += 16)
        if (memmem(bytes, (size_t)size, page + at, 16)) return true;
    return false;
}

static void test_what_the_file_shows(void **state)
{
    struct ol_pager *pager = create();
    char page[PAGE], first[PAGE], second[PAGE];
    (void)state;
    const int fd = file_of_pager();
    page_make(page, PAGE_RANDOM, 5);
    assert_int_equal(page_write(pager, 0, page), OL_OK);
    assert_int_equal(pread(fd, first, PAGE, 0), PAGE);
    assert_int_equal(page_write(pager, 1, page), OL_OK);
    assert_int_equal(file_shows(fd, page), !encrypted);
    /* The same page in the same slot, and in another: never the same nonce. */
    assert_int_equal(pread(fd, second, PAGE, PAGE), PAGE);
    assert_int_equal(memcmp(first, second, PAGE) == 0, !encrypted);
    assert_int_equal(page_write(pager, 0, page), OL_OK);
    assert_int_equal(pread(fd, second, PAGE, 0), PAGE);
    assert_int_equal(memcmp(first, second, PAGE) == 0, !encrypted);
    assert_int_equal(page_read(pager, 0, second), OL_OK);
    assert_memory_equal(page, second, PAGE);
    pager->ops->close(pager);
    file_close();
}

/* In a forked process: leaves the ciphertext of slot 0 in `out`. */
static bool child_writes(struct ol_pager *pager, const char *page, int out)
{
    alignas(PAGE) char cipher[PAGE];
    int fd = -1;
    if (ol_swapfile_freeze(pager) != OL_OK || nameless_files(NULL) != 1) return false;
    if (!page_is_right(pager, 7, 1)) return false; /* written before the fork */
    if (page_write(pager, 0, page) != OL_OK || nameless_files(&fd) != 2) return false;
    for (int other = fd + 1; other < MODEL_FDS; other++) /* the younger file */
        if (lseek(other, 0, SEEK_END) == PAGE) fd = other;
    return pread(fd, cipher, PAGE, 0) == PAGE && write(out, cipher, PAGE) == PAGE;
}

/* Parent and child write the same page to the same slot after a fork: with one key and one nonce it would look the
 * same. */
static void test_forked_processes_share_no_nonce(void **state)
{
    char page[PAGE], cipher[2][PAGE];
    int channel[2], status;
    (void)state;
    if (!encrypted) skip();
    struct ol_pager *pager = create();
    page_make(page, PAGE_TEXT, 77);
    write_pages(pager, 8, 1);
    assert_int_equal(pipe(channel), 0);
    const pid_t pid = fork();
    if (pid == 0) _exit(child_writes(pager, page, channel[1]) ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(child_writes(pager, page, channel[1]));
    for (unsigned i = 0; i < 2; i++) assert_int_equal(read(channel[0], cipher[i], PAGE), PAGE);
    assert_memory_not_equal(cipher[0], cipher[1], PAGE);
    for (ol_slot slot = 1; slot < 8; slot++) assert_true(page_is_right(pager, slot, 1));
    close(channel[0]);
    close(channel[1]);
    pager->ops->close(pager);
    file_close();
}

/* The flags and the line "Locked:" of the mapping that `address` lies in. */
static bool mapping_is_locked_and_undumped(const void *address)
{
    char line[512];
    unsigned long first, end, kib = 0;
    bool here = false, undumped = false;
    FILE *maps = fopen("/proc/self/smaps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx ", &first, &end) == 2) here = first <= (uintptr_t)address && (uintptr_t)address < end;
        else if (here && strncmp(line, "Locked:", 7) == 0) kib = strtoul(line + 7, NULL, 10);
        else if (here && strncmp(line, "VmFlags:", 8) == 0) undumped = strstr(line, " dd") != NULL;
    }
    fclose(maps);
    return kib > 0 && undumped;
}

static void test_keys_are_locked_and_wiped(void **state)
{
    static const uint8_t zeros[OL_SEAL_KEY_BYTES];
    struct ol_seals seals = {0};
    const char *error = "";
    int status;
    (void)state;
    if (!encrypted) skip();
    assert_int_equal(ol_seals_create(&seals, SLOTS, PAGE, true, &error), OL_OK);
    assert_int_equal(ol_seals_new_key(&seals, 0), OL_OK);
    assert_int_equal(ol_seals_new_key(&seals, 1), OL_OK);
    assert_memory_not_equal(seals.keys->key[0].bytes, zeros, sizeof zeros);
    assert_memory_not_equal(seals.keys->key[0].bytes, seals.keys->key[1].bytes, sizeof zeros);
    assert_true(mapping_is_locked_and_undumped(seals.keys));
    const pid_t pid = fork();
    if (pid == 0) {
        ol_seals_forked(&seals);
        _exit(mapping_is_locked_and_undumped(seals.keys) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    ol_seals_wipe_key(&seals, 0);
    assert_memory_equal(seals.keys->key[0].bytes, zeros, sizeof zeros);
    ol_seals_destroy(&seals);
    assert_null(seals.keys);
}

/* All of a nonce is kept; and a key that has sealed enough says so, until there is a new one. */
static void test_nonces_are_whole_and_end(void **state)
{
    static const uint64_t used[] = {0, 255, 0x0123456789ab, OL_SEAL_NONCES - 1};
    struct ol_seals seals = {0};
    const char *error = "";
    alignas(PAGE) static char page[PAGE], sealed[PAGE];
    (void)state;
    if (!encrypted) skip();
    assert_int_equal(ol_seals_create(&seals, SLOTS, PAGE, true, &error), OL_OK);
    assert_int_equal(ol_seals_new_key(&seals, 3), OL_OK);
    page_make(page, PAGE_TEXT, 4);
    for (size_t i = 0; i < sizeof used / sizeof *used; i++) {
        atomic_store(&seals.keys->key[3].nonces_used, used[i]);
        assert_false(ol_seals_used_up(&seals, 3));
        assert_ptr_equal(ol_seal_close(&seals, 3, 9, page, sealed), sealed);
        assert_memory_not_equal(sealed, page, PAGE);
        assert_true(ol_seal_open(&seals, 3, 9, sealed));
        assert_memory_equal(sealed, page, PAGE);
    }
    assert_true(ol_seals_used_up(&seals, 3));
    assert_int_equal(ol_seals_new_key(&seals, 3), OL_OK);
    assert_false(ol_seals_used_up(&seals, 3));
    ol_seals_destroy(&seals);
    assert_false(ol_seals_used_up(&seals, 3)); /* checksums never are */
}

static void test_memory_that_cannot_be_locked(void **state)
{
    struct ol_seals seals = {0};
    const char *error = "";
    int status;
    (void)state;
    if (!encrypted) skip();
    const pid_t pid = fork(); /* an ordinary user, in a process of its own */
    if (pid == 0) {
        const struct rlimit none = {0, 0};
        if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || (getuid() == 0 && setuid(65534) != 0)) _exit(2);
        if (ol_seals_create(&seals, SLOTS, PAGE, true, &error) != OL_E_UNSUPPORTED) _exit(1);
        _exit(strstr(error, "ulimit -l") ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_bit),
        cmocka_unit_test(test_pages_of_another_place_or_time),
        cmocka_unit_test(test_a_device_that_fails),
        cmocka_unit_test(test_what_the_file_shows),
        cmocka_unit_test(test_forked_processes_share_no_nonce),
        cmocka_unit_test(test_keys_are_locked_and_wiped),
        cmocka_unit_test(test_nonces_are_whole_and_end),
        cmocka_unit_test(test_memory_that_cannot_be_locked),
    };
    const int plain = cmocka_run_group_tests_name("plain", tests, NULL, NULL);
    encrypted = true;
    return plain + cmocka_run_group_tests_name("encrypted", tests, NULL, NULL);
}
