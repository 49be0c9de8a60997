// SPDX-License-Identifier: MIT
// A C++ program that calls the library: the headers are C++ too, and link as C.
#include <pddgpu.h>

#include <cstdio>

int main()
{
	pddgpu_device *dev = nullptr;
	drm_pddgpu_memory_stats stats = {};
	pddgpu_owner owner = {};
	int ret = pddgpu_open("0000:ff:1f.7", &dev);

	if (!ret)
		ret = pddgpu_query_stats(dev, &stats);
	pddgpu_close(dev);
	std::printf("%s: %s, %llu\n", pddgpu_version(), pddgpu_strerror(ret),
		    (unsigned long long)owner.objects[PDDGPU_STATE_LIVE]);
	return ret == -2 ? 0 : 1;
}
