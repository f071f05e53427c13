/* SPDX-License-Identifier: MIT */
#include "machine/sim/x86_tlb.h"

enum { PCID_BITS = 12 };

static bool has_pcids(const struct ol_x86_control *control)
{
    return control->cr4 & OL_X86_CR4_PCIDE;
}

static uint32_t pcid_of(const struct ol_x86_control *control, uint64_t cr3)
{
    return has_pcids(control) ? (uint32_t)(cr3 & ((1U << PCID_BITS) - 1)) : 0;
}

void ol_x86_invlpg(struct ol_tlbs *tlbs, ol_va va)
{
    ol_tlbs_invalidate(tlbs, tlbs->tag, va, OL_TLB_GLOBAL_TOO | OL_TLB_ALL_TABLES);
}

void ol_x86_page_fault(struct ol_tlbs *tlbs, ol_va va)
{
    ol_tlbs_invalidate(tlbs, tlbs->tag, va, 0);
}

static bool is_canonical(const struct ol_x86_control *control, ol_va va)
{
    const unsigned bits = control->cr4 & OL_X86_CR4_LA57 ? 57 : 48;
    return !(control->efer & OL_X86_EFER_LMA) || (ol_va)((int64_t)(va << (64 - bits)) >> (64 - bits)) == va;
}

bool ol_x86_invpcid(const struct ol_x86_control *control, struct ol_tlbs *tlbs, uint64_t type, uint64_t pcid, ol_va va)
{
    const bool for_one = type == OL_X86_INVPCID_ADDRESS || type == OL_X86_INVPCID_CONTEXT;
    if (type > OL_X86_INVPCID_ALL_BUT_GLOBAL || pcid >> PCID_BITS != 0) return false;
    if (for_one && pcid != 0 && !has_pcids(control)) return false;
    if (type == OL_X86_INVPCID_ADDRESS && !is_canonical(control, va)) return false;
    switch (type) {
    case OL_X86_INVPCID_ADDRESS: ol_tlbs_invalidate(tlbs, (uint32_t)pcid, va, 0); break;
    case OL_X86_INVPCID_CONTEXT: ol_tlbs_empty_tag(tlbs, (uint32_t)pcid, false); break;
    default: ol_tlbs_empty(tlbs, type == OL_X86_INVPCID_ALL);
    }
    return true;
}

bool ol_x86_load_cr3(struct ol_x86_control *control, struct ol_tlbs *tlbs, uint64_t value)
{
    const bool keep = has_pcids(control) && value & OL_X86_CR3_KEEP;
    if (keep) value &= ~OL_X86_CR3_KEEP;
    if (value >> control->maxphyaddr != 0) return false;
    const uint32_t pcid = pcid_of(control, value);
    if (!keep) ol_tlbs_empty_tag(tlbs, pcid, false);
    ol_tlbs_switch(tlbs, pcid);
    control->cr3 = value;
    return true;
}

bool ol_x86_load_cr4(struct ol_x86_control *control, struct ol_tlbs *tlbs, uint64_t value)
{
    const uint64_t changed = control->cr4 ^ value, set = changed & value, cleared = changed & ~value;
    const bool long_mode = control->efer & OL_X86_EFER_LMA;
    if (set & OL_X86_CR4_PCIDE && (!long_mode || control->cr3 & ((1U << PCID_BITS) - 1))) return false;
    if (long_mode && (changed & OL_X86_CR4_LA57 || cleared & OL_X86_CR4_PAE)) return false;
    if (changed & OL_X86_CR4_PGE || cleared & OL_X86_CR4_PCIDE) {
        ol_tlbs_empty(tlbs, true);
    } else if (changed & OL_X86_CR4_PAE || set & OL_X86_CR4_SMEP) {
        ol_tlbs_empty_tag(tlbs, tlbs->tag, true);
    }
    control->cr4 = value;
    if (changed & OL_X86_CR4_PCIDE) ol_tlbs_switch(tlbs, pcid_of(control, control->cr3));
    return true;
}

bool ol_x86_load_cr0(struct ol_x86_control *control, struct ol_tlbs *tlbs, uint64_t value)
{
    const bool paging_ends = control->cr0 & ~value & OL_X86_CR0_PG;
    if (value & OL_X86_CR0_PG && !(value & OL_X86_CR0_PE)) return false;
    if (paging_ends && has_pcids(control)) return false;
    if (paging_ends) ol_tlbs_empty(tlbs, true);
    control->cr0 = value;
    return true;
}

/* --- for the machine --------------------------------------------------------------------------------------------- */

/* `control` has the root in CR3, where a system that uses PCIDs puts the tag beside it. */
void ol_x86_load_root(union ol_sim_control *control, struct ol_tlbs *tlbs, uint32_t tag, bool keep)
{
    struct ol_x86_control *const x86 = &control->x86;
    if (tlbs->tag_bits > 0) x86->cr4 |= OL_X86_CR4_PCIDE;
    const bool good = ol_x86_load_cr3(x86, tlbs, x86->cr3 | tag | (keep ? OL_X86_CR3_KEEP : 0));
    assert(good && tlbs->tag == tag);
    (void)good;
}

void ol_x86_invalidate(const union ol_sim_control *control, struct ol_tlbs *tlbs, uint32_t tag, ol_va va)
{
    if (tag == tlbs->tag) {
        ol_x86_invlpg(tlbs, va);
        return;
    }
    const bool good = ol_x86_invpcid(&control->x86, tlbs, OL_X86_INVPCID_ADDRESS, tag, va);
    assert(good);
    (void)good;
}
