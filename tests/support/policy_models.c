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
            // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): it has the page, so it is not empty
            p += b2.count > b1.count ? b2.count * one / b1.count : one;
            if (p > frames * one) p = frames * one;
        } else if (in_b2) {
            // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): it has the page, so it is not empty
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
    // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): it has the page, so it is not empty
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

static uint64_t model_mru(const struct model_trace *trace, uint32_t frames)
{
    struct list in = {0};
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        if (!list_remove(&in, trace->page[i])) {
            faults++;
            if (in.count == frames) (void)list_take(&in, frames - 1);
        }
        list_append(&in, trace->page[i]);
    }
    return faults;
}

/* The last page of the array takes the place of the one that leaves. */
static uint64_t model_random(const struct model_trace *trace, uint32_t frames)
{
    struct list in = {0};
    uint64_t faults = 0, x = 1;
    for (unsigned i = 0; i < trace->length; i++) {
        if (list_has(&in, trace->page[i])) continue;
        faults++;
        if (in.count == frames) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            in.page[(x >> 32) * frames >> 32] = in.page[frames - 1];
            in.count--;
        }
        list_append(&in, trace->page[i]);
    }
    return faults;
}

/* The circle is an array that begins at the back hand; the front hand is `lead` pages further. */
static uint64_t model_two_handed(const struct model_trace *trace, uint32_t frames)
{
    struct list in = {0};
    bool bit[MODEL_PAGES] = {false};
    uint32_t distance = frames / 2 > 0 ? frames / 2 : 1, lead = 0;
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        if (list_has(&in, page)) {
            bit[page] = true;
            continue;
        }
        faults++;
        while (in.count == frames) {
            for (; lead < distance; lead++) bit[in.page[lead]] = false;
            const uint32_t at = list_take(&in, 0);
            lead--;
            if (bit[at]) list_append(&in, at);
            bit[at] = false;
        }
        list_append(&in, page);
    }
    return faults;
}

static uint64_t working_set(const struct model_trace *trace, uint32_t frames, unsigned tau)
{
    unsigned last[MODEL_PAGES];
    bool in[MODEL_PAGES] = {false};
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        uint32_t count = 0, oldest = 0;
        for (uint32_t page = 0; page < MODEL_PAGES; page++) {
            if (in[page] && i - last[page] > tau) in[page] = false;
            if (in[page] && (!count || last[page] < last[oldest])) oldest = page;
            if (in[page]) count++;
        }
        const uint32_t page = trace->page[i];
        if (!in[page]) {
            faults++;
            if (count == frames) in[oldest] = false;
        }
        in[page] = true;
        last[page] = i;
    }
    return faults;
}

static uint64_t model_working_set(const struct model_trace *trace, uint32_t frames)
{
    return working_set(trace, frames, 12);
}

static uint64_t model_working_set_long(const struct model_trace *trace, uint32_t frames)
{
    return working_set(trace, frames, 100);
}

/* Kept in order of counters; equal ones keep their order. */
static uint64_t model_aging(const struct model_trace *trace, uint32_t frames)
{
    struct list in = {0};
    unsigned counter[MODEL_PAGES] = {0};
    bool bit[MODEL_PAGES] = {false};
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        if (i && i % 30 == 0) {
            struct list before = in;
            in.count = 0;
            for (uint32_t k = 0; k < before.count; k++) {
                const uint32_t at = before.page[k];
                counter[at] = counter[at] / 2 + (bit[at] ? 128 : 0);
                bit[at] = false;
                uint32_t place = 0;
                while (place < in.count && counter[in.page[place]] <= counter[at]) place++;
                list_insert(&in, place, at);
            }
        }
        if (list_has(&in, page)) {
            bit[page] = true;
            continue;
        }
        faults++;
        if (in.count == frames) bit[list_take(&in, 0)] = false;
        counter[page] = 128;
        uint32_t place = 0;
        while (place < in.count && counter[in.page[place]] <= 128) place++;
        list_insert(&in, place, page);
    }
    return faults;
}

/* Pages in the order in which their class became known; class 1: modified, 2: referenced. */
static uint64_t model_nru(const struct model_trace *trace, uint32_t frames)
{
    struct list in = {0};
    unsigned known[MODEL_PAGES] = {0}, bits[MODEL_PAGES] = {0};
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        if (i && i % 50 == 0) { /* the classes become 0 and 1: 2 joins 0 behind it, 3 joins 1 */
            struct list before = in;
            in.count = 0;
            for (unsigned class = 0; class < 4; class ++)
                for (uint32_t k = 0; k < before.count; k++)
                    if (known[before.page[k]] == class) list_append(&in, before.page[k]);
            for (uint32_t k = 0; k < in.count; k++) known[in.page[k]] &= 1, bits[in.page[k]] &= 1;
        }
        if (!list_has(&in, page)) {
            faults++;
            while (in.count == frames) {
                uint32_t first = 0;
                for (uint32_t k = 1; k < in.count; k++)
                    if (known[in.page[k]] < known[in.page[first]]) first = k;
                const uint32_t at = list_take(&in, first);
                if ((bits[at] | known[at]) == known[at]) {
                    bits[at] = 0;
                    break;
                }
                known[at] |= bits[at];
                list_append(&in, at);
            }
            list_append(&in, page);
            known[page] = 2;
            bits[page] = 2;
        }
        bits[page] |= 2 | trace->written[i];
    }
    return faults;
}

/* The circle is an array that begins at the hand. */
static uint64_t model_wsclock(const struct model_trace *trace, uint32_t frames)
{
    struct list in = {0};
    bool bit[MODEL_PAGES] = {false}, modified[MODEL_PAGES] = {false};
    unsigned last[MODEL_PAGES] = {0};
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        if (!list_has(&in, page)) {
            faults++;
            if (in.count == frames) {
                int old_clean = -1, old = -1, clean = -1;
                for (int k = 0; k < (int)frames && old_clean < 0; k++) {
                    const uint32_t at = in.page[k];
                    if (bit[at]) {
                        bit[at] = false;
                        last[at] = i;
                    } else if (i - last[at] > 40) {
                        if (!modified[at]) old_clean = k;
                        else if (old < 0) old = k;
                    } else if (!modified[at] && clean < 0) {
                        clean = k;
                    }
                }
                const int victim = old_clean >= 0 ? old_clean : old >= 0 ? old : clean >= 0 ? clean : 0;
                for (int k = 0; k < victim; k++) list_append(&in, list_take(&in, 0));
                modified[list_take(&in, 0)] = false;
            }
            list_append(&in, page);
            last[page] = i;
        } else {
            bit[page] = true;
        }
        if (trace->written[i]) modified[page] = true;
    }
    return faults;
}

static uint64_t model_two_q(const struct model_trace *trace, uint32_t frames)
{
    struct list in = {0}, out = {0}, am = {0};
    const uint32_t share = frames / 4 > 0 ? frames / 4 : 1;
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        if (list_has(&in, page)) continue;
        if (list_remove(&am, page)) {
            list_append(&am, page);
            continue;
        }
        faults++;
        const bool remembered = list_remove(&out, page);
        if (in.count + am.count == frames) {
            const bool from_in = in.count > share || !am.count;
            const uint32_t victim = list_take(from_in ? &in : &am, 0);
            if (from_in) list_append(&out, victim);
        }
        if (out.count > frames / 2) (void)list_take(&out, 0);
        list_append(remembered ? &am : &in, page);
    }
    return faults;
}

static uint64_t refault(const struct model_trace *trace, uint32_t frames, uint32_t share, uint32_t within)
{
    struct list new = {0}, proven = {0}, gone = {0}; /* gone: in the order in which they were evicted last */
    uint64_t faults = 0, evictions = 0, left[MODEL_PAGES] = {0};
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        if (list_has(&new, page) || list_has(&proven, page)) continue;
        faults++;
        if (new.count + proven.count == frames) {
            const uint32_t victim = list_take(new.count > share || !proven.count ? &new : &proven, 0);
            left[victim] = ++evictions;
            list_append(&gone, victim);
        }
        const bool soon = list_remove(&gone, page) && evictions - left[page] <= within;
        list_append(soon ? &proven : &new, page);
    }
    return faults;
}

static uint64_t model_refault(const struct model_trace *trace, uint32_t frames)
{
    return refault(trace, frames, frames / 4 ? frames / 4 : 1, frames / 2);
}

static uint64_t model_refault_other(const struct model_trace *trace, uint32_t frames)
{
    return refault(trace, frames, frames / 10 ? frames / 10 : 1, 2 * frames);
}

/* The figure of the paper, p in 65536ths; clocks are arrays that begin at their hand. */
static uint64_t model_car(const struct model_trace *trace, uint32_t frames)
{
    struct list t1 = {0}, t2 = {0}, b1 = {0}, b2 = {0};
    bool bit[MODEL_PAGES] = {false};
    uint64_t faults = 0, p = 0, one = 65536;
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        if (list_has(&t1, page) || list_has(&t2, page)) {
            bit[page] = true;
            continue;
        }
        faults++;
        const bool full = t1.count + t2.count == frames;
        for (bool found = !full; !found;) {
            const bool from_t1 = t1.count && (t1.count * one >= p || !t2.count);
            const uint32_t at = list_take(from_t1 ? &t1 : &t2, 0);
            found = !bit[at];
            list_append(!found ? &t2 : from_t1 ? &b1 : &b2, at);
            bit[at] = false;
        }
        if (list_has(&b1, page)) {
            // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): it has the page, so it is not empty
            p += b2.count > b1.count ? b2.count * one / b1.count : one;
            if (p > frames * one) p = frames * one;
        } else if (list_has(&b2, page)) {
            // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): it has the page, so it is not empty
            const uint64_t less = b1.count > b2.count ? b1.count * one / b2.count : one;
            p = p > less ? p - less : 0;
        } else if (full) {
            if (t1.count + b1.count >= frames) {
                if (b1.count) (void)list_take(&b1, 0);
            } else if (t1.count + t2.count + b1.count + b2.count >= 2 * frames && b2.count) {
                (void)list_take(&b2, 0);
            }
        }
        list_append(list_remove(&b1, page) || list_remove(&b2, page) ? &t2 : &t1, page);
    }
    return faults;
}

/* --- LIRS: S and Q are arrays, from the bottom of S and the head of Q. `ghosts` in order of losing their frame. --- */

struct lirs {
    struct list s, q, ghosts;
    bool lir[MODEL_PAGES];
    uint32_t lirs;
};

static void lirs_prune(struct lirs *lirs)
{
    while (lirs->s.count && !lirs->lir[lirs->s.page[0]]) (void)list_remove(&lirs->ghosts, list_take(&lirs->s, 0));
}

static void lirs_promote(struct lirs *lirs, uint32_t page, uint32_t most)
{
    (void)list_remove(&lirs->s, page);
    list_append(&lirs->s, page);
    lirs->lir[page] = true;
    lirs->lirs++;
    while (lirs->lirs > most) {
        lirs_prune(lirs);
        const uint32_t bottom = list_take(&lirs->s, 0);
        lirs->lir[bottom] = false;
        lirs->lirs--;
        list_append(&lirs->q, bottom);
    }
    lirs_prune(lirs);
}

static uint64_t model_lirs(const struct model_trace *trace, uint32_t frames)
{
    struct lirs lirs = {0};
    const uint32_t most = frames - 1;
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        bool promote = list_has(&lirs.s, page);
        if (lirs.lir[page]) {
            (void)list_remove(&lirs.s, page);
            list_append(&lirs.s, page);
            lirs_prune(&lirs);
            continue;
        }
        if (!list_remove(&lirs.q, page)) {
            faults++;
            if (lirs.lirs + lirs.q.count == frames) {
                const uint32_t victim = list_take(&lirs.q, 0);
                if (list_has(&lirs.s, victim)) list_append(&lirs.ghosts, victim);
            }
            if (list_remove(&lirs.ghosts, page)) (void)list_remove(&lirs.s, page);
            promote = promote || lirs.lirs < most;
        }
        if (promote) {
            lirs_promote(&lirs, page, most);
        } else {
            if (lirs.lirs) list_append(&lirs.s, page);
            list_append(&lirs.q, page);
        }
        if (lirs.ghosts.count > 2 * frames) (void)list_remove(&lirs.s, list_take(&lirs.ghosts, 0));
    }
    return faults;
}

/* Generations by number; those of pages that are not in memory are 0, the oldest is 1. */
static uint64_t model_mglru(const struct model_trace *trace, uint32_t frames)
{
    struct list in = {0}; /* in the order in which pages entered their generation */
    unsigned generation[MODEL_PAGES] = {0}, oldest = 1, youngest = 3;
    bool bit[MODEL_PAGES] = {false};
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        if (list_has(&in, page)) {
            bit[page] = true;
            continue;
        }
        faults++;
        for (unsigned spared = 0; in.count == frames;) {
            unsigned least = youngest;
            for (uint32_t k = 0; k < in.count; k++)
                if (generation[in.page[k]] < least) least = generation[in.page[k]];
            oldest = least < youngest - 1 ? least : youngest - 1;
            if (oldest == youngest - 1) { /* a new one: from the oldest to the youngest, each in its order */
                const struct list before = in;
                const unsigned last = youngest++;
                for (unsigned number = least; number <= last; number++) {
                    for (uint32_t k = 0; k < before.count; k++) {
                        const uint32_t at = before.page[k];
                        if (generation[at] != number || !bit[at]) continue;
                        bit[at] = false;
                        generation[at] = youngest;
                        (void)list_remove(&in, at);
                        list_append(&in, at);
                    }
                }
                continue;
            }
            uint32_t first = 0;
            while (generation[in.page[first]] != least) first++;
            const uint32_t at = list_take(&in, first);
            if (!bit[at] || spared++ >= frames) break;
            bit[at] = false;
            generation[at] = youngest;
            list_append(&in, at);
        }
        list_append(&in, page);
        generation[page] = youngest;
        bit[page] = false;
    }
    return faults;
}

static uint64_t model_atlas(const struct model_trace *trace, uint32_t frames)
{
    struct list in = {0};
    int t[MODEL_PAGES] = {0}, last[MODEL_PAGES] = {0};
    bool used[MODEL_PAGES] = {false};
    uint64_t faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        for (uint32_t k = 0; i && i % 25 == 0 && k < in.count; k++) {
            const uint32_t at = in.page[k];
            if (used[at] && t[at]) last[at] = t[at];
            t[at] = used[at] ? 0 : t[at] + 1;
            used[at] = false;
        }
        if (!list_has(&in, page)) {
            faults++;
            int best = 0, best_score = -1;
            for (uint32_t k = 0; k < in.count; k++) { /* rule 1 before rule 2 before rule 3, earlier before later */
                const int a = t[in.page[k]], b = last[in.page[k]];
                const int score = a > b + 1 ? 3000000 : a ? 2000000 + b - a : b;
                if (score > best_score) best = (int)k, best_score = score;
            }
            if (in.count == frames) (void)list_take(&in, (uint32_t)best);
            list_append(&in, page);
            t[page] = last[page] = 0;
        }
        used[page] = true;
    }
    return faults;
}

/* --- W-TinyLFU ---------------------------------------------------------------------------------------------------- */

struct sketch {
    uint8_t counter[4 * MODEL_PAGES][8]; /* a word of the sketch is a row */
    unsigned words, additions, sample;
};

static uint8_t *sketch_counter(struct sketch *sketch, uint32_t page, int row)
{
    static const uint64_t factors[4] = {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9, 0xd6e8feb86659fd93};
    const uint64_t hash = (page + 1) * factors[row];
    return &sketch->counter[(hash >> 29) % sketch->words][hash >> 61];
}

static unsigned sketch_estimate(struct sketch *sketch, uint32_t page)
{
    unsigned least = 15;
    for (int row = 0; row < 4; row++) {
        const unsigned count = *sketch_counter(sketch, page, row);
        if (count < least) least = count;
    }
    return least;
}

static void sketch_add(struct sketch *sketch, uint32_t page)
{
    bool added = false;
    for (int row = 0; row < 4; row++) {
        uint8_t *counter = sketch_counter(sketch, page, row);
        if (*counter < 15) ++*counter, added = true;
    }
    if (!added || ++sketch->additions < sketch->sample) return;
    for (unsigned i = 0; i < sketch->words; i++)
        for (int k = 0; k < 8; k++) sketch->counter[i][k] /= 2;
    sketch->additions /= 2;
}

static uint64_t model_w_tinylfu(const struct model_trace *trace, uint32_t frames)
{
    struct list window = {0}, probation = {0}, protect = {0};
    struct sketch sketch = {.words = 1, .sample = 10 * frames};
    uint64_t faults = 0;
    while (2 * sketch.words <= frames) sketch.words *= 2;
    for (unsigned i = 0; i < trace->length; i++) {
        const uint32_t page = trace->page[i];
        if (list_remove(&window, page)) {
            sketch_add(&sketch, page);
            list_append(&window, page);
            continue;
        }
        if (list_remove(&probation, page) || list_remove(&protect, page)) {
            sketch_add(&sketch, page);
            list_append(&protect, page);
            if (protect.count > (frames - 1) * 80 / 100) list_append(&probation, list_take(&protect, 0));
            continue;
        }
        faults++;
        if (window.count + probation.count + protect.count == frames) {
            struct list *from = probation.count ? &probation : &protect;
            // NOLINTNEXTLINE(bugprone-branch-clone)
            if (!from->count) {
                (void)list_take(&window, 0);
            } else if (sketch_estimate(&sketch, window.page[0]) > sketch_estimate(&sketch, from->page[0])) {
                (void)list_take(from, 0);
                list_append(&probation, list_take(&window, 0));
            } else {
                (void)list_take(&window, 0);
            }
        }
        sketch_add(&sketch, page);
        list_append(&window, page);
        if (window.count > 1) list_append(&probation, list_take(&window, 0));
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
    {"mru", model_mru},
    {"random", model_random},
    {"two-handed-clock", model_two_handed},
    {"working-set:tau=12", model_working_set},
    {"working-set:tau=100", model_working_set_long},
    {"aging:interval=30", model_aging},
    {"nru:interval=50", model_nru},
    {"wsclock:tau=40", model_wsclock},
    {"2q", model_two_q},
    {"car", model_car},
    {"lirs", model_lirs},
    {"mglru", model_mglru},
    {"atlas:interval=25", model_atlas},
    {"w-tinylfu", model_w_tinylfu},
    {"refault", model_refault},
    {"refault:new=10,within=200", model_refault_other},
};
const unsigned models_count = sizeof(models) / sizeof(models[0]);
