/* SPDX-License-Identifier: MIT */
#include "machine/linux/homes.h"

#include <stdlib.h>
#include <string.h>

#include "pager/swapfile_io.h"
#include "pager/tiered.h"

enum { DIRECTORY_BYTES_MAX = 4096, ZSTD_LEVEL = 1 /* if none is named */ };

/* Slots beyond what any disk of today holds; tables are lazily backed. */
static const uint32_t most_slots = 1U << 28;

static uint32_t slots_of(const struct ol_homes_options *options)
{
    const uint64_t slots = options->swap_bytes / options->page_bytes;
    return slots && slots < most_slots ? (uint32_t)slots : most_slots;
}

static enum ol_status make_compressed(const struct ol_homes_options *options, uint32_t level, bool is_last,
                                      struct ol_pager **out)
{
    const struct ol_compressed_options compressed = {
        .page_bytes = options->page_bytes,
        .capacity = most_slots,
        .max_store_bytes = options->store_bytes,
        .budget = options->budget,
        .level = level,
        .keep_incompressible = is_last,
    };
    return ol_compressed_create(&compressed, out);
}

static enum ol_status make_file(const struct ol_homes_options *options, const char *directory, struct ol_pager **out,
                                const char **error)
{
    const char *temporary = getenv("TMPDIR");
    if (!directory) directory = temporary && *temporary ? temporary : "/var/tmp";
    const struct ol_swapfile_options file = {.page_bytes = options->page_bytes,
                                             .capacity = slots_of(options),
                                             .directory = directory,
                                             .encrypted = options->encrypted};
    return ol_swapfile_create(&file, out, error);
}

/* What the description asks for. */
struct description {
    bool compressed, file;
    uint32_t level;                      /* of the compressed store */
    char directory[DIRECTORY_BYTES_MAX]; /* "" if it names none */
};

/* If the text begins with the word, passes over it. */
static bool take(const char **text, const char *word)
{
    const size_t length = strlen(word);
    if (strncmp(*text, word, length) != 0) return false;
    *text += length;
    return true;
}

/* 1 to OL_CODEC_LEVEL_MAX in one or two digits. */
static bool take_level(const char **text, uint32_t *out)
{
    uint32_t level = 0;
    for (int digits = 0; digits < 2 && **text >= '0' && **text <= '9'; digits++)
        level = level * 10 + (uint32_t)(*(*text)++ - '0');
    *out = level;
    return level >= 1 && level <= OL_CODEC_LEVEL_MAX;
}

/* What follows "compressed". */
static bool take_codec(const char **text, uint32_t *out)
{
    *out = OL_CODEC_LZ4;
    if (!take(text, "=") || take(text, "lz4")) return true;
    *out = ZSTD_LEVEL;
    return take(text, "zstd") && (!take(text, ":") || take_level(text, out));
}

static bool describe(const char *swap, struct description *out)
{
    memset(out, 0, sizeof(*out));
    if (strcmp(swap, "none") == 0) return true;
    if (take(&swap, "compressed")) {
        out->compressed = true;
        if (!take_codec(&swap, &out->level)) return false;
        if (!*swap) return true;
        if (!take(&swap, ",")) return false;
    }
    if (!take(&swap, "file")) return false;
    out->file = true;
    if (!*swap) return true;
    if (!take(&swap, ":") || !*swap || strlen(swap) >= sizeof(out->directory)) return false;
    memcpy(out->directory, swap, strlen(swap) + 1);
    return true;
}

static enum ol_status make_tiers(const struct ol_homes_options *options, struct ol_pager *compressed,
                                 struct ol_pager *file, struct ol_pager **out)
{
    const struct ol_tiered_options tiers = {compressed, file, options->store_is_over, options->budget.context};
    return ol_tiered_create(&tiers, out);
}

enum ol_status ol_homes_create(const struct ol_homes_options *options, struct ol_pager **top,
                               struct ol_pager **compressed, struct ol_pager **file, const char **error)
{
    struct description wanted;
    enum ol_status status = OL_OK;
    *top = *compressed = *file = NULL;
    *error =
        "swap is \"none\", \"compressed\", \"file\", \"file:DIRECTORY\", or \"compressed,file[:DIRECTORY]\"; "
        "\"compressed\" may name its method: \"compressed=lz4\", \"compressed=zstd:LEVEL\" with a level of 1 to 19";
    if (!describe(options->swap, &wanted)) return OL_E_INVALID;
    if (options->store_bytes == 0 && wanted.file) wanted.compressed = false; /* the store was given no memory */
    *error = "no memory for the compressed store";
    if (wanted.compressed) status = make_compressed(options, wanted.level, !wanted.file, compressed);
    if (status == OL_OK && wanted.file)
        status = make_file(options, wanted.directory[0] ? wanted.directory : NULL, file, error);
    if (status == OL_OK && *compressed && *file) status = make_tiers(options, *compressed, *file, top);
    else *top = *compressed ? *compressed : *file;
    if (status == OL_OK) return OL_OK;
    if (*compressed) (*compressed)->ops->close(*compressed);
    if (*file) (*file)->ops->close(*file);
    *top = *compressed = *file = NULL;
    return status;
}

void ol_homes_statistics(struct ol_pager *top, struct ol_pager *compressed, struct ol_pager *file,
                         struct ol_homes_statistics *out)
{
    memset(out, 0, sizeof(*out));
    if (compressed) ol_compressed_statistics(compressed, &out->compressed);
    if (file) ol_swapfile_statistics(file, &out->file);
    if (compressed && file) ol_tiered_statistics(top, &out->tiers);
    out->metadata_bytes = out->compressed.metadata_bytes + out->file.metadata_bytes + out->tiers.metadata_bytes;
}

/* --- what befell a page ----------------------------------------------------------------------------------------- */

static void text_append(char text[OL_HOMES_TEXT_BYTES], const char *more)
{
    const size_t length = strlen(text), room = OL_HOMES_TEXT_BYTES - 1 - length, wanted = strlen(more);
    const size_t taken = wanted < room ? wanted : room;
    memcpy(text + length, more, taken);
    text[length + taken] = 0;
}

static void text_append_number(char text[OL_HOMES_TEXT_BYTES], uint64_t number)
{
    char digits[24], *first = digits + sizeof(digits) - 1;
    *first = 0;
    do *--first = (char)('0' + number % 10);
    while (number /= 10);
    text_append(text, first);
}

bool ol_homes_explain(struct ol_pager *file, ol_slot slot, char text[OL_HOMES_TEXT_BYTES])
{
    struct ol_swapfile_failure failure;
    if (!file || slot == OL_NO_SLOT || !ol_swapfile_failure(file, slot, &failure)) return false;
    text[0] = 0;
    if (failure.error == OL_SWAP_DAMAGED) {
        text_append(text, "is damaged: its checksum is wrong");
    } else if (failure.error == OL_SWAP_ENDED) {
        text_append(text, "is missing: the file ends");
    } else {
        const char *description = strerrordesc_np(failure.error);
        text_append(text, "cannot be read: ");
        text_append(text, description ? description : "unknown error");
    }
    text_append(text, ", at byte ");
    text_append_number(text, failure.offset_bytes);
    text_append(text, " of the swap file (descriptor ");
    text_append_number(text, (uint64_t)failure.fd);
    text_append(text, ")");
    return true;
}
