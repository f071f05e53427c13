/* SPDX-License-Identifier: MIT */
#include "tests/support/pmap_faulty.h"

#include "tests/support/random.h"

enum { CHAOS_FRAMES = 4 };

static void chaos_forget(struct ol_pmap_faulty *faulty)
{
    for (int i = 0; faulty->chaos && i < CHAOS_FRAMES; i++) {
        const ol_frame_no frame = (ol_frame_no)ol_random_below(&faulty->chaos, faulty->frames_max);
        faulty->forgotten += faulty->inner->frame_protect(faulty->machine, &frame, 1, OL_NONE);
    }
}

static enum ol_status faulty_create(void *machine, ol_va first_va, ol_va last_va, struct ol_pmap **out)
{
    struct ol_pmap_faulty *faulty = machine;
    return faulty->inner->create(faulty->machine, first_va, last_va, out);
}

static void faulty_destroy(void *machine, struct ol_pmap *pmap)
{
    struct ol_pmap_faulty *faulty = machine;
    faulty->inner->destroy(faulty->machine, pmap);
}

/* One more call that enters: is it one that fails? */
static bool fails(struct ol_pmap_faulty *faulty)
{
    const uint64_t call = ++faulty->enters;
    return faulty->first && call >= faulty->first && call - faulty->first < faulty->times;
}

static enum ol_status faulty_enter(void *machine, struct ol_pmap *pmap, ol_va va, const ol_frame_no *frames, uint32_t n,
                                   unsigned rights, unsigned access)
{
    struct ol_pmap_faulty *faulty = machine;
    if (fails(faulty)) {
        faulty->failed++;
        return OL_E_NO_META;
    }
    chaos_forget(faulty);
    return faulty->inner->enter(faulty->machine, pmap, va, frames, n, rights, access);
}

static enum ol_status faulty_enter_large(void *machine, struct ol_pmap *pmap, ol_va va, ol_frame_no first,
                                         uint8_t shift, unsigned rights)
{
    struct ol_pmap_faulty *faulty = machine;
    if (fails(faulty)) {
        faulty->failed_large++;
        return OL_E_NO_META;
    }
    chaos_forget(faulty);
    return faulty->inner->enter_large(faulty->machine, pmap, va, first, shift, rights);
}

static void faulty_remove(void *machine, struct ol_pmap *pmap, ol_va va, uint64_t pages)
{
    struct ol_pmap_faulty *faulty = machine;
    faulty->inner->remove(faulty->machine, pmap, va, pages);
}

static void faulty_protect(void *machine, struct ol_pmap *pmap, ol_va va, uint64_t pages, unsigned rights)
{
    struct ol_pmap_faulty *faulty = machine;
    faulty->inner->protect(faulty->machine, pmap, va, pages, rights);
}

static bool faulty_query(void *machine, const struct ol_pmap *pmap, ol_va va, struct ol_mapping *out)
{
    struct ol_pmap_faulty *faulty = machine;
    return faulty->inner->query(faulty->machine, pmap, va, out);
}

static uint32_t faulty_frame_protect(void *machine, const ol_frame_no *frames, uint32_t n, unsigned rights)
{
    struct ol_pmap_faulty *faulty = machine;
    return faulty->inner->frame_protect(faulty->machine, frames, n, rights);
}

static void faulty_wire(void *machine, ol_frame_no frame, bool wired)
{
    struct ol_pmap_faulty *faulty = machine;
    if (faulty->inner->wire) faulty->inner->wire(faulty->machine, frame, wired);
}

static unsigned faulty_test_clear(void *machine, ol_frame_no frame, unsigned attributes)
{
    struct ol_pmap_faulty *faulty = machine;
    return faulty->inner->test_clear(faulty->machine, frame, attributes);
}

static void faulty_sync(void *machine)
{
    struct ol_pmap_faulty *faulty = machine;
    faulty->inner->sync(faulty->machine);
}

static void faulty_frame_zero(void *machine, ol_frame_no frame)
{
    struct ol_pmap_faulty *faulty = machine;
    faulty->inner->frame_zero(faulty->machine, frame);
}

static void faulty_frame_copy(void *machine, ol_frame_no to, ol_frame_no from)
{
    struct ol_pmap_faulty *faulty = machine;
    faulty->inner->frame_copy(faulty->machine, to, from);
}

static void *faulty_frame_map(void *machine, ol_frame_no frame)
{
    struct ol_pmap_faulty *faulty = machine;
    return faulty->inner->frame_map(faulty->machine, frame);
}

static void faulty_frame_unmap(void *machine, ol_frame_no frame)
{
    struct ol_pmap_faulty *faulty = machine;
    faulty->inner->frame_unmap(faulty->machine, frame);
}

static void faulty_frame_discard(void *machine, ol_frame_no frame)
{
    struct ol_pmap_faulty *faulty = machine;
    faulty->inner->frame_discard(faulty->machine, frame);
}

static uint32_t faulty_node_for(void *machine, const struct ol_pmap *pmap, ol_va va)
{
    const struct ol_pmap_faulty *faulty = machine;
    (void)pmap;
    return faulty->node_for ? faulty->node_for(va) : OL_ANY_NODE;
}

const struct ol_pmap_ops ol_pmap_faulty_ops = {
    .create = faulty_create,
    .destroy = faulty_destroy,
    .enter = faulty_enter,
    .enter_large = faulty_enter_large,
    .remove = faulty_remove,
    .protect = faulty_protect,
    .query = faulty_query,
    .frame_protect = faulty_frame_protect,
    .wire = faulty_wire,
    .test_clear = faulty_test_clear,
    .sync = faulty_sync,
    .frame_zero = faulty_frame_zero,
    .frame_copy = faulty_frame_copy,
    .frame_map = faulty_frame_map,
    .frame_unmap = faulty_frame_unmap,
    .frame_discard = faulty_frame_discard,
    .node_for = faulty_node_for,
};

void ol_pmap_faulty_fail(struct ol_pmap_faulty *faulty, uint64_t nth, uint64_t times)
{
    faulty->first = times ? faulty->enters + nth : 0;
    faulty->times = times;
}
