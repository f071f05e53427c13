/* SPDX-License-Identifier: MIT */
/*
 * What the simulated machine wants to know of a translation format: its geometry, its entries, its walk. A format is
 * data and a few pure functions; everything that formats have in common stands in tables.c, pmap.c and machine.c.
 *
 * Tables form a tree: a root, entries that name further tables, and leaves, which map one page each; above the lowest
 * level, a large one. Levels count from the lowest, 0. Each table below the root takes a frame of its own, even where
 * the machine would pack several into one; the root takes 1 << root_order of them, one behind the other.
 */
#ifndef OL_SIM_FORMAT_H
#define OL_SIM_FORMAT_H

#include "core/pmap.h"
#include "machine/sim/atlas.h"
#include "machine/sim/memory.h"
#include "machine/sim/riscv.h"
#include "machine/sim/s370.h"
#include "machine/sim/vax.h"
#include "machine/sim/x86.h"

/* The state of the processor that decides a translation, besides memory. */
union ol_sim_control {
    struct ol_atlas_control atlas;
    struct ol_x86_control x86;
    struct ol_riscv_control riscv;
    struct ol_vax_control vax;
    struct ol_s370_control s370;
};

struct ol_tlbs; /* of a processor: tlbs.h */

/* What a leaf says of the page that it maps. */
struct ol_sim_leaf {
    ol_frame_no frame;
    unsigned rights;     /* of a user program; without OL_EXEC where the machine cannot tell it from OL_READ */
    unsigned attributes; /* enum ol_attributes */
};

/* Bits high .. low of an entry, for people. */
struct ol_sim_field {
    const char *name;
    uint8_t high, low;
};

enum { OL_SIM_LEVELS_MAX = 5 };

struct ol_sim_format {
    struct ol_capabilities is;
    const char *summary; /* one line for people */
    uint32_t frames_max; /* that the format can address, tables included */
    uint8_t root_order;  /* log2 of the frames of a root */
    uint8_t levels;
    bool big_endian;     /* entries */
    bool has_keys;       /* each frame has a word in the area behind the tables (memory.h) */
    uint64_t large_mark; /* of an entry above level 0: with all these bits it maps a large page; 0: there are none */
    bool hidden_tables;  /* the hardware looks at keys alone; tables are the system's own affair */
    bool walks_levels;   /* word i that a walk reads is the entry of level levels - 1 - i, and nothing else is read */
    uint8_t tag_bits;    /* that TLBs have to tell spaces apart (PCID, ASID); 0: a switch of spaces empties them */
    struct ol_sim_level {
        const char *name;       /* of an entry */
        const char *index_name; /* of the part of an address that selects it */
        uint8_t shift;          /* log2 of the bytes that an entry covers */
        uint8_t index_bits;     /* log2 of the entries of a table */
        uint8_t entry_bytes;
        uint64_t empty;                    /* an entry that maps nothing and names no table */
        const struct ol_sim_field *fields; /* ends with a NULL name */
    } level[OL_SIM_LEVELS_MAX];

    /* The entry that names a table at this address, and back. */
    uint64_t (*table_entry)(uint64_t table_address, unsigned level);
    uint64_t (*table_address)(uint64_t entry, unsigned level);
    /* The entry for a leaf, and what it means. Some right is granted; reading cannot be refused. */
    uint64_t (*leaf_entry)(const struct ol_sim_leaf *leaf);
    struct ol_sim_leaf (*leaf_decode)(uint64_t entry);
    /* has_keys alone: the key of the frame that a leaf maps at va, in the space of that root, and what it adds to the
     * leaf (rights and attributes). The key of a frame that is not mapped is 0. */
    uint64_t (*key)(const struct ol_sim_leaf *leaf, ol_va va, ol_frame_no root);
    void (*key_decode)(uint64_t key, struct ol_sim_leaf *leaf);

    /* The state for a user program whose root stands at this address. */
    void (*control)(const struct ol_sim_memory *memory, uint64_t root_address, union ol_sim_control *out);
    void (*walk)(const struct ol_words *words, const union ol_sim_control *control, ol_va va, unsigned access,
                 struct ol_walk *out);
    /* What makes the root in `control` the processor's own, under that tag: `keep` if what its TLBs have under it is of
     * that space; and what takes the page at va out of them. NULL: tags and pages are all there is to it. */
    void (*load_root)(union ol_sim_control *control, struct ol_tlbs *tlbs, uint32_t tag, bool keep);
    void (*invalidate)(const union ol_sim_control *control, struct ol_tlbs *tlbs, uint32_t tag, ol_va va);
    /* A sentence's part for the outcome of a walk that failed. */
    const char *(*fault_text)(const struct ol_walk *walk);
};

extern const struct ol_sim_format ol_sim_atlas, ol_sim_ia32, ol_sim_pae, ol_sim_amd64, ol_sim_la57, ol_sim_sv39,
    ol_sim_sv48, ol_sim_vax, ol_sim_s370, ol_sim_s370_2k, ol_sim_s370_1m, ol_sim_s370_2k_1m;

/* All of them, ending with NULL, and the one of that name; NULL if there is none. */
extern const struct ol_sim_format *const ol_sim_formats[];
const struct ol_sim_format *ol_sim_format_find(const char *name);

/* The part of va that selects an entry of that level. */
static inline uint64_t ol_sim_index(const struct ol_sim_level *level, ol_va va)
{
    return va >> level->shift & ((1ULL << level->index_bits) - 1);
}

#endif
