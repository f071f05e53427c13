/* SPDX-License-Identifier: MIT */
/* The simulated machines as testbeds: every access is a simulated reference. */
#include <stdatomic.h>

#include "machine/sim/machine.h"
#include "tests/support/testbed.h"
#include "tests/support/testbed_small.h"

enum { PROCESSORS = 2, TURN = 16 /* references of a processor */ };

static const char *sim_missing(void)
{
    return NULL;
}

static enum ol_status sim_machine_create(const struct ol_testbed *bed, uint32_t frames_max, void **machine,
                                         struct ol_port *port)
{
    /* Small ones of all kinds, and fewer tags than there are spaces. */
    const struct ol_sim_format *const format = bed->kind;
    struct ol_sim_options options = {.format = format, .frames = frames_max, .processors = PROCESSORS};
    char message[512];
    if (!ol_tlb_spec_parse(format->walks_levels ? "l1d=8:4,l1i=4:plru,l2=32:4:random,walk=8,tags=1"
                                                : "l1d=8:4,l1i=4:plru,l2=32:4:random",
                           &options.tlb, message, sizeof message))
        return OL_E_INVALID;
    struct ol_sim *sim;
    const enum ol_status status = ol_sim_create(&options, &sim);
    if (status != OL_OK) return status;
    *machine = sim;
    *port = ol_sim_port(sim);
    return OL_OK;
}

static void sim_machine_destroy(void *machine)
{
    ol_sim_destroy(machine);
}

static bool sim_find_range(const struct ol_testbed *bed, uint64_t pages, ol_va *first_va, ol_va *last_va)
{
    const uint8_t shift = bed->is->page_shift;
    const ol_va low = 0x10000000;
    const uint64_t most = (bed->is->last_va >> shift) + 1, above_low = most - (low >> shift);
    if (pages > most) return false;
    *first_va = low > bed->is->last_va || pages > above_low ? 0 : low;
    *last_va = *first_va + (pages << shift) - 1;
    return true;
}

/* The processors take turns, whichever thread it is. */
static enum ol_status sim_access(void *machine, struct ol_space *space, ol_va va, unsigned access, unsigned char *value)
{
    static atomic_uint turn;
    if (atomic_fetch_add(&turn, 1) % TURN == 0) ol_sim_select(machine, atomic_load(&turn) / TURN % PROCESSORS);
    if (access == OL_READ) return ol_sim_read(machine, space, va, value, 1);
    if (access == OL_WRITE) return ol_sim_write(machine, space, va, value, 1);
    return ol_sim_access(machine, space, va, access);
}

#define TESTBED(machine, shift)                                                                          \
    {                                                                                                    \
        .name = #machine, .kind = &ol_sim_##machine, .is = &ol_sim_##machine.is, .large_shift = (shift), \
        .pmap = &ol_sim_pmap_ops, .missing = sim_missing, .machine_create = sim_machine_create,          \
        .machine_destroy = sim_machine_destroy, .find_range = sim_find_range, .access = sim_access,      \
    }

#ifdef OL_LARGE_PAGES /* machines that have them, with their use */

static const struct ol_testbed amd64 = TESTBED(amd64, 21), ia32 = TESTBED(ia32, 22), pae = TESTBED(pae, 21),
                               la57 = TESTBED(la57, 30), sv39 = TESTBED(sv39, 21), sv48 = TESTBED(sv48, 30);

const struct ol_testbed *const ol_testbeds[] = {&ol_testbed_small, &amd64, &ia32, &pae, &la57, &sv39, &sv48, NULL};

#else

static const struct ol_testbed amd64 = TESTBED(amd64, 0), ia32 = TESTBED(ia32, 0), pae = TESTBED(pae, 0),
                               la57 = TESTBED(la57, 0), sv39 = TESTBED(sv39, 0), sv48 = TESTBED(sv48, 0),
                               atlas = TESTBED(atlas, 0), vax = TESTBED(vax, 0), s370 = TESTBED(s370, 0),
                               s370_2k = TESTBED(s370_2k, 0), s370_1m = TESTBED(s370_1m, 0),
                               s370_2k_1m = TESTBED(s370_2k_1m, 0);

const struct ol_testbed *const ol_testbeds[] = {&amd64, &ia32, &pae,     &la57,    &sv39,       &sv48, &vax,
                                                &atlas, &s370, &s370_2k, &s370_1m, &s370_2k_1m, NULL};

#endif
