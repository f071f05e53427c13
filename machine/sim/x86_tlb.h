/* SPDX-License-Identifier: MIT */
/*
 * What empties the TLBs and paging-structure caches of an x86 processor. Sources: Intel SDM volume 3A, 4.10.4.1
 * "Operations that Invalidate TLBs and Paging-Structure Caches", 4.10.1 "Process-Context Identifiers (PCIDs)", volume
 * 2, INVPCID and MOV to control registers; AMD APM volume 2, 5.5. Processors may forget more than they must; these
 * forget exactly what they must, but where said otherwise.
 *
 *     operation                  TLB entries                        paging-structure caches
 *     INVLPG va                  va's of the current PCID, and      all of the current PCID
 *                                global ones of va
 *     INVPCID 0 (pcid, va)       va's of that PCID, not global      what leads to va, of that PCID
 *             1 (pcid)           that PCID's, not global            that PCID's
 *             2                  all, global ones too               all
 *             3                  all but global ones                all
 *     MOV CR3, PCIDE = 0         PCID 0's, not global               PCID 0's
 *              PCIDE = 1         the new PCID's, not global; with bit 63 of the source none          likewise
 *     MOV CR4, PGE changes, or   all, global ones too               all
 *              PCIDE 1 -> 0
 *              PAE changes, or   the current PCID's; here global    the current PCID's
 *              SMEP 0 -> 1       ones too (the manual is not clear)
 *     MOV CR0, PG 1 -> 0         all, global ones too               all
 *     a page fault at va         va's of the current PCID           what leads to va, of the current PCID
 *
 * A page that is held in pieces goes with all of them. Without CR4.PCIDE, the current PCID is 0.
 *
 * Conditions that hold for all functions:
 * - Tags of `tlbs` are PCIDs; the current space of `tlbs` is the current PCID.
 * - False is a general protection fault: nothing has changed.
 */
#ifndef OL_SIM_X86_TLB_H
#define OL_SIM_X86_TLB_H

#include "machine/sim/tlbs.h"

enum ol_x86_invpcid {
    OL_X86_INVPCID_ADDRESS,
    OL_X86_INVPCID_CONTEXT,
    OL_X86_INVPCID_ALL,
    OL_X86_INVPCID_ALL_BUT_GLOBAL
};

#define OL_X86_CR3_KEEP (1ULL << 63) /* of MOV CR3's source: nothing is to be invalidated */

void ol_x86_invlpg(struct ol_tlbs *tlbs, ol_va va);
/* Refused: another type, a PCID above 12 bits, PCID other than 0 without PCIDE (types 0 and 1), an address that is not
 * canonical (type 0). */
bool ol_x86_invpcid(const struct ol_x86_control *control, struct ol_tlbs *tlbs, uint64_t type, uint64_t pcid, ol_va va);
/* Refused: bits from MAXPHYADDR up, among them bit 63 without PCIDE. */
bool ol_x86_load_cr3(struct ol_x86_control *control, struct ol_tlbs *tlbs, uint64_t value);
/* Refused: PCIDE outside IA-32e mode, or set while CR3 11..0 are not 0; a change of LA57, or PAE cleared, in IA-32e
 * mode. Which bits a processor knows is not looked at. */
bool ol_x86_load_cr4(struct ol_x86_control *control, struct ol_tlbs *tlbs, uint64_t value);
/* Refused: PG without PE; PG cleared while PCIDE is set. */
bool ol_x86_load_cr0(struct ol_x86_control *control, struct ol_tlbs *tlbs, uint64_t value);
void ol_x86_page_fault(struct ol_tlbs *tlbs, ol_va va);

/* For struct ol_sim_format. */
void ol_x86_load_root(union ol_sim_control *control, struct ol_tlbs *tlbs, uint32_t tag, bool keep);
void ol_x86_invalidate(const union ol_sim_control *control, struct ol_tlbs *tlbs, uint32_t tag, ol_va va);

#endif
