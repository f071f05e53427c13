/* SPDX-License-Identifier: MIT */
#include "machine/sim/i286.h"

#include <assert.h>

static unsigned dpl_of(uint8_t access)
{
    return access >> OL_I286_DPL_SHIFT & 3;
}

static bool is_code(uint8_t access)
{
    return (access & (OL_I286_SEGMENT | OL_I286_CODE)) == (OL_I286_SEGMENT | OL_I286_CODE);
}

static bool is_data(uint8_t access)
{
    return (access & (OL_I286_SEGMENT | OL_I286_CODE)) == OL_I286_SEGMENT;
}

static bool is_conforming(uint8_t access)
{
    return is_code(access) && access & OL_I286_CONFORMING;
}

/* The 8 bytes at any address. */
static uint64_t read_bytes(const struct ol_words *words, uint32_t address)
{
    const unsigned shift = (address & 7) * 8;
    const uint64_t low = words->read(words, address & ~7U);
    if (shift == 0) return low;
    return low >> shift | words->read(words, (address & ~7U) + 8) << (64 - shift);
}

/* Looks the descriptor up; false if the selector is beyond its table. */
static bool look_up(const struct ol_words *words, const struct ol_i286_control *control, uint16_t selector,
                    struct ol_i286_load *out)
{
    const struct ol_i286_table *const table = selector & OL_I286_TI ? &control->ldt : &control->gdt;
    const uint32_t at = (uint32_t)(selector >> OL_I286_INDEX_SHIFT) * OL_I286_DESCRIPTOR_BYTES;
    if (at + (OL_I286_DESCRIPTOR_BYTES - 1) > table->limit) return false;
    out->looked = true;
    out->address = (table->base + at) & ((1U << OL_I286_ADDRESS_BITS) - 1);
    out->descriptor = read_bytes(words, out->address);
    return true;
}

/* What the type and privileges forbid, in the order of the manual; NULL: nothing. */
static const char *check_stack(uint8_t access, unsigned rpl, unsigned cpl)
{
    if (rpl != cpl) return "RPL is not CPL";
    if (!is_data(access) || !(access & OL_I286_WRITABLE)) return "no writable data segment";
    return dpl_of(access) != cpl ? "DPL is not CPL" : NULL;
}

static const char *check_data(uint8_t access, unsigned rpl, unsigned cpl)
{
    if (!is_data(access) && !(is_code(access) && access & OL_I286_READABLE)) return "no readable segment";
    if (is_conforming(access)) return NULL;
    return dpl_of(access) < rpl || dpl_of(access) < cpl ? "RPL or CPL is above DPL" : NULL;
}

static const char *check_code(uint8_t access, unsigned rpl, unsigned cpl)
{
    if (!is_code(access)) return "no code segment";
    if (is_conforming(access)) return dpl_of(access) > cpl ? "DPL is above CPL" : NULL;
    if (rpl > cpl) return "RPL is above CPL";
    return dpl_of(access) != cpl ? "DPL is not CPL" : NULL;
}

static const char *check(enum ol_i286_register where, uint8_t access, unsigned rpl, unsigned cpl)
{
    if (where == OL_I286_SS_REGISTER) return check_stack(access, rpl, cpl);
    return where == OL_I286_CS_REGISTER ? check_code(access, rpl, cpl) : check_data(access, rpl, cpl);
}

static void refuse(struct ol_i286_load *out, enum ol_i286_exception exception, uint16_t selector, const char *what)
{
    out->exception = exception;
    out->error_code = (uint16_t)(selector & ~OL_I286_RPL);
    out->check = what;
}

void ol_i286_load(const struct ol_words *words, const struct ol_i286_control *control, enum ol_i286_register where,
                  uint16_t selector, struct ol_i286_load *out)
{
    *out = (struct ol_i286_load){.segment = {.selector = selector}};
    if (ol_i286_is_null(selector)) {
        if (where == OL_I286_SS_REGISTER || where == OL_I286_CS_REGISTER) refuse(out, OL_I286_GP, 0, "a null selector");
        return;
    }
    if (!look_up(words, control, selector, out)) {
        refuse(out, OL_I286_GP, selector, "beyond the table's limit");
        return;
    }
    const uint8_t access = ol_i286_access(out->descriptor);
    const char *const wrong = check(where, access, selector & OL_I286_RPL, control->cpl);
    if (wrong) {
        refuse(out, OL_I286_GP, selector, wrong);
        return;
    }
    if (!(access & OL_I286_PRESENT)) {
        refuse(out, where == OL_I286_SS_REGISTER ? OL_I286_SS : OL_I286_NP, selector, "not present");
        return;
    }
    out->sets_accessed = !(access & OL_I286_ACCESSED);
    out->segment.usable = true;
    out->segment.base = ol_i286_base(out->descriptor);
    out->segment.limit = ol_i286_limit(out->descriptor);
    out->segment.access = access | OL_I286_ACCESSED;
    if (where == OL_I286_CS_REGISTER) out->segment.selector = (uint16_t)((selector & ~OL_I286_RPL) | control->cpl);
}

bool ol_i286_extent(uint8_t access, uint16_t limit, uint32_t *first, uint32_t *last)
{
    const bool down = is_data(access) && access & OL_I286_EXPAND_DOWN;
    *first = down ? limit + 1U : 0;
    *last = down ? OL_I286_SEGMENT_BYTES_MAX - 1 : limit;
    return *first <= *last;
}

/* What the type forbids; NULL: nothing. */
static const char *check_access(uint8_t access, unsigned kind)
{
    if (kind == OL_WRITE) return is_data(access) && access & OL_I286_WRITABLE ? NULL : "not writable";
    if (kind == OL_EXEC) return is_code(access) ? NULL : "no code segment";
    return is_data(access) || access & OL_I286_READABLE ? NULL : "not readable";
}

void ol_i286_refer(const struct ol_i286_segment *segment, enum ol_i286_register where, uint16_t offset, uint32_t bytes,
                   unsigned access, struct ol_i286_reference *out)
{
    uint32_t first, last;
    assert(bytes >= 1 && bytes <= OL_I286_SEGMENT_BYTES_MAX);
    assert(access == OL_READ || access == OL_WRITE || (access == OL_EXEC && where == OL_I286_CS_REGISTER));
    *out = (struct ol_i286_reference){.exception = OL_I286_GP};
    out->check = segment->usable ? check_access(segment->access, access) : "a null selector";
    if (out->check) return;
    const bool some = ol_i286_extent(segment->access, segment->limit, &first, &last);
    if (!some || offset < first || offset + (bytes - 1) > last) {
        if (where == OL_I286_SS_REGISTER) out->exception = OL_I286_SS;
        out->check = "outside of the segment";
        return;
    }
    out->exception = OL_I286_NONE;
    out->physical = (segment->base + offset) & ((1U << OL_I286_ADDRESS_BITS) - 1);
}
