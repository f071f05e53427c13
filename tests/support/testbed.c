/* SPDX-License-Identifier: MIT */
#include "tests/support/testbed.h"

#include <string.h>

static void close_parts(struct ol_bed *bed)
{
    if (bed->pager) bed->pager->ops->close(bed->pager);
    if (bed->machine) bed->kind->machine_destroy(bed->machine);
}

enum ol_status ol_bed_create(const struct ol_testbed *kind, const struct ol_bed_options *options, struct ol_bed *bed)
{
    struct ol_port inner, port;
    memset(bed, 0, sizeof(*bed));
    bed->kind = kind;
    bed->pager = options->pager;
    enum ol_status status = kind->machine_create(kind, options->frames_max, &bed->machine, &inner);
    if (status == OL_OK) {
        bed->pmap =
            (struct ol_pmap_faulty){.inner = kind->pmap, .machine = bed->machine, .frames_max = options->frames_max};
        ol_port_faulty_init(&bed->port, &inner, &port);
        ol_port_faulty_fail(&bed->port, options->fail_metadata_nth, options->fail_metadata_nth != 0);
        const struct ol_config config = {
            .port = &port,
            .pmap = &ol_pmap_faulty_ops,
            .machine = &bed->pmap,
            .machine_is = kind->is,
            .pager = options->pager,
            .policy = options->policy,
            .frames = options->frames,
            .frames_max = options->frames_max,
            .low = options->low,
            .high = options->high,
            .prefetch_max = options->prefetch_max,
            .zones = options->zones,
            .zone_count = options->zone_count,
            .large_shift = options->large_shift ? options->large_shift : kind->large_shift,
        };
        status = ol_system_create(&config, &bed->system);
    }
    if (status != OL_OK) close_parts(bed);
    return status;
}

void ol_bed_destroy(struct ol_bed *bed)
{
    ol_system_destroy(bed->system);
    close_parts(bed);
}

enum ol_status ol_bed_space(struct ol_bed *bed, uint64_t pages, struct ol_space **out, ol_va *first_va)
{
    ol_va last_va;
    if (!bed->kind->find_range(bed->kind, pages, first_va, &last_va)) return OL_E_NO_ROOM;
    return ol_space_create(bed->system, *first_va, last_va, out);
}
