/* SPDX-License-Identifier: MIT */
/*
 * Seals: what tells that a page comes back from a file as it went there. They are kept in memory, never in the file.
 *
 * Without encryption a slot's seal is a checksum of four bytes (XXH3, with the slot's number, so that a page that was
 * read from elsewhere does not pass). With it the page is encrypted by ChaCha20-Poly1305 (RFC 8439, libsodium), and its
 * seal is the nonce and the authentication tag, 22 bytes. A key belongs to one process and one file: it is random, in
 * locked memory that no core dump has, and is wiped with the file. Nonces count from 0, and none is used twice.
 *
 * Conditions that hold for all functions:
 * - Async-signal-safe but for create and destroy. errno may be changed.
 * - A slot's seal belongs to whoever uses the slot; keys are made and wiped while nobody uses their file.
 */
#ifndef OL_PAGER_SEAL_H
#define OL_PAGER_SEAL_H

#include "core/types.h"

#include <stdatomic.h>
#include <stddef.h>

enum { OL_SEAL_KEYS = 64, OL_SEAL_KEY_BYTES = 32, OL_SEAL_BYTES_MAX = 22 };

/* So many pages are sealed with one key, and those that are under way. */
#define OL_SEAL_NONCES ((UINT64_C(1) << 48) - (UINT64_C(1) << 32))

struct ol_seal_keys {
    struct {
        uint8_t bytes[OL_SEAL_KEY_BYTES];
        atomic_ullong nonces_used;
    } key[OL_SEAL_KEYS];
};

struct ol_seals {
    uint8_t *table;            /* c: by slot */
    struct ol_seal_keys *keys; /* c: NULL: checksums only */
    uint32_t capacity;         /* c: slots */
    uint32_t page_bytes;       /* c: */
    uint32_t bytes_each;       /* c: of a seal */
};

/* *seals is zeroed before. OL_OK; OL_E_NO_META; OL_E_UNSUPPORTED: encryption is missing in this build, or memory cannot
 * be locked. On failure *error is a static sentence that names the mend, and nothing is left to be destroyed. */
enum ol_status ol_seals_create(struct ol_seals *seals, uint32_t capacity, uint32_t page_bytes, bool encrypted,
                               const char **error);

/* Wipes all keys. What is zeroed is passed over. */
void ol_seals_destroy(struct ol_seals *seals);

/* A new key for file number `file`, below OL_SEAL_KEYS. OL_E_IO: the kernel gives no random numbers. */
enum ol_status ol_seals_new_key(struct ol_seals *seals, unsigned file);
void ol_seals_wipe_key(struct ol_seals *seals, unsigned file);

/* Has the file's key sealed as many pages as it may? Nothing more is to be written to the file. */
bool ol_seals_used_up(const struct ol_seals *seals, unsigned file);

/* In a forked child, which has copies of its parent's keys: locks their memory again, as far as its limit allows. */
void ol_seals_forked(struct ol_seals *seals);

/* Seals the slot's page before it goes to the file. Returns what is to be written: the page itself, or, encrypted,
 * `sealed`, a page of memory (not used otherwise). */
void *ol_seal_close(struct ol_seals *seals, unsigned file, ol_slot slot, void *page, void *sealed);

/* Copies the seals of n slots from `slot` on to or from `copy`, of n * OL_SEAL_BYTES_MAX bytes: for who seals a page
 * while its old contents may still be wanted. */
void ol_seals_save(const struct ol_seals *seals, ol_slot slot, uint32_t n, uint8_t *copy);
void ol_seals_restore(struct ol_seals *seals, ol_slot slot, uint32_t n, const uint8_t *copy);

/* Checks a page that was read from the file, and decrypts it in place. False: it is not what was written. */
bool ol_seal_open(const struct ol_seals *seals, unsigned file, ol_slot slot, void *page);

#endif
