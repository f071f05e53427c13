/* SPDX-License-Identifier: MIT */
#include "tests/support/policy_models.h"

static uint64_t model_fifo(const struct model_trace *trace, uint32_t frames)
{
    struct list in = {0};
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        if (list_has(&in, trace->page[i])) continue;
        faults++;
        if (in.count == frames) (void)list_take(&in, 0);
        list_append(&in, trace->page[i]);
    }
    return faults;
}

static uint64_t model_lru(const struct model_trace *trace, uint32_t frames)
{
    struct list in = {0};
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        if (!list_remove(&in, trace->page[i])) {
            faults++;
            if (in.count == frames) (void)list_take(&in, 0);
        }
        list_append(&in, trace->page[i]);
    }
    return faults;
}

/* Second chance and clock are the same pages; `enter` is the bit of a new one. */
static uint64_t second_chance(const struct model_trace *trace, uint32_t frames, bool enter)
{
    struct list in = {0};
    bool bit[MODEL_PAGES] = {false};
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        if (list_has(&in, page)) {
            bit[page] = true;
            continue;
        }
        faults++;
        while (in.count == frames) {
            const uint32_t oldest = list_take(&in, 0);
            if (bit[oldest]) list_append(&in, oldest);
            bit[oldest] = false;
        }
        list_append(&in, page);
        bit[page] = enter;
    }
    return faults;
}

static uint64_t model_second_chance(const struct model_trace *trace, uint32_t frames)
{
    return second_chance(trace, frames, false);
}

static uint64_t model_second_chance_set(const struct model_trace *trace, uint32_t frames)
{
    return second_chance(trace, frames, true);
}

static uint64_t sieve(const struct model_trace *trace, uint32_t frames, bool enter)
{
    struct list in = {0}; /* from the oldest to the youngest */
    bool bit[MODEL_PAGES] = {false};
    uint32_t hand = 0;
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        if (list_has(&in, page)) {
            bit[page] = true;
            continue;
        }
        faults++;
        if (in.count == frames) {
            if (hand == in.count) hand = 0;
            for (; bit[in.page[hand]]; hand = hand + 1 == in.count ? 0 : hand + 1) bit[in.page[hand]] = false;
            (void)list_take(&in, hand);
            /* Behind the youngest, the hand is back at the oldest before the new page comes. */
            if (hand == in.count) hand = 0;
        }
        list_append(&in, page);
        bit[page] = enter;
    }
    return faults;
}

static uint64_t model_sieve(const struct model_trace *trace, uint32_t frames)
{
    return sieve(trace, frames, false);
}

static uint64_t model_sieve_set(const struct model_trace *trace, uint32_t frames)
{
    return sieve(trace, frames, true);
}

static uint64_t model_lfu(const struct model_trace *trace, uint32_t frames)
{
    struct list in = {0};
    unsigned count[MODEL_PAGES] = {0}, reached[MODEL_PAGES] = {0};
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        if (!list_has(&in, page)) {
            faults++;
            uint32_t victim = 0;
            for (uint32_t k = 1; k < in.count; k++) {
                const uint32_t a = in.page[k], b = in.page[victim];
                if (count[a] < count[b] || (count[a] == count[b] && reached[a] < reached[b])) victim = k;
            }
            if (in.count == frames) (void)list_take(&in, victim);
            list_append(&in, page);
            count[page] = 0;
        }
        count[page]++;
        reached[page] = i;
    }
    return faults;
}

static uint64_t model_opt(const struct model_trace *trace, uint32_t frames)
{
    struct list in = {0};
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        if (list_has(&in, trace->page[i])) continue;
        faults++;
        uint32_t victim = 0, latest = 0;
        for (uint32_t k = 0; in.count == frames && k < in.count; k++) {
            unsigned next = i + 1;
            while (next < trace->length && trace->page[next] != in.page[k]) next++;
            if (next > latest) latest = next, victim = k;
        }
        if (in.count == frames) (void)list_take(&in, victim);
        list_append(&in, trace->page[i]);
    }
    return faults;
}

/* The figure of the paper, p in 65536ths. */
static uint64_t model_arc(const struct model_trace *trace, uint32_t frames)
{
    struct list t1 = {0}, t2 = {0}, b1 = {0}, b2 = {0};
    uint64_t faults = 0, p = 0, one = 65536;
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        if (list_remove(&t1, page) || list_remove(&t2, page)) {
            list_append(&t2, page);
            continue;
        }
        faults++;
        const bool in_b1 = list_has(&b1, page), in_b2 = list_has(&b2, page);
        bool replace = in_b1 || in_b2;
        if (in_b1) {
            p += b2.count > b1.count ? b2.count * one / b1.count : one;
            if (p > frames * one) p = frames * one;
        } else if (in_b2) {
            const uint64_t less = b1.count > b2.count ? b1.count * one / b2.count : one;
            p = p > less ? p - less : 0;
        } else if (t1.count + b1.count == frames) {
            replace = t1.count < frames;
            (void)list_take(replace ? &b1 : &t1, 0);
        } else if (t1.count + t2.count + b1.count + b2.count >= frames) {
            replace = true;
            if (t1.count + t2.count + b1.count + b2.count == 2 * frames) (void)list_take(&b2, 0);
        }
        if (replace) {
            const bool from_t1 = t1.count && (t1.count * one > p || (in_b2 && t1.count * one == p));
            list_append(from_t1 ? &b1 : &b2, list_take(from_t1 ? &t1 : &t2, 0));
        }
        list_append(list_remove(&b1, page) || list_remove(&b2, page) ? &t2 : &t1, page);
    }
    return faults;
}

const struct model models[] = {
    {"fifo", model_fifo},
    {"second-chance", model_second_chance},
    {"second-chance:enter=1", model_second_chance_set},
    {"clock", model_second_chance},
    {"clock:enter=1", model_second_chance_set},
    {"sieve", model_sieve},
    {"sieve:enter=1", model_sieve_set},
    {"lru", model_lru},
    {"lfu", model_lfu},
    {"opt", model_opt},
    {"arc", model_arc},
};
const unsigned models_count = sizeof(models) / sizeof(models[0]);
