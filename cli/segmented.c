/* SPDX-License-Identifier: MIT */
#include "cli/segmented.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/geometry.h"
#include "machine/sim/segments.h"

enum { INDENT = 3, PRIVILEGE = 3, MEMORY_BYTES = 20 << 10 };

static const char summary[] = "80286, 1982: segments of up to 64 KiB, the unit of rights, presence and swapping";

/* --- machines ------------------------------------------------------------------------------------------------------
 */

static void draw(FILE *out, int indent, const uint16_t *selector, const uint16_t *offset)
{
    const uint64_t values[] = {selector ? *selector >> OL_I286_INDEX_SHIFT : 0U,
                               selector ? (*selector & OL_I286_TI) / OL_I286_TI : 0U,
                               selector ? *selector & OL_I286_RPL : 0U, offset ? *offset : 0U};
    static const struct ol_draw_field fields[] = {{"index", 15, 3}, {"TI", 2, 2}, {"RPL", 1, 0}, {"offset", 15, 0}};
    ol_draw_fields(out, indent, fields, values, sizeof fields / sizeof fields[0], selector != NULL);
}

void ol_segmented_print(FILE *out)
{
    fprintf(out, "%-11s %s\n", OL_SEGMENTED_NAME, summary);
    draw(out, 12, NULL, NULL);
    fprintf(out,
            "%-11s no pages; a selector and an offset; 16 MiB of memory; descriptors of 8 bytes, in the GDT or, with\n"
            "%-11s TI, the task's LDT: base, limit, type, privilege (DPL), present, accessed\n"
            "%-11s accessed bit: yes, when a register is loaded; modified bit: no; write protection: yes; execute\n"
            "%-11s right: yes, without reading if so wanted. For explain and script, not for sim\n\n",
            "", "", "", "");
}

json_t *ol_segmented_json(void)
{
    return json_pack("{s:s, s:s, s:i, s:i, s:i, s:b, s:b, s:b}", "name", OL_SEGMENTED_NAME, "summary", summary,
                     "segment_bytes_max", OL_I286_SEGMENT_BYTES_MAX, "memory_bytes_max", 1 << OL_I286_ADDRESS_BITS,
                     "descriptor_bytes", OL_I286_DESCRIPTOR_BYTES, "referenced", 1, "modified", 0, "execute", 1);
}

/* --- the scene ------------------------------------------------------------------------------------------------------
 */

/* The segments of a small system with one program, of privilege 3. */
static const struct prop {
    const char *what;
    uint32_t bytes;
    uint8_t access; /* S, type and DPL */
    bool global;
} props[] = {
    {"the system's data", 4096, OL_I286_SEGMENT | OL_I286_WRITABLE, true},
    {"a library", 8192, OL_I286_SEGMENT | OL_I286_CODE | OL_I286_CONFORMING | OL_I286_READABLE, true},
    {"the program", 8192, OL_I286_SEGMENT | OL_I286_CODE | PRIVILEGE << OL_I286_DPL_SHIFT, false},
    {"its data", 6000, OL_I286_SEGMENT | OL_I286_WRITABLE | PRIVILEGE << OL_I286_DPL_SHIFT, false},
    {"its constants", 1000, OL_I286_SEGMENT | PRIVILEGE << OL_I286_DPL_SHIFT, false},
    {"its stack", 2048, OL_I286_SEGMENT | OL_I286_WRITABLE | OL_I286_EXPAND_DOWN | PRIVILEGE << OL_I286_DPL_SHIFT,
     false},
};
enum { PROPS = sizeof props / sizeof props[0] };

struct scene {
    struct ol_segments *system;
    unsigned task;
    uint16_t selectors[PROPS];
    uint32_t at[PROPS]; /* where they were at the last look; 0: absent */
};

/* Type, privilege and state of a descriptor, in words. */
static void print_access(uint8_t access)
{
    const bool code = access & OL_I286_CODE;
    printf("DPL %u, %s", access >> OL_I286_DPL_SHIFT & 3U, code ? "code" : "data");
    if (code)
        printf("%s%s", access & OL_I286_READABLE ? ", readable" : "",
               access & OL_I286_CONFORMING ? ", conforming" : "");
    else
        printf("%s%s", access & OL_I286_WRITABLE ? ", writable" : "",
               access & OL_I286_EXPAND_DOWN ? ", expand-down" : "");
    printf("%s%s", access & OL_I286_PRESENT ? ", present" : "", access & OL_I286_ACCESSED ? ", accessed" : "");
}

static enum ol_status set_up(struct scene *scene, uint32_t memory_bytes)
{
    const struct ol_segments_options options = {
        .memory_bytes = memory_bytes, .placement = OL_FIRST_FIT, .compacts = true};
    enum ol_status status = ol_segments_create(&options, &scene->system);
    if (status == OL_OK) status = ol_segments_task(scene->system, PRIVILEGE, &scene->task);
    for (unsigned i = 0; i < PROPS && status == OL_OK; i++)
        status = ol_segments_make(scene->system, props[i].global ? OL_SEGMENTS_GLOBAL : scene->task, props[i].bytes,
                                  props[i].access, &scene->selectors[i]);
    return status;
}

static void print_scene(const struct scene *scene, uint32_t memory_bytes)
{
    char size[OL_SIZE_TEXT_BYTES];
    printf("machine %s, %s for segments, a program of privilege %d; all are absent at first\n\n", OL_SEGMENTED_NAME,
           ol_format_size(memory_bytes, size), PRIVILEGE);
    for (unsigned i = 0; i < PROPS; i++) {
        printf("   %-4x %-18s %5" PRIu32 " bytes, ", (unsigned)scene->selectors[i], props[i].what, props[i].bytes);
        print_access(props[i].access);
        putchar('\n');
    }
    putchar('\n');
}

/* --- one access ------------------------------------------------------------------------------------------------------
 */

struct step {
    enum ol_i286_register where;
    unsigned access;
    uint16_t selector, offset;
};

static const char *const register_names[] = {[OL_I286_ES_REGISTER] = "ES",
                                             [OL_I286_CS_REGISTER] = "CS",
                                             [OL_I286_SS_REGISTER] = "SS",
                                             [OL_I286_DS_REGISTER] = "DS"};

static void print_exception(enum ol_i286_exception exception, uint16_t code, const char *check)
{
    static const char *const names[] = {[OL_I286_NP] = "NP", [OL_I286_SS] = "SS", [OL_I286_GP] = "GP"};
    printf("#%s(%x): %s\n", names[exception], (unsigned)code, check);
}

/* What loading the register would come to, as the processor finds it. */
static void explain_load(const struct scene *scene, const struct step *step, struct ol_i286_load *load)
{
    const struct ol_i286_control *const control = ol_segments_control(scene->system, scene->task);
    const bool local = step->selector & OL_I286_TI;
    const struct ol_i286_table *const table = local ? &control->ldt : &control->gdt;
    ol_i286_load(ol_segments_words(scene->system), control, step->where, step->selector, load);
    printf("%*stable  %s at %" PRIx32 ", limit %x\n", INDENT, "", local ? "LDT" : "GDT", table->base,
           (unsigned)table->limit);
    if (load->looked) {
        printf("%*sentry  at %" PRIx32 ": %016" PRIx64 "  base=%" PRIx32 " limit=%x ", INDENT, "", load->address,
               load->descriptor, ol_i286_base(load->descriptor), (unsigned)ol_i286_limit(load->descriptor));
        if (ol_i286_access(load->descriptor) & OL_I286_SEGMENT) print_access(ol_i286_access(load->descriptor));
        else fputs("no segment", stdout);
        putchar('\n');
    }
    printf("%*s%s     ", INDENT, "", register_names[step->where]);
    if (load->exception) print_exception(load->exception, load->error_code, load->check);
    else printf("is loaded%s\n", load->sets_accessed ? "; the entry is marked as accessed" : "");
}

/* What came, went and moved since the last look. */
static void print_changes(struct scene *scene)
{
    for (unsigned i = 0; i < PROPS; i++) {
        const uint32_t before = scene->at[i];
        const bool writable = !(props[i].access & OL_I286_CODE) && props[i].access & OL_I286_WRITABLE;
        if (!ol_segments_where(scene->system, scene->task, scene->selectors[i], &scene->at[i])) scene->at[i] = 0;
        if (scene->at[i] == before) continue;
        printf("%*ssystem %s ", INDENT, "", props[i].what);
        if (scene->at[i] != 0) printf("%s to %" PRIx32 "\n", before == 0 ? "comes" : "is moved", scene->at[i]);
        else puts(writable ? "is swapped out" : "is swapped out, unwritten: it cannot have changed");
    }
}

static void explain_reference(const struct step *step, const struct ol_i286_load *load)
{
    struct ol_i286_reference reference;
    uint32_t first, last;
    ol_i286_refer(&load->segment, step->where, step->offset, 1, step->access, &reference);
    if (!load->segment.usable) printf("%*soffset in no segment\n", INDENT, "");
    else if (ol_i286_extent(load->segment.access, load->segment.limit, &first, &last))
        printf("%*soffset %x of %" PRIx32 " to %" PRIx32 "\n", INDENT, "", (unsigned)step->offset, first, last);
    printf("%*s       ", INDENT, "");
    if (reference.exception) print_exception(reference.exception, 0, reference.check);
    else
        printf("physical address %" PRIx32 " + %x = %" PRIx32 "\n", load->segment.base, (unsigned)step->offset,
               reference.physical);
}

static void explain(struct scene *scene, unsigned number, const struct step *step)
{
    struct ol_i286_load load;
    printf("%u. %s %x:%x by %s\n", number,
           step->access == OL_WRITE  ? "write"
           : step->access == OL_EXEC ? "execute"
                                     : "read",
           (unsigned)step->selector, (unsigned)step->offset, register_names[step->where]);
    draw(stdout, INDENT, &step->selector, &step->offset);
    explain_load(scene, step, &load);
    if (load.exception == OL_I286_NP || load.exception == OL_I286_SS) {
        struct ol_i286_load ignored;
        const enum ol_status status =
            ol_segments_load(scene->system, scene->task, step->where, step->selector, &ignored);
        if (status != OL_OK) printf("%*ssystem it does not fit into memory\n", INDENT, "");
        print_changes(scene);
        load.exception = OL_I286_NONE;
        if (status == OL_OK) {
            ol_i286_load(ol_segments_words(scene->system), ol_segments_control(scene->system, scene->task), step->where,
                         step->selector, &load);
            printf("%*s%s     is loaded anew: base=%" PRIx32 "; the entry is marked as accessed\n", INDENT, "",
                   register_names[step->where], load.segment.base);
            explain_reference(step, &load);
        }
    } else if (!load.exception) {
        (void)ol_segments_load(scene->system, scene->task, step->where, step->selector, &load);
        explain_reference(step, &load);
    }
    putchar('\n');
}

/* --- arguments -------------------------------------------------------------------------------------------------------
 */

/* Four hexadecimal digits at most, up to `end`. */
static bool parse_word(const char *text, char end, const char **rest, uint16_t *out)
{
    char *stop;
    const size_t digits = strspn(text, "0123456789abcdefABCDEF");
    if (digits == 0 || digits > 4 || text[digits] != end) return false;
    *out = (uint16_t)strtoul(text, &stop, 16);
    *rest = stop + (end != '\0');
    return true;
}

static bool parse_step(const char *text, struct step *step)
{
    const char *rest = text;
    const char kind =
        text[0] != '\0' && text[1] == ':' && strchr("rwxp", text[0]) && strchr(text + 2, ':') ? text[0] : '\0';
    if (kind) rest += 2;
    step->access = kind == 'w' || kind == 'p' ? OL_WRITE : kind == 'x' ? OL_EXEC : OL_READ;
    step->where = kind == 'x' ? OL_I286_CS_REGISTER : kind == 'p' ? OL_I286_SS_REGISTER : OL_I286_DS_REGISTER;
    if (parse_word(rest, ':', &rest, &step->selector) && parse_word(rest, '\0', &rest, &step->offset)) return true;
    ol_error("explain: %s: expected SELECTOR:OFFSET, hexadecimal, with r:, w:, x: or p: (push) before it if you like",
             text);
    return false;
}

int ol_segmented_explain(uint32_t memory_bytes, char *const *accesses, int count)
{
    struct scene scene = {0};
    struct step step;
    if (memory_bytes == 0) memory_bytes = MEMORY_BYTES;
    for (int i = 0; i < count; i++)
        if (!parse_step(accesses[i], &step)) return OL_EXIT_USAGE;
    const enum ol_status status = set_up(&scene, memory_bytes);
    if (status == OL_OK) print_scene(&scene, memory_bytes);
    else ol_error("the machine cannot be set up: %s", ol_status_text(status));
    for (int i = 0; i < count && status == OL_OK; i++)
        if (parse_step(accesses[i], &step)) explain(&scene, (unsigned)i + 1, &step);
    if (scene.system) ol_segments_destroy(scene.system);
    if (fflush(stdout) == 0) return status == OL_OK ? OL_EXIT_OK : OL_EXIT_FAILURE;
    ol_error("the explanation cannot be written: %s", strerror(errno));
    return OL_EXIT_FAILURE;
}
