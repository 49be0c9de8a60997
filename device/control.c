// SPDX-License-Identifier: MIT
/*
 * The control channel. Nothing here waits: a client that does not read its
 * answers is not read from either, until it does.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "log.h"

/**
 * control_open() - let clients connect
 * @control: filled in
 * @chip: the chip
 * @path: of the socket; NULL: none
 *
 * Return: 0, or -1 after a message; control_close() is due in both cases.
 */
int control_open(struct control *control, struct chip *chip, const char *path)
{
	control->chip = chip;
	control->guest = false;
	control->die = false;
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		control->client[i].fd = -1;
	return listener_open(&control->listener, path);
}

static void close_client(struct control_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

/**
 * control_close() - end all connections
 * @control: the channel
 */
void control_close(struct control *control)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		close_client(&control->client[i]);
	listener_close(&control->listener);
}

/* There is room for one answer at a time: the next line waits for it. */
static bool may_answer(const struct control_client *client)
{
	return client->fd >= 0 && !client->ended && !client->out_bytes;
}

static void flush(struct control_client *client)
{
	ssize_t n;

	if (client->fd < 0 || !client->out_bytes)
		return;
	n = send(client->fd, client->out, client->out_bytes,
		 MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			close_client(client);
		return;
	}
	client->out_bytes -= n;
	memmove(client->out, client->out + n, client->out_bytes);
}

static void reply(struct control_client *client, const struct answer *answer)
{
	memcpy(client->out, answer->text, answer->bytes);
	client->out_bytes = answer->bytes;
	flush(client);
}

static void run_line(struct control *control, struct control_client *client,
		     size_t length)
{
	static struct answer answer;

	answer = (struct answer) { 0 };
	if (client->skip) {
		command_error(&answer, "line too long");
		client->skip = false;
	} else if (memchr(client->in, 0, length)) {
		command_error(&answer, "a zero byte is no text");
	} else {
		client->in[length] = 0;
		command_run(control->chip, control->guest, client->in, &answer);
	}
	client->in_bytes -= length + 1;
	memmove(client->in, client->in + length + 1, client->in_bytes);
	if (answer.close)
		client->ended = true;
	if (answer.die)
		control->die = true;
	reply(client, &answer);
}

/* Run the lines that have been received, as long as the answers go out. */
static void run_lines(struct control *control, struct control_client *client)
{
	while (may_answer(client)) {
		char *newline = memchr(client->in, '\n', client->in_bytes);

		if (newline) {
			run_line(control, client, newline - client->in);
		} else if (client->in_bytes == sizeof(client->in)) {
			client->skip = true;
			client->in_bytes = 0;
		} else {
			return;
		}
	}
}

static void receive(struct control_client *client)
{
	ssize_t n = recv(client->fd, client->in + client->in_bytes,
			 sizeof(client->in) - client->in_bytes, MSG_DONTWAIT);

	if (n > 0)
		client->in_bytes += n;
	else if (n == 0)
		client->ended = true;
	else if (errno != EAGAIN && errno != EINTR)
		close_client(client);
}

static void accept_client(struct control *control)
{
	static const char full[] = "error: too many connections\n";
	int fd = listener_accept(&control->listener);
	ssize_t n;

	if (fd < 0)
		return;
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		if (control->client[i].fd < 0) {
			control->client[i] = (struct control_client) { .fd = fd };
			return;
		}
	}
	n = send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)n;
	close(fd);
}

/**
 * control_prepare() - say what to poll for
 * @control: the channel
 * @fds: CONTROL_POLL_FDS entries, filled in
 */
void control_prepare(const struct control *control, struct pollfd *fds)
{
	fds[0] = (struct pollfd) { .fd = control->listener.fd, .events = POLLIN };
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		const struct control_client *client = &control->client[i];

		fds[1 + i] = (struct pollfd) {
			.fd = client->fd,
			.events = client->out_bytes ? POLLOUT : POLLIN,
		};
	}
}

static void handle_client(struct control *control, struct control_client *client,
			  short events)
{
	if (events & POLLOUT)
		flush(client);
	else if (events & POLLIN)
		receive(client);
	else if (events)
		close_client(client);
	run_lines(control, client);
	if (client->ended && !client->out_bytes)
		close_client(client);
}

/**
 * control_handle() - serve those whom poll() has named
 * @control: the channel
 * @fds: as control_prepare() filled them in, polled
 */
void control_handle(struct control *control, const struct pollfd *fds)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		if (control->client[i].fd >= 0 && fds[1 + i].revents)
			handle_client(control, &control->client[i],
				      fds[1 + i].revents);
	if (fds[0].revents & POLLIN)
		accept_client(control);
}
