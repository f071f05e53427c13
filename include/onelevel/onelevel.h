/* SPDX-License-Identifier: MIT */
/*
 * libonelevel: arrays larger than memory, for a Linux program.
 *
 * A memory is a budget of physical memory and the ranges mapped in it. Their pages come and go as the program touches
 * them: what does not fit the budget is compressed, and what does not fit there goes to a swap file.
 *
 *     struct ol_memory_options options = OL_MEMORY_OPTIONS_INIT;
 *     struct ol_memory *memory;
 *     options.ram_bytes = 256 << 20;
 *     if (ol_memory_open(&options, &memory, NULL) != OL_OK) …
 *     double *array = ol_memory_map(memory, 4ULL << 30);
 *
 * Conditions that hold for all functions:
 * - Faults arrive as SIGBUS in the thread that touches a page, or as SIGSEGV where userfaultfd is forbidden (enum
 *   ol_faults). The library installs handlers when a memory is opened and passes on every signal that is not its own.
 *   Do not block these signals in a thread that touches managed memory, nor replace the handlers.
 * - The kernel does not see evicted pages: before a range is named in a system call (read, write, …), pin it, or the
 *   call fails with EFAULT.
 * - After fork the child must not touch the ranges.
 * - Thread-safe, except that no other call on a memory may run during its ol_memory_close.
 */
#ifndef ONELEVEL_H
#define ONELEVEL_H

#include <onelevel/core.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ol_memory;

/* How faults come to the process. */
enum ol_faults {
    OL_FAULTS_AUTO, /* userfaultfd; where that is forbidden, protection faults, which is said on standard error */
    OL_FAULTS_USERFAULTFD, /* as SIGBUS */
    OL_FAULTS_PROTECTION,  /* as SIGSEGV: the same results everywhere, slower */
};

struct ol_memory_options {
    uint64_t ram_bytes;        /* bounds resident pages, compressed store and metadata together; 0: the parts below */
    uint64_t resident_bytes;   /* bounds resident pages alone; 0: what ram_bytes leaves */
    uint64_t compressed_bytes; /* bounds the compressed store; 0: what ram_bytes leaves */
    const char *policy;        /* name[:parameters]; NULL: the default (docs/architecture.md says which and why) */
    const char *swap;          /* homes of pages in the order they are filled, comma separated:
                                  "compressed" (in memory, by LZ4; "compressed=zstd:LEVEL": by
                                  Zstandard, 1 to 19), "file" (a nameless file in $TMPDIR or /var/tmp),
                                  "file:DIRECTORY", "none"; NULL: "compressed,file" */
    uint64_t swap_bytes;       /* bounds the swap file; 0: as the disk allows */
    bool encrypt;              /* encrypts the swap file, with a key that dies with the process */
    bool no_prefetch;          /* bring in a page only when it is touched */
    bool exact;                /* that, and give up one page a fault, when none is free: as simulators count; slower */
    enum ol_faults faults;     /* how faults come */
    bool no_move;              /* copy pages as on kernels without UFFDIO_MOVE (before 6.8) */
};

#define OL_MEMORY_OPTIONS_INIT \
    {                          \
        0                      \
    }

/* What the library counts; the core's figures, and those of the homes. Bytes unless named otherwise. */
struct ol_memory_statistics {
    struct ol_statistics core;
    uint64_t fault_ns;               /* time spent in faults, all threads */
    uint64_t mapped_bytes;           /* now: sizes of all ranges */
    uint64_t compressed_pages;       /* now: pages in the compressed store, same-filled ones not included */
    uint64_t compressed_same_pages;  /* now: pages all of whose words are equal, kept as one word */
    uint64_t compressed_bytes;       /* now: compressed contents of compressed_pages */
    uint64_t compressed_store_bytes; /* now: memory that the store takes */
    uint64_t compressed_in_pages;    /* pages ever compressed into the store, same-filled ones not included */
    uint64_t compressed_in_bytes;    /* … and to how many bytes */
    uint64_t compressed_refused;     /* pages that it did not take (full, or they do not compress) */
    uint64_t demoted_pages;          /* moved on from the compressed store to the swap file */
    uint64_t file_pages_read;
    uint64_t file_pages_written;
    uint64_t file_pages_read_together; /* … with several transfers under way at a time */
    uint64_t file_pages_damaged; /* reads of pages that came back other than they went; their readers got SIGBUS */
    uint64_t file_bytes;         /* now: size of the swap file */
    uint64_t metadata_bytes;     /* now: tables of core, machine and homes */
    /* What can be added up ends here. */
    enum ol_faults faults; /* how they come; never OL_FAULTS_AUTO */
    bool file_buffered;    /* the file system wants the page cache in between, whose memory counts as ours */
};

/* OL_OK; OL_E_INVALID (options contradict each other, unknown policy or swap); OL_E_NO_FRAMES (the budget is below
 * ol_memory_minimum_bytes()); OL_E_UNSUPPORTED (faults cannot come that way here, or there is no encryption);
 * OL_E_NO_META; OL_E_IO (no swap file can be made). *error, if error is not NULL, is then a static sentence that names
 * the mend. */
enum ol_status ol_memory_open(const struct ol_memory_options *options, struct ol_memory **out, const char **error);

/* All ranges are unmapped, the swap file is gone. */
void ol_memory_close(struct ol_memory *memory);

/* A readable, writable range of zeros of at least `bytes`, page aligned; NULL if there is no room. Costs nothing until
 * touched. */
void *ol_memory_map(struct ol_memory *memory, size_t bytes);

/* Address and size in bytes of a range, or of a part of it; rounded to whole pages outward. OL_E_INVALID, OL_E_NO_META.
 */
enum ol_status ol_memory_unmap(struct ol_memory *memory, void *address, size_t bytes);

/* Changes the rights: a set of OL_READ and OL_WRITE, or OL_NONE. A violation raises SIGSEGV. As ol_region_protect. */
enum ol_status ol_memory_protect(struct ol_memory *memory, void *address, size_t bytes, unsigned rights);

/* Contents become zeros and take no memory any more. */
enum ol_status ol_memory_discard(struct ol_memory *memory, void *address, size_t bytes);

/* Makes the bytes resident, for writing if `write`, until unpinned: system calls may use them. Each pin wants its
 * unpin. OL_E_NO_REGION, OL_E_RIGHTS, OL_E_IO, OL_E_NO_FRAMES (more than the budget is pinned). */
enum ol_status ol_memory_pin(struct ol_memory *memory, const void *address, size_t bytes, bool write);
void ol_memory_unpin(struct ol_memory *memory, const void *address, size_t bytes);

void ol_memory_get_statistics(struct ol_memory *memory, struct ol_memory_statistics *out);

/* The smallest ram_bytes or resident_bytes that ol_memory_open accepts. */
uint64_t ol_memory_minimum_bytes(void);

/* The core's view of a memory, for tests and tools. */
struct ol_system *ol_memory_system(struct ol_memory *memory);
struct ol_space *ol_memory_space(struct ol_memory *memory);

#ifdef __cplusplus
}
#endif

#endif
