/* SPDX-License-Identifier: MIT */
/* The trace reader: each format, each compression, and every way in which a trace can be bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "trace/reader.h"

enum compression { PLAIN, GZIP, ZSTD, COMPRESSIONS };
enum { BATCH = 300, MESSAGE_BYTES = 512 };

#define REFERENCE(address, kind)                      \
    {                                                 \
        .va = (address), .access = (kind), .count = 1 \
    }

static char path[] = "/tmp/onelevel-trace-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    const int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void write_file(const void *bytes, size_t count, const char *mode)
{
    FILE *const file = fopen(path, mode);
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

/* The text in that compression; freed by the caller. */
static unsigned char *compress_text(const char *text, size_t bytes, enum compression compression, size_t *count)
{
    const size_t room = bytes + bytes / 8 + 1024;
    unsigned char *const out = malloc(room);
    assert_non_null(out);
    if (compression == PLAIN) {
        memcpy(out, text, bytes);
        *count = bytes;
    } else if (compression == ZSTD) {
        *count = ZSTD_compress(out, room, text, bytes, 3);
        assert_false(ZSTD_isError(*count));
    } else {
        z_stream stream = {0};
        assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
        stream.next_in = (Bytef *)(uintptr_t)text;
        stream.avail_in = (uInt)bytes;
        stream.next_out = out;
        stream.avail_out = (uInt)room;
        assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
        *count = stream.total_out;
        deflateEnd(&stream);
    }
    return out;
}

static void write_trace(const char *text, size_t bytes, enum compression compression, const char *mode)
{
    size_t count;
    unsigned char *const out = compress_text(text, bytes, compression, &count);
    write_file(out, count, mode);
    free(out);
}

static const struct ol_trace_options plain_options = {.page_shift = 12, .last_va = 0x7fffffffffff};

/* Reads a trace to its end or failure. Stores the first `max` references, their number, and the message. */
static enum ol_trace_status read_all(const char *name, const struct ol_trace_options *options,
                                     struct ol_reference *references, size_t max, size_t *count,
                                     char message[MESSAGE_BYTES])
{
    struct ol_reference batch[BATCH];
    struct ol_trace *trace;
    size_t got;
    *count = 0;
    message[0] = '\0';
    enum ol_trace_status status = ol_trace_open(name, options, &trace, message, MESSAGE_BYTES);
    if (status != OL_TRACE_OK) return status;
    do {
        status = ol_trace_read(trace, batch, BATCH, &got);
        for (size_t i = 0; i < got; i++, ++*count)
            if (*count < max) references[*count] = batch[i];
    } while (status == OL_TRACE_OK && got > 0);
    snprintf(message, MESSAGE_BYTES, "%s", ol_trace_message(trace));
    ol_trace_close(trace);
    return status;
}

/* --- good traces -------------------------------------------------------------------------------------------------- */

static const char lackey_text[] = "==123== Lackey, an example Valgrind tool\n"
                                  "==123== Command: true\n"
                                  "\n"
                                  "--123-- a warning\n"
                                  "I  04001000,3\n"
                                  " L 1ffeffe7e,8\n"
                                  " S 1FFEFFE7E,8\r\n"
                                  " M 0421dff8,8\n"
                                  " M 0421dff9,8\n"
                                  "   \n"
                                  "I  00000fff,2\n"
                                  " L 10ffe,8196\n"
                                  "**123** said the program\n"
                                  " S 7fffffffffff,1\n"
                                  "==123== \n";

static const struct ol_reference lackey_references[] = {
    REFERENCE(0x04001000, OL_EXEC),      REFERENCE(0x1ffeffe7e, OL_READ), REFERENCE(0x1ffeffe7e, OL_WRITE),
    REFERENCE(0x0421dff8, OL_WRITE),     REFERENCE(0x0421dff9, OL_WRITE), REFERENCE(0x0421e000, OL_WRITE),
    REFERENCE(0xfff, OL_EXEC),           REFERENCE(0x1000, OL_EXEC),      REFERENCE(0x10ffe, OL_READ),
    REFERENCE(0x11000, OL_READ),         REFERENCE(0x12000, OL_READ),     REFERENCE(0x13000, OL_READ),
    REFERENCE(0x7fffffffffff, OL_WRITE),
};

static const char pages_text[] = "# a comment\n"
                                 "\n"
                                 "401a\n"
                                 "0x1fff000\n"
                                 "  0X1FFF001  \n"
                                 "7ffffffff\r\n"
                                 "0 # the first page\n"
                                 "000000000000000000000000005\n"
                                 "abc"; /* no newline at the end */

static const struct ol_reference pages_references[] = {
    REFERENCE(0x401a000, OL_READ),
    REFERENCE(0x1fff000000, OL_READ),
    REFERENCE(0x1fff001000, OL_READ),
    REFERENCE(0x7ffffffff000, OL_READ),
    REFERENCE(0, OL_READ),
    REFERENCE(0x5000, OL_READ),
    REFERENCE(0xabc000, OL_READ),
};

static void check_good(const char *name, const struct ol_trace_options *options, const struct ol_reference *expected,
                       size_t expected_count)
{
    struct ol_reference references[32];
    char message[MESSAGE_BYTES];
    size_t count;
    const enum ol_trace_status status = read_all(name, options, references, 32, &count, message);
    assert_string_equal(message, "");
    assert_int_equal(status, OL_TRACE_OK);
    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(references[i].va, expected[i].va);
        assert_int_equal(references[i].access, expected[i].access);
        assert_int_equal(references[i].count, 1);
        assert_int_equal(references[i].event, OL_TRACE_REFERENCE);
    }
}

enum {
    LACKEY_COUNT = sizeof lackey_references / sizeof lackey_references[0],
    PAGES_COUNT = sizeof pages_references / sizeof pages_references[0]
};

static void test_formats_and_compressions(void **state)
{
    (void)state;
    struct ol_trace_options told = plain_options;
    for (enum compression compression = PLAIN; compression < COMPRESSIONS; compression++) {
        write_trace(lackey_text, strlen(lackey_text), compression, "wb");
        check_good(path, &plain_options, lackey_references, LACKEY_COUNT);
        told.format = OL_TRACE_LACKEY;
        check_good(path, &told, lackey_references, LACKEY_COUNT);
        write_trace(pages_text, strlen(pages_text), compression, "wb");
        check_good(path, &plain_options, pages_references, PAGES_COUNT);
        told.format = OL_TRACE_PAGES;
        check_good(path, &told, pages_references, PAGES_COUNT);
    }
}

static void test_concatenated_members(void **state)
{
    (void)state;
    for (enum compression compression = GZIP; compression < COMPRESSIONS; compression++) {
        write_trace(lackey_text, 150, compression, "wb"); /* ends within a line */
        write_trace(lackey_text + 150, strlen(lackey_text) - 150, compression, "ab");
        check_good(path, &plain_options, lackey_references, LACKEY_COUNT);
    }
}

static void test_other_page_sizes(void **state)
{
    (void)state;
    static const char text[] = " L 1ffe,4\n S 3ffe,4\n";
    const struct ol_trace_options options = {.page_shift = 13, .last_va = 0xffffffff};
    const struct ol_reference expected[] = {REFERENCE(0x1ffe, OL_READ), REFERENCE(0x2000, OL_READ),
                                            REFERENCE(0x3ffe, OL_WRITE), REFERENCE(0x4000, OL_WRITE)};
    write_file(text, strlen(text), "wb");
    check_good(path, &options, expected, 4);
    const struct ol_trace_options large = {.page_shift = 21, .last_va = 0xffffffff};
    const struct ol_reference unsplit[] = {REFERENCE(0x1ffe, OL_READ), REFERENCE(0x3ffe, OL_WRITE)};
    check_good(path, &large, unsplit, 2);
}

static void test_no_references(void **state)
{
    (void)state;
    check_good("/dev/null", &plain_options, NULL, 0);
    static const char text[] = "==1== Lackey\n# nothing\n\n";
    write_file(text, strlen(text), "wb");
    check_good(path, &plain_options, NULL, 0);
}

/* More than one buffer full. The length is such that the end of the last block that zstd decompresses does not fit into
 * the reader's buffer of 1 MiB, when all compressed input was handed over already. */
static void test_long_traces(void **state)
{
    (void)state;
    enum { LINE_BYTES = 7, LINES = (2 << 20) / LINE_BYTES };
    char *const text = malloc((size_t)LINES * LINE_BYTES + 1);
    assert_non_null(text);
    for (int pattern = 0; pattern < 2; pattern++) {
        uint64_t sum = 0;
        for (uint32_t i = 0; i < LINES; i++) {
            const uint32_t page = pattern ? (i * 2654435761U) >> 8 : 0x123456;
            snprintf(text + (size_t)i * LINE_BYTES, LINE_BYTES + 1, "%06x\n", page);
            sum += (uint64_t)page << 12;
        }
        for (enum compression compression = PLAIN; compression < COMPRESSIONS; compression++) {
            static struct ol_reference references[LINES];
            char message[MESSAGE_BYTES];
            size_t count;
            write_trace(text, (size_t)LINES * LINE_BYTES, compression, "wb");
            assert_int_equal(read_all(path, &plain_options, references, LINES, &count, message), OL_TRACE_OK);
            assert_int_equal(count, LINES);
            uint64_t found = 0;
            for (size_t i = 0; i < count; i++) found += references[i].va;
            assert_int_equal(found, sum);
        }
    }
    free(text);
}

/* Feeds the text to standard input through a pipe, a few bytes at a time. */
static void check_piped(const char *text, enum compression compression, const struct ol_reference *expected,
                        size_t expected_count)
{
    int ends[2];
    size_t count;
    unsigned char *const bytes = compress_text(text, strlen(text), compression, &count);
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        for (size_t done = 0; done < count; done += 3)
            if (write(ends[1], bytes + done, count - done < 3 ? count - done : 3) <= 0) _exit(1);
        _exit(0);
    }
    close(ends[1]);
    const int saved = dup(STDIN_FILENO);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    check_good("-", &plain_options, expected, expected_count);
    if (saved >= 0) {
        dup2(saved, STDIN_FILENO);
        close(saved);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    free(bytes);
}

static void test_standard_input(void **state)
{
    (void)state;
    for (enum compression compression = PLAIN; compression < COMPRESSIONS; compression++) {
        check_piped(lackey_text, compression, lackey_references, LACKEY_COUNT);
        check_piped(pages_text, compression, pages_references, PAGES_COUNT);
    }
}

/* --- bad traces --------------------------------------------------------------------------------------------------- */

struct bad_case {
    const char *text;
    const char *message; /* behind the name of the file */
    size_t good;         /* references before the bad line */
};

#define LACKEY_SHAPE "expected \"I  ADDRESS,SIZE\", \" L ADDRESS,SIZE\", \" S ADDRESS,SIZE\" or \" M ADDRESS,SIZE\""

static const struct bad_case bad_cases[] = {
    {"401\n402\n\n# x\nzz\n403\n", ":5: \"zz\": expected one hexadecimal page number", 2},
    {"401\n402 403\n", ":2: \"402 403\": expected one hexadecimal page number", 1},
    {"401\n-1\n", ":2: \"-1\": expected one hexadecimal page number", 1},
    {"401\n0x\n", ":2: \"0x\": expected one hexadecimal page number", 1},
    {"401\nI  04001000,3\n", ":2: \"I  04001000,3\": expected one hexadecimal page number", 1},
    {"401\n800000000\n", ":2: \"800000000\": expected a page number up to 7ffffffff", 1},
    {"401\n10000000000000000\n", ":2: \"10000000000000000\": expected a page number up to 7ffffffff", 1},
    {"==1==\nI  0400,3\n L 12\n", ":3: \" L 12\": " LACKEY_SHAPE, 1},
    {"I  0400,3\n X 12,4\n", ":2: \" X 12,4\": " LACKEY_SHAPE, 1},
    {"I  0400,3\nI 0400,3\n", ":2: \"I 0400,3\": " LACKEY_SHAPE, 1},
    {"I  0400,3\n L ,8\n", ":2: \" L ,8\": " LACKEY_SHAPE, 1},
    {"I  0400,3\n L 12,\n", ":2: \" L 12,\": " LACKEY_SHAPE, 1},
    {"I  0400,3\n L 12,8 9\n", ":2: \" L 12,8 9\": " LACKEY_SHAPE, 1},
    {"I  0400,3\n L 12,-8\n", ":2: \" L 12,-8\": " LACKEY_SHAPE, 1},
    {"I  0400,3\n L\n", ":2: \" L\": " LACKEY_SHAPE, 1},
    {"I  0400,3\n \n \n L", ":4: \" L\": " LACKEY_SHAPE, 1},
    {"I  0400,3\n L 12,0\n", ":2: \" L 12,0\": expected a size from 1 to 65536 bytes", 1},
    {"I  0400,3\n L 12,65537\n", ":2: \" L 12,65537\": expected a size from 1 to 65536 bytes", 1},
    {"I  0400,3\n L 12,99999999999999999999\n",
     ":2: \" L 12,99999999999999999999\": expected a size from 1 to 65536 bytes", 1},
    {" L 7fffffffffff,2\n", ":1: \" L 7fffffffffff,2\": expected addresses up to 7fffffffffff", 0},
    {" L ffffffffffffffff,2\n", ":1: \" L ffffffffffffffff,2\": expected addresses up to 7fffffffffff", 0},
    {" L 1000000000000000f,1\n", ":1: \" L 1000000000000000f,1\": expected addresses up to 7fffffffffff", 0},
    {"hello\n",
     ":1: \"hello\": expected a line of valgrind --tool=lackey --trace-mem=yes, or one hexadecimal page number", 0},
    {"==1==\n\x01\x02\xff-a-line-that-is-longer-than-what-is-quoted\n",
     ":2: \"...-a-line-that-is-longer-than-what-is-q...\": expected a line of valgrind --tool=lackey "
     "--trace-mem=yes, or one hexadecimal page number",
     0},
};

static void check_bad(enum ol_trace_status expected_status, const char *expected_message, size_t expected_count)
{
    char message[MESSAGE_BYTES];
    size_t count;
    assert_int_equal(read_all(path, &plain_options, NULL, 0, &count, message), expected_status);
    assert_memory_equal(message, path, strlen(path));
    assert_string_equal(message + strlen(path), expected_message);
    assert_int_equal(count, expected_count);
}

static void test_malformed_lines_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_cases / sizeof bad_cases[0]; i++) {
        const struct bad_case *const bad = &bad_cases[i];
        for (enum compression compression = PLAIN; compression < COMPRESSIONS; compression++) {
            write_trace(bad->text, strlen(bad->text), compression, "wb");
            check_bad(OL_TRACE_E_FORMAT, bad->message, bad->good);
        }
    }
}

static void test_line_numbers_count_across_buffers(void **state)
{
    (void)state;
    enum { LINES = 250000 };
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < LINES; i++) fprintf(file, "%x\n", i);
    fputs("oops\n", file);
    assert_int_equal(fclose(file), 0);
    check_bad(OL_TRACE_E_FORMAT, ":250001: \"oops\": expected one hexadecimal page number", LINES);
}

static void test_endless_line(void **state)
{
    (void)state;
    const size_t bytes = 3 << 20;
    char *const text = malloc(bytes);
    assert_non_null(text);
    memset(text, 'a', bytes);
    text[3] = '\n';
    for (enum compression compression = PLAIN; compression < COMPRESSIONS; compression++) {
        write_trace(text, bytes, compression, "wb");
        check_bad(OL_TRACE_E_FORMAT,
                  ":2: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\": expected lines shorter than 1 MiB", 1);
    }
    free(text);
}

/* Every length of a small compressed file but the whole. */
static void test_truncated_at_every_byte(void **state)
{
    (void)state;
    static const char *const messages[] = {
        [GZIP] = ": the gzip data ends too early: the file is truncated",
        [ZSTD] = ": the zstd data ends too early: the file is truncated",
    };
    for (enum compression compression = GZIP; compression < COMPRESSIONS; compression++) {
        size_t whole;
        unsigned char *const bytes = compress_text(lackey_text, strlen(lackey_text), compression, &whole);
        for (size_t cut = 4; cut < whole; cut++) {
            char message[MESSAGE_BYTES];
            size_t count;
            write_file(bytes, cut, "wb");
            assert_int_equal(read_all(path, &plain_options, NULL, 0, &count, message), OL_TRACE_E_READ);
            assert_string_equal(message + strlen(path), messages[compression]);
        }
        free(bytes);
    }
}

/* Whatever single byte is damaged: an error or other references, never a crash. */
static void test_damaged_at_every_byte(void **state)
{
    (void)state;
    for (enum compression compression = GZIP; compression < COMPRESSIONS; compression++) {
        size_t whole, failures = 0;
        unsigned char *const bytes = compress_text(lackey_text, strlen(lackey_text), compression, &whole);
        for (size_t at = 4; at < whole; at++) {
            char message[MESSAGE_BYTES];
            size_t count;
            bytes[at] ^= 0x55;
            write_file(bytes, whole, "wb");
            bytes[at] ^= 0x55;
            const enum ol_trace_status status = read_all(path, &plain_options, NULL, 0, &count, message);
            if (status != OL_TRACE_OK) failures++;
            assert_true((status == OL_TRACE_OK) == (message[0] == '\0'));
        }
        assert_true(failures > whole / 2);
        free(bytes);
    }
}

static void test_unreadable_files(void **state)
{
    (void)state;
    char message[MESSAGE_BYTES];
    size_t count;
    assert_int_equal(read_all("/nonexistent/trace", &plain_options, NULL, 0, &count, message), OL_TRACE_E_OPEN);
    assert_string_equal(message, "/nonexistent/trace: cannot be opened: No such file or directory");
    assert_int_equal(read_all("/", &plain_options, NULL, 0, &count, message), OL_TRACE_E_READ);
    assert_string_equal(message, "/: cannot be read: Is a directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats_and_compressions),
        cmocka_unit_test(test_concatenated_members),
        cmocka_unit_test(test_other_page_sizes),
        cmocka_unit_test(test_no_references),
        cmocka_unit_test(test_long_traces),
        cmocka_unit_test(test_standard_input),
        cmocka_unit_test(test_malformed_lines_are_named),
        cmocka_unit_test(test_line_numbers_count_across_buffers),
        cmocka_unit_test(test_endless_line),
        cmocka_unit_test(test_truncated_at_every_byte),
        cmocka_unit_test(test_damaged_at_every_byte),
        cmocka_unit_test(test_unreadable_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
