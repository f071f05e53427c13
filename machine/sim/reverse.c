/* SPDX-License-Identifier: MIT */
#include "machine/sim/reverse.h"

#include <assert.h>
#include <stdlib.h>

enum { ALIASES_FIRST = 256 };

enum ol_status ol_sim_reverse_create(struct ol_sim_reverse *reverse, uint32_t frames)
{
    *reverse = (struct ol_sim_reverse){.alias_free = OL_SIM_NO_ALIAS};
    reverse->frames = calloc(frames, sizeof *reverse->frames);
    return reverse->frames ? OL_OK : OL_E_NO_META;
}

void ol_sim_reverse_destroy(struct ol_sim_reverse *reverse)
{
    free(reverse->frames);
    free(reverse->aliases);
    *reverse = (struct ol_sim_reverse){0};
}

enum ol_status ol_sim_reverse_reserve(struct ol_sim_reverse *reverse, uint32_t count)
{
    if (reverse->alias_free_count >= count) return OL_OK;
    const uint64_t used = reverse->alias_capacity - reverse->alias_free_count;
    uint64_t capacity = reverse->alias_capacity > 0 ? reverse->alias_capacity : ALIASES_FIRST;
    while (capacity - used < count) capacity *= 2;
    if (capacity >= OL_SIM_NO_ALIAS) return OL_E_NO_META;
    struct ol_sim_alias *const aliases = realloc(reverse->aliases, capacity * sizeof *aliases);
    if (!aliases) return OL_E_NO_META;
    reverse->aliases = aliases;
    while (reverse->alias_capacity < capacity) {
        aliases[reverse->alias_capacity].next = reverse->alias_free;
        reverse->alias_free = reverse->alias_capacity++;
        reverse->alias_free_count++;
    }
    return OL_OK;
}

void ol_sim_reverse_add(struct ol_sim_reverse *reverse, ol_frame_no frame, struct ol_pmap *pmap, ol_va va)
{
    struct ol_sim_frame *const record = &reverse->frames[frame];
    const struct ol_sim_mapping mapping = {.pmap = pmap, .va = va};
    if (!record->first.pmap) {
        record->first = mapping;
        return;
    }
    assert(reverse->alias_free_count > 0);
    const uint32_t number = reverse->alias_free;
    struct ol_sim_alias *const alias = &reverse->aliases[number];
    reverse->alias_free = alias->next;
    reverse->alias_free_count--;
    alias->mapping = mapping;
    alias->next = record->aliases > 0 ? record->aliases - 1 : OL_SIM_NO_ALIAS;
    record->aliases = number + 1;
}

static void release(struct ol_sim_reverse *reverse, uint32_t number)
{
    reverse->aliases[number].next = reverse->alias_free;
    reverse->alias_free = number;
    reverse->alias_free_count++;
}

/* Takes the head off the list of aliases. */
static struct ol_sim_mapping pop(struct ol_sim_reverse *reverse, struct ol_sim_frame *record)
{
    const uint32_t number = record->aliases - 1;
    const struct ol_sim_alias alias = reverse->aliases[number];
    record->aliases = alias.next == OL_SIM_NO_ALIAS ? 0 : alias.next + 1;
    release(reverse, number);
    return alias.mapping;
}

static bool is_same(const struct ol_sim_mapping *mapping, const struct ol_pmap *pmap, ol_va va)
{
    return mapping->pmap == pmap && mapping->va == va;
}

void ol_sim_reverse_remove(struct ol_sim_reverse *reverse, ol_frame_no frame, const struct ol_pmap *pmap, ol_va va)
{
    struct ol_sim_frame *const record = &reverse->frames[frame];
    if (is_same(&record->first, pmap, va)) {
        record->first = record->aliases > 0 ? pop(reverse, record) : (struct ol_sim_mapping){0};
        return;
    }
    assert(record->aliases > 0);
    uint32_t number = record->aliases - 1;
    if (is_same(&reverse->aliases[number].mapping, pmap, va)) {
        pop(reverse, record);
        return;
    }
    uint32_t before;
    do {
        before = number;
        number = reverse->aliases[number].next;
        assert(number != OL_SIM_NO_ALIAS);
    } while (!is_same(&reverse->aliases[number].mapping, pmap, va));
    reverse->aliases[before].next = reverse->aliases[number].next;
    release(reverse, number);
}

void ol_sim_reverse_each(struct ol_sim_reverse *reverse, ol_frame_no frame,
                         void (*visit)(void *context, struct ol_pmap *pmap, ol_va va), void *context)
{
    const struct ol_sim_frame *const record = &reverse->frames[frame];
    /* The aliases first: removing the first mapping moves an alias into its place. */
    uint32_t number = record->aliases > 0 ? record->aliases - 1 : OL_SIM_NO_ALIAS;
    while (number != OL_SIM_NO_ALIAS) {
        const struct ol_sim_alias alias = reverse->aliases[number];
        visit(context, alias.mapping.pmap, alias.mapping.va);
        number = alias.next;
    }
    if (record->first.pmap) visit(context, record->first.pmap, record->first.va);
}
