/* SPDX-License-Identifier: MIT */
/* What a backend says of the disk and of itself, read and held against what makes sense. */
#include "internal.h"
#include "../rings/text.h"

#include <errno.h>

/* Sectors of 512 bytes whose number of bytes still fits 64 bits. */
#define SECTORS_MAX (UINT64_MAX / 512)

static int senseless(struct pvr_blkfront *disk, const char *name, const char *value)
{
	char line[192];
	struct pvr_text text;

	pvr_text_init(&text, line, sizeof(line));
	pvr_text_add_foreign(&text, disk->front.bus.backend);
	pvr_text_add(&text, "/");
	pvr_text_add(&text, name);
	pvr_text_add(&text, " makes no sense: '");
	pvr_text_add_foreign(&text, value);
	pvr_text_add(&text, "'");
	pvr_port_log(line);
	return -EPROTO;
}

/*
 * A number the backend publishes, within bounds and, when `units` is given, a multiple of it (a
 * power of two).
 */
struct fact {
	const char *name;
	uint64_t least, most;
	uint64_t units;
	int power_of_two;
	int required;
};

static int is_sensible(const struct fact *fact, uint64_t number)
{
	return number >= fact->least && number <= fact->most &&
	       !(fact->units && number & (fact->units - 1)) &&
	       !(fact->power_of_two && number & (number - 1));
}

static int read_fact(
	struct pvr_blkfront *disk, const struct fact *fact, uint64_t otherwise, uint64_t *number)
{
	char text[PVR_U64_TEXT] = "";
	int r = pvr_xenbus_backend_read(&disk->front.bus, fact->name, text, sizeof(text));

	if (r == -ENOENT && !fact->required) {
		*number = otherwise;
		return 0;
	}
	if (r == -ENOENT || r == -E2BIG)
		return senseless(disk, fact->name, r == -ENOENT ? "(missing)" : "(too long)");
	if (r < 0)
		return r;
	if (pvr_text_parse_u64(text, number) || !is_sensible(fact, *number))
		return senseless(disk, fact->name, text);
	return 0;
}

/* An optional one of 32 bits, where 0 and nothing are the same. */
static int read_flag(struct pvr_blkfront *disk, const char *name, uint32_t *value)
{
	const struct fact fact = {.name = name, .most = UINT32_MAX};
	uint64_t number;
	int r = read_fact(disk, &fact, 0, &number);

	if (!r)
		*value = (uint32_t)number;
	return r;
}

static struct fact size_fact(const struct pvr_blkfront *disk)
{
	return (struct fact){.name = "sectors",
		.most = SECTORS_MAX,
		.units = disk->info.sector_size / 512,
		.required = 1};
}

static int read_sizes(struct pvr_blkfront *disk)
{
	const struct fact sector_size = {
		.name = "sector-size", .least = 512, .most = PVR_PAGE_SIZE, .power_of_two = 1};
	struct fact physical = {
		.name = "physical-sector-size", .most = 1u << 31, .power_of_two = 1};
	struct fact sectors;
	uint64_t number;
	int r = read_fact(disk, &sector_size, 512, &number);

	if (r)
		return r;
	disk->info.sector_size = (uint32_t)number;
	sectors = size_fact(disk);
	r = read_fact(disk, &sectors, 0, &disk->info.sectors);
	if (r)
		return r;
	physical.least = disk->info.sector_size;
	r = read_fact(disk, &physical, disk->info.sector_size, &number);
	if (!r)
		disk->info.physical_sector_size = (uint32_t)number;
	return r;
}

/* A discard of any size is legal; granularity and alignment are hints for whoever sends them. */
static int read_discard(struct pvr_blkfront *disk)
{
	struct pvr_blkfront_info *info = &disk->info;
	int r = read_flag(disk, "feature-discard", &info->discard);

	info->secure = 0;
	info->discard_granularity = info->discard_alignment = 0;
	if (r || !info->discard)
		return r;
	info->discard_granularity = info->sector_size;
	r = read_flag(disk, "discard-secure", &info->secure);
	if (!r)
		r = read_flag(disk, "discard-alignment", &info->discard_alignment);
	if (!r)
		r = read_flag(disk, "discard-granularity", &info->discard_granularity);
	if (!info->discard_granularity)
		info->discard_granularity = info->sector_size;
	return r;
}

/* Indirect segments are only of use beyond what a plain request holds. */
static int read_segments(struct pvr_blkfront *disk)
{
	uint32_t offered = 0, most = disk->want.max_segments;
	int r = read_flag(disk, "feature-max-indirect-segments", &offered);

	if (offered < BLKIF_MAX_SEGMENTS_PER_REQUEST)
		offered = BLKIF_MAX_SEGMENTS_PER_REQUEST;
	disk->info.max_segments = offered < most ? offered : most;
	return r;
}

int blkfront_facts_read(struct pvr_blkfront *disk)
{
	uint32_t bits = 0;
	int r = read_sizes(disk);

	if (!r)
		r = read_flag(disk, "info", &bits);
	disk->info.readonly = (bits & VDISK_READONLY) != 0;
	if (!r)
		r = read_flag(disk, "feature-flush-cache", &disk->info.flush);
	if (!r)
		r = read_flag(disk, "feature-barrier", &disk->info.barrier);
	if (!r)
		r = read_flag(disk, "feature-persistent", &disk->info.persistent);
	disk->info.persistent = disk->info.persistent && disk->want.persistent;
	if (!r)
		r = read_discard(disk);
	if (!r)
		r = read_segments(disk);
	disk->info.flush = disk->info.flush != 0;
	disk->info.barrier = disk->info.barrier != 0;
	disk->info.discard = disk->info.discard != 0;
	disk->info.secure = disk->info.secure != 0;
	return r;
}

int blkfront_facts_resized(struct pvr_front *front)
{
	struct pvr_blkfront *disk = blkfront_disk(front);
	const struct fact fact = size_fact(disk);
	/* What makes no sense here is not a size, and the one known stays. */
	uint64_t sectors = pvr_xenbus_backend_u64(&disk->front.bus, fact.name, UINT64_MAX);

	if (sectors == disk->info.sectors || !is_sensible(&fact, sectors))
		return 0;
	disk->info.sectors = sectors;
	return 1;
}
