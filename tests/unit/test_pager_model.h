/* SPDX-License-Identifier: MIT */
/*
 * What the tests of pagers share: pages of many kinds, requests, and a model that knows what every slot must hold.
 * Nothing here uses cmocka's assertions, so that threads and forked processes may call it; functions say by their
 * result whether all was right.
 */
#ifndef OL_TESTS_PAGER_MODEL_H
#define OL_TESTS_PAGER_MODEL_H

#include "core/pager.h"

enum { MODEL_PAGE_BYTES = 4096, MODEL_FDS = 2048 /* descriptors below it are looked at */ };

enum page_kind { PAGE_ZERO, PAGE_WORD, PAGE_TEXT, PAGE_HALF, PAGE_RANDOM, PAGE_KINDS };

/* The next number of a pseudo-random sequence. */
uint64_t random_next(uint64_t *state);

/* The same page for the same arguments. */
void page_make(void *page, enum page_kind kind, uint64_t seed);

/* A page whose first `random_bytes` bytes do not compress, while the others are zeros. */
void page_make_mixed(void *page, uint32_t random_bytes, uint64_t seed);

/* Carries out a request, with the statuses in status[0..count). False if it was not completed exactly once before
 * submit returned. */
bool pages_transfer(struct ol_pager *pager, enum ol_io_op op, const ol_slot *slots, void *const *pages, uint32_t count,
                    enum ol_status *status);

/* One page; what goes to the pager is aligned, whatever `page` is. A transfer that is not completed once is
 * OL_E_UNSUPPORTED. */
enum ol_status page_write(struct ol_pager *pager, ol_slot slot, const void *page);
enum ol_status page_read(struct ol_pager *pager, ol_slot slot, void *page);

/* Descriptors of regular files that have no name, as swap files are; the lowest in *first, if that is not NULL. */
unsigned nameless_files(int *first);

/* Opens the file at a descriptor anew, for reading and writing whatever amounts. A descriptor, or -1. */
int file_reopen(int fd);

/* Knows what slots [first, first + slots) of a pager hold. */
struct pager_model {
    struct ol_pager *pager;
    ol_slot first;
    uint32_t slots;
    uint64_t *seeds;      /* by slot - first: what was written there; 0: no contents */
    uint64_t random;      /* the state of the sequence that chooses what is done */
    uint64_t no_swap;     /* pages whose write was refused */
    uint64_t read_errors; /* pages whose read failed */
    uint64_t write_errors;
    bool errors_expected; /* OL_E_IO is not wrong */
    const char *wrong;    /* what was wrong first, or NULL */
};

void model_init(struct pager_model *model, struct ol_pager *pager, ol_slot first, uint32_t slots, uint64_t seed);
void model_free(struct pager_model *model);

/* Writes, reads or discards some slots at random, and compares every byte that is read. False if ever anything was
 * wrong. */
bool model_step(struct pager_model *model);
bool model_steps(struct pager_model *model, unsigned steps);

/* Writes slot `first + index` with the page that belongs to `seed`, which is not 0. */
bool model_write(struct pager_model *model, uint32_t index, uint64_t seed);

/* Reads all slots that have contents, and compares. */
bool model_verify(struct pager_model *model);

void model_discard_all(struct pager_model *model);

/* Slots that have contents. */
uint32_t model_pages(const struct pager_model *model);

/* Lets two threads take `steps` steps each on halves of slots [0, slots). NULL, or what was wrong. */
const char *model_threads(struct ol_pager *pager, uint32_t slots, unsigned steps);

#endif
