// SPDX-License-Identifier: MIT
/*
 * The HTTP server. libmicrohttpd has one thread, which never waits: a request for
 * metrics is put aside, and a second thread asks the cards for all that are there
 * and answers them together. So neither a slow client nor a card that hangs keeps
 * others waiting, and many who ask cost no more than one.
 *
 * A connection is for one request and has a few seconds for it, whatever it sends or
 * does not read.
 */
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "export.h"

/* Of all clients, and of one address */
#define MOST_CONNECTIONS	256
#define MOST_OF_AN_ADDRESS	128
/* For a request's line and headers */
#define CONNECTION_BYTES	16384
/* Without a byte, and from beginning to end: more than a card may take */
#define IDLE_SECONDS		5
#define TOTAL_SECONDS		15

/**
 * struct answer - what cards said, in the formats that somebody wanted
 */
struct answer {
	/** @users: who still needs it; under the server's lock */
	unsigned int users;
	/** @response: by format; NULL: nobody wanted it, or there was no memory */
	struct MHD_Response *response[METRICS_FORMATS];
};

/**
 * struct request - a request whose headers have been read
 */
struct request {
	/** @next: another that waits */
	struct request *next;
	/** @connection: whose it is */
	struct MHD_Connection *connection;
	/** @format: what it gets */
	enum metrics_format format;
	/** @waited: it has been put aside, and is back */
	bool waited;
	/** @answer: what it gets then; NULL: none can be had */
	struct answer *answer;
};

/**
 * struct link - a connection that is open
 */
struct link {
	/** @used: there is one */
	bool used;
	/** @fd: its socket */
	int fd;
	/** @since: when it began, in seconds of CLOCK_MONOTONIC */
	time_t since;
};

struct export_server {
	/** @daemon: libmicrohttpd's */
	struct MHD_Daemon *daemon;
	/** @cards: whom to ask */
	struct export_cards *cards;
	/** @thread: who asks */
	pthread_t thread;
	/** @lock: guards what is below, but @links */
	pthread_mutex_t lock;
	/** @wake: somebody waits, or @stop */
	pthread_cond_t wake;
	/** @waiting: requests that wait */
	struct request *waiting;
	/** @stop: no more requests are put aside */
	bool stop;
	/** @links_lock: guards @links */
	pthread_mutex_t links_lock;
	/** @links: connections */
	struct link links[MOST_CONNECTIONS + 1];
};

static const char * const content_types[METRICS_FORMATS] = {
	"text/plain; version=0.0.4; charset=utf-8",
	"application/openmetrics-text; version=1.0.0; charset=utf-8",
};

static time_t seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static struct MHD_Response *respond(const struct export_sample *samples, int count,
				    enum metrics_format format)
{
	struct metrics_text text = {.format = format};
	struct MHD_Response *response;

	export_text(&text, samples, count);
	if (text.failed) {
		metrics_free(&text);
		return NULL;
	}
	response = MHD_create_response_from_buffer(text.length, text.text,
						   MHD_RESPMEM_MUST_FREE);
	if (!response) {
		metrics_free(&text);
		return NULL;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_types[format]);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	return response;
}

static void put_answer(struct export_server *server, struct answer *answer)
{
	unsigned int users, format;

	if (!answer)
		return;
	pthread_mutex_lock(&server->lock);
	users = --answer->users;
	pthread_mutex_unlock(&server->lock);
	if (users)
		return;
	for (format = 0; format < METRICS_FORMATS; format++)
		if (answer->response[format])
			MHD_destroy_response(answer->response[format]);
	free(answer);
}

/* One answer for all that wait */
static void answer_all(struct export_server *server, struct request *waiting)
{
	struct answer *answer = calloc(1, sizeof(*answer));
	struct export_sample *samples = NULL;
	struct request *request, *next;
	int count = -ENOMEM;

	if (answer) {
		answer->users = 1;
		count = export_cards_ask(server->cards, &samples);
	}
	for (request = waiting; request && count >= 0; request = request->next) {
		struct MHD_Response **response = &answer->response[request->format];

		if (!*response)
			*response = respond(samples, count, request->format);
		if (*response) {
			request->answer = answer;
			answer->users++;
		}
	}
	if (count >= 0)
		export_samples_free(samples, count);
	for (request = waiting; request; request = next) {
		/* Once it goes on it is the other thread's */
		next = request->next;
		MHD_resume_connection(request->connection);
	}
	put_answer(server, answer);
}

static void *asker(void *data)
{
	struct export_server *server = data;
	struct request *waiting;

	pthread_mutex_lock(&server->lock);
	while (!server->stop || server->waiting) {
		if (!server->waiting) {
			pthread_cond_wait(&server->wake, &server->lock);
			continue;
		}
		waiting = server->waiting;
		server->waiting = NULL;
		pthread_mutex_unlock(&server->lock);
		answer_all(server, waiting);
		pthread_mutex_lock(&server->lock);
	}
	pthread_mutex_unlock(&server->lock);
	return NULL;
}

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned int status,
			     const char *type, const char *text)
{
	struct MHD_Response *response;
	enum MHD_Result ret;

	response = MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
						   MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	ret = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return ret;
}

static enum MHD_Result reply_metrics(struct export_server *server, struct request *request)
{
	struct MHD_Connection *connection = request->connection;
	const char *accept;
	enum MHD_Result ret;
	bool stop;

	if (!request->waited) {
		accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
						     MHD_HTTP_HEADER_ACCEPT);
		request->format = export_format(accept);
		request->waited = true;
		pthread_mutex_lock(&server->lock);
		stop = server->stop;
		if (!stop) {
			request->next = server->waiting;
			server->waiting = request;
			MHD_suspend_connection(connection);
			pthread_cond_signal(&server->wake);
		}
		pthread_mutex_unlock(&server->lock);
		if (!stop)
			return MHD_YES;
	}
	if (!request->answer)
		return reply(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain",
			     "no answer can be had now\n");
	ret = MHD_queue_response(connection, MHD_HTTP_OK,
				 request->answer->response[request->format]);
	put_answer(server, request->answer);
	request->answer = NULL;
	return ret;
}

static enum MHD_Result handle(void *data, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **state)
{
	struct export_server *server = data;
	struct request *request = *state;

	(void)version;
	(void)upload;
	if (!request) {
		/* An answer now, before its body, ends the connection */
		if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
			return reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain",
				     "GET or HEAD, please\n");
		request = calloc(1, sizeof(*request));
		if (!request)
			return MHD_NO;
		request->connection = connection;
		*state = request;
		return MHD_YES;
	}
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	if (!strcmp(url, "/metrics"))
		return reply_metrics(server, request);
	if (!strcmp(url, "/healthz"))
		return reply(connection, MHD_HTTP_OK, "text/plain", "ok\n");
	if (!strcmp(url, "/"))
		return reply(connection, MHD_HTTP_OK, "text/html; charset=utf-8",
			     "<!DOCTYPE html><title>pddgpu export</title>"
			     "<p>PDDGPU cards: <a href=\"/metrics\">metrics</a>\n");
	return reply(connection, MHD_HTTP_NOT_FOUND, "text/plain", "there is /metrics\n");
}

static void completed(void *data, struct MHD_Connection *connection, void **state,
		      enum MHD_RequestTerminationCode why)
{
	struct request *request = *state;

	(void)connection;
	(void)why;
	if (!request)
		return;
	put_answer(data, request->answer);
	free(request);
	*state = NULL;
}

static void linked(void *data, struct MHD_Connection *connection, void **context,
		   enum MHD_ConnectionNotificationCode what)
{
	struct export_server *server = data;
	const union MHD_ConnectionInfo *info;
	struct link *link = *context;

	pthread_mutex_lock(&server->links_lock);
	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (link)
			link->used = false;
	} else {
		info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		for (link = server->links; link->used; link++)
			if (link == &server->links[MOST_CONNECTIONS])
				break;
		if (info && !link->used) {
			*link = (struct link){true, info->connect_fd, seconds()};
			*context = link;
		}
	}
	pthread_mutex_unlock(&server->links_lock);
}

/**
 * export_server_tick() - ends connections that have taken too long
 * @server: the server
 *
 * To be called every second or so.
 */
void export_server_tick(struct export_server *server)
{
	time_t now = seconds();
	unsigned int n;

	pthread_mutex_lock(&server->links_lock);
	for (n = 0; n <= MOST_CONNECTIONS; n++)
		if (server->links[n].used && now - server->links[n].since > TOTAL_SECONDS)
			shutdown(server->links[n].fd, SHUT_RDWR);
	pthread_mutex_unlock(&server->links_lock);
}

static int start(struct export_server *server, int listener)
{
	const unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
	const struct MHD_OptionItem options[] = {
		{MHD_OPTION_LISTEN_SOCKET, listener, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, MOST_CONNECTIONS, NULL},
		{MHD_OPTION_PER_IP_CONNECTION_LIMIT, MOST_OF_AN_ADDRESS, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, NULL},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)completed, server},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)linked, server},
		{MHD_OPTION_END, 0, NULL},
	};
	int ret;

	server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, server,
					  MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	if (!server->daemon)
		return errno ? -errno : -EIO;
	ret = pthread_create(&server->thread, NULL, asker, server);
	if (ret) {
		/* Who asked in between is told that there is nothing to be had */
		pthread_mutex_lock(&server->lock);
		server->stop = true;
		pthread_mutex_unlock(&server->lock);
		asker(server);
		MHD_stop_daemon(server->daemon);
	}
	return -ret;
}

/**
 * export_server_open() - begins to serve
 * @listener: a socket that listens; the server's when this succeeds
 * @cards: whom to ask
 * @out: for export_server_close()
 *
 * Signals are blocked meanwhile, so that the threads get none.
 *
 * Return: 0 or a negative errno.
 */
int export_server_open(int listener, struct export_cards *cards, struct export_server **out)
{
	struct export_server *server = calloc(1, sizeof(*server));
	sigset_t all, old;
	int ret;

	if (!server)
		return -ENOMEM;
	server->cards = cards;
	pthread_mutex_init(&server->lock, NULL);
	pthread_mutex_init(&server->links_lock, NULL);
	pthread_cond_init(&server->wake, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	errno = 0;
	ret = start(server, listener);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret) {
		free(server);
		return ret;
	}
	*out = server;
	return 0;
}

/**
 * export_server_close() - serves no more
 * @server: the server
 */
void export_server_close(struct export_server *server)
{
	/* Nobody may be put aside when libmicrohttpd is to end */
	pthread_mutex_lock(&server->lock);
	server->stop = true;
	pthread_cond_signal(&server->wake);
	pthread_mutex_unlock(&server->lock);
	pthread_join(server->thread, NULL);
	MHD_stop_daemon(server->daemon);
	pthread_cond_destroy(&server->wake);
	pthread_mutex_destroy(&server->links_lock);
	pthread_mutex_destroy(&server->lock);
	free(server);
}
