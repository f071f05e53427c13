/* SPDX-License-Identifier: MIT */
#include "pager/seal.h"

#include "pager/reserve.h"

#include <assert.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* All of it is inlined: no further library in the programs that the runtime is loaded into. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#ifdef OL_HAVE_SODIUM
#include <sodium.h>
#endif

typedef uint32_t checksum; /* one damaged page in 2^32 would pass */

static checksum checksum_of(const struct ol_seals *seals, ol_slot slot, const void *page)
{
    return (checksum)XXH3_64bits_withSeed(page, seals->page_bytes, slot);
}

static uint8_t *seal_of(const struct ol_seals *seals, ol_slot slot)
{
    assert(slot < seals->capacity);
    return seals->table + (size_t)slot * seals->bytes_each;
}

/* --- the cipher ------------------------------------------------------------------------------------------------- */

#ifdef OL_HAVE_SODIUM

enum { NONCE_BYTES = 6 }; /* of the cipher's; the rest are 0 */

struct encrypted_seal {
    uint8_t nonce[NONCE_BYTES];
    uint8_t tag[crypto_aead_chacha20poly1305_ietf_ABYTES];
};

enum { ENCRYPTED_SEAL_BYTES = sizeof(struct encrypted_seal) };

static_assert((int)ENCRYPTED_SEAL_BYTES == (int)OL_SEAL_BYTES_MAX, "the largest seal");
static_assert(OL_SEAL_NONCES < UINT64_C(1) << 8 * NONCE_BYTES, "no nonce comes twice");

static_assert(crypto_aead_chacha20poly1305_ietf_KEYBYTES == OL_SEAL_KEY_BYTES, "the cipher's key");

/* Chooses the processor's fastest code. Makes system calls, so it is called by create alone. */
static bool cipher_start(void)
{
    return sodium_init() >= 0;
}

static void wipe(void *memory, size_t bytes)
{
    sodium_memzero(memory, bytes);
}

/* The cipher's own nonce. */
static void nonce_expand(const uint8_t nonce[NONCE_BYTES], uint8_t out[crypto_aead_chacha20poly1305_ietf_NPUBBYTES])
{
    memset(out, 0, crypto_aead_chacha20poly1305_ietf_NPUBBYTES);
    memcpy(out, nonce, NONCE_BYTES);
}

static void encrypt(struct ol_seals *seals, unsigned file, ol_slot slot, const void *page, void *sealed)
{
    const uint64_t used = atomic_fetch_add(&seals->keys->key[file].nonces_used, 1);
    struct encrypted_seal seal;
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    assert(used >> 8 * NONCE_BYTES == 0);
    for (unsigned i = 0; i < NONCE_BYTES; i++) seal.nonce[i] = (uint8_t)(used >> 8 * i);
    nonce_expand(seal.nonce, nonce);
    (void)crypto_aead_chacha20poly1305_ietf_encrypt_detached(sealed, seal.tag, NULL, page, seals->page_bytes,
                                                             (const uint8_t *)&slot, sizeof slot, NULL, nonce,
                                                             seals->keys->key[file].bytes);
    memcpy(seal_of(seals, slot), &seal, sizeof seal);
}

static bool decrypt(const struct ol_seals *seals, unsigned file, ol_slot slot, void *page)
{
    struct encrypted_seal seal;
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    memcpy(&seal, seal_of(seals, slot), sizeof seal);
    nonce_expand(seal.nonce, nonce);
    return crypto_aead_chacha20poly1305_ietf_decrypt_detached(page, NULL, page, seals->page_bytes, seal.tag,
                                                              (const uint8_t *)&slot, sizeof slot, nonce,
                                                              seals->keys->key[file].bytes) == 0;
}

#else

enum { ENCRYPTED_SEAL_BYTES = 0 };

static bool cipher_start(void)
{
    return false;
}

static void wipe(void *memory, size_t bytes)
{
    memset(memory, 0, bytes);
}

/* Without the cipher there are no keys, and these are not reached. */
static void encrypt(struct ol_seals *seals, unsigned file, ol_slot slot, const void *page, void *sealed)
{
    (void)seals, (void)file, (void)slot, (void)page, (void)sealed;
    assert(false);
}

static bool decrypt(const struct ol_seals *seals, unsigned file, ol_slot slot, void *page)
{
    (void)seals, (void)file, (void)slot, (void)page;
    return false;
}

#endif

/* --- keys ------------------------------------------------------------------------------------------------------- */

static bool keys_lock(struct ol_seal_keys *keys)
{
    return syscall(SYS_mlock, keys, sizeof *keys) == 0;
}

static enum ol_status keys_make(struct ol_seals *seals, const char **error)
{
    *error = "this build has no encryption: install libsodium (Debian: libsodium-dev) and build again";
    if (!cipher_start()) return OL_E_UNSUPPORTED;
    *error = "there is no address space for the swap file's tables: raise the limit (ulimit -v)";
    struct ol_seal_keys *keys = ol_reserve(sizeof *keys);
    if (!keys) return OL_E_NO_META;
    *error = "memory for the keys of an encrypted swap file cannot be locked: raise the limit (ulimit -l)";
    if (!keys_lock(keys) || madvise(keys, sizeof *keys, MADV_DONTDUMP) != 0) {
        ol_release(keys, sizeof *keys);
        return OL_E_UNSUPPORTED;
    }
    seals->keys = keys;
    return OL_OK;
}

enum ol_status ol_seals_new_key(struct ol_seals *seals, unsigned file)
{
    if (!seals->keys) return OL_OK;
    uint8_t *bytes = seals->keys->key[file].bytes;
    atomic_store(&seals->keys->key[file].nonces_used, 0);
    /* So few bytes come whole, and without waiting once the system is up. */
    return syscall(SYS_getrandom, bytes, OL_SEAL_KEY_BYTES, 0) == OL_SEAL_KEY_BYTES ? OL_OK : OL_E_IO;
}

void ol_seals_wipe_key(struct ol_seals *seals, unsigned file)
{
    if (seals->keys) wipe(seals->keys->key[file].bytes, OL_SEAL_KEY_BYTES);
}

bool ol_seals_used_up(const struct ol_seals *seals, unsigned file)
{
    return seals->keys && atomic_load(&seals->keys->key[file].nonces_used) >= OL_SEAL_NONCES;
}

void ol_seals_forked(struct ol_seals *seals)
{
    if (seals->keys) (void)keys_lock(seals->keys);
}

/* --- seals ------------------------------------------------------------------------------------------------------ */

enum ol_status ol_seals_create(struct ol_seals *seals, uint32_t capacity, uint32_t page_bytes, bool encrypted,
                               const char **error)
{
    seals->capacity = capacity;
    seals->page_bytes = page_bytes;
    seals->bytes_each = encrypted ? ENCRYPTED_SEAL_BYTES : sizeof(checksum);
    const enum ol_status status = encrypted ? keys_make(seals, error) : OL_OK;
    if (status != OL_OK) return status;
    seals->table = ol_reserve((size_t)capacity * seals->bytes_each);
    if (seals->table) return OL_OK;
    *error = "there is no address space for the swap file's tables: raise the limit (ulimit -v)";
    ol_seals_destroy(seals);
    return OL_E_NO_META;
}

void ol_seals_destroy(struct ol_seals *seals)
{
    for (unsigned file = 0; file < OL_SEAL_KEYS; file++) ol_seals_wipe_key(seals, file);
    ol_release(seals->keys, sizeof *seals->keys);
    ol_release(seals->table, (size_t)seals->capacity * seals->bytes_each);
    seals->keys = NULL;
    seals->table = NULL;
}

void *ol_seal_close(struct ol_seals *seals, unsigned file, ol_slot slot, void *page, void *sealed)
{
    if (seals->keys) {
        encrypt(seals, file, slot, page, sealed);
        return sealed;
    }
    const checksum sum = checksum_of(seals, slot, page);
    memcpy(seal_of(seals, slot), &sum, sizeof sum);
    return page;
}

void ol_seals_save(const struct ol_seals *seals, ol_slot slot, uint32_t n, uint8_t *copy)
{
    memcpy(copy, seal_of(seals, slot), (size_t)n * seals->bytes_each);
}

void ol_seals_restore(struct ol_seals *seals, ol_slot slot, uint32_t n, const uint8_t *copy)
{
    memcpy(seal_of(seals, slot), copy, (size_t)n * seals->bytes_each);
}

bool ol_seal_open(const struct ol_seals *seals, unsigned file, ol_slot slot, void *page)
{
    checksum sum;
    if (seals->keys) return decrypt(seals, file, slot, page);
    memcpy(&sum, seal_of(seals, slot), sizeof sum);
    return sum == checksum_of(seals, slot, page);
}
