/* SPDX-License-Identifier: MIT */
/* See mmu_rig.h. The walk here is the plainest one, and shares no code with the validator. */
#include "mmu_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN (_PAGE_PRESENT | _PAGE_RW | _PAGE_NX)

struct mmu_geometry mmu_rig_tiny(unsigned levels)
{
	static const unsigned three[] = {4, 4, 4, 0}, four[] = {4, 2, 4, 4};
	struct mmu_geometry geometry = levels == 3 ? mmu_geometry_pae : mmu_geometry_64;

	memcpy(geometry.entries, levels == 3 ? three : four, sizeof(geometry.entries));
	geometry.lowest = 2 * RIG_PAGE;
	/* Ends within an L1 table, and leaves the root's last entry outside. */
	geometry.window = (levels == 3 ? 43 : 90) * RIG_PAGE;
	return geometry;
}

static void changed(void *arg, uint64_t va, uint64_t frame, uint64_t pages, uint64_t flags)
{
	struct mmu_rig *rig = arg;
	uint64_t first = va / RIG_PAGE;

	rig->calls++;
	if (va % RIG_PAGE || !pages || va < rig->geometry.lowest || first > rig->pages ||
		pages > rig->pages - first) {
		rig->wrong = "a change outside the window is reported";
		return;
	}
	if (flags & ~SHOWN || (flags && !(flags & _PAGE_PRESENT)))
		rig->wrong = "a change has flags that say nothing";
	for (uint64_t i = 0; i < pages; i++) {
		if (flags && (frame + i >= rig->frames || rig->frame[frame + i].hole)) {
			rig->wrong = "a frame is reported that may not be mapped";
			return;
		}
		rig->mapped -= rig->map[first + i] != 0;
		rig->map[first + i] = flags ? (frame + i) * RIG_PAGE | flags : 0;
		rig->mapped += flags != 0;
	}
}

struct mmu_rig *mmu_rig_new(const struct mmu_geometry *geometry, uint64_t frames)
{
	struct mmu_rig *rig = calloc(1, sizeof(*rig));

	if (!rig)
		return NULL;
	rig->geometry = *geometry;
	rig->frames = frames;
	rig->pages = geometry->window / RIG_PAGE;
	for (unsigned i = 0; i < geometry->levels; i++)
		if (geometry->entries[i] > rig->stride)
			rig->stride = geometry->entries[i];
	rig->frame = calloc(frames, sizeof(*rig->frame));
	rig->counted = calloc(frames, sizeof(*rig->counted));
	rig->entry = calloc(frames * rig->stride, sizeof(*rig->entry));
	rig->pinned = calloc(frames, 1);
	rig->map = calloc(rig->pages, sizeof(*rig->map));
	rig->mmu.memory = aligned_alloc(RIG_PAGE, frames * RIG_PAGE);
	if (!rig->frame || !rig->counted || !rig->entry || !rig->pinned || !rig->map ||
		!rig->mmu.memory) {
		mmu_rig_free(rig);
		return NULL;
	}
	memset(rig->mmu.memory, 0, frames * RIG_PAGE);
	rig->frame[frames - 1].hole = 1;
	rig->frame[frames - 2].reserved = 1;
	rig->frame[frames - 3].reserved = 1;
	rig->mmu.geometry = &rig->geometry;
	rig->mmu.frame = rig->frame;
	rig->mmu.frames = frames;
	rig->mmu.changed = changed;
	rig->mmu.arg = rig;
	rig->pinned[0] = 1;
	if (mmu_init(&rig->mmu, 0))
		rig->wrong = "an empty root is refused";
	return rig;
}

void mmu_rig_free(struct mmu_rig *rig)
{
	free(rig->frame);
	free(rig->counted);
	free(rig->entry);
	free(rig->pinned);
	free(rig->map);
	free(rig->mmu.memory);
	free(rig);
}

static uint64_t *model(const struct mmu_rig *rig, uint64_t table, uint64_t index)
{
	return &rig->entry[table * rig->stride + index];
}

/* Bytes that an entry of this level spans. */
static uint64_t span(const struct mmu_rig *rig, unsigned level)
{
	return level == 1 ? RIG_PAGE : span(rig, level - 1) * rig->geometry.entries[level - 2];
}

static uint64_t named(uint64_t entry)
{
	return (entry & mmu_geometry_64.frame_mask) / RIG_PAGE;
}

/* The model's L1 entry of an address that has one. */
static uint64_t *leaf(const struct mmu_rig *rig, uint64_t va)
{
	uint64_t table = rig->root;

	for (unsigned level = rig->geometry.levels; level > 1; level--) {
		table = named(*model(rig, table, va / span(rig, level)));
		va %= span(rig, level);
	}
	return model(rig, table, va / RIG_PAGE);
}

static int is_table(const struct mmu_rig *rig, uint64_t frame)
{
	return rig->frame[frame].type >= MMU_L1 && rig->frame[frame].type <= MMU_L4;
}

static void follow_update(struct mmu_rig *rig, uint64_t ptr, uint64_t value)
{
	uint64_t index = ptr % RIG_PAGE / sizeof(value);
	const struct mmu_frame *frame = &rig->frame[ptr / RIG_PAGE];
	uint64_t *entry = model(rig, ptr / RIG_PAGE, index);

	if (frame->reserved || frame->hole)
		rig->wrong = "a frame that is not the guest's was written";
	if (is_table(rig, ptr / RIG_PAGE) && index >= rig->geometry.entries[frame->type - 1])
		rig->wrong = "an entry behind the end of its table was written";
	if (index >= rig->stride)
		return;
	if ((ptr & 3) == MMU_PT_UPDATE_PRESERVE_AD)
		value |= *entry & (_PAGE_ACCESSED | _PAGE_DIRTY);
	*entry = value;
}

static void follow(struct mmu_rig *rig, struct mmu_rig_op op)
{
	if (op.kind == RIG_UPDATE)
		follow_update(rig, op.a, op.b);
	else if (op.kind == RIG_VA)
		*leaf(rig, op.a) = op.b;
	else if (op.a <= MMUEXT_PIN_L4_TABLE)
		rig->pinned[op.b] = 1;
	else if (op.a == MMUEXT_UNPIN_TABLE)
		rig->pinned[op.b] = 0;
	else if (op.a == MMUEXT_NEW_BASEPTR)
		rig->root = op.b;
}

int mmu_rig_do(struct mmu_rig *rig, struct mmu_rig_op op)
{
	struct mmuext_op ext = {.cmd = (unsigned)op.a, .arg1.mfn = op.b};
	unsigned calls = rig->calls;
	int rc, table = 1;

	if (op.kind == RIG_UPDATE && op.a / RIG_PAGE < rig->frames)
		table = is_table(rig, op.a / RIG_PAGE);
	if (op.kind == RIG_UPDATE)
		rc = mmu_update_one(&rig->mmu, op.a, op.b);
	else if (op.kind == RIG_VA)
		rc = mmu_update_va(&rig->mmu, op.a, op.b, UVMF_INVLPG);
	else
		rc = mmu_ext_one(&rig->mmu, &ext);
	mmu_flush(&rig->mmu);
	if (rc == 0) {
		rig->accepted++;
		rig->stores += !table;
		follow(rig, op);
		return 0;
	}
	rig->refused++;
	if (rc != -EINVAL && rc != -EPERM && rc != -EBUSY && rc != -ENOSYS)
		rig->wrong = "a refusal has no known error";
	if (rig->calls != calls)
		rig->wrong = "a refused operation reported a change";
	return rc;
}

/* Compares what is mapped below a table with what the callback said, and counts it. */
static const char *walk(const struct mmu_rig *rig, unsigned level, uint64_t table, uint64_t va,
	uint64_t above, uint64_t *mapped)
{
	for (uint64_t i = 0; i < rig->geometry.entries[level - 1]; i++, va += span(rig, level)) {
		uint64_t entry = *model(rig, table, i), rights = above | (entry & _PAGE_NX);
		const char *wrong = NULL;

		if (va >= rig->geometry.window)
			break;
		if (!(entry & _PAGE_PRESENT))
			continue;
		if (rig->geometry.allowed[level - 1] & _PAGE_RW && !(entry & _PAGE_RW))
			rights &= ~_PAGE_RW;
		if (level > 1) {
			wrong = walk(rig, level - 1, named(entry), va, rights, mapped);
		} else if (va >= rig->geometry.lowest) {
			*mapped += 1;
			if (rig->map[va / RIG_PAGE] !=
				(named(entry) * RIG_PAGE | rights | _PAGE_PRESENT))
				wrong = "the tables map what was not reported";
		}
		if (wrong)
			return wrong;
	}
	return NULL;
}

const char *mmu_rig_check(struct mmu_rig *rig)
{
	uint64_t frame, mapped = 0, va = rig->accepted % rig->pages * RIG_PAGE;
	uint64_t now = mmu_entry(&rig->mmu, va), told = rig->map[va / RIG_PAGE];
	const char *wrong = rig->wrong;

	for (uint64_t i = 0; i < rig->frames && !wrong; i++) {
		if (memcmp(rig->mmu.memory + i * RIG_PAGE, model(rig, i, 0),
			    rig->stride * sizeof(uint64_t)))
			wrong = "an entry is not what was last accepted";
		if (rig->frame[i].pinned != rig->pinned[i])
			wrong = "a pin is not what was last accepted";
	}
	if (!wrong && rig->mmu.root != rig->root)
		wrong = "the root is not what was last accepted";
	if (!wrong)
		wrong = mmu_check(&rig->mmu, rig->counted, &frame);
	if (!wrong)
		wrong = walk(rig, rig->geometry.levels, rig->root, 0, _PAGE_RW, &mapped);
	if (!wrong && mapped != rig->mapped)
		wrong = "what is no longer mapped was not reported";
	if (!wrong && (now & _PAGE_PRESENT ? now & (SHOWN | rig->geometry.frame_mask) : 0) != told)
		wrong = "mmu_entry says otherwise than the callback";
	return wrong;
}

/* ---- operations from bits ------------------------------------------------------------------ */

static uint64_t take(uint64_t *bits, uint64_t choices)
{
	uint64_t taken = *bits % choices;

	*bits /= choices;
	return taken;
}

/* What a frame is meant for, so that tables come about which hold together; 0 for data. */
static unsigned calling(const struct mmu_rig *rig, uint64_t frame)
{
	static const uint8_t three[] = {3, 1, 1, 2, 0, 0, 1, 2};
	static const uint8_t four[] = {4, 1, 1, 2, 0, 3, 1, 2};

	return rig->geometry.levels == 3 ? three[frame % 8] : four[frame % 8];
}

/* A frame for this use from a random one on: of that type, or of none and meant for it. */
static uint64_t choose(const struct mmu_rig *rig, uint64_t *bits, unsigned level)
{
	uint64_t start = take(bits, rig->frames);

	for (uint64_t i = 0; i < rig->frames; i++) {
		uint64_t at = (start + i) % rig->frames;

		if (calling(rig, at) == level &&
			(rig->frame[at].type == level || !rig->frame[at].type_refs))
			return at;
	}
	return start;
}

/* A few places in large tables, among them the first and last ones and the window's end. */
static uint64_t index_of(const struct mmu_rig *rig, uint64_t *bits, unsigned level)
{
	static const uint16_t some[] = {0, 1, 2, 15, 16, 383, 384, 511};
	unsigned entries = rig->geometry.entries[level ? level - 1 : 0];

	if (entries <= 8)
		return take(bits, entries);
	if (level >= 3)
		return take(bits, 8) ? level == 3 && take(bits, 2) : take(bits, 3);
	return some[take(bits, 8)];
}

static uint64_t entry_for(const struct mmu_rig *rig, uint64_t *bits, unsigned level)
{
	uint64_t flags = _PAGE_PRESENT, kind = take(bits, 16);

	if (kind < 3)
		return kind ? take(bits, 256) * 2 : 0; /* not present */
	if (kind == 3)
		return (take(bits, rig->frames + 1) * RIG_PAGE) | take(bits, 512) |
		       (take(bits, 2) ? _PAGE_NX : 0);
	if (kind & 1)
		flags |= _PAGE_ACCESSED & rig->geometry.allowed[level ? level - 1 : 0];
	if (take(bits, 8) == 0)
		flags |= _PAGE_NX & rig->geometry.allowed[level ? level - 1 : 0];
	if (level > 1) {
		if (take(bits, 8))
			flags |= _PAGE_RW & rig->geometry.allowed[level - 1];
		return choose(rig, bits, level - 1) * RIG_PAGE | flags;
	}
	if (kind < 10)
		return choose(rig, bits, 0) * RIG_PAGE | flags | _PAGE_RW;
	return take(bits, rig->frames) * RIG_PAGE | flags;
}

static struct mmu_rig_op decode_ext(const struct mmu_rig *rig, uint64_t *bits)
{
	uint64_t which = take(bits, 8), level = take(bits, rig->geometry.levels) + 1;

	if (which < 3)
		return (struct mmu_rig_op){RIG_EXT, level - 1, choose(rig, bits, (unsigned)level)};
	if (which < 5) {
		uint64_t at = take(bits, rig->frames);

		for (uint64_t i = 0; i < rig->frames && !rig->pinned[at]; i++)
			at = (at + 1) % rig->frames;
		return (struct mmu_rig_op){RIG_EXT, MMUEXT_UNPIN_TABLE, at};
	}
	if (which < 7)
		return (struct mmu_rig_op){
			RIG_EXT, MMUEXT_NEW_BASEPTR, choose(rig, bits, rig->geometry.levels)};
	return (struct mmu_rig_op){RIG_EXT, take(bits, 22), take(bits, rig->frames + 1)};
}

struct mmu_rig_op mmu_rig_decode(const struct mmu_rig *rig, uint64_t bits)
{
	uint64_t which = take(&bits, 16), va = 0, frame;
	unsigned level;

	if (which < 3)
		return decode_ext(rig, &bits);
	if (which < 6) {
		for (level = 1; level <= rig->geometry.levels; level++)
			va += index_of(rig, &bits, level) * span(rig, level);
		return (struct mmu_rig_op){RIG_VA, va, entry_for(rig, &bits, 1)};
	}
	/* A table as it is; sometimes a frame that may become one, so that not all begin empty. */
	frame = take(&bits, rig->frames);
	if (take(&bits, 8))
		for (uint64_t i = 0; i < rig->frames && !is_table(rig, frame); i++)
			frame = (frame + 1) % rig->frames;
	level = is_table(rig, frame) ? rig->frame[frame].type : calling(rig, frame);
	va = frame * RIG_PAGE + index_of(rig, &bits, level) * sizeof(uint64_t);
	if (which == 6) /* anything, though where it can be put right again */
		return (struct mmu_rig_op){RIG_UPDATE, va + take(&bits, 8), bits};
	if (which == 7)
		va |= MMU_PT_UPDATE_PRESERVE_AD;
	return (struct mmu_rig_op){RIG_UPDATE, va, entry_for(rig, &bits, level)};
}
