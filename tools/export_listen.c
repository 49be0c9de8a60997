// SPDX-License-Identifier: MIT
/*
 * The socket that the exporter listens on.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "export.h"

#define BACKLOG	128

/* "host:port", "[host]:port", ":port": into two texts of which the host may be empty */
static bool split(const char *address, char *host, size_t size, const char **port)
{
	const char *colon = strrchr(address, ':'), *end;
	size_t length;

	if (!colon)
		return false;
	*port = colon + 1;
	length = strspn(*port, "0123456789");
	if (!length || length > 5 || (*port)[length] || atoi(*port) > 65535)
		return false;
	end = colon;
	if (*address == '[') {
		address++;
		if (end == address || *--end != ']')
			return false;
	} else if (memchr(address, ':', (size_t)(end - address))) {
		return false;
	}
	length = (size_t)(end - address);
	if (length >= size)
		return false;
	memcpy(host, address, length);
	host[length] = '\0';
	return true;
}

static int listen_at(const struct addrinfo *at)
{
	int one = 1, none = 0, ret;
	int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
			at->ai_protocol);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* All addresses are those of both kinds */
	if (at->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &none, sizeof(none));
	if (!bind(fd, at->ai_addr, at->ai_addrlen) && !listen(fd, BACKLOG))
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

static void name(int fd, char *url, size_t size)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof(address);
	char host[64] = "?", port[8] = "?";
	bool six;

	getsockname(fd, (struct sockaddr *)&address, &length);
	getnameinfo((struct sockaddr *)&address, length, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV);
	six = address.ss_family == AF_INET6;
	snprintf(url, size, "http://%s%s%s:%s/metrics", six ? "[" : "", host, six ? "]" : "",
		 port);
}

/**
 * export_listen() - makes a socket that listens
 * @address: "host:port", "[host]:port", or ":port" for all addresses; port 0: any
 * @url: where it can be reached
 * @url_size: its room
 * @why: what is wrong, where an errno does not say; else left alone
 *
 * Return: the socket, or a negative errno: -EINVAL of what is no address at all, and
 * -EADDRNOTAVAIL of one that cannot be found, which it may be later.
 */
int export_listen(const char *address, char *url, size_t url_size, const char **why)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE,
	}, *found, *at;
	char host[256];
	const char *port;
	int ret;

	if (!split(address, host, sizeof(host), &port)) {
		*why = "is not HOST:PORT, [HOST]:PORT or :PORT";
		return -EINVAL;
	}
	ret = getaddrinfo(*host ? host : NULL, port, &hints, &found);
	if (ret) {
		*why = gai_strerror(ret);
		/* A name that does not exist is a wrong one; others may be found later */
		return ret == EAI_NONAME ? -EINVAL : -EADDRNOTAVAIL;
	}
	ret = -EADDRNOTAVAIL;
	/* Of all addresses those of IPv6 include the others */
	for (at = found; !*host && at && ret < 0; at = at->ai_next)
		if (at->ai_family == AF_INET6)
			ret = listen_at(at);
	for (at = found; at && ret < 0; at = at->ai_next)
		ret = listen_at(at);
	freeaddrinfo(found);
	if (ret >= 0)
		name(ret, url, url_size);
	return ret;
}
