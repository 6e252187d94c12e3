/* SPDX-License-Identifier: MIT */
/* The files a guest boots from. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define MIB (1ull << 20)

static int file_failed(struct why *why, const char *what, const char *path, int err)
{
	if (err == -ENOENT)
		return vm_fail(why, err, "there is no %s '%s'", what, path);
	if (err == -EACCES)
		return vm_fail(why, err, "no permission to read the %s '%s'", what, path);
	if (err == -EISDIR)
		return vm_fail(why, -ENOEXEC, "the %s '%s' is a directory", what, path);
	if (err == -EFBIG)
		return vm_fail(why, -ENOEXEC, "the %s '%s' is larger than 1 GiB", what, path);
	return vm_fail(why, err, "cannot read the %s '%s': %s", what, path, strerror(-err));
}

/* Copied, not mapped: a file that shrinks meanwhile is then merely short. */
static int file_read(const char *path, uint8_t **data, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (S_ISDIR(st.st_mode))
		err = -EISDIR;
	else if (st.st_size > (off_t)VM_IMAGE_MAX)
		err = -EFBIG;
	*data = err ? NULL : malloc((size_t)st.st_size + 1);
	*size = 0;
	while (!err && *data && *size < (size_t)st.st_size) {
		ssize_t n = read(fd, *data + *size, (size_t)st.st_size - *size);

		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		*size += (size_t)n;
	}
	close(fd);
	return err ? err : *data ? 0 : -ENOMEM;
}

/* A bzImage is exchanged for the ELF image within. */
static const char *image_unpack(struct vm_files *files, int *err)
{
	const uint8_t *payload;
	size_t packed, size;

	if (!vm_payload_find(files->image, files->image_size, &payload, &packed, &size))
		return NULL;
	if (size > VM_IMAGE_MAX)
		return "it would be larger than 1 GiB unpacked";
	uint8_t *image = malloc(size + 1);

	if (!image) {
		*err = -ENOMEM;
		return "there is no memory to unpack it";
	}
	const char *bad = vm_payload_unpack(payload, packed, image, &size);

	if (bad) {
		free(image);
		return bad;
	}
	free(files->image);
	files->image = image;
	files->image_size = size;
	return NULL;
}

int vm_files_read(struct vm *vm, struct vm_files *files, struct why *why)
{
	const struct pvr_machine_config *c = vm->config;
	int err = file_read(c->kernel, &files->image, &files->image_size);

	if (err)
		return file_failed(why, "kernel", c->kernel, err);
	err = -ENOEXEC;
	const char *bad = image_unpack(files, &err);

	if (!bad)
		bad = vm_elf_parse(files->image, files->image_size, &vm->kernel);
	if (!bad)
		bad = vm->machine->bootable(&vm->kernel);
	if (bad)
		return vm_fail(why, err, "'%s' cannot be booted: %s", c->kernel, bad);
	vm->word_size = vm->kernel.bits == 64 ? 8 : 4;
	if (!c->initrd)
		return 0;
	err = file_read(c->initrd, &files->initrd, &files->initrd_size);
	return err ? file_failed(why, "initrd", c->initrd, err) : 0;
}

void vm_files_free(struct vm_files *files)
{
	free(files->image);
	free(files->initrd);
	*files = (struct vm_files){0};
}

void vm_segments_copy(struct vm *vm, const struct vm_files *files)
{
	const struct vm_kernel *k = &vm->kernel;

	for (unsigned i = 0; i < k->segments; i++)
		memcpy(vm->memory + k->segment[i].paddr, files->image + k->segment[i].offset,
			k->segment[i].filesz);
}

int vm_memory_too_little(struct vm *vm, struct why *why, uint64_t needed)
{
	return vm_fail(why, -ENOMEM,
		"%lluM of memory are too little: kernel and initrd alone need %lluM; give it more "
		"with --memory",
		(unsigned long long)(vm->boot.memory_bytes / MIB),
		(unsigned long long)((needed + MIB - 1) / MIB));
}
