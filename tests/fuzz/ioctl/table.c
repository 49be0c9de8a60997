// SPDX-License-Identifier: MIT
/* Every kind of call: its arguments, how often, and the errors it may have */
#include "fuzz.h"

#define ERRNOS(name, ...) static const int name[] = { __VA_ARGS__, 0 }

/* As include/uapi/drm/pddgpu_drm.h and docs/driver.md say; EINTR is everybody's */
ERRNOS(e_create, EINVAL, E2BIG, ENOMEM, EDQUOT, ENOENT, EBUSY);
ERRNOS(e_gem_map, EINVAL, ENOENT, EACCES);
ERRNOS(e_handle, EINVAL, ENOENT);
ERRNOS(e_wait, EINVAL, ENOENT, ETIME);
ERRNOS(e_set_domain, EINVAL, ENOENT, E2BIG, EBUSY, EDQUOT, ENOMEM);
ERRNOS(e_submit, EINVAL, E2BIG, ENOENT, EFAULT, EBUSY, ENOMEM, EAGAIN);
/* ENOENT: there is no such site */
ERRNOS(e_query, EINVAL, EFAULT, ENOMEM, ENOENT);
ERRNOS(e_label, EINVAL, EFAULT, ENOENT, ENOMEM);
/* What DRM says where the driver has no word in it */
ERRNOS(e_export, EINVAL, ENOENT, ENOMEM, EMFILE);
ERRNOS(e_import, EINVAL, ENOENT, ENOMEM, EBADF, E2BIG, EBUSY, EOPNOTSUPP);
ERRNOS(e_sync, EINVAL, ENOENT, EFAULT, ENOMEM, ETIME, EBADF, EMFILE, E2BIG);
ERRNOS(e_cap, EINVAL, EOPNOTSUPP, EACCES);
/* A file of another name than at the last look is none */
ERRNOS(e_write, EINVAL, ERANGE, ENOENT, EBUSY, ENOMEM, EACCES, EPERM, ENXIO);
ERRNOS(e_read, EACCES, EPERM, ENOENT, EINVAL, ENOMEM);
ERRNOS(e_map, EINVAL, EACCES, ENOMEM, EAGAIN, EBADF, ENODEV, EOVERFLOW, EPERM);

#define KIND(name, types, weight, errnos) { #name, types, weight, errnos, fz_##name }

const struct fz_kind fz_kinds[] = {
	KIND(create, "fHzamcp", 240, e_create),
	KIND(gem_map, "fhpp", 24, e_gem_map),
	KIND(info, "fhp", 80, e_handle),
	KIND(destroy, "fhp", 80, e_handle),
	KIND(wait, "fhgt", 80, e_wait),
	KIND(set_domain, "fhmg", 144, e_set_domain),
	KIND(add_op, "OPhohob", 0, NULL),
	KIND(add_sync, "1spi", 0, NULL),
	KIND(submit, "fuupNNN", 280, e_submit),
	KIND(query, "fqxup", 48, e_query),
	KIND(ask, "fQxuATp", 48, e_query),
	KIND(label, "fhuvp", 40, e_label),
	KIND(raw, "fk2ruv", 48, NULL),
	KIND(get_cap, "f2", 4, e_cap),
	KIND(set_client_cap, "f22", 4, e_cap),
	KIND(version, "fu2", 4, NULL),
	KIND(gem_close, "fh", 32, e_handle),
	KIND(flink, "fh", 4, NULL),
	KIND(gem_open, "fH2", 4, NULL),
	KIND(export, "fhDj", 56, e_export),
	KIND(import, "fHd", 64, e_import),
	KIND(master, "f1", 4, NULL),
	KIND(sync_create, "fSY", 40, e_sync),
	KIND(sync_destroy, "fsp", 20, e_sync),
	KIND(sync_export, "fsDyp", 16, e_sync),
	KIND(sync_import, "fSdy", 16, e_sync),
	KIND(sync_wait, "fssnytu", 24, e_sync),
	KIND(sync_timeline_wait, "fssnyti", 24, e_sync),
	KIND(sync_array, "fssn1pu", 16, e_sync),
	KIND(sync_points, "fssn1yi", 20, e_sync),
	KIND(sync_transfer, "fssiiyp", 12, e_sync),
	KIND(sync_eventfd, "fsDiy", 8, e_sync),
	KIND(mmap, "fhWlVr2", 56, e_map),
	KIND(munmap, "wll", 20, NULL),
	KIND(mremap, "wWll", 16, NULL),
	KIND(mprotect, "wllr", 12, NULL),
	KIND(madvise, "wll2", 16, NULL),
	KIND(mlock, "wl1", 4, NULL),
	KIND(remap, "wl2", 4, NULL),
	KIND(msync, "wl2", 4, NULL),
	KIND(load, "wol", 40, NULL),
	KIND(store, "wol2", 40, NULL),
	KIND(peek, "wo21", 4, NULL),
	KIND(fork, "wfh", 1, NULL),
	KIND(open, "f2", 12, NULL),
	KIND(close, "f", 8, NULL),
	KIND(dup, "ff", 8, NULL),
	KIND(nonblock, "f1", 4, NULL),
	KIND(read, "f22", 4, NULL),
	KIND(fd_close, "d", 24, NULL),
	KIND(dmabuf_sync, "d2", 12, NULL),
	KIND(dmabuf_export, "dD2", 16, NULL),
	KIND(dmabuf_import, "dd2", 12, NULL),
	KIND(dmabuf_name, "du", 4, NULL),
	KIND(dmabuf_mmap, "dWlVr", 16, NULL),
	KIND(dmabuf_seek, "d22", 8, NULL),
	KIND(merge, "ddD", 8, NULL),
	KIND(fd_ioctl, "d212v", 8, NULL),
	KIND(foreign, "D2z", 6, NULL),
	KIND(file_write, "22v", 8, e_write),
	KIND(file_read, "2v", 4, e_read),
	KIND(kick, "2", 12, NULL),
	KIND(fault, "22", 24, NULL),
	KIND(fdinfo, "f", 4, NULL),
	KIND(dumb, "eHz", 8, NULL),
	KIND(vgem_fence, "eh2", 4, NULL),
};

const unsigned int fz_kind_count = PDT_ARRAY_SIZE(fz_kinds);

_Static_assert(PDT_ARRAY_SIZE(fz_kinds) <= FZ_KINDS_MAX, "more kinds than counters");

int fz_kind_find(const char *name)
{
	for (unsigned int i = 0; i < fz_kind_count; i++) {
		if (!strcmp(fz_kinds[i].name, name))
			return (int)i;
	}
	return -1;
}
