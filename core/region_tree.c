/* SPDX-License-Identifier: MIT */
/*
 * An AVL tree of regions, ordered by address. Every node knows the first and last page of its subtree and the largest
 * gap between neighbours inside it, so that a gap of a given size is found by one descent.
 */
#include "core/internal.h"

static struct ol_region *at(const struct ol_system *system, uint32_t number)
{
    return ol_region_at(system, number);
}

static int height(const struct ol_system *system, uint32_t number)
{
    return number == OL_NIL ? 0 : at(system, number)->height;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Recomputes what a node knows of its subtree from its children. */
static void update(const struct ol_system *system, uint32_t number)
{
    struct ol_region *region = at(system, number);
    const int left = height(system, region->left), right = height(system, region->right);
    region->height = (uint8_t)(1 + (left > right ? left : right));
    region->sub_first = region->first;
    region->sub_last = region->last;
    region->sub_gap = 0;
    if (region->left != OL_NIL) {
        const struct ol_region *below = at(system, region->left);
        region->sub_first = below->sub_first;
        region->sub_gap = larger(below->sub_gap, region->first - below->sub_last - 1);
    }
    if (region->right != OL_NIL) {
        const struct ol_region *above = at(system, region->right);
        region->sub_last = above->sub_last;
        region->sub_gap = larger(region->sub_gap, larger(above->sub_gap, above->sub_first - region->last - 1));
    }
}

static uint32_t rotate_right(const struct ol_system *system, uint32_t number)
{
    const uint32_t top = at(system, number)->left;
    at(system, number)->left = at(system, top)->right;
    at(system, top)->right = number;
    update(system, number);
    update(system, top);
    return top;
}

static uint32_t rotate_left(const struct ol_system *system, uint32_t number)
{
    const uint32_t top = at(system, number)->right;
    at(system, number)->right = at(system, top)->left;
    at(system, top)->left = number;
    update(system, number);
    update(system, top);
    return top;
}

/* The subtree with its two sides at most one level apart; returns its root. */
static uint32_t balance(const struct ol_system *system, uint32_t number)
{
    struct ol_region *region = at(system, number);
    update(system, number);
    const int lean = height(system, region->left) - height(system, region->right);
    if (lean > 1) {
        const struct ol_region *left = at(system, region->left);
        if (height(system, left->left) < height(system, left->right)) region->left = rotate_left(system, region->left);
        return rotate_right(system, number);
    }
    if (lean < -1) {
        const struct ol_region *right = at(system, region->right);
        if (height(system, right->right) < height(system, right->left))
            region->right = rotate_right(system, region->right);
        return rotate_left(system, number);
    }
    return number;
}

uint32_t ol_region_tree_insert(struct ol_system *system, uint32_t root, uint32_t number)
{
    struct ol_region *region = at(system, number);
    if (root == OL_NIL) {
        region->left = region->right = OL_NIL;
        update(system, number);
        return number;
    }
    struct ol_region *top = at(system, root);
    if (region->first < top->first) top->left = ol_region_tree_insert(system, top->left, number);
    else top->right = ol_region_tree_insert(system, top->right, number);
    return balance(system, root);
}

/* Takes the lowest node out of a subtree; returns the subtree's new root. */
static uint32_t take_lowest(const struct ol_system *system, uint32_t root, uint32_t *lowest)
{
    struct ol_region *top = at(system, root);
    if (top->left == OL_NIL) {
        *lowest = root;
        return top->right;
    }
    top->left = take_lowest(system, top->left, lowest);
    return balance(system, root);
}

uint32_t ol_region_tree_remove(struct ol_system *system, uint32_t root, uint32_t number)
{
    OL_ASSERT(system, root != OL_NIL, "I6");
    struct ol_region *top = at(system, root);
    if (root == number) {
        if (top->left == OL_NIL) return top->right;
        if (top->right == OL_NIL) return top->left;
        uint32_t next;
        const uint32_t right = take_lowest(system, top->right, &next);
        at(system, next)->left = top->left;
        at(system, next)->right = right;
        return balance(system, next);
    }
    if (at(system, number)->first < top->first) top->left = ol_region_tree_remove(system, top->left, number);
    else top->right = ol_region_tree_remove(system, top->right, number);
    return balance(system, root);
}

void ol_region_tree_update(struct ol_system *system, uint32_t root, uint32_t number)
{
    OL_ASSERT(system, root != OL_NIL, "I6");
    const struct ol_region *top = at(system, root);
    if (root != number)
        ol_region_tree_update(system, at(system, number)->first < top->first ? top->left : top->right, number);
    update(system, root);
}

uint32_t ol_region_tree_at_or_above(const struct ol_system *system, uint32_t root, uint64_t page)
{
    uint32_t best = OL_NIL;
    while (root != OL_NIL) {
        const struct ol_region *region = at(system, root);
        if (region->last >= page) {
            best = root;
            if (region->first <= page) break;
            root = region->left;
        } else {
            root = region->right;
        }
    }
    return best;
}

/* A search for room: the subtree `root` lies in an otherwise free stretch of pages [low, end). */
struct gap_search {
    const struct ol_system *system;
    uint64_t from;  /* the gap begins here or above */
    uint64_t pages; /* its size */
    uint64_t found;
};

static bool gap_in(struct gap_search *search, uint32_t root, uint64_t low, uint64_t end)
{
    const uint64_t start = larger(low, search->from);
    if (start >= end || end - start < search->pages) return false;
    if (root == OL_NIL) {
        search->found = start;
        return true;
    }
    const struct ol_region *region = at(search->system, root);
    const uint64_t outside = larger(region->sub_first - low, end - region->sub_last - 1);
    if (larger(region->sub_gap, outside) < search->pages) return false;
    return gap_in(search, region->left, low, region->first) || gap_in(search, region->right, region->last + 1, end);
}

bool ol_region_tree_gap(const struct ol_system *system, const struct ol_space *space, uint64_t from, uint64_t pages,
                        uint64_t *out)
{
    struct gap_search search = {.system = system, .from = from, .pages = pages};
    if (!gap_in(&search, space->root, space->first, space->last + 1)) return false;
    *out = search.found;
    return true;
}
