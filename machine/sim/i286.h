/* SPDX-License-Identifier: MIT */
/*
 * The Intel 80286 in protected mode: segments are the unit of rights, of presence and of swapping; there are no pages.
 * Source: Intel, "80286 and 80287 Programmer's Reference Manual" (1987), chapters 6 (memory management), 7
 * (protection), 9.6 (exceptions) and 8 (the checks of MOV, POP, JMP and CALL, for each segment register).
 *
 *     selector     15..3 index · 2 TI (0: GDT, 1: LDT) · 1..0 RPL, the privilege asked for; 0 is the highest.
 *                  Index 0 of the GDT is null, whatever its RPL; index 0 of the LDT is not.
 *     descriptor   8 bytes: 15..0 limit · 39..16 base · 47..40 access · 63..48 reserved
 *     access       7 P present · 6..5 DPL · 4 S (1: segment) · 3 E (1: code) · 2 ED expand-down, or C conforming ·
 *                  1 W writable, or R readable · 0 A accessed
 *     limit        the last offset; of an expand-down segment the last that is not in it: offsets limit+1 … FFFF are
 *
 * A segment register is loaded in two parts: the selector, and a hidden copy of base, limit and access. References use
 * the copy alone, so a descriptor that changes later changes nothing until the register is loaded again. Loading
 * checks, in this order; the error code is the selector without its RPL, or 0 for a null one:
 *
 *     SS      null #GP(0); table limit #GP; RPL = CPL #GP; writable data #GP; DPL = CPL #GP; present #SS
 *     DS, ES  null: loaded, but not to be used; table limit #GP; data or readable code #GP;
 *             unless conforming code: DPL >= RPL and DPL >= CPL #GP; present #NP
 *     CS      null #GP(0); table limit #GP; code #GP; conforming: DPL <= CPL #GP; else RPL <= CPL and DPL = CPL #GP;
 *             present #NP (a jump or call that stays at its privilege; the register then has CPL as RPL)
 *
 * Loading sets A in the table. There is no bit that tells whether a segment was changed.
 * References: what the type forbids is #GP(0), offsets outside of the segment #GP(0), in SS #SS(0).
 *
 * Base and offset are added modulo 2^24: there are no further address lines (Intel, "80386 Programmer's Reference
 * Manual", 13.3.1). So an expand-down segment may lie anywhere.
 *
 * Not simulated: gates, task state segments and privilege transitions, so CPL does not change; LAR, LSL, VERR, VERW.
 * Not confirmed: whether the 80286 writes A again where it is set already; here it does not.
 */
#ifndef OL_SIM_I286_H
#define OL_SIM_I286_H

#include "machine/sim/walk.h"

enum { OL_I286_ADDRESS_BITS = 24, OL_I286_DESCRIPTOR_BYTES = 8, OL_I286_SEGMENT_BYTES_MAX = 1 << 16 };

/* The access byte. */
enum {
    OL_I286_ACCESSED = 1,
    OL_I286_WRITABLE = 2,    /* of data */
    OL_I286_READABLE = 2,    /* of code */
    OL_I286_EXPAND_DOWN = 4, /* of data */
    OL_I286_CONFORMING = 4,  /* of code */
    OL_I286_CODE = 8,
    OL_I286_SEGMENT = 0x10,
    OL_I286_DPL_SHIFT = 5,
    OL_I286_PRESENT = 0x80,
};

/* Selectors. */
enum { OL_I286_RPL = 3, OL_I286_TI = 4, OL_I286_INDEX_SHIFT = 3 };

/* Exceptions, by their numbers. */
enum ol_i286_exception {
    OL_I286_NONE = 0,
    OL_I286_NP = 11, /* segment not present */
    OL_I286_SS = 12, /* stack segment overrun or not present */
    OL_I286_GP = 13, /* general protection */
};

enum ol_i286_register { OL_I286_ES_REGISTER, OL_I286_CS_REGISTER, OL_I286_SS_REGISTER, OL_I286_DS_REGISTER };
enum { OL_I286_REGISTERS = 4 };

/* A descriptor table, as GDTR, or LDTR's hidden part, has it. */
struct ol_i286_table {
    uint32_t base;
    uint16_t limit; /* the last byte; less than 7: no descriptor */
};

struct ol_i286_control {
    struct ol_i286_table gdt, ldt;
    uint8_t cpl;
};

/* A segment register. */
struct ol_i286_segment {
    uint16_t selector;
    bool usable; /* not null */
    uint32_t base;
    uint16_t limit;
    uint8_t access;
};

/* What loading a register comes to. */
struct ol_i286_load {
    enum ol_i286_exception exception;
    uint16_t error_code;            /* of an exception */
    bool looked;                    /* a descriptor was read: */
    uint32_t address;               /* … there */
    uint64_t descriptor;            /* … and was this */
    const char *check;              /* for people: what was violated; NULL: nothing */
    bool sets_accessed;             /* the access byte, at address + 5, is to have OL_I286_ACCESSED */
    struct ol_i286_segment segment; /* without an exception: the register then */
};

/* What a reference by a register comes to. */
struct ol_i286_reference {
    enum ol_i286_exception exception; /* its error code is 0 */
    const char *check;                /* as above */
    uint32_t physical;                /* without an exception: of the first byte */
};

/* Pure functions: they change nothing. */

void ol_i286_load(const struct ol_words *words, const struct ol_i286_control *control, enum ol_i286_register where,
                  uint16_t selector, struct ol_i286_load *out);

/* A reference of `bytes` (1 … 65536) bytes from `offset` on, one kind of access; OL_EXEC by CS alone. */
void ol_i286_refer(const struct ol_i286_segment *segment, enum ol_i286_register where, uint16_t offset, uint32_t bytes,
                   unsigned access, struct ol_i286_reference *out);

/* Bytes [*first, *last] that the segment has; false if it has none. */
bool ol_i286_extent(uint8_t access, uint16_t limit, uint32_t *first, uint32_t *last);

static inline bool ol_i286_is_null(uint16_t selector)
{
    return (selector & ~OL_I286_RPL) == 0;
}

/* The parts of a descriptor. */
static inline uint16_t ol_i286_limit(uint64_t descriptor)
{
    return (uint16_t)descriptor;
}

static inline uint32_t ol_i286_base(uint64_t descriptor)
{
    return (uint32_t)(descriptor >> 16) & 0xffffff;
}

static inline uint8_t ol_i286_access(uint64_t descriptor)
{
    return (uint8_t)(descriptor >> 40);
}

static inline uint64_t ol_i286_descriptor(uint32_t base, uint16_t limit, uint8_t access)
{
    return limit | (uint64_t)base << 16 | (uint64_t)access << 40;
}

#endif
