/* SPDX-License-Identifier: MIT */
/*
 * Nameless, owner-only files for pages, and transfers of runs of pages to and from them.
 *
 * Conditions that hold for all functions:
 * - Async-signal-safe. errno may be changed.
 * - Any number of threads may call them at once; opening and closing a file excludes all other use of it.
 */
#ifndef OL_PAGER_SWAPFILE_IO_H
#define OL_PAGER_SWAPFILE_IO_H

#include "core/pager.h"

#include <stdatomic.h>
#include <sys/types.h>

/* An open file, or none. The program around us may close or reuse our descriptor without knowing: what the file was is
 * remembered, so that its contents never land in a file of the program's. */
struct ol_swap_file {
    int fd; /* -1: no file */
    dev_t device;
    ino_t inode;
    atomic_bool direct; /* transfers pass the page cache, whose memory would count as ours; else they go through it,
                           because the file system, or what was to be transferred, allows nothing else */
};

/* Consecutive slots of a request, [at, at + count) in its arrays, which are in one file. */
struct ol_swap_run {
    struct ol_swap_file *file;
    uint32_t at, count;
};

/* Opens the directory, for ol_swap_file_open. A descriptor, or -1 and errno. */
int ol_swap_directory_open(const char *path);

/* Does the program around us still leave the file at its descriptor? */
bool ol_swap_file_is_open(const struct ol_swap_file *file);

/* Makes a file without a name, readable and writable for its owner alone. 0, or an errno. */
int ol_swap_file_open(int directory, struct ol_swap_file *out);

/* Takes over an open descriptor, whatever it is of, and moves it to where programs rarely have theirs. 0, or an errno:
 * it is then closed. */
int ol_swap_file_adopt(int fd, struct ol_swap_file *out);

void ol_swap_file_close(struct ol_swap_file *file);

/* What befell a page: 0, an errno, or one of these. */
enum ol_swap_error { OL_SWAP_ENDED = -1 /* the file ends before the page does */, OL_SWAP_DAMAGED = -2 /* its seal */ };

/* Transfers pages[0..count) at page `first` of the file onward, count <= OL_IO_PAGES_MAX. Where the transfer as a whole
 * fails, it goes on page by page. Fills errors[0..count): 0, an errno, or OL_SWAP_ENDED. A file size limit is EFBIG: no
 * SIGXFSZ is caused. */
void ol_swap_file_transfer(struct ol_swap_file *file, enum ol_io_op op, ol_slot first, void *const *pages,
                           uint32_t count, uint32_t page_bytes, int *errors);

/* OL_OK for 0; OL_E_NO_SWAP if the error says that there is no room for what was to be written; else OL_E_IO. */
enum ol_status ol_swap_status(int error);

#endif
