/* SPDX-License-Identifier: MIT */
/*
 * Attacks the reading and writing of sizes: cli/size.h.
 */
#include "cli/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define K UINT64_C(1024)

static void assert_parses(const char *text, uint64_t expected)
{
    uint64_t bytes = ~expected;
    if (!ol_parse_size(text, &bytes)) fail_msg("'%s' was refused", text);
    if (bytes != expected) {
        fail_msg("'%s' gave %llu, not %llu", text, (unsigned long long)bytes, (unsigned long long)expected);
    }
}

static void assert_refused(const char *text)
{
    uint64_t bytes = 4711;
    if (ol_parse_size(text, &bytes)) fail_msg("'%s' was taken for %llu", text, (unsigned long long)bytes);
    assert_int_equal(bytes, 4711);
}

static void parses_whole_numbers(void **state)
{
    (void)state;
    assert_parses("0", 0);
    assert_parses("1", 1);
    assert_parses("0004096", 4096);
    assert_parses("18446744073709551615", UINT64_MAX);
}

static void parses_units(void **state)
{
    (void)state;
    assert_parses("0T", 0);
    assert_parses("1K", K);
    assert_parses("64M", 64 * K * K);
    assert_parses("3G", 3 * K * K * K);
    assert_parses("2T", 2 * K * K * K * K);
    assert_parses("64m", 64 * K * K);
    assert_parses("64MiB", 64 * K * K);
    assert_parses("16777215T", 16777215 * K * K * K * K);
}

static void parses_fractions(void **state)
{
    (void)state;
    assert_parses("1.5G", 3 * K * K * K / 2);
    assert_parses("0.5KiB", 512);
    assert_parses("1.0M", K * K);
    assert_parses("0.1K", 102);
    assert_parses("0.0009765625K", 1);
    assert_parses("0.00097656249999999999999999999999999999K", 0);
    assert_parses("0.99999999999999999999999999999999999999T", K * K * K * K - 1);
    assert_parses("16777215.9999999999999999999T", UINT64_MAX);
}

static void refuses_junk(void **state)
{
    (void)state;
    static const char *const junk[] = {"",     " ",     "M",   "-1",  "+1",   " 1",  "1 ",   "1 M",
                                       "0x10", "1e3",   "1.",  "1.M", ".5M",  "1.5", "1.5B", "1..5M",
                                       "1KB",  "1KiBs", "1Ki", "1KK", "1kib", "1P",  "1,5M", "1.5.5M",
                                       "/",    ":",     "1/",  "1:",  "1M\n", "eins"};
    for (size_t i = 0; i < sizeof junk / sizeof junk[0]; i++) assert_refused(junk[i]);
}

static void refuses_overflow(void **state)
{
    (void)state;
    assert_refused("18446744073709551616");
    assert_refused("99999999999999999999");
    assert_refused("184467440737095516150");
    assert_refused("18014398509481984K");
    assert_refused("16777216T");
}

static void formats(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {K, "1 KiB"},
        {K + 51, "1 KiB"},
        {K + 52, "1.1 KiB"},
        {K * 3 / 2, "1.5 KiB"},
        {K * K - 1, "1 MiB"},
        {K * K - 60, "1023.9 KiB"},
        {64 * K * K, "64 MiB"},
        {K * K * K * 5 / 4, "1.3 GiB"},
        {K * K * K * K, "1 TiB"},
        {UINT64_MAX / 2 + 1, "8 EiB"},
        {UINT64_MAX, "16 EiB"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[OL_SIZE_TEXT_BYTES];
        assert_string_equal(ol_format_size(cases[i].bytes, text), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_whole_numbers), cmocka_unit_test(parses_units),     cmocka_unit_test(parses_fractions),
        cmocka_unit_test(refuses_junk),         cmocka_unit_test(refuses_overflow), cmocka_unit_test(formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
