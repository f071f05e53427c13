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

/* The secondary queue gets `share` percent of the frames. */
static uint64_t segmented(const struct model_trace *trace, uint32_t frames, uint32_t share)
{
    struct list primary = {0}, secondary = {0};
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        if (list_has(&primary, page)) continue;
        if (!list_remove(&secondary, page)) {
            faults++;
            if (primary.count + secondary.count == frames) (void)list_take(secondary.count ? &secondary : &primary, 0);
        }
        list_append(&primary, page);
        while (primary.count > frames - frames * share / 100) list_append(&secondary, list_take(&primary, 0));
    }
    return faults;
}

static uint64_t model_segmented(const struct model_trace *trace, uint32_t frames)
{
    return segmented(trace, frames, 25);
}

static uint64_t model_segmented_none(const struct model_trace *trace, uint32_t frames)
{
    return segmented(trace, frames, 0);
}

static uint64_t model_segmented_most(const struct model_trace *trace, uint32_t frames)
{
    return segmented(trace, frames, 90);
}

static uint64_t s3_fifo(const struct model_trace *trace, uint32_t frames, uint32_t percent, int threshold)
{
    struct list s = {0}, m = {0}, g = {0};
    const uint32_t small = frames * percent / 100;
    int uses[MODEL_PAGES] = {0};
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        if (list_has(&s, page) || list_has(&m, page)) {
            if (uses[page] < 3) uses[page]++;
            continue;
        }
        faults++;
        const bool remembered = list_remove(&g, page);
        for (bool from_m = m.count > frames - small; s.count + m.count == frames;) {
            from_m = from_m || s.count == 0;
            const uint32_t oldest = list_take(from_m ? &m : &s, 0);
            if (from_m && uses[oldest]-- > 0) list_append(&m, oldest);
            if (from_m) continue;
            list_append(uses[oldest] >= threshold ? &m : &g, oldest);
            uses[oldest] = 0;
        }
        if (g.count > frames * 90 / 100) (void)list_take(&g, 0);
        list_append(remembered ? &m : &s, page);
        uses[page] = 0;
    }
    return faults;
}

static uint64_t model_s3_fifo(const struct model_trace *trace, uint32_t frames)
{
    return s3_fifo(trace, frames, 10, 2);
}

static uint64_t model_s3_fifo_other(const struct model_trace *trace, uint32_t frames)
{
    return s3_fifo(trace, frames, 40, 1);
}

/* --- CLOCK-Pro: the circle is an array, beginning anywhere; a hand is the page that it points at. ---------------- */

enum pro_kind { PRO_ABSENT, PRO_HOT, PRO_COLD, PRO_COLD_TEST, PRO_GHOST };

struct pro {
    struct list circle;
    enum pro_kind kind[MODEL_PAGES];
    bool bit[MODEL_PAGES];
    uint32_t hot, cold, test, target, frames;
};

static uint32_t pro_after(const struct pro *pro, uint32_t page)
{
    return pro->circle.page[((uint32_t)list_find(&pro->circle, page) + 1) % pro->circle.count];
}

static uint32_t pro_count(const struct pro *pro, enum pro_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < pro->circle.count; i++)
        if (pro->kind[pro->circle.page[i]] == kind) count++;
    return count;
}

static void pro_take(struct pro *pro, uint32_t page)
{
    uint32_t *const hands[] = {&pro->hot, &pro->cold, &pro->test};
    for (int i = 0; i < 3; i++)
        if (*hands[i] == page) *hands[i] = pro_after(pro, page);
    (void)list_remove(&pro->circle, page);
}

static void pro_put(struct pro *pro, uint32_t page)
{
    if (!pro->circle.count) pro->hot = pro->cold = pro->test = page;
    list_insert(&pro->circle, pro->circle.count ? (uint32_t)list_find(&pro->circle, pro->hot) : 0, page);
}

static void pro_end_test(struct pro *pro, uint32_t page)
{
    if (pro->kind[page] != PRO_COLD_TEST && pro->kind[page] != PRO_GHOST) return;
    if (pro->target > 1) pro->target--;
    if (pro->kind[page] == PRO_GHOST) pro_take(pro, page);
    pro->kind[page] = pro->kind[page] == PRO_GHOST ? PRO_ABSENT : PRO_COLD;
}

static void pro_run_hot(struct pro *pro)
{
    for (bool done = false; !done;) {
        const uint32_t page = pro->hot;
        pro->hot = pro_after(pro, page);
        if (pro->kind[page] != PRO_HOT) {
            pro_end_test(pro, page);
        } else {
            done = !pro->bit[page];
            if (done) pro->kind[page] = PRO_COLD;
            pro->bit[page] = false;
        }
    }
    while (pro_count(pro, PRO_HOT) && pro->kind[pro->hot] != PRO_HOT) {
        const uint32_t page = pro->hot;
        pro->hot = pro_after(pro, page);
        pro_end_test(pro, page);
    }
}

static void pro_becomes_hot(struct pro *pro, uint32_t page)
{
    pro->kind[page] = PRO_HOT;
    if (pro->target + 1 < pro->frames) pro->target++;
}

static void pro_limit_hot(struct pro *pro)
{
    while (pro_count(pro, PRO_HOT) && pro_count(pro, PRO_HOT) + pro->target > pro->frames) pro_run_hot(pro);
}

static void pro_run_cold(struct pro *pro)
{
    for (;;) {
        if (pro_count(pro, PRO_HOT) == pro->frames) pro_run_hot(pro);
        const uint32_t page = pro->cold;
        pro->cold = pro_after(pro, page);
        if (pro->kind[page] != PRO_COLD && pro->kind[page] != PRO_COLD_TEST) continue;
        const bool test = pro->kind[page] == PRO_COLD_TEST;
        if (!pro->bit[page]) {
            if (!test) pro_take(pro, page);
            pro->kind[page] = test ? PRO_GHOST : PRO_ABSENT;
            return;
        }
        pro->bit[page] = false;
        if (test) {
            pro_becomes_hot(pro, page);
            pro_limit_hot(pro);
        } else {
            pro_take(pro, page);
            pro_put(pro, page);
            pro->kind[page] = PRO_COLD_TEST;
        }
    }
}

static uint64_t model_clock_pro(const struct model_trace *trace, uint32_t frames)
{
    struct pro pro = {.target = 1, .frames = frames};
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        if (pro.kind[page] != PRO_ABSENT && pro.kind[page] != PRO_GHOST) {
            pro.bit[page] = true;
            continue;
        }
        faults++;
        if (pro_count(&pro, PRO_HOT) + pro_count(&pro, PRO_COLD) + pro_count(&pro, PRO_COLD_TEST) == frames)
            pro_run_cold(&pro);
        const bool ghost = pro.kind[page] == PRO_GHOST;
        if (ghost) pro_take(&pro, page);
        if (ghost) pro_becomes_hot(&pro, page);
        else pro.kind[page] = PRO_COLD_TEST;
        pro.bit[page] = false;
        pro_put(&pro, page);
        if (ghost) pro_limit_hot(&pro);
        while (pro_count(&pro, PRO_GHOST) > frames) {
            const uint32_t at = pro.test;
            pro.test = pro_after(&pro, at);
            if (pro.kind[at] != PRO_HOT) pro_end_test(&pro, at);
        }
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
    {"segmented-fifo", model_segmented},
    {"segmented-fifo:secondary=0", model_segmented_none},
    {"segmented-fifo:secondary=90", model_segmented_most},
    {"s3-fifo", model_s3_fifo},
    {"s3-fifo:small=40,threshold=1", model_s3_fifo_other},
    {"clock-pro", model_clock_pro},
};
const unsigned models_count = sizeof(models) / sizeof(models[0]);
