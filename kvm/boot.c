/* SPDX-License-Identifier: MIT */
/* The files a guest boots from, and guest memory as its kernel expects to find it. */
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
		return kvm_fail(why, err, "there is no %s '%s'", what, path);
	if (err == -EACCES)
		return kvm_fail(why, err, "no permission to read the %s '%s'", what, path);
	if (err == -EISDIR)
		return kvm_fail(why, -ENOEXEC, "the %s '%s' is a directory", what, path);
	if (err == -EFBIG)
		return kvm_fail(why, -ENOEXEC, "the %s '%s' is larger than 1 GiB", what, path);
	return kvm_fail(why, err, "cannot read the %s '%s': %s", what, path, strerror(-err));
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
	else if (st.st_size > (off_t)KVM_IMAGE_MAX)
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
static const char *image_unpack(struct kvm_files *files, int *err)
{
	const uint8_t *payload;
	size_t packed, size;

	if (!kvm_payload_find(files->image, files->image_size, &payload, &packed, &size))
		return NULL;
	if (size > KVM_IMAGE_MAX)
		return "it would be larger than 1 GiB unpacked";
	uint8_t *image = malloc(size + 1);

	if (!image) {
		*err = -ENOMEM;
		return "there is no memory to unpack it";
	}
	const char *bad = kvm_payload_unpack(payload, packed, image, &size);

	if (bad) {
		free(image);
		return bad;
	}
	free(files->image);
	files->image = image;
	files->image_size = size;
	return NULL;
}

int kvm_files_read(struct vm *vm, struct kvm_files *files, struct why *why)
{
	const struct pvr_kvm_config *c = vm->config;
	int err = file_read(c->kernel, &files->image, &files->image_size);

	if (err)
		return file_failed(why, "kernel", c->kernel, err);
	err = -ENOEXEC;
	const char *bad = image_unpack(files, &err);

	if (!bad)
		bad = kvm_elf_parse(files->image, files->image_size, &vm->kernel);
	if (bad)
		return kvm_fail(why, err, "'%s' cannot be booted: %s", c->kernel, bad);
	vm->word_size = vm->kernel.bits == 64 ? 8 : 4;
	if (!c->initrd)
		return 0;
	err = file_read(c->initrd, &files->initrd, &files->initrd_size);
	return err ? file_failed(why, "initrd", c->initrd, err) : 0;
}

void kvm_files_free(struct kvm_files *files)
{
	free(files->image);
	free(files->initrd);
	*files = (struct kvm_files){0};
}

static int too_little(struct vm *vm, struct why *why, uint64_t needed)
{
	return kvm_fail(why, -ENOMEM,
		"%lluM of memory are too little: kernel and initrd alone need %lluM; give it more "
		"with --memory",
		(unsigned long long)(vm->boot.memory_bytes / MIB),
		(unsigned long long)((needed + MIB - 1) / MIB));
}

int kvm_boot_load(struct vm *vm, struct kvm_files *files, struct why *why)
{
	const struct kvm_kernel *k = &vm->kernel;
	const char *cmdline = vm->config->cmdline ? vm->config->cmdline : "";
	uint64_t needed;

	if (k->start < KVM_HIGH)
		return kvm_fail(why, -ENOEXEC,
			"'%s' wants memory below 1 MiB, which is not its own", vm->config->kernel);
	vm->layout.kernel_end = (k->end + KVM_PAGE - 1) / KVM_PAGE * KVM_PAGE;
	vm->layout.initrd_size = files->initrd_size;
	if (kvm_layout_initrd(&vm->layout, &needed))
		return too_little(vm, why, needed);
	for (unsigned i = 0; i < k->segments; i++)
		memcpy(vm->memory + k->segment[i].paddr, files->image + k->segment[i].offset,
			k->segment[i].filesz);
	if (files->initrd_size)
		memcpy(vm->memory + vm->layout.initrd, files->initrd, files->initrd_size);
	if (kvm_start_info_build(vm->memory + KVM_BOOT_AREA, &vm->layout, cmdline, vm->boot.vcpus))
		return kvm_fail(why, -E2BIG, "the kernel's command line is longer than %u bytes",
			KVM_CMDLINE_MAX - 1);
	return 0;
}
