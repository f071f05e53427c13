/* SPDX-License-Identifier: MIT */
/*
 * Attacks the reading of what memory there is (cli/host.h), on files as different systems have them, and the budgets
 * that follow from it (cli/budget.h).
 */
#include "cli/budget.h"
#include "onelevel/onelevel.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define M ((uint64_t)1 << 20)

static char root[] = "/tmp/ol-host.XXXXXX";

/* Writes a file below the root, its folders too. */
static void put(const char *path, const char *text)
{
    char full[PATH_MAX];
    (void)snprintf(full, sizeof(full), "%s%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int fresh(void **state)
{
    (void)state;
    memset(root + strlen(root) - 6, 'X', 6); /* as mkdtemp wants it */
    if (!mkdtemp(root)) return -1;
    put("/proc/meminfo", "MemTotal:        1048576 kB\nMemFree:  1 kB\nMemAvailable:     524288 kB\n");
    return 0;
}

static int gone(void **state)
{
    char command[PATH_MAX];
    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", root);
    return system(command); /* NOLINT(cert-env33-c): a path that mkdtemp made */
}

static struct ol_host look(void)
{
    struct ol_host host;
    ol_host_read(root, &host);
    return host;
}

static void machine_alone(void **state)
{
    (void)state;
    const struct ol_host host = look();
    assert_int_equal(host.limit_bytes, 1024 * M);
    assert_int_equal(host.available_bytes, 512 * M);
    assert_true(host.pressure_percent == 0);
}

static void nothing_to_read(void **state)
{
    struct ol_host host;
    (void)state;
    ol_host_read("/nowhere/at/all", &host);
    assert_int_equal(host.limit_bytes, UINT64_MAX);
    assert_int_equal(host.available_bytes, UINT64_MAX);
}

static void machine_pressure(void **state)
{
    (void)state;
    put("/proc/pressure/memory",
        "some avg10=12.50 avg60=1.00 avg300=0.00 total=1\nfull avg10=99.00 avg60=0 avg300=0 total=1\n");
    assert_true(look().pressure_percent == 12.5);
}

static const char v2_mount[] = "22 1 0:20 / / rw - ext4 /dev/vda rw\n"
                               "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

static void v2_limit_of_an_ancestor(void **state)
{
    (void)state;
    put("/proc/self/mountinfo", v2_mount);
    put("/proc/self/cgroup", "0::/a/b/c\n");
    put("/sys/fs/cgroup/a/b/c/memory.max", "max\n");
    put("/sys/fs/cgroup/a/b/c/memory.pressure", "some avg10=3.00 avg60=0 avg300=0 total=1\n");
    put("/sys/fs/cgroup/a/b/memory.max", "268435456\n");
    put("/sys/fs/cgroup/a/b/memory.current", "134217728\n");
    put("/sys/fs/cgroup/a/b/memory.stat", "anon 1\ninactive_file 33554432\n");
    put("/sys/fs/cgroup/a/memory.max", "536870912\n");
    put("/sys/fs/cgroup/a/memory.current", "1\n");
    const struct ol_host host = look();
    assert_int_equal(host.limit_bytes, 256 * M);
    assert_int_equal(host.available_bytes, 160 * M);
    assert_true(host.pressure_percent == 3);
}

static void v2_high_counts(void **state)
{
    (void)state;
    put("/proc/self/mountinfo", v2_mount);
    put("/proc/self/cgroup", "0::/a\n");
    put("/sys/fs/cgroup/a/memory.max", "268435456\n");
    put("/sys/fs/cgroup/a/memory.high", "134217728\n");
    assert_int_equal(look().limit_bytes, 128 * M);
}

static void v1_mounted_elsewhere(void **state)
{
    (void)state;
    put("/proc/self/mountinfo", "30 1 0:30 / /cg/cpu rw - cgroup cgroup rw,cpu\n"
                                "32 1 0:31 / /c\\040g/memory rw,relatime - cgroup cgroup rw,memory\n"
                                "41 1 0:38 / /cg/unified rw - cgroup2 cgroup2 rw\n");
    put("/proc/self/cgroup", "9:name=systemd:/\n4:memory:/x/y\n1:cpu:/x/y\n0::/\n");
    put("/c g/memory/x/y/memory.limit_in_bytes", "9223372036854771712\n");
    put("/c g/memory/x/memory.limit_in_bytes", "104857600\n");
    put("/c g/memory/x/memory.usage_in_bytes", "20971520\n");
    put("/c g/memory/x/memory.stat", "inactive_file 1\ntotal_inactive_file 10485760\n");
    const struct ol_host host = look();
    assert_int_equal(host.limit_bytes, 100 * M);
    assert_int_equal(host.available_bytes, 90 * M);
}

static void part_of_the_tree_in_a_container(void **state)
{
    (void)state;
    put("/proc/self/mountinfo", "31 23 0:28 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    put("/proc/self/cgroup", "0::/docker/abc/sub\n");
    put("/sys/fs/cgroup/memory.max", "67108864\n");
    put("/sys/fs/cgroup/sub/memory.max", "134217728\n");
    assert_int_equal(look().limit_bytes, 64 * M);
    put("/proc/self/cgroup", "0::/../other\n"); /* named from outside what is mounted */
    assert_int_equal(look().limit_bytes, 64 * M);
}

/* --- budgets -------------------------------------------------------------------------------------------------------
 */

static void percentages(void **state)
{
    const struct ol_host host = {.limit_bytes = 1000 * M};
    static const char *const junk[] = {"0%", "101%", "%", "-5%", "5K%", "50 %", "1.%", "50%%", "x%", "100.001%"};
    uint64_t bytes = 0;
    (void)state;
    assert_true(ol_budget_parse("50%", &host, &bytes));
    assert_int_equal(bytes, 500 * M);
    assert_true(ol_budget_parse("12.5%", &host, &bytes));
    assert_int_equal(bytes, 125 * M);
    assert_true(ol_budget_parse("100%", &host, &bytes));
    assert_int_equal(bytes, 1000 * M);
    assert_true(ol_budget_parse("64M", &host, &bytes));
    assert_int_equal(bytes, 64 * M);
    for (unsigned i = 0; i < sizeof(junk) / sizeof(junk[0]); i++)
        if (ol_budget_parse(junk[i], &host, &bytes)) fail_msg("'%s' was taken", junk[i]);
    assert_int_equal(bytes, 64 * M);
}

static void follows_what_others_need(void **state)
{
    struct ol_host host = {.limit_bytes = 16384 * M, .available_bytes = 8192 * M}; /* the reserve is 1 GiB */
    (void)state;
    assert_int_equal(ol_budget_follow(&host, 0, 0), 6144 * M);              /* the first */
    assert_int_equal(ol_budget_follow(&host, 6144 * M, 100 * M), 6244 * M); /* there is room */
    assert_int_equal(ol_budget_follow(&host, 9000 * M, 100 * M), 9000 * M); /* it does not shrink where nobody lacks */
    host.available_bytes = 1500 * M;                                        /* between R and 2 R: as it is */
    assert_int_equal(ol_budget_follow(&host, 6144 * M, 5000 * M), 6144 * M);
    host.available_bytes = 400 * M; /* others lack 624 MiB */
    assert_int_equal(ol_budget_follow(&host, 6144 * M, 5000 * M), 4376 * M);
    host.available_bytes = 0;
    assert_int_equal(ol_budget_follow(&host, 6144 * M, 10 * M), ol_memory_minimum_bytes());
    host.available_bytes = 8192 * M;
    host.pressure_percent = 10;
    assert_int_equal(ol_budget_follow(&host, 6144 * M, 1600 * M), 1500 * M);
    host.pressure_percent = 5; /* neither: as it is */
    assert_int_equal(ol_budget_follow(&host, 1000 * M, 900 * M), 1000 * M);
    host = (struct ol_host){.limit_bytes = 16384 * M, .available_bytes = 16384 * M};
    assert_int_equal(ol_budget_follow(&host, 0, 8192 * M), 15360 * M); /* never more than the limit less R */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(machine_alone, fresh, gone),
        cmocka_unit_test_setup_teardown(nothing_to_read, fresh, gone),
        cmocka_unit_test_setup_teardown(machine_pressure, fresh, gone),
        cmocka_unit_test_setup_teardown(v2_limit_of_an_ancestor, fresh, gone),
        cmocka_unit_test_setup_teardown(v2_high_counts, fresh, gone),
        cmocka_unit_test_setup_teardown(v1_mounted_elsewhere, fresh, gone),
        cmocka_unit_test_setup_teardown(part_of_the_tree_in_a_container, fresh, gone),
        cmocka_unit_test(percentages),
        cmocka_unit_test(follows_what_others_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
