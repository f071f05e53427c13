/* SPDX-License-Identifier: MIT */
/*
 * onelevel mmu: checks the x86 walk against test vectors.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "machine/sim/vectors.h"
#include "trace/source.h"

enum { CHUNK_BYTES = 1 << 16 };

struct check {
    const char *path;
    uint64_t line; /* the one being read, from 1 */
    uint64_t cases, disagreements;
    struct ol_vector_reader reader;
    size_t length; /* of the line gathered so far; may exceed what is kept of it */
    char text[OL_VECTOR_LINE_BYTES + 1];
};

static void print_help(void)
{
    puts("usage: onelevel mmu check FILE...\n"
         "\n"
         "Translates the addresses of test vectors with the x86 walk of the simulated machines, prints\n"
         "each vector that it disagrees with, and then how many there were. The exit status is 0 only\n"
         "if all agree.\n"
         "\n"
         "FILE is plain, gzip or zstd; - is standard input. A vector is a case such as\n"
         "  case 1 mode amd64            or ia32, pae, la57\n"
         "  cr0 80010031 cr3 1000 cr4 20 efer d00 eflags_ac 0 maxphyaddr 40\n"
         "  mem 1000 2007                an 8-byte word of memory; all others are 0\n"
         "  access r cpl 3 1234          r, w or x; by CPL 0 or 3; the address\n"
         "  expect pf 4 1234             or expect ok ADDRESS, or expect gp 0\n"
         "  end\n"
         "Before end, `after ADDRESS VALUE` names a word that the access changes, `may ADDRESS MASK` bits\n"
         "that it may change. Numbers are hexadecimal, but N, eflags_ac, maxphyaddr and the CPL.");
}

/* False, after a message, if the line makes no sense. */
static bool take_line(struct check *check)
{
    char message[OL_VECTOR_MESSAGE_BYTES];
    const size_t kept = check->length < sizeof check->text ? check->length : sizeof check->text;
    const enum ol_vector_status status = ol_vector_line(&check->reader, check->text, kept);
    if (status == OL_VECTOR_BAD) {
        ol_error("%s:%" PRIu64 ": %s", check->path, check->line, check->reader.message);
        return false;
    }
    check->length = 0;
    check->line++;
    if (status == OL_VECTOR_MORE) return true;
    check->cases++;
    if (ol_vector_check(&check->reader.vector, message)) return true;
    check->disagreements++;
    printf("%s: case %" PRIu64 ": %s\n", check->path, check->reader.vector.number, message);
    return true;
}

static bool take_chunk(struct check *check, const char *chunk, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (chunk[i] == '\n') {
            if (!take_line(check)) return false;
            continue;
        }
        if (check->length < sizeof check->text) check->text[check->length] = chunk[i];
        check->length++;
    }
    return true;
}

static const char *source_text(enum ol_source_status status)
{
    switch (status) {
    case OL_SOURCE_E_TRUNCATED: return "the compressed data ends too early; is the file whole?";
    case OL_SOURCE_E_CORRUPT: return "the compressed data is damaged";
    case OL_SOURCE_E_MEMORY: return "no memory to read it";
    default: return strerror(errno);
    }
}

/* False after a message. */
static bool take_source(struct check *check, struct ol_source *source)
{
    static char chunk[CHUNK_BYTES];
    for (;;) {
        size_t count;
        const enum ol_source_status status = ol_source_read(source, chunk, sizeof chunk, &count);
        const int cause = errno;
        if (!take_chunk(check, chunk, count)) return false;
        if (status != OL_SOURCE_OK) {
            errno = cause;
            ol_error("%s:%" PRIu64 ": %s", check->path, check->line, source_text(status));
            return false;
        }
        if (count == 0) break;
    }
    if (check->length > 0 && !take_line(check)) return false;
    if (ol_vector_is_open(&check->reader)) {
        ol_error("%s:%" PRIu64 ": the file ends inside case %" PRIu64 "; its `end` is missing", check->path,
                 check->line, check->reader.vector.number);
        return false;
    }
    if (check->cases > 0) return true;
    ol_error("%s:%" PRIu64 ": the file holds no case; `onelevel help mmu` shows one", check->path, check->line);
    return false;
}

/* Adds the file's counts; false, after a message, if it could not be read to its end. */
static bool check_file(const char *path, uint64_t *cases, uint64_t *disagreements)
{
    struct check check = {.path = path, .line = 1};
    struct ol_source *source;
    const enum ol_source_status status = ol_source_open(path, &source);
    if (status != OL_SOURCE_OK) {
        ol_error("%s: %s", path, source_text(status));
        return false;
    }
    const bool good = take_source(&check, source);
    ol_source_close(source);
    ol_vector_reader_close(&check.reader);
    *cases += check.cases;
    *disagreements += check.disagreements;
    return good;
}

int ol_cmd_mmu(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_help();
        return OL_EXIT_OK;
    }
    if (argc < 3 || strcmp(argv[1], "check") != 0) {
        ol_error("mmu: expected check FILE...; `onelevel help mmu` explains it");
        return OL_EXIT_USAGE;
    }
    uint64_t cases = 0, disagreements = 0;
    bool good = true;
    for (int i = 2; i < argc; i++) good = check_file(argv[i], &cases, &disagreements) && good;
    printf("%" PRIu64 " cases, %" PRIu64 " disagree\n", cases, disagreements);
    if (fflush(stdout) != 0) {
        ol_error("the result cannot be written: %s", strerror(errno));
        good = false;
    }
    return good && disagreements == 0 ? OL_EXIT_OK : OL_EXIT_FAILURE;
}
