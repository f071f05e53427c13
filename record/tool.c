/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Valgrind tool behind `onelevel record`: sends the program's references through a pipe (wire.h).
 *
 * Where instructions lie is known when a superblock is translated. Of a data reference only the page is not, and mostly
 * it is that of the last time. So the code added to a superblock only finds out whether any page has changed, and at
 * each exit notes that the superblock has come so far:
 *
 *     for each data reference:  change |= (address - base[i]) | (address + size - 1 - base[i]);  now[i] = address
 *     at each exit:             if (change >= a page's bytes) tell(…);   at[-1] = EXIT
 *
 * where base[i] is the beginning of the page of the last time. The note at an exit takes the place of the one before,
 * so that a superblock leaves one word, however many exits it passes.
 */
#include "pub_tool_basics.h"
#include "pub_tool_libcassert.h"
#include "pub_tool_libcbase.h"
#include "pub_tool_libcfile.h"
#include "pub_tool_libcprint.h"
#include "pub_tool_libcproc.h"
#include "pub_tool_machine.h"
#include "pub_tool_mallocfree.h"
#include "pub_tool_options.h"
#include "pub_tool_threadstate.h"
#include "pub_tool_tooliface.h"
#include "pub_tool_vki.h"
#include "pub_tool_vkiscnums.h"

#include "record/channel.h"
#include "record/events.h"
#include "record/wire.h"

enum {
    SLACK_WORDS = 1 << 11, /* of the channel's: one superblock writes fewer */
    PAGE_BYTES = 1 << OL_WIRE_PAGE_SHIFT,
    PARTS_MAX = OL_WIRE_PARTS_MAX,
};

/* --- options ----------------------------------------------------------------------------------------------------- */

static const HChar *clo_pipe = NULL;
static Bool clo_addresses = False;
static Bool clo_kernel = False;
static Bool clo_children = False;

static Bool process_option(const HChar *argument)
{
    if (VG_STR_CLO(argument, "--pipe", clo_pipe)) return True;
    if (VG_BOOL_CLO(argument, "--addresses", clo_addresses)) return True;
    if (VG_BOOL_CLO(argument, "--kernel", clo_kernel)) return True;
    if (VG_BOOL_CLO(argument, "--children", clo_children)) return True;
    return False;
}

static void print_usage(void)
{
    VG_(printf)
    ("    --pipe=FILE               where `onelevel record` listens\n"
     "    --addresses=yes|no        addresses instead of pages [no]\n"
     "    --kernel=yes|no           references by system calls too [no]\n"
     "    --children=yes|no         forked processes too [no]\n");
}

static void print_debug_usage(void)
{
    VG_(printf)("    (none)\n");
}

/* --- blocks ------------------------------------------------------------------------------------------------------ */

/* A data reference in the code. */
struct site {
    Addr base; /* of the page of the last time; `nowhere` at first, and after a reference that crossed pages */
    Addr now;  /* the last address */
    UInt size; /* in bytes */
};

static const Addr nowhere = 1ULL << 62;

struct block {
    struct block *next; /* of all blocks */
    UInt room;
    struct block *self; /* its address from memory: the code reaches the sites by short offsets from it */
    struct site sites[];
};

/* The sites between two exits of a block. */
struct segment {
    struct block *block;
    UInt from, to;
    Bool later; /* the note of an exit before this segment stands in the buffer */
    UInt exit;  /* that ends it */
};

/* Notes which sites of the segment have a new key, before the note that its exit will leave. */
static VG_REGPARM(1) void tell(struct segment *segment)
{
    struct block *const block = segment->block;
    ol_channel_at -= segment->later;
    for (UInt i = segment->from; i < segment->to; i++) {
        struct site *const site = &block->sites[i];
        const Addr base = site->now & ~(Addr)(PAGE_BYTES - 1),
                   last = (site->now + site->size - 1) & ~(Addr)(PAGE_BYTES - 1);
        if (base == site->base && base == last && !clo_addresses) continue;
        const ULong key = clo_addresses ? site->now : (base >> OL_WIRE_PAGE_SHIFT) + (last >> OL_WIRE_PAGE_SHIFT);
        put(word(OL_WIRE_SITE, i << OL_WIRE_INDEX_SHIFT | ((UInt)(key >> 32) & 0xffff)));
        put((UInt)key);
        site->base = base == last ? base : nowhere;
    }
    ol_channel_at += segment->later;
}

/* A block of a single reference that was made. */
static VG_REGPARM(2) void tell_alone(struct segment *segment, Addr address)
{
    segment->block->sites[0].now = address;
    tell(segment);
    put(word(OL_WIRE_EXIT, segment->exit));
}

/* Of a block, as its definition tells it. */
struct part {
    enum ol_wire_part kind;
    Addr instruction;
    IRExpr *address; /* of data */
    UInt size;       /* in bytes */
};

static void define(const struct part *parts, UInt count, UInt first_exit)
{
    ol_channel_need_room(2 + 3 * count);
    put(word(OL_WIRE_BLOCK, count));
    put(first_exit);
    for (UInt i = 0; i < count; i++) {
        put((UInt)parts[i].kind << OL_WIRE_KIND_SHIFT | parts[i].size);
        put_wide(parts[i].instruction);
    }
}

/* --- code -------------------------------------------------------------------------------------------------------- */

/* A superblock on its way. It is one block, unless references are made under a condition; these stand alone. */
struct translation {
    IRSB *block;
    UInt room; /* sites that the rest of the superblock may have */
    struct block *shared;
    IRTemp base;   /* of the shared */
    IRTemp change; /* IRTemp_INVALID: no site in this segment */
    IRTemp end;    /* behind the note of an exit; IRTemp_INVALID: there is none yet */
    UInt sites, segment_sites;
    UInt first_exit;
    UInt parts_told; /* as far as the last exit */
    UInt count;
    struct part parts[PARTS_MAX];
};

static UInt exits;

static IRTemp assign(struct translation *t, IRType type, IRExpr *expression)
{
    const IRTemp temporary = newIRTemp(t->block->tyenv, type);
    addStmtToIRSB(t->block, IRStmt_WrTmp(temporary, expression));
    return temporary;
}

static IRExpr *compute(struct translation *t, IROp operation, IRExpr *a, IRExpr *b)
{
    return IRExpr_RdTmp(assign(t, Ity_I64, IRExpr_Binop(operation, a, b)));
}

static IRExpr *constant(ULong value)
{
    return IRExpr_Const(IRConst_U64(value));
}

static IRExpr *load(IRExpr *address)
{
    return IRExpr_Load(Iend_LE, Ity_I64, address);
}

static void store(struct translation *t, IRExpr *address, IRExpr *value)
{
    addStmtToIRSB(t->block, IRStmt_Store(Iend_LE, address, value));
}

static void call(struct translation *t, const HChar *name, void *function, IRExpr **arguments, IRExpr *guard)
{
    Int count = 0;
    while (arguments[count]) count++;
    IRDirty *const dirty = unsafeIRDirty_0_N(count, name, VG_(fnptr_to_fnentry)(function), arguments);
    if (guard) dirty->guard = guard;
    addStmtToIRSB(t->block, IRStmt_Dirty(dirty));
}

static struct block *blocks;

static struct block *new_block(UInt sites)
{
    struct block *const block = VG_(malloc)("record.block", sizeof *block + sites * sizeof block->sites[0]);
    block->self = block;
    block->room = sites;
    for (UInt i = 0; i < sites; i++) block->sites[i].base = nowhere;
    block->next = blocks;
    blocks = block;
    return block;
}

static struct segment *new_segment(struct block *block, UInt from, UInt to, Bool later, UInt exit)
{
    struct segment *const segment = VG_(malloc)("record.segment", sizeof *segment);
    *segment = (struct segment){block, from, to, later, exit};
    return segment;
}

static void set_site(struct block *block, UInt site, UInt size)
{
    block->sites[site] = (struct site){.base = nowhere, .size = size};
}

static void begin_block(struct translation *t)
{
    t->shared = new_block(t->room);
    t->base = assign(t, Ity_I64, load(constant((Addr)&t->shared->self)));
    t->change = t->end = IRTemp_INVALID;
    t->count = t->sites = t->segment_sites = t->parts_told = 0;
    t->first_exit = exits;
}

/* The code for one data reference. */
static void add_site(struct translation *t, IRExpr *address, UInt size)
{
    const UInt index = t->sites++;
    struct block *const shared = t->shared;
    IRExpr *const base = IRExpr_RdTmp(t->base);
    tl_assert(index < t->room);
    set_site(shared, index, size);
    store(t, compute(t, Iop_Add64, base, constant((Addr)&shared->sites[index].now - (Addr)shared)), address);
    if (clo_addresses) return;
    IRExpr *const place = compute(t, Iop_Add64, base, constant((Addr)&shared->sites[index].base - (Addr)shared));
    IRExpr *const from = compute(t, Iop_Sub64, address, IRExpr_RdTmp(assign(t, Ity_I64, load(place))));
    IRExpr *change = from;
    if (size > 1) change = compute(t, Iop_Or64, from, compute(t, Iop_Add64, from, constant(size - 1)));
    if (t->change != IRTemp_INVALID) change = compute(t, Iop_Or64, IRExpr_RdTmp(t->change), change);
    t->change = assign(t, Ity_I64, change);
}

static void add_tell(struct translation *t, UInt exit)
{
    const Bool later = t->end != IRTemp_INVALID;
    struct segment *const segment = new_segment(t->shared, t->segment_sites, t->sites, later, exit);
    IRExpr *guard = NULL;
    if (!clo_addresses)
        guard = IRExpr_RdTmp(
            assign(t, Ity_I1, IRExpr_Binop(Iop_CmpLT64U, constant(PAGE_BYTES - 1), IRExpr_RdTmp(t->change))));
    call(t, "tell", tell, mkIRExprVec_1(constant((Addr)segment)), guard);
    if (later) t->end = assign(t, Ity_I64, load(constant((Addr)&ol_channel_at)));
    t->segment_sites = t->sites;
    t->change = IRTemp_INVALID;
}

/* The code at an exit: notes that all parts so far were executed. */
static void add_exit(struct translation *t)
{
    if (t->count == t->parts_told) return;
    if (t->segment_sites < t->sites) add_tell(t, exits);
    const Bool is_first = t->end == IRTemp_INVALID;
    if (is_first) {
        const IRTemp begin = assign(t, Ity_I64, load(constant((Addr)&ol_channel_at)));
        t->end = assign(t, Ity_I64, IRExpr_Binop(Iop_Add64, IRExpr_RdTmp(begin), constant(sizeof(UInt))));
    }
    store(t, compute(t, Iop_Sub64, IRExpr_RdTmp(t->end), constant(sizeof(UInt))),
          IRExpr_Const(IRConst_U32(word(OL_WIRE_EXIT, exits))));
    if (is_first) store(t, constant((Addr)&ol_channel_at), IRExpr_RdTmp(t->end));
    exits++;
    t->parts[t->count++] = (struct part){.kind = OL_WIRE_PART_EXIT};
    t->parts_told = t->count;
}

static void end_block(struct translation *t)
{
    add_exit(t);
    if (t->count > 0) define(t->parts, t->count, t->first_exit);
    t->room -= t->sites;
}

/* --- translation ------------------------------------------------------------------------------------------------- */

static void add_part(struct translation *t, struct part part)
{
    tl_assert(part.size <= PAGE_BYTES);
    if (t->count >= PARTS_MAX - 2) {
        end_block(t);
        begin_block(t);
    }
    t->parts[t->count++] = part;
    if (part.address) add_site(t, part.address, part.size);
}

static void add_instruction(struct translation *t, Addr address, UInt size)
{
    add_part(t, (struct part){.kind = OL_WIRE_PART_INSTRUCTION, .instruction = address, .size = size});
}

static void add_load(struct translation *t, IRExpr *address, UInt size)
{
    add_part(t, (struct part){.kind = OL_WIRE_PART_LOAD, .address = address, .size = size});
}

/* A store to what was loaded just before is one reference, as lackey's "modify". */
static void add_store(struct translation *t, IRExpr *address, UInt size)
{
    struct part *const before = t->count > t->parts_told ? &t->parts[t->count - 1] : NULL;
    if (before && before->kind == OL_WIRE_PART_LOAD && before->size == size && eqIRAtom(before->address, address))
        before->kind = OL_WIRE_PART_STORE;
    else add_part(t, (struct part){.kind = OL_WIRE_PART_STORE, .address = address, .size = size});
}

/* A reference that is made only if `guard`. */
static void add_guarded(struct translation *t, enum ol_wire_part kind, IRExpr *address, UInt size, IRExpr *guard)
{
    const struct part part = {.kind = kind, .address = address, .size = size};
    if (guard->tag == Iex_Const && guard->Iex.Const.con->Ico.U1) {
        add_part(t, part);
        return;
    }
    end_block(t);
    struct block *const alone = new_block(1);
    set_site(alone, 0, size);
    const struct part parts[] = {part, {.kind = OL_WIRE_PART_EXIT}};
    define(parts, 2, exits);
    struct segment *const segment = new_segment(alone, 0, 1, False, exits++);
    call(t, "tell_alone", tell_alone, mkIRExprVec_2(constant((Addr)segment), address), guard);
    begin_block(t);
}

static UInt size_of(const struct translation *t, const IRExpr *value)
{
    return sizeofIRType(typeOfIRExpr(t->block->tyenv, value));
}

static void add_dirty(struct translation *t, const IRDirty *call)
{
    if (call->mFx == Ifx_None) return;
    if (call->mFx != Ifx_Write) add_guarded(t, OL_WIRE_PART_LOAD, call->mAddr, call->mSize, call->guard);
    if (call->mFx != Ifx_Read) add_guarded(t, OL_WIRE_PART_STORE, call->mAddr, call->mSize, call->guard);
}

static void add_guarded_load(struct translation *t, const IRLoadG *load)
{
    IRType type, wide;
    typeOfIRLoadGOp(load->cvt, &wide, &type);
    add_guarded(t, OL_WIRE_PART_LOAD, load->addr, sizeofIRType(type), load->guard);
}

static void add_compare_and_swap(struct translation *t, const IRCAS *cas)
{
    const UInt size = size_of(t, cas->dataLo) * (cas->dataHi ? 2 : 1);
    add_load(t, cas->addr, size);
    add_store(t, cas->addr, size);
}

/* The references that a statement makes. It is put into the block by the caller; exits want their unit ended before. */
static void add_references(struct translation *t, const IRStmt *statement)
{
    const IRExpr *data;
    switch (statement->tag) {
    case Ist_IMark: add_instruction(t, statement->Ist.IMark.addr, statement->Ist.IMark.len); break;
    case Ist_WrTmp:
        data = statement->Ist.WrTmp.data;
        if (data->tag == Iex_Load) add_load(t, data->Iex.Load.addr, sizeofIRType(data->Iex.Load.ty));
        break;
    case Ist_Store: add_store(t, statement->Ist.Store.addr, size_of(t, statement->Ist.Store.data)); break;
    case Ist_StoreG: {
        const IRStoreG *const guarded = statement->Ist.StoreG.details;
        add_guarded(t, OL_WIRE_PART_STORE, guarded->addr, size_of(t, guarded->data), guarded->guard);
        break;
    }
    case Ist_LoadG: add_guarded_load(t, statement->Ist.LoadG.details); break;
    case Ist_Dirty: add_dirty(t, statement->Ist.Dirty.details); break;
    case Ist_CAS: add_compare_and_swap(t, statement->Ist.CAS.details); break;
    case Ist_Exit: add_exit(t); break;
    default: break;
    }
}

static void add_room_check(struct translation *t)
{
    IRExpr *const limit = constant((Addr)(ol_channel_end - SLACK_WORDS));
    IRExpr *const now = IRExpr_RdTmp(assign(t, Ity_I64, load(constant((Addr)&ol_channel_at))));
    call(t, "ol_channel_flush", ol_channel_flush, mkIRExprVec_0(),
         IRExpr_RdTmp(assign(t, Ity_I1, IRExpr_Binop(Iop_CmpLT64U, limit, now))));
}

/* Of one statement: at most two, with a guard in a block of one's own. */
static UInt sites_at_most(const IRSB *block)
{
    UInt sites = 0;
    for (Int i = 0; i < block->stmts_used; i++) {
        const IRStmtTag tag = block->stmts[i]->tag;
        if (tag == Ist_WrTmp) sites += block->stmts[i]->Ist.WrTmp.data->tag == Iex_Load;
        else sites += tag == Ist_IMark || tag == Ist_Exit ? 0 : 2;
    }
    return sites;
}

static IRSB *instrument(VgCallbackClosure *closure, IRSB *in, const VexGuestLayout *layout,
                        const VexGuestExtents *extents, const VexArchInfo *info, IRType guest_word, IRType host_word)
{
    (void)closure, (void)layout, (void)extents, (void)info;
    tl_assert(guest_word == Ity_I64 && host_word == Ity_I64);
    static struct translation t; /* one at a time, and large */
    t.block = deepCopyIRSBExceptStmts(in);
    t.room = sites_at_most(in);
    tl_assert(t.room * 4 < SLACK_WORDS);
    Int i = 0;
    while (i < in->stmts_used && in->stmts[i]->tag != Ist_IMark) addStmtToIRSB(t.block, in->stmts[i++]);
    add_room_check(&t);
    begin_block(&t);
    for (; i < in->stmts_used; i++) {
        /* What has been executed is told before an exit, and a reference after it was made. */
        const IRStmt *const statement = in->stmts[i];
        if (statement->tag == Ist_Exit) add_references(&t, statement);
        addStmtToIRSB(t.block, in->stmts[i]);
        if (statement->tag != Ist_Exit) add_references(&t, statement);
    }
    end_block(&t);
    return t.block;
}

/* --- forks ------------------------------------------------------------------------------------------------------- */

static void before_fork(ThreadId thread)
{
    (void)thread;
    ol_channel_flush();
}

/* The child tells all its sites anew, because its parent goes on meanwhile. */
static void after_fork(ThreadId thread)
{
    (void)thread;
    for (struct block *block = blocks; block; block = block->next)
        for (UInt i = 0; i < block->room; i++) block->sites[i].base = nowhere;
    ol_channel_forked(clo_children);
}

/* --- the tool ---------------------------------------------------------------------------------------------------- */

static void post_clo_init(void)
{
    ol_channel_open(clo_pipe);
    put(word(OL_WIRE_START, 0));
    if (clo_kernel) ol_events_track_kernel();
}

static void fini(Int exit_code)
{
    (void)exit_code;
    ol_channel_flush();
}

static void pre_clo_init(void)
{
    VG_(details_name)("onelevel");
    VG_(details_version)(NULL);
    VG_(details_description)("records the pages that a program refers to");
    VG_(details_copyright_author)("Licensed under the GNU GPL, version 2 or later.");
    VG_(details_bug_reports_to)("the authors of Onelevel");
    VG_(details_avg_translation_sizeB)(600);
    VG_(basic_tool_funcs)(post_clo_init, instrument, fini);
    VG_(needs_command_line_options)(process_option, print_usage, print_debug_usage);
    VG_(atfork)(before_fork, NULL, after_fork);
    ol_events_track();
}

VG_DETERMINE_INTERFACE_VERSION(pre_clo_init)
