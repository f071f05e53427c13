/* SPDX-License-Identifier: MIT */
#include "analysis/opt_stack.h"

#include <stdlib.h>

enum { FAN_SHIFT = 4, FAN = 1 << FAN_SHIFT, LEVELS_MAX = 9 };

struct ol_opt_stack {
    uint32_t *page_at;            /* by depth, from 0 */
    uint32_t *depth_of;           /* by page */
    uint32_t *wanted[LEVELS_MAX]; /* when the page at a depth is referenced next; above: maxima of FAN elements below */
    unsigned levels;
    uint32_t depth; /* pages on the stack */
};

struct ol_opt_stack *ol_opt_stack_create(uint32_t pages_total)
{
    struct ol_opt_stack *stack = calloc(1, sizeof(*stack));
    if (!stack) return NULL;
    size_t count = (size_t)pages_total + 1;
    stack->page_at = calloc(count, sizeof(uint32_t));
    stack->depth_of = malloc(count * sizeof(uint32_t));
    bool good = stack->page_at && stack->depth_of;
    for (size_t i = 0; good && i < count; i++) stack->depth_of[i] = UINT32_MAX;
    do {
        count = ((count - 1) | (FAN - 1)) + 1;
        stack->wanted[stack->levels] = calloc(count, sizeof(uint32_t));
        good = good && stack->wanted[stack->levels++];
        count >>= FAN_SHIFT;
    } while (count > 1);
    if (good) return stack;
    ol_opt_stack_destroy(stack);
    return NULL;
}

void ol_opt_stack_destroy(struct ol_opt_stack *stack)
{
    free(stack->page_at);
    free(stack->depth_of);
    for (unsigned level = 0; level < stack->levels; level++) free(stack->wanted[level]);
    free(stack);
}

/* Puts a page at a depth, and the maxima right. */
static void put(struct ol_opt_stack *stack, uint32_t depth, uint32_t page, uint32_t wanted)
{
    stack->page_at[depth] = page;
    stack->depth_of[page] = depth;
    stack->wanted[0][depth] = wanted;
    for (unsigned level = 1; level < stack->levels; level++) {
        const uint32_t *below = &stack->wanted[level - 1][depth & ~(uint32_t)(FAN - 1)];
        uint32_t most = 0;
        for (int i = 0; i < FAN; i++) most = below[i] > most ? below[i] : most;
        depth >>= FAN_SHIFT;
        if (stack->wanted[level][depth] == most) break;
        stack->wanted[level][depth] = most;
    }
}

/* The first depth from `from` on, and before `end`, whose page is wanted later than `than`; `end` if there is none. */
static uint32_t next_later(const struct ol_opt_stack *stack, uint32_t from, uint32_t end, uint32_t than)
{
    unsigned level = 0;
    uint32_t at = from;
    while (((uint64_t)at << (FAN_SHIFT * level)) < end) {
        if (stack->wanted[level][at] > than) {
            if (!level) return at;
            at <<= FAN_SHIFT;
            level--;
        } else if ((++at & (FAN - 1)) == 0 && level + 1 < stack->levels) {
            at >>= FAN_SHIFT;
            level++;
        }
    }
    return end;
}

/* Returns the distance; 0 for a first reference. */
static uint32_t reference(struct ol_opt_stack *stack, uint32_t page, uint32_t wanted)
{
    const bool first = stack->depth_of[page] == UINT32_MAX;
    const uint32_t depth = first ? stack->depth++ : stack->depth_of[page];
    if (depth) {
        uint32_t carried = stack->page_at[0], later = stack->wanted[0][0];
        for (uint32_t at = 1; later != UINT32_MAX && (at = next_later(stack, at, depth, later)) < depth; at++) {
            const uint32_t other = stack->page_at[at], other_later = stack->wanted[0][at];
            put(stack, at, carried, later);
            carried = other;
            later = other_later;
        }
        put(stack, depth, carried, later);
    }
    put(stack, 0, page, wanted);
    return first ? 0 : depth + 1;
}

void ol_opt_stack_count(struct ol_opt_stack *stack, const struct ol_batch *batch, uint64_t *histogram)
{
    for (size_t i = 0; i < batch->count; i++) {
        histogram[reference(stack, batch->pages[i], batch->future[i])]++;
        if (batch->counts) histogram[1] += batch->counts[i] - 1;
    }
}
