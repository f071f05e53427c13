/* SPDX-License-Identifier: MIT */
#include "cli/run_account.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/cli.h"

enum { PAGE_BYTES = 4096 };

/* What both forms say; all in bytes, pages or counts as named. */
struct figures {
    uint64_t unlimited_bytes; /* peak of the managed memory had there been no limit */
    uint64_t budget_bytes;    /* what was asked for */
    uint64_t resident_bytes;  /* peak of resident managed pages */
    uint64_t store_bytes;     /* peak of the frames lent to the compressed store */
    uint64_t faults_minor, faults_major;
    uint64_t swapped_out, swapped_in; /* pages, to and from any home */
    double compression_ratio;         /* 0: nothing was compressed */
};

static struct figures figures_of(const struct ol_run_result *result)
{
    const struct ol_run_shared *shared = result->shared;
    const struct ol_memory_statistics *all = result->total;
    const struct ol_statistics *core = &all->core;
    const struct ol_memory_options *options = &shared->options;
    const uint64_t budget = atomic_load(&shared->budget_bytes);
    struct figures figures = {
        .unlimited_bytes = core->pages_peak * PAGE_BYTES,
        .budget_bytes = options->ram_bytes ? budget : budget + options->compressed_bytes,
        .resident_bytes = (uint64_t)core->frames_in_use_peak * PAGE_BYTES,
        .store_bytes = all->compressed_store_bytes,
        .faults_minor = core->faults - core->faults_major,
        .faults_major = core->faults_major,
        .swapped_out = core->writebacks,
        .swapped_in = core->faults_major + core->prefetched_read,
    };
    if (all->compressed_in_bytes)
        figures.compression_ratio = (double)(all->compressed_in_pages * PAGE_BYTES) / (double)all->compressed_in_bytes;
    /* Of one process its own figures are exact; peaks of several are not their sum. */
    if (atomic_load(&shared->attached) > 1) {
        figures.unlimited_bytes = atomic_load(&shared->peak.pages_bytes);
        figures.resident_bytes = atomic_load(&shared->peak.used_bytes);
    }
    return figures;
}

static void row(FILE *to, const char *name, const char *value, const char *note)
{
    fprintf(to, "onelevel: %-26s %12s%s%s\n", name, value, *note ? "  " : "", note);
}

static void row_size(FILE *to, const char *name, uint64_t bytes, const char *note)
{
    char text[OL_SIZE_TEXT_BYTES];
    row(to, name, ol_format_size(bytes, text), note);
}

static void row_count(FILE *to, const char *name, uint64_t count, const char *note)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRIu64, count);
    row(to, name, text, note);
}

static void print_faults(FILE *to, const struct ol_statistics *core, const struct figures *figures)
{
    char note[128];
    (void)snprintf(note, sizeof(note), "zero %" PRIu64 ", soft %" PRIu64 ", rescued %" PRIu64 ", copied %" PRIu64,
                   core->faults_zero, core->faults_soft, core->faults_rescued, core->faults_copied);
    row_count(to, "faults, minor", figures->faults_minor, note);
    row_count(to, "faults, major", figures->faults_major, "");
    if (core->prefetch_samples)
        (void)snprintf(note, sizeof(note), "pages; %.0f %% used, of %" PRIu64 " samples",
                       100.0 * (double)core->prefetch_samples_used / (double)core->prefetch_samples,
                       core->prefetch_samples);
    else (void)snprintf(note, sizeof(note), "pages");
    row_count(to, "brought in ahead", core->prefetched, note);
}

static void print_transfers(FILE *to, const struct ol_memory_statistics *all, const struct figures *figures)
{
    char note[128], text[32] = "-";
    (void)snprintf(note, sizeof(note), "%" PRIu64 " of them without a write", all->core.evictions_clean);
    row_count(to, "evictions", all->core.evictions, note);
    (void)snprintf(note, sizeof(note), "pages; %" PRIu64 " reached the swap file", all->file_pages_written);
    row_count(to, "swapped out", figures->swapped_out, note);
    (void)snprintf(note, sizeof(note), "pages; %" PRIu64 " of them from the swap file", all->file_pages_read);
    row_count(to, "swapped in", figures->swapped_in, note);
    if (figures->compression_ratio > 0) (void)snprintf(text, sizeof(text), "%.2f", figures->compression_ratio);
    row(to, "compression ratio", text, "");
}

static void print_costs(FILE *to, const struct ol_run_result *result)
{
    char note[128], text[32];
    (void)snprintf(text, sizeof(text), "%.3f s", (double)result->total->fault_ns / 1e9);
    (void)snprintf(note, sizeof(note), "of %.3f s, all threads together", result->wall_seconds);
    row(to, "time in faults", text, note);
    row_size(to, "tables", result->total->metadata_bytes, "");
    row_size(to, "program, largest resident", (uint64_t)result->usage->ru_maxrss * 1024,
             "all its memory, as the kernel counts it");
}

/* What the budget does not cover. */
static void print_beside(FILE *to, const struct ol_run_shared *shared)
{
    char note[128];
    const unsigned processes = atomic_load(&shared->attached), programs = atomic_load(&shared->unmanaged);
    if (processes > 1) row_count(to, "processes", processes, "managed, one after the other or at a time");
    row_size(to, "beside it, private", atomic_load(&shared->peak.anonymous_bytes),
             "not in the budget: stacks, small mappings, libraries' data");
    row_size(to, "beside it, files", atomic_load(&shared->peak.file_bytes), "not in the budget: mapped, with programs");
    row_size(to, "beside it, shared", atomic_load(&shared->peak.shared_bytes), "not in the budget");
    if (!programs) return;
    (void)snprintf(note, sizeof(note), "in %u programs that were executed without a budget", programs);
    row_size(to, "beside it, unmanaged", atomic_load(&shared->peak.unmanaged_bytes), note);
}

/* What most runs do not have. */
static void print_rare(FILE *to, const struct ol_run_shared *shared, const struct ol_memory_statistics *all)
{
    if (atomic_load(&shared->executable_bytes))
        row_size(to, "kept for execution", atomic_load(&shared->executable_bytes), "managed memory made executable");
    if (atomic_load(&shared->replaced))
        row(to, "executed another program", "yes", "it ran on without a budget: name that program itself");
    if (atomic_load(&shared->refused_io))
        row_count(to, "asynchronous I/O refused", atomic_load(&shared->refused_io),
                  "io_uring and aio are not supported");
    if (all->file_buffered && all->file_pages_written)
        row(to, "swap file", "buffered", "its file system refuses direct I/O: the page cache holds copies");
    if (all->file_pages_damaged)
        row_count(to, "reads of damaged pages", all->file_pages_damaged,
                  "came back from the swap file other than they went");
    if (all->core.frames_over_budget_peak)
        row_size(to, "over the budget, peak", (uint64_t)all->core.frames_over_budget_peak * PAGE_BYTES,
                 "swap was full or failed");
}

void ol_account_print(FILE *to, const struct ol_run_result *result)
{
    const struct figures figures = figures_of(result);
    row_size(to, "peak without limit", figures.unlimited_bytes, "managed memory that existed at a time");
    row_size(to, "budget", figures.budget_bytes, "");
    row_size(to, "resident, peak", figures.resident_bytes, "");
    print_faults(to, &result->total->core, &figures);
    print_transfers(to, result->total, &figures);
    print_costs(to, result);
    print_beside(to, result->shared);
    print_rare(to, result->shared, result->total);
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static void put(json_t *object, const char *name, uint64_t value)
{
    (void)json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void put_real(json_t *object, const char *name, double value)
{
    (void)json_object_set_new(object, name, json_real(value));
}

static void put_bool(json_t *object, const char *name, bool value)
{
    (void)json_object_set_new(object, name, json_boolean(value));
}

static void put_sizes(json_t *object, const struct ol_run_result *result, const struct figures *figures)
{
    const struct ol_run_shared *shared = result->shared;
    put(object, "peak_without_limit_bytes", figures->unlimited_bytes);
    put(object, "budget_bytes", figures->budget_bytes);
    put(object, "resident_peak_bytes", figures->resident_bytes);
    put(object, "compressed_store_bytes", figures->store_bytes);
    put(object, "metadata_bytes", result->total->metadata_bytes);
    put(object, "max_rss_bytes", (uint64_t)result->usage->ru_maxrss * 1024);
    put(object, "used_peak_bytes", atomic_load(&shared->peak.used_bytes));
    put(object, "over_budget_peak_bytes", (uint64_t)result->total->core.frames_over_budget_peak * PAGE_BYTES);
    put(object, "processes", atomic_load(&shared->attached));
    put(object, "uncovered_private_bytes", atomic_load(&shared->peak.anonymous_bytes));
    put(object, "uncovered_file_bytes", atomic_load(&shared->peak.file_bytes));
    put(object, "uncovered_shared_bytes", atomic_load(&shared->peak.shared_bytes));
    put(object, "uncovered_program_bytes", atomic_load(&shared->peak.unmanaged_bytes));
    put(object, "uncovered_programs", atomic_load(&shared->unmanaged));
}

static void put_faults(json_t *object, const struct ol_memory_statistics *all, const struct figures *figures)
{
    const struct ol_statistics *core = &all->core;
    const char *by = all->faults == OL_FAULTS_PROTECTION ? "protection" : "userfaultfd";
    put(object, "faults", core->faults);
    put(object, "faults_minor", figures->faults_minor);
    put(object, "faults_major", figures->faults_major);
    put(object, "faults_zero", core->faults_zero);
    put(object, "faults_soft", core->faults_soft);
    put(object, "faults_rescued", core->faults_rescued);
    put(object, "faults_copied", core->faults_copied);
    (void)json_object_set_new(object, "faults_by", json_string(by));
    put(object, "fault_ns", all->fault_ns);
    put(object, "prefetched_pages", core->prefetched);
    put(object, "prefetched_pages_read", core->prefetched_read);
    put(object, "prefetch_samples", core->prefetch_samples);
    put(object, "prefetch_samples_used", core->prefetch_samples_used);
}

static void put_transfers(json_t *object, const struct ol_memory_statistics *all, const struct figures *figures)
{
    const struct ol_statistics *core = &all->core;
    put(object, "evictions", core->evictions);
    put(object, "evictions_clean", core->evictions_clean);
    put(object, "writebacks", core->writebacks);
    put(object, "swapped_out_pages", figures->swapped_out);
    put(object, "swapped_in_pages", figures->swapped_in);
    put(object, "swap_file_pages_written", all->file_pages_written);
    put(object, "demoted_pages", all->demoted_pages);
    put(object, "swap_file_pages_read", all->file_pages_read);
    put(object, "swap_file_pages_read_together", all->file_pages_read_together);
    put_bool(object, "swap_file_buffered", all->file_buffered);
    put(object, "swap_file_pages_damaged", all->file_pages_damaged);
    put(object, "compressed_pages", all->compressed_in_pages);
    put(object, "compressed_bytes", all->compressed_in_bytes);
    put_real(object, "compression_ratio", figures->compression_ratio);
    put(object, "read_errors", core->read_errors);
    put(object, "write_errors", core->write_errors);
}

static json_t *json_of(const struct ol_run_result *result)
{
    const struct figures figures = figures_of(result);
    json_t *object = json_object();
    put_sizes(object, result, &figures);
    put_faults(object, result->total, &figures);
    put_transfers(object, result->total, &figures);
    put_bool(object, "executed_another_program", atomic_load(&result->shared->replaced));
    put_real(object, "wall_seconds", result->wall_seconds);
    if (WIFEXITED(result->status)) put(object, "exit_status", (uint64_t)WEXITSTATUS(result->status));
    else put(object, "signal", (uint64_t)WTERMSIG(result->status));
    return object;
}

bool ol_account_open(const char *name, FILE **file)
{
    *file = strcmp(name, "-") == 0 ? stdout : fopen(name, "we");
    if (!*file) ol_error("--stats-json %s: %s", name, strerror(errno));
    return *file != NULL;
}

bool ol_account_write_json(FILE *file, const char *name, const struct ol_run_result *result)
{
    json_t *object = json_of(result);
    bool good = json_dumpf(object, file, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0 && fputc('\n', file) != EOF;
    json_decref(object);
    if ((file == stdout ? fflush(file) : fclose(file)) != 0) good = false;
    if (!good) ol_error("%s: %s", name, strerror(errno));
    return good;
}
